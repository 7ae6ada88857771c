/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a registry's images may be fetched from: containerd's certs.d/<host>/hosts.toml.
 */
#ifndef IMAGE_HOSTS_H
#define IMAGE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

#define HOSTS_MAX 16

/* One place to ask, in order. */
struct hosts_endpoint {
	char *url;		/* "https://mirror.example/v2", no slash at its end */
	bool resolve, pull;	/* may turn tags into digests; may give content */
	bool skip_verify;	/* any certificate will do */
	bool fallback;		/* only when the one before could not be spoken to at all */
	bool proxy;		/* not the registry itself: is told its name by ?ns= */
	char *ca, *cert, *key;	/* PEM texts, NULL: the system's, none */
	struct strlist headers; /* "Name: value" */
};

struct hosts {
	struct hosts_endpoint *list;
	size_t count;
};

/*
 * hosts_load() - mirrors from @certs_dir (may be NULL), then the server of @host itself.
 * The file is read again for each pull, so that a change needs no restart.
 */
int hosts_load(const char *certs_dir, const char *host, struct hosts *ret, struct error *err);
/* hosts_parse() - the same from a hosts.toml's text; @dir is where its files are. */
int hosts_parse(const char *text, size_t len, const char *dir, const char *host, struct hosts *ret,
		struct error *err);
void hosts_finish(struct hosts *hosts);

#endif
