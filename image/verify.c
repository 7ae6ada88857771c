/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an image may be used: the operator's program says so.
 *
 *   PROGRAM -name REFERENCE -digest DIGEST
 *
 * It runs once the name is resolved and before any layer is unpacked, as containerd's verifiers do
 * and with their options.  Exit 0 accepts; anything else refuses, as does taking too long, and what
 * the program printed last is the reason.  The pull goes on with that digest and no other.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "image/pull.h"

#define TIMEOUT_MS 60000

/* The last line of @text, for one line of a message. */
static const char *last_line(struct strbuf *text)
{
	char *line;

	while (text->len > 0 && text->data[text->len - 1] == '\n')
		text->data[--text->len] = '\0';
	if (text->len == 0)
		return "no reason given";
	line = strrchr(text->data, '\n');
	line = line ? line + 1 : text->data;
	for (char *p = line; *p; p++) {
		if ((unsigned char)*p < ' ')
			*p = ' ';
	}
	return line;
}

static int refuse(const struct pull *p, const char *digest, const char *why, struct error *err)
{
	error_set(err, EACCES, "%s: the verifier refuses %s: %.300s", p->name, digest, why);
	return error_wrap(err, PULL_UNSIGNED);
}

int pull_verify(const struct pull *p, const char *digest, struct error *err)
{
	const char *program = p->store->verify_program;
	const char *argv[] = { program, "-name", p->name, "-digest", digest, NULL };
	struct spawn_result r = { 0 };
	struct error why = ERROR_INIT;
	struct spawn s = SPAWN_INIT;
	int rc;

	if (!program)
		return 0;
	s.program = program;
	s.argv = argv;
	s.cwd = "/";
	s.death_signal = SIGKILL;
	rc = spawn_run(&s, NULL, 0, TIMEOUT_MS, p->cancel_fd, &r, &why);
	if (rc == -ECANCELED)
		error_set(err, ECANCELED, "cancelled");
	else if (rc < 0)
		rc = refuse(p, digest, why.text, err);
	else if (r.exit_code != 0)
		rc = refuse(p, digest, last_line(r.out.len ? &r.out : &r.err), err);
	log_debug("verifier of %s %s: %s", p->name, digest, rc == 0 ? "accepted" : "refused");
	spawn_result_finish(&r);
	return rc;
}
