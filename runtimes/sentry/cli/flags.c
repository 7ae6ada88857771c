/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags as programs with Go's libraries take them: "--a=b", "--a b", "-a b", "-abc" is one name.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/sentry/cli/cli.h"

static const struct flag *find(const struct flag *flags, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0)
			return &flags[i];
		if (len == 1 && flags[i].letter && flags[i].letter == name[0])
			return &flags[i];
	}
	return NULL;
}

static bool takes_value(const struct flag *f)
{
	return f->kind != FLAG_BOOL && f->kind != FLAG_IGNORED_BOOL;
}

static bool is_true(const char *value)
{
	return !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static void store(const struct cli *c, const struct flag *f, const char *value)
{
	switch (f->kind) {
	case FLAG_BOOL:
		*(bool *)f->into = is_true(value);
		break;
	case FLAG_STRING:
		*(const char **)f->into = value;
		break;
	case FLAG_LIST:
		strlist_add(f->into, value);
		break;
	case FLAG_IGNORED:
	case FLAG_IGNORED_BOOL:
		cli_warn(c, "flag --%s has no effect", f->name);
		break;
	}
}

/* take() - the flag @argv[i]. Return: index of the next word, or -1 after a message. */
static int take(const struct cli *c, const struct flag *flags, size_t n, bool lenient, int argc,
		char **argv, int i)
{
	const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct flag *f = find(flags, n, name, len);

	if (!f && lenient) {
		cli_warn(c, "unknown flag %s has no effect", argv[i]);
		return i + 1;
	}
	if (!f) {
		cli_usage(c, "flag provided but not defined: -%.*s", (int)len, name);
		return -1;
	}
	if (takes_value(f) && !value) {
		if (++i == argc) {
			cli_usage(c, "flag needs an argument: --%s", f->name);
			return -1;
		}
		value = argv[i];
	}
	store(c, f, value);
	return i + 1;
}

int flags_parse(const struct cli *c, const struct flag *flags, size_t n, bool lenient, int argc,
		char **argv)
{
	int i = 1;

	while (i >= 0 && i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		i = take(c, flags, n, lenient, argc, argv, i);
	}
	return i;
}
