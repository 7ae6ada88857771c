/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's end of bulkhead-fetch (messages: image/fetch/request.h).
 */
#ifndef IMAGE_FETCHER_H
#define IMAGE_FETCHER_H

#include <sys/types.h>

#include "base/arena.h"
#include "image/manifest.h"
#include "image/pull.h"

struct fetcher {
	pid_t pid; /* 0: none */
	int socket;
};

/* What it says.  Everything is hostile and was checked. */
struct fetcher_message {
	enum { FETCHER_MANIFEST, FETCHER_LAYER, FETCHER_PROGRESS, FETCHER_ERROR } kind;
	char digest[DIGEST_MAX];	/* of what was asked, or of the layer; "" when none */
	struct strbuf manifest, config; /* FETCHER_MANIFEST */
	struct strlist names;		/* of an image from an archive */
	bool more;			/* the archive has another one */
	uint64_t bytes;			/* FETCHER_PROGRESS */
	struct error err;		/* FETCHER_ERROR */
	bool unavailable;
};

/* fetcher_start() - spawn it and send what @p asks for. */
int fetcher_start(struct fetcher *f, const struct pull *p, struct error *err);
/* fetcher_stop() - kill and reap it; harmless when it is not running. */
void fetcher_stop(struct fetcher *f);
/* fetcher_receive() - one message; -EPIPE when it has ended. */
int fetcher_receive(struct fetcher *f, struct fetcher_message *ret, struct error *err);
void fetcher_message_finish(struct fetcher_message *m);
/* fetcher_ask_layer() - have @blob written into @pipe (which stays the caller's). */
int fetcher_ask_layer(struct fetcher *f, const struct manifest_blob *blob, int pipe,
		      struct error *err);

#endif
