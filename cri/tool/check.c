/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead check`: what this host has and lacks for pods.
 *
 * Looks and changes nothing.  Every warning and failure carries its cure; the exit code is 1
 * when something failed.
 */
#include "cri/tool/check.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"
#include "cri/proto/api.pb-c.h"
#include "cri/tool/client.h"
#include "cri/tool/commands.h"

#define SERVER_TIMEOUT_MS 3000

static const char *const level_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARN] = "warn",
	[CHECK_FAIL] = "fail",
};

/* --- the report ------------------------------------------------------------------------------- */

__attribute__((format(printf, 5, 0))) static void add(struct check_report *r,
						      enum check_level level, const char *name,
						      const char *cure, const char *format,
						      va_list ap)
{
	struct strbuf text = { 0 };

	if (r->count == CHECK_MAX)
		return;
	strbuf_vprintf(&text, format, ap);
	r->entries[r->count++] = (struct check_entry){ level, name, strbuf_steal(&text), cure };
}

void check_ok(struct check_report *r, const char *name, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(r, CHECK_OK, name, NULL, format, ap);
	va_end(ap);
}

void check_warn(struct check_report *r, const char *name, const char *cure, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(r, CHECK_WARN, name, cure, format, ap);
	va_end(ap);
}

void check_fail(struct check_report *r, const char *name, const char *cure, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add(r, CHECK_FAIL, name, cure, format, ap);
	va_end(ap);
}

void check_read(const char *path, char *ret, size_t size)
{
	int fd cleanup_close = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[MAX(n, 0)] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static size_t count(const struct check_report *r, enum check_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += r->entries[i].level == level;
	return n;
}

static void print(const struct check_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct check_entry *e = &r->entries[i];

		printf("%-4s  %-14s %s\n", level_names[e->level], e->name, e->text);
		if (e->cure)
			printf("      %-14s cure: %s\n", "", e->cure);
	}
	printf("%zu ok, %zu to look at, %zu failed\n", count(r, CHECK_OK), count(r, CHECK_WARN),
	       count(r, CHECK_FAIL));
}

static void print_json(const struct check_report *r)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out, .pretty = true };

	json_begin_object(&w);
	json_put_array(&w, "checks");
	for (size_t i = 0; i < r->count; i++) {
		const struct check_entry *e = &r->entries[i];

		json_begin_object(&w);
		json_put_string(&w, "name", e->name);
		json_put_string(&w, "level", level_names[e->level]);
		json_put_string(&w, "text", e->text);
		if (e->cure)
			json_put_string(&w, "cure", e->cure);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_put_u64(&w, "failed", count(r, CHECK_FAIL));
	json_end_object(&w);
	puts(out.data);
}

/* --- the checks ------------------------------------------------------------------------------- */

static void check_rights(struct check_report *r)
{
	if (geteuid() != 0)
		check_warn(r, "rights", "run it as root",
			   "not root: some of what follows cannot be seen from here");
}

static void check_server(struct check_report *r, const char *socket)
{
	Runtime__V1__VersionRequest request = RUNTIME__V1__VERSION_REQUEST__INIT;
	struct error err = ERROR_INIT;
	ProtobufCMessage *reply;
	Runtime__V1__VersionResponse *v;

	if (client_call(socket, "/runtime.v1.RuntimeService/Version", &request.base,
			&runtime__v1__version_response__descriptor, &reply, SERVER_TIMEOUT_MS,
			&err) < 0) {
		check_warn(r, "server", "systemctl start bulkhead, or start bulkheadd", "%s",
			   err.text);
		return;
	}
	v = (void *)reply;
	check_ok(r, "server", "%s %s answers on %s", v->runtime_name, v->runtime_version, socket);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static void run_checks(struct check_report *r, const struct config *c, const char *socket)
{
	check_rights(r);
	check_kernel(r);
	check_mounts(r);
	check_security(r);
	check_cgroups(r);
	check_kvm(r);
	check_network(r, c);
	check_runtimes(r, c);
	check_server(r, socket);
}

static void usage(FILE *out)
{
	fputs("usage: bulkhead check [--config FILE] [--json]\n"
	      "\n"
	      "What this host has and lacks for pods, a line a finding, with the cure.\n"
	      "Changes nothing.  Exit code: 1 when something failed.\n"
	      "\n"
	      "  --config FILE  the server's configuration (default " CONFIG_DEFAULT_PATH ")\n"
	      "  --json         for programs\n",
	      out);
}

static int check_with(const char *config_path, bool json, const char *socket)
{
	struct check_report *r cleanup_free = xnew(struct check_report);
	struct error err = ERROR_INIT;
	struct config config;
	int failed;

	if (config_load(config_path, &config, &err) < 0) {
		fprintf(stderr, "bulkhead check: %s\n", err.text);
		return 1;
	}
	run_checks(r, &config, socket);
	if (json)
		print_json(r);
	else
		print(r);
	failed = count(r, CHECK_FAIL) > 0;
	for (size_t i = 0; i < r->count; i++)
		free(r->entries[i].text);
	config_finish(&config);
	return failed;
}

int command_check(const char *socket, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *config = NULL;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	return check_with(config, json, socket);
}
