/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: the VMM's API, from bytes on the socket to the handlers.
 *
 * Each request that parses is handled on a machine that never starts.  A status is one that
 * clients know, an answer is whole JSON.  Files: only below a directory of nothing.
 */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/microvm/api/api.h"
#include "runtimes/microvm/api/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct machine machine;
static struct api api = { .machine = &machine, .id = "fuzz", .metrics_fd = -1 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	machine_init(&machine, NULL, NULL, NULL);
	return 0;
}

/* What would open or make files, or start the machine, is handled up to its checks only. */
static bool harmless(const struct http_request *r)
{
	return !strstr(r->path, "logger") && !strstr(r->path, "metrics") &&
	       !strstr(r->path, "actions") && !strstr(r->path, "drives") &&
	       !strstr(r->path, "boot") && !strstr(r->path, "network");
}

static void check_answer(int status, const struct strbuf *out)
{
	struct arena a cleanup_arena = { 0 };
	struct json *j;

	if (status != 200 && status != 204 && status != 400)
		abort();
	if ((status == 204) != (out->len == 0))
		abort();
	if (out->len && json_parse(&a, out->data, out->len, 0, &j, NULL))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	/* exactly as long as the input: the address checker sees a read beyond it */
	char *copy cleanup_free = xmemdup(data, len);
	struct http_request req;
	size_t at = 0;

	while (at < len) {
		struct strbuf out cleanup_strbuf = { 0 };
		ssize_t used = http_parse(copy + at, len - at, HTTP_BODY_MAX, &req, NULL);

		if (used <= 0)
			break;
		if ((size_t)used > len - at || req.body_len > (size_t)used)
			abort();
		if (harmless(&req))
			check_answer(api_handle(&api, req.method, req.path, req.body, req.body_len,
						&out),
				     &out);
		at += (size_t)used;
	}
	machine_config_finish(&machine.config);
	return 0;
}
