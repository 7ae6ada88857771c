/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs about images.
 */
#include <errno.h>

#include "base/json.h"
#include "base/mem.h"
#include "cri/services/methods.h"

#define NEW(call, type) grpc_call_new(call, &runtime__v1__##type##__descriptor)

static char **copy_list(struct grpc_call *call, const struct strlist *list)
{
	char **copy = arena_alloc(&call->arena, (list->count + 1) * sizeof(*copy));

	for (size_t i = 0; i < list->count; i++)
		copy[i] = arena_strdup(&call->arena, list->items[i]);
	return copy;
}

/* The image's USER: a number before the colon is a uid, anything else a name (IM-1). */
static void show_user(struct grpc_call *call, const char *user, Runtime__V1__Image *v)
{
	char *name = arena_strndup(&call->arena, user, strcspn(user, ":"));
	int64_t uid;

	if (str_parse_i64(name, &uid) == 0) {
		v->uid = NEW(call, int64_value);
		v->uid->value = uid;
	} else {
		v->username = name;
	}
}

static Runtime__V1__Image *show(struct grpc_call *call, const struct image *image)
{
	Runtime__V1__Image *v = NEW(call, image);

	v->id = arena_strdup(&call->arena, image->id);
	v->repo_tags = copy_list(call, &image->repo_tags);
	v->n_repo_tags = image->repo_tags.count;
	v->repo_digests = copy_list(call, &image->repo_digests);
	v->n_repo_digests = image->repo_digests.count;
	v->size = image->size_bytes;
	v->pinned = image->pinned;
	v->spec = NEW(call, image_spec);
	v->spec->image = v->id;
	if (!str_empty(image->user))
		show_user(call, image->user, v);
	return v;
}

int rpc_list_images(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__ListImagesRequest *request = request_;
	Runtime__V1__ListImagesResponse *reply = reply_;
	struct services *s = call->context;
	const Runtime__V1__ImageSpec *wanted = request->filter ? request->filter->image : NULL;
	struct image **list;
	size_t n;

	(void)err;
	if (wanted && !str_empty(wanted->image)) {
		struct image *image = image_get(s->images, wanted->image);

		if (!image)
			return 0;
		reply->images = arena_alloc(&call->arena, sizeof(*reply->images));
		reply->images[reply->n_images++] = show(call, image);
		image_put(image);
		return 0;
	}
	list = image_list(s->images, &n);
	reply->images = arena_alloc(&call->arena, (n + 1) * sizeof(*reply->images));
	for (size_t i = 0; i < n; i++) {
		reply->images[reply->n_images++] = show(call, list[i]);
		image_put(list[i]);
	}
	free(list);
	return 0;
}

/* "info" of a verbose status: the image's config as it came, under the name the peers use. */
static char *image_info(struct grpc_call *call, const struct image *image)
{
	struct strbuf out cleanup_strbuf = { 0 };

	strbuf_puts(&out, "{\"imageSpec\":");
	strbuf_puts(&out, str_or(image->config_json, "{}"));
	strbuf_putc(&out, '}');
	return arena_strdup(&call->arena, out.data);
}

/* An absent image is an answer without one, not an error (IM-2). */
int rpc_image_status(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__ImageStatusRequest *request = request_;
	Runtime__V1__ImageStatusResponse *reply = reply_;
	struct services *s = call->context;
	struct image *image;

	if (!request->image || str_empty(request->image->image))
		return error_set(err, EINVAL, "no image given");
	image = image_get(s->images, request->image->image);
	if (!image)
		return 0;
	reply->image = show(call, image);
	if (request->verbose) {
		reply->info = arena_alloc(&call->arena, sizeof(*reply->info));
		reply->info[0] = NEW(call, image_status_response__info_entry);
		reply->info[0]->key = (char *)"info";
		reply->info[0]->value = image_info(call, image);
		reply->n_info = 1;
	}
	image_put(image);
	return 0;
}

int rpc_pull_image(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__PullImageRequest *request = request_;
	Runtime__V1__PullImageResponse *reply = reply_;
	const Runtime__V1__AuthConfig *a = request->auth;
	struct services *s = call->context;
	struct image_auth auth = { 0 };
	struct image *image;
	int rc;

	if (!request->image || str_empty(request->image->image))
		return error_set(err, EINVAL, "no image given");
	if (a)
		auth = (struct image_auth){
			a->username,	   a->password,	      a->auth,
			a->server_address, a->identity_token, a->registry_token
		};
	rc = image_pull(s->images, request->image->image, a ? &auth : NULL, call->cancel_fd, &image,
			err);
	if (rc < 0)
		return rc;
	reply->image_ref = arena_strdup(&call->arena, image->id);
	image_put(image);
	return 0;
}

int rpc_remove_image(struct grpc_call *call, const void *request_, void *reply, struct error *err)
{
	const Runtime__V1__RemoveImageRequest *request = request_;
	struct services *s = call->context;

	(void)reply;
	if (!request->image || str_empty(request->image->image))
		return error_set(err, EINVAL, "no image given");
	return image_remove(s->images, request->image->image, err);
}

int rpc_image_fs_info(struct grpc_call *call, const void *request, void *reply_, struct error *err)
{
	Runtime__V1__ImageFsInfoResponse *reply = reply_;
	struct services *s = call->context;
	Runtime__V1__FilesystemUsage *f = NEW(call, filesystem_usage);

	(void)request;
	(void)err;
	f->timestamp = clock_wall_ns();
	f->fs_id = NEW(call, filesystem_identifier);
	f->fs_id->mountpoint = (char *)s->layers_dir;
	f->used_bytes = NEW(call, uint64_value);
	f->inodes_used = NEW(call, uint64_value);
	image_fs_info(s->images, &f->used_bytes->value, &f->inodes_used->value);
	reply->image_filesystems = arena_alloc(&call->arena, sizeof(*reply->image_filesystems));
	reply->image_filesystems[reply->n_image_filesystems++] = f;
	reply->container_filesystems =
		arena_alloc(&call->arena, sizeof(*reply->container_filesystems));
	reply->container_filesystems[reply->n_container_filesystems++] = f;
	return 0;
}
