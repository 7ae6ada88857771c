/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-vmm: a virtual machine monitor with Firecracker's API and command line.
 *
 * The main thread runs the API and the devices, each vCPU has a thread.  Exit status: 0 when
 * the guest reset or shut down, 1 for an error, 152 for a bad configuration, 153 for bad
 * arguments, as Firecracker's.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/http.h"
#include "runtimes/microvm/api/server.h"

#define DEFAULT_SOCKET "/run/firecracker.socket"
#define METRICS_MS     60000

enum { EXIT_BAD_CONFIG = 152, EXIT_BAD_ARGUMENTS = 153 };

struct options {
	const char *socket, *id, *config_file, *log_path, *level, *metrics_path;
	bool no_api, boot_timer;
	uint64_t body_max;
};

enum {
	OPT_API_SOCK = 256,
	OPT_ID,
	OPT_CONFIG_FILE,
	OPT_NO_API,
	OPT_BOOT_TIMER,
	OPT_LOG_PATH,
	OPT_LEVEL,
	OPT_METRICS_PATH,
	OPT_BODY_MAX,
	OPT_NO_SECCOMP,
	OPT_SHOW,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "api-sock", required_argument, NULL, OPT_API_SOCK },
	{ "id", required_argument, NULL, OPT_ID },
	{ "config-file", required_argument, NULL, OPT_CONFIG_FILE },
	{ "no-api", no_argument, NULL, OPT_NO_API },
	{ "boot-timer", no_argument, NULL, OPT_BOOT_TIMER },
	{ "log-path", required_argument, NULL, OPT_LOG_PATH },
	{ "level", required_argument, NULL, OPT_LEVEL },
	{ "metrics-path", required_argument, NULL, OPT_METRICS_PATH },
	{ "http-api-max-payload-size", required_argument, NULL, OPT_BODY_MAX },
	{ "no-seccomp", no_argument, NULL, OPT_NO_SECCOMP },
	{ "show-level", no_argument, NULL, OPT_SHOW },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static const char usage[] =
	"usage: bulkhead-vmm [OPTION...]\n"
	"  --api-sock PATH       socket of the API (" DEFAULT_SOCKET ")\n"
	"  --id ID               name of the instance (anonymous-instance)\n"
	"  --config-file FILE    configure from FILE and start\n"
	"  --no-api              no API; needs --config-file\n"
	"  --boot-timer          a device with which the guest says that it has booted\n"
	"  --log-path FILE       log there instead of on standard error\n"
	"  --level LEVEL         Error, Warning, Info (default), Debug\n"
	"  --show-level          accepted: the level is always shown\n"
	"  --metrics-path FILE   metrics as lines of JSON\n"
	"  --http-api-max-payload-size BYTES   longest body of a request (51200)\n"
	"  --no-seccomp          run without a filter of system calls\n"
	"  --version             print the version\n"
	"  --help                print this\n";

struct program {
	struct loop *loop;
	struct loop_timer *metrics_timer;
	struct machine machine;
	struct api api;
	struct server *server;
	int status;
};

/* parse_option() - Return: -1 to go on, else the status to exit with. */
static int parse_option(struct options *o, int c)
{
	switch (c) {
	case OPT_API_SOCK:
		o->socket = optarg;
		return -1;
	case OPT_ID:
		o->id = optarg;
		return -1;
	case OPT_CONFIG_FILE:
		o->config_file = optarg;
		return -1;
	case OPT_NO_API:
		o->no_api = true;
		return -1;
	case OPT_BOOT_TIMER:
		o->boot_timer = true;
		return -1;
	case OPT_LOG_PATH:
		o->log_path = optarg;
		return -1;
	case OPT_LEVEL:
		o->level = optarg;
		return -1;
	case OPT_METRICS_PATH:
		o->metrics_path = optarg;
		return -1;
	case OPT_BODY_MAX:
		return str_parse_u64(optarg, &o->body_max) ? EXIT_BAD_ARGUMENTS : -1;
	case OPT_NO_SECCOMP:
	case OPT_SHOW:
		return -1;
	case OPT_VERSION:
		printf("bulkhead-vmm " BULKHEAD_VERSION " (API of Firecracker v" API_VERSION ")\n");
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		return 0;
	default:
		return EXIT_BAD_ARGUMENTS;
	}
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		int r = parse_option(o, c);

		if (r >= 0)
			return r;
	}
	if (optind == argc && !(o->no_api && !o->config_file))
		return -1;
	fputs(optind < argc ? "bulkhead-vmm: an argument that is no option\n"
			    : "bulkhead-vmm: --no-api needs --config-file\n",
	      stderr);
	return EXIT_BAD_ARGUMENTS;
}

/* --- running ---------------------------------------------------------------------------------- */

static void guest_ended(void *owner, int status)
{
	struct program *p = owner;

	p->status = status;
	loop_stop(p->loop);
}

static void flush_metrics(void *data)
{
	struct program *p = data;

	api_flush_metrics(&p->api);
	loop_timer_arm(p->metrics_timer, METRICS_MS);
}

/* put() - one PUT with a single text field or two, from the command line. */
static int put(struct api *api, const char *path, const char *key, const char *value,
	       const char *key2, const char *value2, struct error *err)
{
	struct strbuf body cleanup_strbuf = { 0 }, out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &body };
	const char *id;

	if (!value && !value2)
		return 0;
	json_begin_object(&w);
	if (value)
		json_put_string(&w, key, value);
	if (value2)
		json_put_string(&w, key2, value2);
	json_end_object(&w);
	return api_call_route(api, api_find("PUT", path, &id), NULL, body.data, body.len, &out,
			      err);
}

static int configure(struct program *p, const struct options *o, struct error *err)
{
	int r = put(&p->api, "/logger", "log_path", o->log_path, "level", o->level, err);

	if (!r)
		r = put(&p->api, "/metrics", "metrics_path", o->metrics_path, NULL, NULL, err);
	if (!r && o->config_file)
		r = api_load_file(&p->api, o->config_file, err);
	return r;
}

static int run(struct program *p, const struct options *o, struct error *err)
{
	int r = loop_create(&p->loop, err);

	if (r)
		return 1;
	machine_init(&p->machine, p->loop, guest_ended, p);
	p->machine.config.boot_timer = o->boot_timer;
	p->api = (struct api){ .machine = &p->machine, .id = o->id, .metrics_fd = -1 };
	if (configure(p, o, err))
		return EXIT_BAD_CONFIG;
	if (!o->no_api && server_create(&p->server, p->loop, &p->api, o->socket, o->body_max, err))
		return 1;
	p->metrics_timer = loop_add_timer(p->loop, flush_metrics, p);
	loop_timer_arm(p->metrics_timer, METRICS_MS);
	if (o->config_file && api_start(&p->api, err)) {
		server_destroy(p->server);
		return EXIT_BAD_CONFIG;
	}
	loop_run(p->loop);
	api_flush_metrics(&p->api);
	server_destroy(p->server);
	return p->status;
}

int main(int argc, char **argv)
{
	struct options o = { .socket = DEFAULT_SOCKET,
			     .id = "anonymous-instance",
			     .body_max = HTTP_BODY_MAX };
	struct error err = ERROR_INIT;
	static struct program p;
	int status = parse_options(&o, argc, argv);

	if (status >= 0)
		return status;
	mallopt(M_ARENA_MAX, 1);
	log_init("bulkhead-vmm", LOG_LEVEL_INFO);
	status = run(&p, &o, &err);
	if (err.code)
		log_error("%s", err.text);
	exit(status); /* vCPUs end with the process: what they hold, the kernel frees */
}
