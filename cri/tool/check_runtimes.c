/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead check`: the handlers, and why a runtime of theirs was passed over.
 *
 * Uses the server's own probe, so that both come to the same answer.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "cri/tool/check.h"
#include "runtimes/handlers.h"

static void check_handler(struct check_report *r, const struct handler *h, const char *name,
			  bool is_default)
{
	static const char cure[] = "install crun or runc, or name another runtime in the "
				   "configuration's handlers";

	if (h->runtime)
		check_ok(r, name, "%s (%s)%s%s%s", h->runtime, str_or(h->version, "no version"),
			 is_default ? ", the default" : "", str_empty(h->why) ? "" : "; ",
			 str_or(h->why, ""));
	else if (is_default)
		check_fail(r, name, cure, "the default handler has no runtime: %s", h->why);
	else
		check_warn(r, name, cure, "pods of this RuntimeClass are refused: %s", h->why);
}

/* The names of @c live as long as the report; the handlers do not. */
static const char *lasting_name(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_handlers; i++)
		if (str_eq(c->handlers[i].name, name))
			return c->handlers[i].name;
	return "handler";
}

void check_runtimes(struct check_report *r, const struct config *c)
{
	char work[] = "/tmp/bulkhead-check-XXXXXX";
	char *pause cleanup_free = path_sibling_program("bulkhead-pause");
	struct handlers_config config = {
		.list = c->handlers,
		.count = c->n_handlers,
		.default_name = c->default_handler,
		.pause_program = pause,
		.work_dir = work,
	};
	struct error err = ERROR_INIT;
	struct handlers *handlers;
	const struct handler *h;

	if (!pause) {
		check_fail(r, "programs", "run `make install`",
			   "bulkhead-pause is not beside this program nor in ../libexec/bulkhead");
		return;
	}
	if (!mkdtemp(work)) {
		check_fail(r, "handlers", "make /tmp writable", "no place to try runtimes in");
		return;
	}
	if (handlers_create(&config, &handlers, &err) == 0) {
		for (size_t i = 0; (h = handlers_at(handlers, i)); i++)
			check_handler(r, h, lasting_name(c, h->name),
				      str_eq(h->name, c->default_handler));
		handlers_destroy(handlers);
	} else {
		check_fail(r, "handlers", "see the message", "%s", err.text);
	}
	path_remove_tree(AT_FDCWD, work, NULL);
}
