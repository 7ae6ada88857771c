/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One RPC on the wire: from HTTP/2 frames to a request, and from a result to frames.
 *
 * nghttp2's own header checks are off, because old Go clients send the socket's path as
 * :authority; the rules that matter are checked here.  Errors answer as soon as they are seen
 * ("trailers-only": one HEADERS frame).
 */
#include "cri/grpc/stream.h"

#include <stdarg.h>
#include <stdio.h>

#include "cri/grpc/status.h"
#include "cri/grpc/timeout.h"

#define MAX_PATH_SHOWN 200
#define FIRST_BODY     4096

/* --- life ------------------------------------------------------------------------------------- */

struct grpc_stream *grpc_stream_create(struct grpc_connection *c, int32_t id)
{
	struct grpc_stream *s = xnew(struct grpc_stream);

	s->connection = c;
	s->id = id;
	list_add(&c->streams, &s->in_connection);
	return s;
}

static void drop_body(struct grpc_stream *s)
{
	s->connection->request_bytes -= s->body_cap;
	free(steal_ptr(s->body));
	s->body_len = s->body_cap = 0;
}

static void drop_reply(struct grpc_stream *s)
{
	s->connection->reply_bytes -= s->reply_len;
	free(steal_ptr(s->reply));
	s->reply_len = s->reply_at = 0;
}

void grpc_stream_destroy(struct grpc_stream *s)
{
	if (s->job)
		grpc_job_detach(s->job, GRPC_CANCELLED);
	drop_body(s);
	drop_reply(s);
	list_remove(&s->in_connection);
	free(s->refusal_text);
	free(s);
}

/* --- answers ---------------------------------------------------------------------------------- */

#define FIELD(n, v, len, flag)                                                         \
	(nghttp2_nv)                                                                   \
	{                                                                              \
		.name = (uint8_t *)(n), .namelen = strlen(n), .value = (uint8_t *)(v), \
		.valuelen = (len), .flags = (flag)                                     \
	}
#define TEXT_FIELD(n, v) FIELD(n, v, strlen(v), NGHTTP2_NV_FLAG_NONE)

static void submit_trailers_only(struct grpc_stream *s, enum grpc_status status, int http,
				 const char *text)
{
	char message[3 * sizeof(((struct error *)NULL)->text) + 1], code[12], http_code[12];
	size_t len = grpc_status_encode(text, message, sizeof(message));
	nghttp2_nv fields[] = {
		TEXT_FIELD(":status", http_code),
		TEXT_FIELD("content-type", "application/grpc"),
		TEXT_FIELD("grpc-status", code),
		FIELD("grpc-message", message, len, NGHTTP2_NV_FLAG_NO_INDEX),
		TEXT_FIELD("grpc-accept-encoding", "identity"),
	};
	size_t count = ARRAY_LEN(fields) - (status != GRPC_UNIMPLEMENTED);

	fields[0].valuelen = (size_t)snprintf(http_code, sizeof(http_code), "%d", http);
	fields[2].valuelen = (size_t)snprintf(code, sizeof(code), "%d", (int)status);
	s->answered = true;
	drop_body(s);
	nghttp2_submit_response(s->connection->session, s->id, fields, count, NULL);
}

static void observe(struct grpc_stream *s, enum grpc_status status, int64_t ns,
		    const struct error *err)
{
	const struct grpc_config *config = &s->connection->server->config;

	if (config->observe && s->route)
		config->observe(config->observe_data, s->route->path, status, ns, err);
}

/* Answer with an error that no method had part in. */
__attribute__((format(printf, 4, 5))) static void
refuse(struct grpc_stream *s, enum grpc_status status, int http, const char *format, ...)
{
	struct error err = { .code = -EPROTO };
	va_list ap;

	va_start(ap, format);
	vsnprintf(err.text, sizeof(err.text), format, ap);
	va_end(ap);
	submit_trailers_only(s, status, http, err.text);
	observe(s, status, 0, &err);
}

static ssize_t read_reply(nghttp2_session *session, int32_t id, uint8_t *buf, size_t length,
			  uint32_t *flags, nghttp2_data_source *source, void *data)
{
	nghttp2_nv trailer = TEXT_FIELD("grpc-status", "0");
	struct grpc_stream *s = source->ptr;
	size_t n = MIN(length, s->reply_len - s->reply_at);

	(void)data;
	memcpy(buf, s->reply + s->reply_at, n);
	s->reply_at += n;
	if (s->reply_at == s->reply_len) {
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
		drop_reply(s);
		if (nghttp2_submit_trailer(session, id, &trailer, 1) != 0)
			return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	return (ssize_t)n;
}

static void submit_reply(struct grpc_stream *s, struct grpc_result *result)
{
	const nghttp2_nv fields[] = {
		TEXT_FIELD(":status", "200"),
		TEXT_FIELD("content-type", "application/grpc"),
	};
	nghttp2_data_provider provider = { .source.ptr = s, .read_callback = read_reply };

	s->answered = true;
	s->reply_len = result->reply_len;
	s->reply = steal_ptr(result->reply);
	s->connection->reply_bytes += s->reply_len;
	nghttp2_submit_response(s->connection->session, s->id, fields, ARRAY_LEN(fields),
				&provider);
}

void grpc_stream_finish(struct grpc_stream *s, struct grpc_result *r)
{
	if (r->status == GRPC_OK &&
	    r->reply_len + s->connection->reply_bytes > GRPC_MAX_REPLY_BYTES) {
		r->status = GRPC_RESOURCE_EXHAUSTED;
		error_set(&r->err, EDQUOT,
			  "%zu bytes of replies wait to be read on this connection",
			  s->connection->reply_bytes);
	}
	if (r->status == GRPC_OK)
		submit_reply(s, r);
	else
		submit_trailers_only(s, r->status, 200, r->err.text);
	observe(s, r->status, r->ns, r->status == GRPC_OK ? NULL : &r->err);
}

void grpc_stream_expire(struct grpc_stream *s)
{
	if (s->job) {
		grpc_job_detach(steal_ptr(s->job), GRPC_DEADLINE_EXCEEDED);
		submit_trailers_only(s, GRPC_DEADLINE_EXCEEDED, 200, "deadline passed");
	} else {
		refuse(s, GRPC_DEADLINE_EXCEEDED, 200, "deadline passed");
	}
}

/* --- headers ---------------------------------------------------------------------------------- */

/* The first reason to refuse counts; it is told once all headers were seen. */
__attribute__((format(printf, 4, 5))) static void
note_refusal(struct grpc_stream *s, enum grpc_status status, int http, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (s->refusal != GRPC_OK)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	s->refusal = status;
	s->refusal_http = http;
	s->refusal_text = xstrdup(text);
}

/* Return: whether @bit was not there yet. */
static bool first_time(struct grpc_stream *s, unsigned int bit)
{
	s->malformed |= (s->seen & bit) != 0;
	s->seen |= (uint8_t)bit;
	return !s->malformed;
}

static void on_path(struct grpc_stream *s, const char *value, size_t len)
{
	struct grpc_server *server = s->connection->server;

	if (!first_time(s, GRPC_SEEN_PATH))
		return;
	if (strlen(value) == len)
		s->route = map_get(&server->by_path, value);
	if (!s->route)
		note_refusal(s, GRPC_UNIMPLEMENTED, 200, "unknown method %.*s", MAX_PATH_SHOWN,
			     value);
	else if (!s->route->method->run)
		note_refusal(s, GRPC_UNIMPLEMENTED, 200, "%s is not implemented", value);
}

static void pseudo_header(struct grpc_stream *s, const char *name, const char *value, size_t len)
{
	if (s->seen & GRPC_SEEN_REGULAR) {
		s->malformed = true;
	} else if (strcmp(name, ":path") == 0) {
		on_path(s, value, len);
	} else if (strcmp(name, ":method") == 0) {
		if (first_time(s, GRPC_SEEN_METHOD) && strcmp(value, "POST") != 0)
			note_refusal(s, GRPC_INTERNAL, 405, "gRPC needs POST");
	} else if (strcmp(name, ":scheme") == 0) {
		first_time(s, GRPC_SEEN_SCHEME);
	} else if (strcmp(name, ":authority") == 0) {
		first_time(s, GRPC_SEEN_AUTHORITY); /* whatever it is: see top */
	} else {
		s->malformed = true;
	}
}

static void on_content_type(struct grpc_stream *s, const char *value)
{
	const char *rest = str_after(value, "application/grpc");

	if (!first_time(s, GRPC_SEEN_TYPE))
		return;
	if (!rest || (*rest && *rest != ';' && strcmp(rest, "+proto") != 0 &&
		      !str_has_prefix(rest, "+proto;")))
		note_refusal(s, GRPC_INVALID_ARGUMENT, 415,
			     "content-type '%.100s' is not application/grpc", value);
}

static void on_timeout(struct grpc_stream *s, const char *value, size_t len)
{
	int64_t ns;

	if (grpc_timeout_parse(value, len, &ns) < 0) {
		note_refusal(s, GRPC_INTERNAL, 200, "malformed grpc-timeout '%.20s'", value);
		return;
	}
	s->deadline_ns = grpc_timeout_deadline(clock_monotonic_ns(), ns);
}

static bool is_lower(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || (name[i] >= 'A' && name[i] <= 'Z'))
			return false;
	return len > 0;
}

void grpc_stream_header(struct grpc_stream *s, const char *name, size_t name_len, const char *value,
			size_t value_len)
{
	s->header_bytes += name_len + value_len + 32; /* as RFC 9113 counts */
	if (s->header_bytes > GRPC_MAX_HEADER_BYTES) {
		note_refusal(s, GRPC_RESOURCE_EXHAUSTED, 200, "headers of more than %d bytes",
			     GRPC_MAX_HEADER_BYTES);
		return;
	}
	if (!is_lower(name, name_len)) {
		s->malformed = true;
	} else if (name[0] == ':') {
		pseudo_header(s, name, value, value_len);
	} else {
		s->seen |= GRPC_SEEN_REGULAR;
		if (strcmp(name, "content-type") == 0)
			on_content_type(s, value);
		else if (strcmp(name, "grpc-timeout") == 0)
			on_timeout(s, value, value_len);
		else if (strcmp(name, "grpc-encoding") == 0 && strcmp(value, "identity") != 0)
			note_refusal(s, GRPC_UNIMPLEMENTED, 200,
				     "grpc-encoding '%.100s' is not supported", value);
	}
}

void grpc_stream_headers_done(struct grpc_stream *s)
{
	const unsigned int needed = GRPC_SEEN_METHOD | GRPC_SEEN_SCHEME | GRPC_SEEN_PATH;

	if (s->refusal == GRPC_OK && !(s->seen & GRPC_SEEN_TYPE))
		note_refusal(s, GRPC_INVALID_ARGUMENT, 415, "content-type is not application/grpc");
	if (s->malformed ||
	    (s->header_bytes <= GRPC_MAX_HEADER_BYTES && (s->seen & needed) != needed)) {
		s->answered = true;
		nghttp2_submit_rst_stream(s->connection->session, NGHTTP2_FLAG_NONE, s->id,
					  NGHTTP2_PROTOCOL_ERROR);
	} else if (s->refusal != GRPC_OK) {
		refuse(s, s->refusal, s->refusal_http, "%s", s->refusal_text);
	} else if (s->deadline_ns) {
		grpc_server_deadline(s->connection->server, s->deadline_ns);
	}
}

/* --- body ------------------------------------------------------------------------------------- */

static void on_prefix(struct grpc_stream *s)
{
	size_t max = s->connection->server->config.max_message_bytes;

	s->body_want = (size_t)s->prefix[1] << 24 | (size_t)s->prefix[2] << 16 |
		       (size_t)s->prefix[3] << 8 | s->prefix[4];
	if (s->prefix[0] > 1)
		refuse(s, GRPC_INTERNAL, 200, "unexpected message flags %u", s->prefix[0]);
	else if (s->prefix[0] == 1)
		refuse(s, GRPC_UNIMPLEMENTED, 200, "compressed messages are not supported");
	else if (s->body_want > max)
		refuse(s, GRPC_RESOURCE_EXHAUSTED, 200,
		       "the request has %zu bytes, more than the %zu allowed", s->body_want, max);
}

/* Memory follows what came, not what the prefix promises. */
static bool grow_body(struct grpc_stream *s, size_t len)
{
	struct grpc_connection *c = s->connection;
	size_t need = s->body_len + len;
	size_t cap = MIN(MAX(MAX(s->body_cap * 2, need), FIRST_BODY), MAX(s->body_want, 1));

	if (need <= s->body_cap)
		return true;
	if (c->request_bytes + (cap - s->body_cap) > GRPC_MAX_REQUEST_BYTES) {
		refuse(s, GRPC_RESOURCE_EXHAUSTED, 200,
		       "%zu bytes of unfinished requests on this connection", c->request_bytes);
		return false;
	}
	s->body = xrealloc(s->body, cap, 1);
	c->request_bytes += cap - s->body_cap;
	s->body_cap = cap;
	return true;
}

void grpc_stream_data(struct grpc_stream *s, const uint8_t *data, size_t len)
{
	if (!s->answered && s->prefix_len < GRPC_PREFIX_BYTES) {
		size_t n = MIN(len, GRPC_PREFIX_BYTES - s->prefix_len);

		memcpy(s->prefix + s->prefix_len, data, n);
		s->prefix_len += n;
		data += n;
		len -= n;
		if (s->prefix_len == GRPC_PREFIX_BYTES)
			on_prefix(s);
	}
	if (s->answered || len == 0)
		return;
	if (len > s->body_want - s->body_len) {
		refuse(s, GRPC_INTERNAL, 200, "more than one message in a unary call");
		return;
	}
	if (!grow_body(s, len))
		return;
	memcpy(s->body + s->body_len, data, len);
	s->body_len += len;
}

/* --- run -------------------------------------------------------------------------------------- */

static void run(struct grpc_stream *s, struct grpc_call *call, const ProtobufCMessage *request)
{
	struct grpc_result result = { .status = GRPC_OK };
	int rc;

	if (s->route->method->is_inline) {
		grpc_job_run(s->connection->server, s->route, call, request, &result);
		grpc_stream_finish(s, &result);
		free(result.reply);
		return;
	}
	rc = grpc_job_start(s, call, request, &result.err);
	if (rc < 0)
		refuse(s, grpc_status_of(rc), 200, "%s", result.err.text);
}

static void decode_and_run(struct grpc_stream *s)
{
	struct grpc_call call = {
		.context = s->route->service->context,
		.cancel_fd = -1,
		.deadline_ns = s->deadline_ns,
		.method = s->route->path,
	};
	ProtobufCMessage *request;
	struct error err = ERROR_INIT;
	int rc = grpc_message_decode(s->route->method->request, s->body, s->body_len,
				     GRPC_MAX_DECODED_BYTES, &call.arena, &request, &err);

	drop_body(s);
	if (rc < 0) {
		arena_finish(&call.arena);
		refuse(s, rc == -EDQUOT ? GRPC_RESOURCE_EXHAUSTED : GRPC_INTERNAL, 200,
		       "cannot decode the request: %s", err.text);
		return;
	}
	run(s, &call, request);
}

void grpc_stream_end(struct grpc_stream *s)
{
	s->ended = true;
	if (s->answered)
		return;
	if (s->prefix_len < GRPC_PREFIX_BYTES || s->body_len < s->body_want)
		refuse(s, GRPC_INTERNAL, 200, "the request ends before its message does");
	else if (s->deadline_ns && s->deadline_ns <= clock_monotonic_ns())
		grpc_stream_expire(s);
	else
		decode_and_run(s);
}
