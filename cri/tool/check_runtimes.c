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

/* The names of @c live as long as the report; the handlers do not.  NULL: not of @c. */
static const struct handler_config *config_of(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_handlers; i++)
		if (str_eq(c->handlers[i].name, name))
			return &c->handlers[i];
	return NULL;
}

/* cure_of() - for a handler without a runtime, by what its list names. */
static const char *cure_of(const struct handler_config *h)
{
	const struct strlist none = { 0 }, *list = h ? &h->runtimes : &none;

	if (strlist_has(list, "crun") || strlist_has(list, "runc"))
		return "install crun or runc, or name another runtime in the configuration's "
		       "handlers";
	for (size_t i = 0; i < list->count; i++)
		if (str_has_prefix(list->items[i], "bulkhead-"))
			return "install Bulkhead's package that has this program; until then, "
			       "leave "
			       "the handler as it is or take it out of the configuration";
	return "install that program, or correct the handler's runtime in the configuration";
}

static void check_handler(struct check_report *r, const struct config *c, const struct handler *h)
{
	const struct handler_config *from = config_of(c, h->name);
	const char *name = from ? from->name : "handler";
	bool is_default = str_eq(h->name, c->default_handler);

	if (h->runtime)
		check_ok(r, name, "%s (%s)%s%s%s", h->runtime, str_or(h->version, "no version"),
			 is_default ? ", the default" : "", str_empty(h->why) ? "" : "; ",
			 str_or(h->why, ""));
	else if (is_default)
		check_fail(r, name, cure_of(from), "the default handler has no runtime: %s",
			   h->why);
	else
		check_warn(r, name, cure_of(from), "pods of this RuntimeClass are refused: %s",
			   h->why);
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
			check_handler(r, c, h);
		handlers_destroy(handlers);
	} else {
		check_fail(r, "handlers", "see the message", "%s", err.text);
	}
	path_remove_tree(AT_FDCWD, work, NULL);
}
