/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding and checking of monitor messages.
 */
#include "runtimes/monitor/protocol.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

#define ID_MAX 127

static int send_packed(int sock, const ProtobufCMessage *m, const int *fds, size_t nfds)
{
	uint8_t data[PROTOCOL_MAX_BYTES];
	size_t len = protobuf_c_message_get_packed_size(m);

	if (len > sizeof(data))
		return -EMSGSIZE;
	protobuf_c_message_pack(m, data);
	return fd_send(sock, data, len, fds, nfds);
}

int protocol_send_request(int sock, const Monitor__Request *r, const int *fds, size_t nfds)
{
	return send_packed(sock, &r->base, fds, nfds);
}

int protocol_send_reply(int sock, const Monitor__Reply *r, const int *fds, size_t nfds)
{
	return send_packed(sock, &r->base, fds, nfds);
}

static int recv_message(int sock, const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret,
			int *fds, size_t max_fds)
{
	uint8_t data[PROTOCOL_MAX_BYTES];
	ssize_t n = fd_recv(sock, data, sizeof(data), fds, max_fds);

	if (n == -EAGAIN)
		return -EAGAIN;
	if (n == 0 || n == -ECONNRESET)
		return 0;
	*ret = n < 0 ? NULL : protobuf_c_message_unpack(type, NULL, (size_t)n, data);
	if (*ret)
		return 1;
	for (size_t i = 0; i < max_fds; i++)
		close_fd(&fds[i]);
	return -EBADMSG;
}

int protocol_recv_request(int sock, Monitor__Request **ret, int *fds, size_t max_fds)
{
	return recv_message(sock, &monitor__request__descriptor, (ProtobufCMessage **)ret, fds,
			    max_fds);
}

int protocol_recv_reply(int sock, Monitor__Reply **ret, int *fds, size_t max_fds)
{
	return recv_message(sock, &monitor__reply__descriptor, (ProtobufCMessage **)ret, fds,
			    max_fds);
}

bool protocol_is_id(const char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_.-";
	size_t len = s ? strspn(s, good) : 0;

	return len > 0 && len <= ID_MAX && s[len] == '\0' && *s != '.' && *s != '-';
}
