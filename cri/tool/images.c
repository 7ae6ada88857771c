/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead images` lists what is stored, `tag` names it, `rmi` takes it away.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/mem.h"
#include "cri/proto/admin.pb-c.h"
#include "cri/proto/api.pb-c.h"
#include "cri/tool/client.h"
#include "cri/tool/commands.h"
#include "cri/tool/table.h"

#define TIMEOUT_MS 10000

/* Only --help, and @n_arguments after it.  Return: -1 to go on, else an exit code. */
static int parse_options(int argc, char **argv, int n_arguments, const char *usage)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c = getopt_long(argc, argv, "", longs, NULL);

	if (c == -1 && argc - optind == n_arguments)
		return -1;
	fputs(usage, c == 'h' ? stdout : stderr);
	return c == 'h' ? 0 : 2;
}

/* "docker.io/library/busybox@sha256:..." where it has no tag */
static const char *name_of(const Runtime__V1__Image *image)
{
	if (image->n_repo_tags > 0)
		return image->repo_tags[0];
	return image->n_repo_digests > 0 ? image->repo_digests[0] : "-";
}

static void print(const Runtime__V1__ListImagesResponse *images)
{
	struct table t cleanup_table = { .columns = 3 };

	strlist_add(&t.cells, "IMAGE");
	strlist_add(&t.cells, "ID");
	strlist_add(&t.cells, "SIZE");
	for (size_t i = 0; i < images->n_images; i++) {
		const Runtime__V1__Image *image = images->images[i];
		const char *hex = str_after(image->id, "sha256:");

		strlist_add(&t.cells, name_of(image));
		strlist_addf(&t.cells, "%.13s", hex ? hex : image->id);
		table_add_size(&t, image->size);
		for (size_t k = 1; k < image->n_repo_tags; k++) {
			strlist_add(&t.cells, image->repo_tags[k]);
			strlist_add(&t.cells, "  same");
			strlist_add(&t.cells, "");
		}
	}
	table_print(&t);
}

int command_images(const char *socket, int argc, char **argv)
{
	Runtime__V1__ListImagesRequest request = RUNTIME__V1__LIST_IMAGES_REQUEST__INIT;
	struct error err = ERROR_INIT;
	ProtobufCMessage *reply;
	int rc = parse_options(argc, argv, 0, "usage: bulkhead images\n\nStored images.\n");

	if (rc >= 0)
		return rc;
	if (client_call(socket, "/runtime.v1.ImageService/ListImages", &request.base,
			&runtime__v1__list_images_response__descriptor, &reply, TIMEOUT_MS,
			&err) < 0) {
		fprintf(stderr, "bulkhead images: %s\n", err.text);
		return 1;
	}
	print((void *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

int command_tag(const char *socket, int argc, char **argv)
{
	Bulkhead__V1__TagRequest request = BULKHEAD__V1__TAG_REQUEST__INIT;
	struct error err = ERROR_INIT;
	ProtobufCMessage *reply;
	int rc = parse_options(argc, argv, 2,
			       "usage: bulkhead tag IMAGE NAME[:TAG]\n\n"
			       "Give an image another name; an image that had it loses it.\n");

	if (rc >= 0)
		return rc;
	request.image = argv[optind];
	request.tag = argv[optind + 1];
	if (client_call(socket, "/bulkhead.v1.Admin/Tag", &request.base,
			&bulkhead__v1__tag_response__descriptor, &reply, TIMEOUT_MS, &err) < 0) {
		fprintf(stderr, "bulkhead tag: %s\n", err.text);
		return 1;
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

/* Absent images are no error to the CRI, but a mistyped name is one to whoever typed it. */
static int remove_one(const char *socket, char *name, struct error *err)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__ImageStatusRequest ask = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	Runtime__V1__RemoveImageRequest request = RUNTIME__V1__REMOVE_IMAGE_REQUEST__INIT;
	ProtobufCMessage *reply;
	bool there;
	int rc;

	spec.image = name;
	ask.image = request.image = &spec;
	rc = client_call(socket, "/runtime.v1.ImageService/ImageStatus", &ask.base,
			 &runtime__v1__image_status_response__descriptor, &reply, TIMEOUT_MS, err);
	if (rc < 0)
		return rc;
	there = ((Runtime__V1__ImageStatusResponse *)reply)->image != NULL;
	protobuf_c_message_free_unpacked(reply, NULL);
	if (!there)
		return error_set(err, ENOENT, "no image '%s' on this node", name);
	rc = client_call(socket, "/runtime.v1.ImageService/RemoveImage", &request.base,
			 &runtime__v1__remove_image_response__descriptor, &reply, TIMEOUT_MS, err);
	if (rc == 0)
		protobuf_c_message_free_unpacked(reply, NULL);
	return rc;
}

int command_rmi(const char *socket, int argc, char **argv)
{
	static const char usage[] = "usage: bulkhead rmi IMAGE...\n\n"
				    "Remove images with all their names.  Containers that use one "
				    "keep its files.\n";
	int rc = parse_options(argc, argv, MAX(argc - 1, 1), usage);

	if (rc >= 0)
		return rc;
	rc = 0;
	for (int i = optind; i < argc; i++) {
		struct error err = ERROR_INIT;

		if (remove_one(socket, argv[i], &err) < 0) {
			fprintf(stderr, "bulkhead rmi: %s\n", err.text);
			rc = 1;
		}
	}
	return rc;
}
