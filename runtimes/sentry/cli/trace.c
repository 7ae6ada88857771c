/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `trace`: the system calls of a pod, one a line, until interrupted.
 */
#include <signal.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/cli/lifecycle.h"

static int ask(const struct cli *c, const struct record *r, bool on, struct error *err)
{
	struct control_request rq;
	int fd = 1, rc = control_request_init(&rq, CONTROL_TRACE, r->id, err);

	rq.value = on;
	return rc < 0 ? rc : record_call(c, r, &rq, &fd, on ? 1 : 0, NULL, NULL, err);
}

static void wait_for_signal(void)
{
	sigset_t set;
	int signo;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigwait(&set, &signo);
}

int cli_trace(const struct cli *c, int argc, char **argv)
{
	struct record r cleanup_record = { 0 };
	struct error err = ERROR_INIT;
	bool stop = false;
	const struct flag flags[] = { { "stop", 0, FLAG_BOOL, &stop } };
	int i = flags_parse(c, flags, ARRAY_LEN(flags), false, argc, argv);

	if (i < 0)
		return 1;
	if (argc - i != 1)
		return cli_usage(c, "trace: exactly one argument: the container's id");
	if (record_load(c, argv[i], &r, &err) < 0 || ask(c, &r, !stop, &err) < 0)
		return cli_fail(c, &err);
	if (stop)
		return 0;
	wait_for_signal();
	return ask(c, &r, false, &err) < 0 ? cli_fail(c, &err) : 0;
}
