/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pod's attachment to a network: all that its ADD and DEL need.
 *
 * It is built from a pod and a configuration, and has a text form which is the journal's, so
 * that DEL works with the configuration of its ADD, whatever is configured by then.
 */
#ifndef NETWORK_ATTACHMENT_H
#define NETWORK_ATTACHMENT_H

#include "network/conf.h"
#include "network/pod.h"

struct attachment {
	struct arena arena; /* of all strings and of runtime */
	struct conf *conf;
	const char *id, *netns;	    /* netns "": none any more */
	const char *args;	    /* CNI_ARGS */
	const struct json *runtime; /* object: a member for each capability we can serve */
};

/* attachment_text() - the journal text for @pod in the network @conf.  Caller frees. */
int attachment_text(const struct network_pod *pod, const struct conf *conf, char **ret_text,
		    struct error *err);
/* attachment_parse() - that text as an object. */
int attachment_parse(const char *text, struct attachment **ret, struct error *err);
void attachment_destroy(struct attachment *a);

/* How plugins are found, and how long they may take. */
struct plugin_setting {
	char *const *bin_dirs;
	size_t n_bin_dirs;
	const char *cache_dir;
	int timeout_ms; /* each */
};

/* attachment_program() - the program of plugin @type; the error says where it was looked for. */
int attachment_program(const struct plugin_setting *s, const char *type, char **ret_path,
		       struct error *err);
/*
 * attachment_add() - run ADD of each plugin in order, feeding each the result of the one before;
 * the last result is cached for DEL.  Nothing is undone on failure.
 */
int attachment_add(const struct attachment *a, const struct plugin_setting *s, int cancel_fd,
		   struct strlist *ret_ips, struct error *err);
/* attachment_del() - run DEL of each in reverse, all of them; the first failure is returned. */
int attachment_del(const struct attachment *a, const struct plugin_setting *s, struct error *err);

#endif
