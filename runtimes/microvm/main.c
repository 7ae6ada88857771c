/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-vmm: a virtual machine monitor with Firecracker's API and command line.
 *
 * The main thread runs the API and the devices, each vCPU has a thread.  Exit status: 0 when
 * the guest reset or shut down, 1 for an error, others (signals.h) as Firecracker's.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/api/metrics.h"
#include "runtimes/microvm/api/server.h"
#include "runtimes/microvm/jail/confine.h"
#include "runtimes/microvm/machine/snapshot.h"
#include "runtimes/microvm/options.h"
#include "runtimes/microvm/signals.h"

#define METRICS_MS 60000

struct program {
	struct loop *loop;
	struct loop_timer *metrics_timer;
	struct machine machine;
	struct api api;
	struct server *server;
	int status;
};

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

/* put() - a PUT of what the command line says. */
static int put(struct program *p, const char *path, const struct strbuf *body, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	const struct api_route *route;
	const char *id;

	route = api_find("PUT", path, &id);
	if (!route)
		return error_set(err, ENOTSUP, "%s is not supported", path);
	return api_call_route(&p->api, route, NULL, body->data, body->len, &out, err);
}

static int put_logger(struct program *p, const struct vmm_options *o, struct error *err)
{
	struct strbuf body cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &body };

	if (!o->log_path && !o->level && !o->module && !o->show_level && !o->show_log_origin)
		return 0;
	json_begin_object(&w);
	json_put_string(&w, "log_path", o->log_path);
	json_put_string(&w, "level", o->level);
	json_put_string(&w, "module", o->module);
	json_put_bool(&w, "show_level", o->show_level);
	json_put_bool(&w, "show_log_origin", o->show_log_origin);
	json_end_object(&w);
	return put(p, "/logger", &body, err);
}

static int put_metrics(struct program *p, const struct vmm_options *o, struct error *err)
{
	struct strbuf body cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &body };

	if (!o->metrics_path)
		return 0;
	json_begin_object(&w);
	json_put_string(&w, "metrics_path", o->metrics_path);
	json_end_object(&w);
	return put(p, "/metrics", &body, err);
}

static int put_metadata(struct program *p, const struct vmm_options *o, struct error *err)
{
	struct strbuf body cleanup_strbuf = { 0 };
	int r;

	if (!o->metadata)
		return 0;
	r = fd_read_file(AT_FDCWD, o->metadata, p->api.mmds_max, &body, err);
	return r ? r : put(p, "/mmds", &body, err);
}

static int configure(struct program *p, const struct vmm_options *o, struct error *err)
{
	int r = put_logger(p, o, err);

	if (!r)
		r = put_metrics(p, o, err);
	if (!r)
		r = put_metadata(p, o, err);
	if (!r && o->config_file)
		r = api_load_file(&p->api, o->config_file, err);
	return r;
}

/* On a vCPU's thread. */
static int confine_vcpu(void)
{
	struct error err = ERROR_INIT;

	if (confine_thread(CONFINE_VCPU, &err))
		log_error("%s", err.text);
	return err.code;
}

static int run(struct program *p, const struct vmm_options *o, struct error *err)
{
	if (loop_create(&p->loop, err))
		return 1;
	machine_init(&p->machine, p->loop, guest_ended, p);
	p->machine.config.boot_timer = o->boot_timer;
	p->api = (struct api){ .machine = &p->machine,
			       .id = o->id,
			       .mmds_max = o->mmds_max ? o->mmds_max : o->body_max,
			       .metrics_fd = -1 };
	api_log_init(&p->api);
	if (o->enable_pci)
		log_warn("--enable-pci has no effect: devices are on MMIO");
	if (!o->no_seccomp && confine_thread(CONFINE_VMM, err))
		return 1;
	p->machine.vcpu_began = o->no_seccomp ? NULL : confine_vcpu;
	if (configure(p, o, err))
		return EXIT_BAD_CONFIG;
	if (!o->no_api &&
	    server_create(&p->server, p->loop, &p->api, o->api_sock, o->body_max, err))
		return 1;
	api_note_startup(&p->api, o->start_us, o->start_cpu_us, o->parent_cpu_us);
	p->metrics_timer = loop_add_timer(p->loop, flush_metrics, p);
	loop_timer_arm(p->metrics_timer, METRICS_MS);
	if (o->config_file && api_start(&p->api, err)) {
		server_destroy(p->server);
		return EXIT_BAD_CONFIG;
	}
	loop_run(p->loop);
	api_flush_metrics(&p->api);
	server_destroy(p->server);
	machine_config_finish(&p->machine.config); /* sockets' files go */
	return p->status;
}

static int describe_snapshot(const char *path)
{
	struct error err = ERROR_INIT;
	unsigned int version;

	if (snapshot_file_version(path, &version, &err)) {
		fprintf(stderr, "bulkhead-vmm: %s\n", err.text);
		return 1;
	}
	printf("v%u\n", version);
	return 0;
}

/* inform() - options that only print.  Return: the status to exit with; -1: there was none. */
static int inform(const struct vmm_options *o)
{
	if (o->describe_snapshot)
		return describe_snapshot(o->describe_snapshot);
	if (o->snapshot_version)
		printf("v%u\n", STATE_VERSION);
	else if (o->help)
		vmm_options_help(stdout);
	else if (o->version)
		printf("bulkhead-vmm " BULKHEAD_VERSION " (API of Firecracker v" API_VERSION ")\n");
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	static struct program p;
	struct vmm_options o;
	int status;

	if (vmm_options_parse(&o, argc, argv, &err)) {
		fprintf(stderr,
			"bulkhead-vmm: Arguments parsing error: %s\n"
			"For more information try --help.\n",
			err.text);
		return EXIT_BAD_ARGUMENTS;
	}
	status = inform(&o);
	if (status >= 0)
		return status;
	mallopt(M_ARENA_MAX, 1);
	log_init("bulkhead-vmm", LOG_LEVEL_INFO);
	signals_init();
	status = run(&p, &o, &err);
	if (err.code)
		log_error("%s", err.text);
	exit(status); /* vCPUs end with the process: what they hold, the kernel frees */
}
