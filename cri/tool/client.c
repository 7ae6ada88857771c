/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small gRPC client: one unary call on a UNIX socket.
 *
 * HTTP/2 with prior knowledge.  The session is driven by poll until the stream has closed; the
 * message and the trailers are judged after that.
 */
#include "cri/tool/client.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/str.h"
#include "cri/grpc/server.h"

#define MAX_REPLY_BYTES (16 << 20)
#define PREFIX_BYTES	5 /* of a gRPC message: compressed flag, length */
#define WINDOW_BYTES	(1 << 20)

struct call {
	int fd;
	nghttp2_session *session;
	struct strbuf request, reply; /* with prefix */
	size_t sent;		      /* of request */
	bool closed, too_long;
	int http_status, grpc_status; /* -1: none came */
	char message[1000];	      /* grpc-message, decoded */
};

static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
			    uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct call *c = data;
	size_t n = MIN(len, c->request.len - c->sent);

	(void)session;
	(void)id;
	(void)source;
	memcpy(buf, c->request.data + c->sent, n);
	c->sent += n;
	if (c->sent == c->request.len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* "not%20found" */
static void percent_decode(const char *text, char *ret, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++) {
		unsigned int c;

		if (text[0] == '%' && isxdigit((unsigned char)text[1]) &&
		    isxdigit((unsigned char)text[2]) && sscanf(text + 1, "%2x", &c) == 1) {
			ret[n++] = c < ' ' ? ' ' : (char)c;
			text += 2;
		} else {
			ret[n++] = *text;
		}
	}
	ret[n] = '\0';
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *data)
{
	struct call *c = data;
	char *text cleanup_free = xstrndup((const char *)value, value_len);
	uint64_t number;

	(void)session;
	(void)frame;
	(void)name_len;
	(void)flags;
	if (str_eq((const char *)name, "grpc-message"))
		percent_decode(text, c->message, sizeof(c->message));
	else if (str_eq((const char *)name, ":status") && str_parse_u64(text, &number) == 0)
		c->http_status = number < 1000 ? (int)number : -1;
	else if (str_eq((const char *)name, "grpc-status") && str_parse_u64(text, &number) == 0)
		c->grpc_status = number < 1000 ? (int)number : GRPC_UNKNOWN;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *chunk,
		   size_t len, void *data)
{
	struct call *c = data;

	(void)flags;
	if (c->reply.len + len > MAX_REPLY_BYTES + PREFIX_BYTES) {
		c->too_long = true;
		return nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_CANCEL);
	}
	strbuf_append(&c->reply, chunk, len);
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *data)
{
	struct call *c = data;

	(void)session;
	(void)id;
	(void)error_code;
	c->closed = true;
	return 0;
}

static int open_session(struct call *c, struct error *err)
{
	static const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW_BYTES },
	};
	nghttp2_session_callbacks *callbacks;
	int rc;

	if (nghttp2_session_callbacks_new(&callbacks) != 0)
		return error_set(err, ENOMEM, "no memory for HTTP/2");
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	rc = nghttp2_session_client_new(&c->session, callbacks, c);
	nghttp2_session_callbacks_del(callbacks);
	if (rc == 0)
		rc = nghttp2_submit_settings(c->session, 0, settings, ARRAY_LEN(settings));
	if (rc == 0)
		rc = nghttp2_session_set_local_window_size(c->session, 0, 0, WINDOW_BYTES);
	return rc == 0 ? 0 : error_set(err, EIO, "HTTP/2: %s", nghttp2_strerror(rc));
}

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
			     NGHTTP2_NV_FLAG_NONE };
}

static int submit(struct call *c, const char *path, int timeout_ms, struct error *err)
{
	char timeout[24];
	nghttp2_nv headers[8];
	nghttp2_data_provider body = { .read_callback = read_request };
	size_t n = 0;
	int id;

	headers[n++] = header(":method", "POST");
	headers[n++] = header(":scheme", "http");
	headers[n++] = header(":path", path);
	headers[n++] = header(":authority", "localhost");
	headers[n++] = header("content-type", "application/grpc");
	headers[n++] = header("te", "trailers");
	headers[n++] = header("user-agent", "bulkhead/" BULKHEAD_VERSION);
	if (timeout_ms >= 0) {
		snprintf(timeout, sizeof(timeout), "%dm", MIN(timeout_ms, 99999999));
		headers[n++] = header("grpc-timeout", timeout);
	}
	id = nghttp2_submit_request(c->session, NULL, headers, n, &body, NULL);
	return id > 0 ? 0 : error_set(err, EIO, "HTTP/2: %s", nghttp2_strerror(id));
}

static int send_pending(struct call *c, struct error *err)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &data)) > 0) {
		size_t done = 0;

		while (done < (size_t)n) {
			ssize_t rc = send(c->fd, data + done, (size_t)n - done, MSG_NOSIGNAL);

			if (rc < 0 && errno != EINTR)
				return error_errno(err, errno, "send to the server");
			done += rc > 0 ? (size_t)rc : 0;
		}
	}
	return n == 0 ? 0 : error_set(err, EIO, "HTTP/2: %s", nghttp2_strerror((int)n));
}

static int receive(struct call *c, struct error *err)
{
	uint8_t buf[16 << 10];
	ssize_t n = recv(c->fd, buf, sizeof(buf), 0);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return error_errno(err, errno, "receive from the server");
	if (n == 0)
		return error_set(err, ECONNRESET, "the server closed the connection");
	n = nghttp2_session_mem_recv(c->session, buf, (size_t)n);
	return n >= 0 ? 0 : error_set(err, EPROTO, "HTTP/2: %s", nghttp2_strerror((int)n));
}

static int run(struct call *c, int timeout_ms, struct error *err)
{
	int64_t end_ns = clock_monotonic_ns() + timeout_ms * INT64_C(1000000);

	for (;;) {
		int64_t left_ms = -1;
		int rc = send_pending(c, err);

		if (rc < 0 || c->closed)
			return rc;
		if (timeout_ms >= 0)
			left_ms = MAX((end_ns - clock_monotonic_ns()) / 1000000, 0);
		rc = fd_wait(c->fd, POLLIN, (int)left_ms);
		if (rc == 0)
			return error_set(err, ETIMEDOUT, "no answer within %d ms", timeout_ms);
		if (rc > 0)
			rc = receive(c, err);
		if (rc < 0)
			return rc;
	}
}

static int errno_of(int status)
{
	switch (status) {
	case GRPC_CANCELLED:
		return ECANCELED;
	case GRPC_INVALID_ARGUMENT:
		return EINVAL;
	case GRPC_DEADLINE_EXCEEDED:
		return ETIMEDOUT;
	case GRPC_NOT_FOUND:
		return ENOENT;
	case GRPC_ALREADY_EXISTS:
		return EEXIST;
	case GRPC_RESOURCE_EXHAUSTED:
		return EDQUOT;
	case GRPC_FAILED_PRECONDITION:
		return EBUSY;
	case GRPC_UNIMPLEMENTED:
		return ENOSYS;
	default:
		return EIO;
	}
}

static int judge(const struct call *c, struct error *err)
{
	if (c->too_long)
		return error_set(err, EMSGSIZE, "the answer is over %d bytes", MAX_REPLY_BYTES);
	if (c->grpc_status > 0)
		return error_set(err, errno_of(c->grpc_status), "%s",
				 str_or(c->message, "the server gives no reason"));
	if (c->grpc_status < 0)
		return error_set(err, EPROTO, "no gRPC answer (HTTP status %d)", c->http_status);
	return 0;
}

static int decode(const struct call *c, const ProtobufCMessageDescriptor *type,
		  ProtobufCMessage **ret, struct error *err)
{
	const uint8_t *p = (const uint8_t *)c->reply.data;
	uint32_t len;
	int rc = judge(c, err);

	if (rc < 0)
		return rc;
	if (c->reply.len < PREFIX_BYTES || p[0] != 0)
		return error_set(err, EPROTO, "the answer is no plain gRPC message");
	memcpy(&len, p + 1, sizeof(len));
	if (ntohl(len) != c->reply.len - PREFIX_BYTES)
		return error_set(err, EPROTO, "the answer has a wrong length");
	*ret = protobuf_c_message_unpack(type, NULL, ntohl(len), p + PREFIX_BYTES);
	return *ret ? 0 : error_set(err, EPROTO, "the answer is not a %s", type->name);
}

static void encode(struct strbuf *out, const ProtobufCMessage *message)
{
	size_t size = protobuf_c_message_get_packed_size(message);
	uint8_t *packed cleanup_free = xmalloc(size + 1);
	uint32_t len = htonl((uint32_t)size);

	protobuf_c_message_pack(message, packed);
	strbuf_putc(out, '\0');
	strbuf_append(out, &len, sizeof(len));
	strbuf_append(out, packed, size);
}

int client_call(const char *socket, const char *method_path, const ProtobufCMessage *req,
		const ProtobufCMessageDescriptor *reply_type, ProtobufCMessage **ret,
		int timeout_ms, struct error *err)
{
	const char *path = str_after(socket, "unix://");
	struct call c = { .http_status = -1, .grpc_status = -1 };
	int rc;

	path = path ? path : socket;
	c.fd = fd_connect_unix(path, SOCK_STREAM, err);
	if (c.fd < 0)
		return error_wrap(err, "is bulkheadd running? %s", path);
	encode(&c.request, req);
	rc = open_session(&c, err);
	if (rc == 0)
		rc = submit(&c, method_path, timeout_ms, err);
	if (rc == 0)
		rc = run(&c, timeout_ms, err);
	if (rc == 0)
		rc = decode(&c, reply_type, ret, err);
	nghttp2_session_del(c.session);
	strbuf_finish(&c.request);
	strbuf_finish(&c.reply);
	close_fd(&c.fd);
	return rc;
}
