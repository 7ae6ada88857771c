/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container from its bundle to its end.
 */
#include "runtimes/sentry/cli/lifecycle.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/sentry/cli/cgroup_path.h"
#include "runtimes/sentry/cli/hooks.h"
#include "runtimes/sentry/cli/limits.h"

#define STOP_BOUND_MS 10000

/* --- reading the bundle ----------------------------------------------------------------------- */

static int read_config(const struct cli *c, const struct create_options *o, const char *bundle,
		       struct strbuf *text, struct spec *ret, struct error *err)
{
	char *path cleanup_free = path_join(bundle, "config.json");
	struct strlist warnings cleanup_strlist = { 0 };
	int rc = 0;

	if (o->config)
		strbuf_append(text, o->config, o->config_len);
	else
		rc = fd_read_file(AT_FDCWD, path, SPEC_BYTES_MAX, text, err);
	if (rc == 0)
		rc = spec_parse(str_or(text->data, ""), text->len, ret, &warnings, err);
	for (size_t i = 0; i < warnings.count; i++)
		cli_warn(c, "config.json: %s", warnings.items[i]);
	return rc;
}

/* --- which pod -------------------------------------------------------------------------------- */

/* sandbox_of() - the sandbox that the annotations name, or the container itself. */
static const char *sandbox_of(const struct spec *s, const char *id)
{
	static const char *const type_keys[] = { "io.kubernetes.cri.container-type",
						 "io.kubernetes.cri-o.ContainerType", NULL };
	static const char *const id_keys[] = { "io.kubernetes.cri.sandbox-id",
					       "io.kubernetes.cri-o.SandboxID", NULL };
	const char *type = spec_annotation(s, type_keys);
	const char *sandbox = spec_annotation(s, id_keys);

	return type && strcmp(type, "container") == 0 && !str_empty(sandbox) ? sandbox : id;
}

/* join_sandbox() - the processes of a pod that runs already. */
static int join_sandbox(const struct cli *c, struct record *r, struct error *err)
{
	struct record s cleanup_record = { 0 };
	int rc = record_load(c, r->sandbox, &s, err);

	if (rc < 0)
		return error_wrap(err, "sandbox %s", r->sandbox);
	if (!record_process_alive(s.sentry, s.sentry_start))
		return error_set(err, ESRCH, "sandbox %s has ended", r->sandbox);
	r->sentry = s.sentry;
	r->sentry_start = s.sentry_start;
	r->gofer = s.gofer;
	r->gofer_start = s.gofer_start;
	return 0;
}

/* --- create ----------------------------------------------------------------------------------- */

static int make_cgroup(const struct cli *c, const struct create_options *o, const struct spec *s,
		       struct record *r, struct fork_cgroups *ret, struct error *err)
{
	char *path cleanup_free = NULL;
	int rc;

	if (o->no_cgroup)
		return 0;
	rc = cgroup_path(s->cgroup, o->id, c->systemd_cgroup, &path, err);
	if (rc < 0)
		return rc;
	r->cgroup = arena_strdup(&r->arena, path);
	rc = record_save(c, r, err); /* a delete finds it, wherever we are cut off */
	if (rc == 0)
		rc = cgroup_create(r->cgroup, err);
	if (rc == 0 && s->resources)
		rc = limits_apply(r->cgroup, s->resources, LIMITS_BUT_TIME, err);
	return rc < 0 ? rc : cgroup_open(r->cgroup, ret, err);
}

static void undo(const struct cli *c, struct record *r)
{
	bool is_sandbox = strcmp(r->id, r->sandbox) == 0;

	if (is_sandbox)
		launch_end(r);
	else if (record_process_alive(r->pid, r->pid_start))
		process_kill(r->pid, SIGKILL);
	if (r->cgroup) {
		cgroup_kill(r->cgroup, STOP_BOUND_MS, NULL);
		cgroup_remove(r->cgroup, NULL);
	}
	record_remove(c, r->id);
}

static void begin_record(const struct create_options *o, const struct spec *s, const char *bundle,
			 struct record *r)
{
	char now[36];

	memset(r, 0, sizeof(*r));
	str_rfc3339(clock_wall_ns(), now);
	r->id = arena_strdup(&r->arena, o->id);
	r->sandbox = arena_strdup(&r->arena, sandbox_of(s, o->id));
	r->bundle = arena_strdup(&r->arena, bundle);
	r->rootfs = s->root[0] == '/' ? arena_strdup(&r->arena, s->root)
				      : arena_printf(&r->arena, "%s/%s", bundle, s->root);
	r->created = arena_strdup(&r->arena, now);
	r->annotations = s->annotations;
}

static int launch_all(const struct cli *c, const struct create_options *o, struct launching *l,
		      struct error *err)
{
	bool sandbox = strcmp(l->id, l->record->sandbox) == 0;
	int rc = sandbox ? 0 : join_sandbox(c, l->record, err);

	if (rc == 0 && sandbox)
		launch_prepare(l);
	if (rc == 0)
		rc = make_cgroup(c, o, l->spec, l->record, &l->cgroups, err);
	if (rc == 0)
		rc = launch(l, sandbox, err);
	launch_finish(l);
	if (rc == 0 && l->record->cgroup && l->spec->resources)
		rc = limits_apply(l->record->cgroup, l->spec->resources, LIMITS_TIME, err);
	fork_cgroups_close(&l->cgroups);
	if (rc == 0)
		rc = hooks_run(l->spec->hooks, "prestart", l->record, "created", err);
	if (rc == 0)
		rc = hooks_run(l->spec->hooks, "createRuntime", l->record, "created", err);
	if (rc == 0 && o->pid_file)
		rc = lifecycle_write_pid(o->pid_file, l->record->pid, err);
	return rc;
}

/* choose_stdio() - our own, or a new terminal. */
static int choose_stdio(const struct create_options *o, struct launching *l, struct host_console *t,
			struct error *err)
{
	const struct spec_process *p = &l->spec->process;
	int rc;

	l->has_tty = p->terminal;
	if (p->terminal && o->detach && !o->console_socket)
		return error_set(err, EINVAL,
				 "cannot allocate tty if the runtime will detach without setting "
				 "console socket");
	if (!p->terminal && o->console_socket)
		return error_set(
			err, EINVAL,
			"cannot use console socket if the runtime will not detach or allocate tty");
	rc = p->terminal ? console_open(p->rows, p->columns, t, err) : 0;
	for (int i = 0; i < 3; i++)
		l->stdio[i] = p->terminal ? t->slave : i;
	return rc;
}

static int give_terminal(const struct create_options *o, struct host_console *t, struct error *err)
{
	if (o->console_socket)
		return console_send(o->console_socket, t, err);
	return console_attach(t, err);
}

int lifecycle_create(const struct cli *c, const struct create_options *o, struct record *ret,
		     struct error *err)
{
	char *bundle cleanup_free = realpath(str_or(o->bundle, "."), NULL);
	struct strbuf text cleanup_strbuf = { 0 };
	struct spec spec cleanup_spec = { 0 };
	struct launching l = {
		.cli = c,
		.id = o->id,
		.bundle = bundle,
		.spec = &spec,
		LAUNCHING_INIT,
	};
	struct host_console terminal cleanup(console_close) = HOST_CONSOLE_INIT;
	int config cleanup_close = -1;
	int rc;

	if (!bundle)
		return error_errno(err, errno, "bundle %s", o->bundle);
	rc = read_config(c, o, bundle, &text, &spec, err);
	if (rc == 0)
		rc = record_reserve(c, o->id, err);
	if (rc < 0)
		return rc;
	begin_record(o, &spec, bundle, ret);
	config = launch_memory_file(str_or(text.data, ""), text.len, err);
	l.config = config;
	l.once = o->once;
	l.record = ret;
	rc = config < 0 ? config : choose_stdio(o, &l, &terminal, err);
	if (rc == 0)
		rc = launch_all(c, o, &l, err);
	if (rc == 0 && l.has_tty)
		rc = give_terminal(o, &terminal, err);
	ret->annotations = NULL; /* of the spec, which goes now */
	if (rc < 0)
		undo(c, ret);
	return rc;
}

int lifecycle_write_pid(const char *path, pid_t pid, struct error *err)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", pid);

	return fd_replace_file(AT_FDCWD, path, text, (size_t)len, 0644, false, err);
}

/* --- start, wait ------------------------------------------------------------------------------ */

int lifecycle_start(const struct cli *c, const struct record *r, struct error *err)
{
	struct control_request rq;
	int rc = control_request_init(&rq, CONTROL_START, r->id, err);

	if (rc == 0)
		rc = record_call(c, r, &rq, NULL, 0, NULL, NULL, err);
	if (rc == 0)
		hooks_run_bundle(c, r, "poststart", "running");
	return rc;
}

static volatile pid_t waited_for;

static void pass_on(int signo)
{
	int saved = errno;

	process_kill(waited_for, signo);
	errno = saved;
}

int lifecycle_wait(pid_t standin)
{
	static const int signals[] = { SIGHUP,	SIGINT,	 SIGQUIT,  SIGTERM,
				       SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT };
	struct sigaction a = { .sa_handler = pass_on };
	int status = 0;

	waited_for = standin;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i] != SIGWINCH || !console_is_attached())
			sigaction(signals[i], &a, NULL);
	while (waitpid(standin, &status, 0) < 0 && errno == EINTR)
		;
	return process_exit_code(status);
}

/* --- delete ----------------------------------------------------------------------------------- */

static void sleep_ms(int ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000L };

	nanosleep(&t, NULL);
}

/* stop() - SIGKILL, and wait until the sentry says that it has ended. */
static int stop(const struct cli *c, const struct record *r, struct error *err)
{
	struct control_request rq;
	int64_t until = clock_monotonic_ns() + STOP_BOUND_MS * INT64_C(1000000);

	if (control_request_init(&rq, CONTROL_KILL, r->id, err) < 0)
		return err->code;
	rq.signo = SIGKILL;
	record_call(c, r, &rq, NULL, 0, NULL, NULL, NULL);
	while (record_state(c, r) != CONTROL_STOPPED) {
		if (clock_monotonic_ns() > until)
			return error_set(err, ETIMEDOUT, "container %s does not end", r->id);
		sleep_ms(2);
	}
	return 0;
}

static void tell_sentry(const struct cli *c, const struct record *r)
{
	struct control_request rq;

	if (control_request_init(&rq, CONTROL_DELETE, r->id, NULL) == 0)
		record_call(c, r, &rq, NULL, 0, NULL, NULL, NULL);
}

void lifecycle_forget(const struct cli *c, const struct record *r)
{
	if (strcmp(r->id, r->sandbox) == 0)
		launch_end(r);
	else if (record_process_alive(r->pid, r->pid_start))
		process_kill(r->pid, SIGKILL);
	if (r->cgroup) {
		cgroup_kill(r->cgroup, STOP_BOUND_MS, NULL);
		cgroup_remove(r->cgroup, NULL);
	}
	record_remove(c, r->id);
	hooks_run_bundle(c, r, "poststop", "stopped");
}

int lifecycle_delete(const struct cli *c, const char *id, bool force, struct error *err)
{
	struct record r cleanup_record = { 0 };
	int rc = record_load(c, id, &r, err);
	enum control_state s;

	if (rc == -ENOENT && force) { /* a create that was cut off leaves a directory */
		record_remove(c, id);
		return 0;
	}
	if (rc < 0)
		return rc;
	s = record_state(c, &r);
	if ((s == CONTROL_RUNNING || s == CONTROL_PAUSED) && !force)
		return error_set(err, EBUSY, "cannot delete container %s that is not stopped: %s",
				 id, record_state_name(s));
	if (s == CONTROL_PAUSED)
		cgroup_freeze(r.cgroup, false, NULL);
	if (s != CONTROL_STOPPED)
		rc = stop(c, &r, err);
	if (rc < 0 && strcmp(r.id, r.sandbox) != 0)
		return rc;
	tell_sentry(c, &r);
	lifecycle_forget(c, &r);
	return 0;
}
