/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `kill`: a signal to a container's first process, to one, or to all.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/cli/lifecycle.h"

/* signal_number() - "9", "KILL", "SIGKILL", "RTMIN+3". Return: it, or -1. */
static int signal_number(const char *text)
{
	uint64_t n;

	if (str_parse_u64(text, &n) == 0)
		return n >= 1 && n <= 64 ? (int)n : -1;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN+", 6) == 0 && str_parse_u64(text + 6, &n) == 0 && n <= 30)
		return SIGRTMIN + (int)n;
	for (int signo = 1; signo < 32; signo++)
		if (strcasecmp(sigabbrev_np(signo), text) == 0)
			return signo;
	return -1;
}

static int send_signal(const struct cli *c, const char *id, struct control_request *rq,
		       struct error *err)
{
	struct record r cleanup_record = { 0 };
	int rc = record_load(c, id, &r, err);
	enum control_state state;

	if (rc < 0)
		return rc;
	state = record_state(c, &r);
	if (state == CONTROL_STOPPED)
		return error_set(err, ESRCH, "container not running");
	if (state == CONTROL_PAUSED)
		return error_set(err, EBUSY, "container %s is paused: resume it first", id);
	return record_call(c, &r, rq, NULL, 0, NULL, NULL, err);
}

int cli_kill(const struct cli *c, int argc, char **argv)
{
	struct control_request rq;
	struct error err = ERROR_INIT;
	bool all = false;
	const char *pid = NULL;
	uint64_t n = 0;
	const struct flag flags[] = { { "all", 'a', FLAG_BOOL, &all },
				      { "pid", 0, FLAG_STRING, &pid } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv), signo = SIGTERM;

	if (i < 0)
		return 1;
	if (argc - i < 1 || argc - i > 2)
		return cli_usage(c, "kill: ID and at most one signal");
	if (argc - i == 2)
		signo = signal_number(argv[i + 1]);
	if (signo < 0)
		return cli_usage(c, "kill: unknown signal '%s'", argv[i + 1]);
	if (pid && (str_parse_u64(pid, &n) < 0 || n > INT32_MAX))
		return cli_usage(c, "kill: --pid: '%s' is no number", pid);
	if (control_request_init(&rq, CONTROL_KILL, argv[i], &err) < 0)
		return cli_fail(c, &err);
	rq.signo = signo;
	rq.pid = (int32_t)n;
	rq.flags = all ? CONTROL_ALL : 0;
	return send_signal(c, argv[i], &rq, &err) < 0 ? cli_fail(c, &err) : 0;
}
