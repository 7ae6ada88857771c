/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of long options, from a table.
 */
#include "base/options.h"

#include "base/mem.h"
#include "base/str.h"

#define SPECS_MAX 64

static const struct option_spec *find(const struct option_spec *specs, const char *arg, size_t len)
{
	for (; specs->name; specs++)
		if (strlen(specs->name) == len && !strncmp(specs->name, arg, len))
			return specs;
	return NULL;
}

static int unknown(const struct option_spec *specs, const char *arg, struct error *err)
{
	const char *names[SPECS_MAX], *near;
	size_t n = 0;

	if (arg[0] != '-' || arg[1] != '-')
		return error_set(err, EINVAL, "'%s' is no option", arg);
	for (; specs[n].name && n < SPECS_MAX; n++)
		names[n] = specs[n].name;
	near = str_nearest(arg + 2, names, n);
	return error_set(err, EINVAL, "unknown option '%s'%s%s", arg,
			 near ? ", did you mean --" : "", near ? near : "");
}

static int take(const struct option_spec *s, const char *value, void *field, struct error *err)
{
	switch (s->kind) {
	case OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)field = value;
		return 0;
	case OPTION_LIST:
		strlist_add(field, value);
		return 0;
	case OPTION_U64:
		break;
	}
	if (str_parse_u64(value, field))
		return error_set(err, EINVAL, "--%s: '%s' is no number", s->name, value);
	return 0;
}

int options_parse(const struct option_spec *specs, int argc, char **argv, void *into, int *ret_rest,
		  struct error *err)
{
	uint64_t seen = 0;
	int i = 1, r = 0;

	for (; i < argc && !r && !str_eq(argv[i], "--"); i++) {
		const char *arg = argv[i], *equals = strchr(arg, '='), *value = NULL;
		const struct option_spec *s = NULL;

		if (str_has_prefix(arg, "--"))
			s = find(specs, arg + 2, strcspn(arg + 2, "="));
		if (!s)
			return unknown(specs, arg, err);
		if (s->kind != OPTION_LIST && (seen >> (s - specs) & 1))
			return error_set(err, EINVAL, "--%s stands there twice", s->name);
		seen |= 1ULL << (s - specs);
		if (s->kind != OPTION_FLAG)
			value = equals ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
		if (s->kind == OPTION_FLAG && equals)
			return error_set(err, EINVAL, "--%s takes no value", s->name);
		if (s->kind != OPTION_FLAG && !value)
			return error_set(err, EINVAL, "--%s needs a value", s->name);
		r = take(s, value, (char *)into + s->offset, err);
	}
	*ret_rest = i < argc ? i + 1 : argc;
	return r;
}

void options_help(const struct option_spec *specs, FILE *to)
{
	for (; specs->name; specs++) {
		char head[64];

		snprintf(head, sizeof(head), "--%s%s%s", specs->name, specs->value ? " " : "",
			 specs->value ? specs->value : "");
		fprintf(to, "  %-32s %s\n", head, specs->help);
	}
}
