/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtimes/handlers and its probe: with runtimes that are shell scripts, and with runc.
 */
#include "runtimes/handlers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "runtimes/probe.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/handlers-test.XXXXXX";

static void test_features(void)
{
	static const struct {
		const char *version, *json;
		bool rro, idmap;
	} rows[] = {
		{ "runc version 1.1.5+ds1", "{\"mountOptions\":[\"ro\",\"rro\"]}", true, false },
		{ "runc version 1.0.3", "", false, false },
		{ "runc version 1.2.0", "{\"mountOptions\":[\"rro\"]}", true, true },
		{ "runc version 1.3.6",
		  "{\"mountOptions\":[\"rro\"],\"linux\":{\"mountExtensions\":{\"idmap\":{"
		  "\"enabled\":true}}}}",
		  true, true },
		{ "runc version 1.3.6",
		  "{\"linux\":{\"mountExtensions\":{\"idmap\":{\"enabled\":false}}}}", false,
		  false },
		{ "crun version 1.8.1", "", true, false },
		{ "crun version 1.9", "", true, true },
		{ "crun version 2.0", "not json", true, true },
		{ "youki version 9.9", "", false, false },
		{ "", "", false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct probe p = { 0 };

		probe_features(rows[i].version, rows[i].json, &p);
		ok(p.rro_mounts == rows[i].rro && p.idmap_mounts == rows[i].idmap &&
			   p.user_namespaces == rows[i].idmap,
		   "row %zu: %s", i, rows[i].version);
	}
}

static char *script(const char *name, const char *text)
{
	char *path = path_join(dir, name);

	fd_replace_file(AT_FDCWD, path, text, strlen(text), 0755, false, NULL);
	return path;
}

/* A stand-in for bulkhead-pause: the trial only copies it. */
static struct handlers_config base_config(const struct handler_config *list, size_t count)
{
	static char *work, *pause;

	work = work ? work : path_join(dir, "work");
	pause = pause ? pause : script("pause", "#!/bin/sh\n");
	return (struct handlers_config){ .list = list,
					 .count = count,
					 .default_name = list[0].name,
					 .pause_program = pause,
					 .work_dir = work };
}

#define FAKE                                                          \
	"#!/bin/sh\necho \"$@\" >>\"$0.calls\"\ncase \"$*\" in\n"     \
	"*--version*) echo 'runc version 1.2.3';;\n*features*) echo " \
	"'{\"mountOptions\":[\"rro\"]}';;\n"                          \
	"*' run '*) exit %d;;\nesac\n"

static void test_choice(void)
{
	char *text cleanup_free = xasprintf(FAKE, 0);
	char *bad_text cleanup_free = xasprintf(FAKE, 1);
	char *good cleanup_free = script("good", text);
	char *bad cleanup_free = script("bad", bad_text);
	char *calls cleanup_free = xasprintf("%s.calls", good);
	struct handler_config list[] = { { .name = "one" },
					 { .name = "two", .sandbox = HANDLER_CONTAINER } };
	struct handlers_config config;
	const struct handler *h = NULL;
	struct handlers *handlers;
	struct error err = ERROR_INIT;
	struct stat before, after;

	strlist_add(&list[0].runtimes, "/nonexistent/runtime");
	strlist_add(&list[0].runtimes, bad);
	strlist_add(&list[0].runtimes, good);
	strlist_add(&list[0].args, "--special");
	strlist_add(&list[1].runtimes, "bulkhead-absent");
	config = base_config(list, 2);
	ok(handlers_create(&config, &handlers, &err) == 0, "created %s", err.text);
	ok(handlers_find(handlers, "", &h, &err) == 0, "the default one");
	is_str(h->runtime, good, "the first that works");
	is_str(h->version, "runc version 1.2.3", "its version");
	ok(h->rro_mounts && h->user_namespaces, "its features");
	ok(strstr(h->why, "/nonexistent/runtime does not exist") && strstr(h->why, "trial"),
	   "why others were passed over: %s", h->why);
	ok(handlers_find(handlers, "two", &h, &err) == -ENOPKG &&
		   strstr(err.text, "bulkhead-absent is not installed"),
	   "not installed: %s", err.text);
	ok(handlers_find(handlers, "three", &h, &err) == -ENOENT && strstr(err.text, "one, two"),
	   "not configured: %s", err.text);
	ok(handlers_at(handlers, 1) && !handlers_at(handlers, 2), "listed with the unusable one");
	handlers_destroy(handlers);
	stat(calls, &before);
	ok(handlers_create(&config, &handlers, &err) == 0 && stat(calls, &after) == 0 &&
		   before.st_size == after.st_size,
	   "a second server does not try the good one again");
	handlers_destroy(handlers);
	config.default_name = "absent";
	ok(handlers_create(&config, &handlers, &err) == -EINVAL, "default without handler: %s",
	   err.text);
	strlist_finish(&list[0].runtimes);
	strlist_finish(&list[0].args);
	strlist_finish(&list[1].runtimes);
}

/* With $BIN from the test runner the real bulkhead-pause is run by the real runc. */
static void test_real(void)
{
	struct handler_config list[] = { { .name = "runc" } };
	struct handlers_config config;
	char *pause cleanup_free =
		path_join(str_or(getenv("BIN"), "/nonexistent"), "bulkhead-pause");
	char *runc cleanup_free = path_find_program("runc");
	const struct handler *h = NULL;
	struct handlers *handlers;
	struct error err = ERROR_INIT;

	if (geteuid() != 0 || !runc || !path_exists(pause)) {
		skip("runc passes its probe", "needs root, runc and BIN");
		return;
	}
	strlist_add(&list[0].runtimes, "runc");
	config = base_config(list, 1);
	config.pause_program = pause;
	ok(handlers_create(&config, &handlers, &err) == 0, "created %s", err.text);
	ok(handlers_find(handlers, "runc", &h, &err) == 0, "runc passes its probe %s", err.text);
	handlers_destroy(handlers);
	strlist_finish(&list[0].runtimes);
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	test_features();
	test_choice();
	test_real();
	path_remove_tree(AT_FDCWD, dir, NULL);
	return tap_done();
}
