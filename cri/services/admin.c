/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs of bulkhead.v1: what the tool asks beyond the CRI.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"
#include "cri/proto/admin.pb-c.h"
#include "cri/services/methods.h"

/* Whoever may use the socket may have any file read: the socket is root's. */
int rpc_import(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Bulkhead__V1__ImportRequest *request = request_;
	Bulkhead__V1__ImportResponse *reply = reply_;
	const char *name = str_empty(request->name) ? request->path : request->name;
	struct strlist ids cleanup_strlist = { 0 };
	struct services *s = call->context;
	int fd cleanup_close = -1;
	int rc;

	if (*request->path != '/')
		return error_set(err, EINVAL, "import %s: not an absolute path", request->path);
	fd = open(request->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, errno, "import %s", request->path);
	rc = image_import(s->images, fd, name, call->cancel_fd, &ids, err);
	if (rc < 0)
		return rc;
	reply->ids = arena_alloc(&call->arena, (ids.count + 1) * sizeof(*reply->ids));
	for (size_t i = 0; i < ids.count; i++)
		reply->ids[reply->n_ids++] = arena_strdup(&call->arena, ids.items[i]);
	return 0;
}

int rpc_pull_progress(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Bulkhead__V1__PullProgressRequest *request = request_;
	Bulkhead__V1__PullProgressResponse *reply = reply_;
	struct image_progress *list cleanup_free = NULL;
	struct services *s = call->context;
	size_t n = image_pull_progress(s->images, request->image, &list);

	(void)err;
	reply->layers = arena_alloc(&call->arena, (n + 1) * sizeof(*reply->layers));
	for (size_t i = 0; i < n; i++) {
		Bulkhead__V1__LayerProgress *l =
			grpc_call_new(call, &bulkhead__v1__layer_progress__descriptor);

		l->digest = arena_strdup(&call->arena, list[i].digest);
		l->size = list[i].size;
		l->bytes = list[i].bytes;
		l->done = list[i].done;
		reply->layers[reply->n_layers++] = l;
	}
	return 0;
}

int rpc_tag(struct grpc_call *call, const void *request_, void *reply, struct error *err)
{
	const Bulkhead__V1__TagRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	if (str_empty(request->image) || str_empty(request->tag))
		return error_set(err, EINVAL, "no image or no tag given");
	return image_tag(s->images, request->image, request->tag, err);
}
