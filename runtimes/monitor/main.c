/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-monitor: one a pod; starts its containers and outlives the server.
 *
 * It owns their stdio, logs and exit codes, and runs commands in them, all through an OCI
 * runtime's command line.  Started by the server with the listening socket as descriptor 3 and a
 * pipe as descriptor 4, on which it says "ok" or why it cannot start.  It lives in the pod's
 * network namespace and in a mount namespace of its own: the pod's mounts end with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/monitor/monitor.h"
#include "runtimes/monitor/mounts.h"
#include "runtimes/monitor/serve.h"

#define FD_LISTEN 3
#define FD_READY  4

#define OOM_SCORE_ADJ "-998"

static int usage(FILE *to, int code)
{
	fputs("usage: bulkhead-monitor --id ID --dir DIR --runtime PROGRAM --root DIR\n"
	      "                        [--log-level LEVEL] [-- ARGUMENTS OF THE RUNTIME]\n"
	      "       bulkhead-monitor --version | --help\n"
	      "Started by bulkheadd, one for each pod.\n",
	      to);
	return code;
}

/* A heap this small need not keep what it once grew to. */
static void tune_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 16 << 10);
	mallopt(M_TOP_PAD, 4 << 10);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
}

static int make_dir(const char *name, mode_t mode, struct error *err)
{
	if (mkdir(name, mode) < 0 && errno != EEXIST)
		return error_errno(err, errno, "mkdir %s", name);
	return 0;
}

/* The directory is entered last: as a working directory it must be that of our own mounts. */
static int enter(struct monitor *m, struct error *err)
{
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (mounts_init(m, err) < 0)
		return err->code;
	if (chdir(m->dir) < 0)
		return error_errno(err, errno, "enter %s", m->dir);
	if (make_dir("exits", 0755, err) < 0 || make_dir("tmp", 0700, err) < 0)
		return err->code;
	return 0;
}

/*
 * A pod-level OOM must take a container, not the process that can tell about it.  What we start
 * inherits this until the runtime sets the value of its bundle, which always names one.
 */
static void protect_from_oom(void)
{
	struct error err = ERROR_INIT;

	if (fd_write_file(AT_FDCWD, "/proc/self/oom_score_adj", OOM_SCORE_ADJ, &err) < 0)
		log_debug("%s", err.text);
}

static int begin(struct monitor *m, struct error *err)
{
	int rc = enter(m, err);

	if (rc == 0)
		rc = loop_create(&m->loop, err);
	if (rc == 0)
		rc = children_init(m->loop, err);
	if (rc < 0)
		return rc;
	list_init(&m->runs);
	list_init(&m->conns);
	fd_set_cloexec(FD_LISTEN, true);
	serve_start(m, FD_LISTEN);
	return 0;
}

/* parse() - Return: -1 go on, else the exit code. */
static int parse(int argc, char **argv, struct monitor *m, enum log_level *ret_level)
{
	static const struct option options[] = {
		{ "id", required_argument, NULL, 'i' },
		{ "dir", required_argument, NULL, 'd' },
		{ "runtime", required_argument, NULL, 'r' },
		{ "root", required_argument, NULL, 'R' },
		{ "log-level", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			m->id = optarg;
			break;
		case 'd':
			m->dir = optarg;
			break;
		case 'r':
			m->oci.program = optarg;
			break;
		case 'R':
			m->oci.root = optarg;
			break;
		case 'l':
			if (log_parse_level(optarg, ret_level, NULL) < 0)
				return usage(stderr, 2);
			break;
		case 'v':
			puts("bulkhead-monitor " BULKHEAD_VERSION);
			return 0;
		case 'h':
			return usage(stdout, 0);
		default:
			return usage(stderr, 2);
		}
	}
	m->oci.args = (const char *const *)argv + optind;
	if (!protocol_is_id(m->id) || !path_is_clean(m->dir) || !m->oci.program || !m->oci.root)
		return usage(stderr, 2);
	return -1;
}

int main(int argc, char **argv)
{
	static struct monitor m;
	enum log_level level = LOG_LEVEL_INFO;
	struct error err = ERROR_INIT;
	int code = parse(argc, argv, &m, &level);

	if (code >= 0)
		return code;
	log_init("bulkhead-monitor", level);
	tune_memory();
	protect_from_oom();
	if (begin(&m, &err) < 0) {
		log_error("%s", err.text);
		(void)!write(FD_READY, err.text, strlen(err.text));
		return 1;
	}
	(void)!write(FD_READY, "ok", 2);
	close(FD_READY);
	malloc_trim(0);
	loop_run(m.loop);
	unlink("monitor.sock");
	return 0;
}
