/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of command lines.
 */
#include "base/options.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "tests/unit/tap.h"

struct values {
	bool flag;
	const char *text;
	uint64_t number;
	struct strlist list;
};

static const struct option_spec specs[] = {
	{ "flag", OPTION_FLAG, offsetof(struct values, flag), NULL, "a flag" },
	{ "text", OPTION_TEXT, offsetof(struct values, text), "TEXT", "a text" },
	{ "number", OPTION_U64, offsetof(struct values, number), "N", "a number" },
	{ "list", OPTION_LIST, offsetof(struct values, list), "ITEM", "many" },
	{ 0 },
};

/* parse() - @line is cut at spaces. */
static int parse(const char *line, struct values *v, int *rest, struct error *err)
{
	static char words[256];
	char *argv[16], *save;
	int argc = 1;

	memset(v, 0, sizeof(*v));
	*err = (struct error)ERROR_INIT;
	argv[0] = (char *)"program";
	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	return options_parse(specs, argc, argv, v, rest, err);
}

static void refused(const char *line, const char *why)
{
	struct error err;
	struct values v;
	int rest;

	ok(parse(line, &v, &rest, &err) == -EINVAL && strstr(err.text, why), "%s: %s", line,
	   err.text);
	strlist_finish(&v.list);
}

int main(void)
{
	struct error err;
	struct values v;
	int rest;

	is_int(parse("--flag --text a --number=7 --list x --list=y -- --flag z", &v, &rest, &err),
	       0, "every kind");
	ok(v.flag && v.number == 7 && v.list.count == 2, "its values");
	is_str(v.text, "a", "the text");
	is_str(v.list.items[1], "y", "the second of the list");
	is_int(rest, 9, "what follows the dashes is left");
	strlist_finish(&v.list);
	is_int(parse("", &v, &rest, &err), 0, "nothing");
	is_int(rest, 1, "nothing is left");
	is_int(parse("--text= --number 0", &v, &rest, &err), 0, "an empty text");
	is_str(v.text, "", "is empty");
	refused("--flag --flag", "twice");
	refused("--flag=1", "takes no value");
	refused("--text", "needs a value");
	refused("--number x", "no number");
	refused("--number -1", "no number");
	refused("--fla", "did you mean --flag");
	refused("-f", "no option");
	refused("word", "no option");
	return tap_done();
}
