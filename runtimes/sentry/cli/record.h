/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtime keeps of each container: <root>/<id>/state.json.
 *
 * A sandbox's directory also has the sockets of its sentry and of its gofer.
 */
#ifndef SENTRY_CLI_RECORD_H
#define SENTRY_CLI_RECORD_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/json.h"
#include "runtimes/sentry/boot/control.h"
#include "runtimes/sentry/cli/cli.h"

struct record {
	struct arena arena;
	const char *id, *sandbox; /* the same for a sandbox */
	const char *bundle, *rootfs;
	const char *cgroup;  /* NULL: none */
	const char *created; /* RFC 3339 */
	pid_t pid;	     /* of the stand-in */
	unsigned long long pid_start;
	pid_t sentry;
	unsigned long long sentry_start;
	pid_t gofer;
	unsigned long long gofer_start;
	const struct json *annotations; /* may be NULL */
};

void record_finish(struct record *r);
#define cleanup_record __attribute__((__cleanup__(record_finish)))

/* record_check_id() - as runc: letters, digits, "_+-." and no path. */
int record_check_id(const char *id, struct error *err);
/* record_dir() - of @id; caller frees. record_path() - a file in it. */
char *record_dir(const struct cli *c, const char *id);
char *record_path(const struct cli *c, const char *id, const char *file);
/* record_reserve() - make the directory. Return: 0 or -EEXIST with a message as runc's. */
int record_reserve(const struct cli *c, const char *id, struct error *err);
int record_save(const struct cli *c, const struct record *r, struct error *err);
/* record_load() - -ENOENT: "container ID does not exist". */
int record_load(const struct cli *c, const char *id, struct record *ret, struct error *err);
void record_remove(const struct cli *c, const char *id);
/* record_state() - asks the sentry; one that is gone has stopped its containers. */
enum control_state record_state(const struct cli *c, const struct record *r);
const char *record_state_name(enum control_state s);
/* record_call() - a request to the sentry of @r's pod. */
int record_call(const struct cli *c, const struct record *r, struct control_request *rq,
		const int *fds, size_t n_fds, int *ret_value, struct strbuf *ret_text,
		struct error *err);
/* record_process_alive() - whether @pid is still the process that started at @start. */
bool record_process_alive(pid_t pid, unsigned long long start);

#endif
