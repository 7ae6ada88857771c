/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two gRPC services of the CRI and our own: a function an RPC, no state of their own.
 */
#ifndef CRI_SERVICES_SERVICES_H
#define CRI_SERVICES_SERVICES_H

#include <stdbool.h>

#include "cri/grpc/server.h"
#include "cri/pods/pods.h"
#include "cri/stream/stream.h"
#include "image/image.h"
#include "network/pod.h"
#include "runtimes/handlers.h"

/* What the methods work on; grpc_call.context points at it. */
struct services {
	struct pods *pods;
	struct image_store *images;
	struct network *network;
	struct handlers *handlers;
	struct stream_server *stream;
	const char *runtime_name;
	const char *layers_dir; /* what ImageFsInfo names: a directory on the layers' file system */
	const char *config_json; /* verbose Status */
};

#define SERVICES_COUNT 3

/* services_tables() - fill @ret with RuntimeService, ImageService and Admin on @s. */
void services_tables(struct services *s, struct grpc_service ret[SERVICES_COUNT]);

#endif
