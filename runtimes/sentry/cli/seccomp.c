/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp profiles: from the runtime-spec's JSON to BPF, by libseccomp.
 *
 * Guests are x86-64 only, so rules for other architectures have nobody to judge.  Names that
 * libseccomp does not know are skipped, as other runtimes do.
 */
#include "runtimes/sentry/cli/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/str.h"

#define DEFAULT_ERRNO 1 /* EPERM, as the runtime-spec says */

/* action_of() - Return: 0 or -EINVAL. */
static int action_of(const char *name, uint16_t errnum, uint32_t *ret, struct error *err)
{
	const struct {
		const char *name;
		uint32_t action;
	} known[] = {
		{ "SCMP_ACT_ALLOW", SCMP_ACT_ALLOW },
		{ "SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(errnum) },
		{ "SCMP_ACT_KILL", SCMP_ACT_KILL },
		{ "SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD },
		{ "SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS },
		{ "SCMP_ACT_TRAP", SCMP_ACT_TRAP },
		{ "SCMP_ACT_TRACE", SCMP_ACT_TRACE(errnum) },
		{ "SCMP_ACT_LOG", SCMP_ACT_LOG },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		*ret = known[i].action;
		return 0;
	}
	if (strcmp(name, "SCMP_ACT_NOTIFY") == 0)
		return error_set(err, ENOTSUP, "SCMP_ACT_NOTIFY: listeners are not done");
	return error_set(err, EINVAL, "unknown action '%s'", name);
}

static int op_of(const char *name, enum scmp_compare *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} known[] = {
		{ "SCMP_CMP_NE", SCMP_CMP_NE },
		{ "SCMP_CMP_LT", SCMP_CMP_LT },
		{ "SCMP_CMP_LE", SCMP_CMP_LE },
		{ "SCMP_CMP_EQ", SCMP_CMP_EQ },
		{ "SCMP_CMP_GE", SCMP_CMP_GE },
		{ "SCMP_CMP_GT", SCMP_CMP_GT },
		{ "SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		*ret = known[i].op;
		return 0;
	}
	return error_set(err, EINVAL, "unknown comparison '%s'", name);
}

static uint64_t u64_of(const struct json *j, const char *key)
{
	const struct json *v = json_get(j, key);
	uint64_t n;

	return v && v->type == JSON_NUMBER && str_parse_u64(v->text, &n) == 0 ? n : 0;
}

/* One rule: an action, a call, what its arguments must be. */
struct rule {
	scmp_filter_ctx ctx;
	uint32_t action;
	struct scmp_arg_cmp args[6];
	unsigned int n_args;
	bool repeats; /* one argument is compared twice, which means "or" */
};

static int parse_args(const struct json *args, struct rule *r, struct error *err)
{
	const struct json *it;
	unsigned int seen = 0;

	json_for_each(it, args) {
		int64_t index = json_get_int(it, "index", -1);
		enum scmp_compare op;
		uint64_t value = u64_of(it, "value"), two = u64_of(it, "valueTwo");

		if (index < 0 || index > 5 || r->n_args == ARRAY_LEN(r->args))
			return error_set(err, EINVAL, "an argument's index is not from 0 to 5");
		if (op_of(json_get_string(it, "op", ""), &op, err) < 0)
			return err->code;
		r->repeats |= seen >> index & 1;
		seen |= 1U << index;
		r->args[r->n_args++] = SCMP_CMP64((unsigned int)index, op, value, two);
	}
	return 0;
}

/* add_call() - a rule for one call; one a comparison when they mean "or". */
static int add_call(struct rule *r, int nr)
{
	int rc = 0;

	if (!r->repeats)
		return seccomp_rule_add_array(r->ctx, r->action, nr, r->n_args, r->args);
	for (unsigned int i = 0; i < r->n_args && rc == 0; i++)
		rc = seccomp_rule_add_array(r->ctx, r->action, nr, 1, &r->args[i]);
	return rc;
}

static int add_entry(scmp_filter_ctx ctx, uint32_t standard, const struct json *entry,
		     struct error *err)
{
	uint16_t errnum = (uint16_t)json_get_int(entry, "errnoRet", DEFAULT_ERRNO);
	struct rule r = { .ctx = ctx };
	const struct json *it;
	int rc = action_of(json_get_string(entry, "action", ""), errnum, &r.action, err);

	if (rc == 0)
		rc = parse_args(json_get(entry, "args"), &r, err);
	if (rc < 0 || r.action == standard) /* says nothing new, and libseccomp refuses it */
		return rc;
	json_for_each(it, json_get(entry, "names")) {
		int nr = it->type == JSON_STRING ? seccomp_syscall_resolve_name(it->text)
						 : __NR_SCMP_ERROR;

		if (nr < 0)
			continue;
		rc = add_call(&r, nr);
		if (rc < 0 && rc != -EEXIST)
			return error_errno(err, -rc, "rule for %s", it->text);
	}
	return 0;
}

static int fill(scmp_filter_ctx ctx, uint32_t standard, const struct json *profile,
		struct error *err)
{
	const struct json *it;
	int rc = 0;

	json_for_each(it, json_get(profile, "syscalls")) {
		rc = add_entry(ctx, standard, it, err);
		if (rc < 0)
			break;
	}
	return rc;
}

static int export(scmp_filter_ctx ctx, struct error *err)
{
	int fd cleanup_close = memfd_create("seccomp", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "make a file in memory");
	rc = seccomp_export_bpf(ctx, fd);
	return rc < 0 ? error_errno(err, -rc, "compile the filter") : steal_fd(&fd);
}

int seccomp_compile(const struct json *profile, struct error *err)
{
	uint16_t errnum = (uint16_t)json_get_int(profile, "defaultErrnoRet", DEFAULT_ERRNO);
	const char *name = json_get_string(profile, "defaultAction", "");
	scmp_filter_ctx ctx;
	uint32_t standard;
	int rc;

	if (!str_empty(json_get_string(profile, "listenerPath", "")))
		return error_set(err, ENOTSUP,
				 "linux.seccomp.listenerPath: listeners are not done");
	if (action_of(name, errnum, &standard, err) < 0)
		return error_wrap(err, "linux.seccomp");
	ctx = seccomp_init(standard);
	if (!ctx)
		return error_set(err, ENOMEM, "linux.seccomp: out of memory");
	rc = fill(ctx, standard, profile, err);
	if (rc == 0)
		rc = export(ctx, err);
	seccomp_release(ctx);
	return rc < 0 ? error_wrap(err, "linux.seccomp") : rc;
}
