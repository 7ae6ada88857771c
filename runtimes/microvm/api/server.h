/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The API's socket: connections, each with one request at a time.
 */
#ifndef MICROVM_API_SERVER_H
#define MICROVM_API_SERVER_H

#include "base/loop.h"
#include "runtimes/microvm/api/api.h"

struct server;

/*
 * server_create() - listen at @path (which must not exist) and serve on @loop with bodies of
 * at most @body_max bytes.  Return: 0 or -errno.
 */
int server_create(struct server **ret, struct loop *loop, struct api *api, const char *path,
		  size_t body_max, struct error *err);
/* server_destroy() - closes all; removes the socket's file.  May be NULL. */
void server_destroy(struct server *s);

#endif
