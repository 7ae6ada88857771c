/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The security context: capabilities, seccomp, AppArmor, SELinux, paths.
 *
 * Privileged means all capabilities that this server has and no filter of any kind.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <strings.h>

#include "base/fd.h"
#include "base/path.h"
#include "cri/pods/spec.h"

#define PROFILE_MAX  (4 << 20)
#define APPARMOR_MAX (1 << 20)
#define LOCALHOST    "localhost/"
#define BIT(n)	     (UINT64_C(1) << (n))

#define SECURITY_PROFILE(type) RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__##type

/* What containerd and Docker give. */
static const uint64_t default_caps = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) |
				     BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) |
				     BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) |
				     BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
				     BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);

/* --- capabilities ----------------------------------------------------------------------------- */

static bool has_all(char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(names[i], "ALL") == 0)
			return true;
	return false;
}

static int parse_caps(char *const *names, size_t count, uint64_t *ret, struct error *err)
{
	*ret = 0;
	for (size_t i = 0; i < count; i++) {
		int cap;

		if (strcasecmp(names[i], "ALL") == 0)
			continue;
		cap = bundle_cap_parse(names[i]);
		if (cap < 0)
			return error_set(err, EINVAL, "unknown capability '%s'", names[i]);
		*ret |= BIT(cap);
	}
	return 0;
}

/* ALL first, single names after: "drop ALL, add X" leaves X; "add ALL, drop X" leaves the rest. */
static int put_caps(const spec_security_t *sec, struct bundle *b, struct error *err)
{
	const Runtime__V1__Capability *c = sec->capabilities;
	uint64_t set = default_caps, add = 0, drop = 0, ambient = 0;

	if (c && (parse_caps(c->add_capabilities, c->n_add_capabilities, &add, err) < 0 ||
		  parse_caps(c->drop_capabilities, c->n_drop_capabilities, &drop, err) < 0 ||
		  parse_caps(c->add_ambient_capabilities, c->n_add_ambient_capabilities, &ambient,
			     err) < 0))
		return err ? err->code : -EINVAL;
	if (c && has_all(c->add_capabilities, c->n_add_capabilities))
		set = bundle_caps_all();
	if (c && has_all(c->drop_capabilities, c->n_drop_capabilities))
		set = 0;
	if (c && has_all(c->add_ambient_capabilities, c->n_add_ambient_capabilities))
		ambient = bundle_caps_all();
	set = (set | add) & ~drop;
	if (sec->privileged)
		set = bundle_caps_all();
	set |= ambient;
	b->caps = (struct bundle_caps){ set, set, set, ambient, ambient };
	return 0;
}

/* --- seccomp ---------------------------------------------------------------------------------- */

static int load_profile(const char *path, struct bundle *b, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct json *profile;

	if (str_empty(path) || path[0] != '/')
		return error_set(err, EINVAL, "seccomp profile '%s' is not an absolute path", path);
	if (fd_read_file(AT_FDCWD, path, PROFILE_MAX, &text, err) < 0)
		return error_wrap(err, "seccomp profile");
	if (json_parse(&b->arena, text.data ? text.data : "", text.len, 0, &profile, err) < 0)
		return error_wrap(err, "seccomp profile %s", path);
	if (profile->type != JSON_OBJECT || !json_get_string(profile, "defaultAction", NULL))
		return error_set(err, EINVAL, "seccomp profile %s has no defaultAction", path);
	b->seccomp = BUNDLE_SECCOMP_JSON;
	b->seccomp_json = profile;
	return 0;
}

static int seccomp_by_text(const char *text, struct bundle *b, struct error *err)
{
	if (str_empty(text) || str_eq(text, "unconfined"))
		return 0;
	if (str_eq(text, "runtime/default") || str_eq(text, "docker/default")) {
		b->seccomp = BUNDLE_SECCOMP_DEFAULT;
		return 0;
	}
	if (str_has_prefix(text, LOCALHOST))
		return load_profile(text + strlen(LOCALHOST), b, err);
	return error_set(err, EINVAL, "unknown seccomp profile '%s'", text);
}

int spec_seccomp(const Runtime__V1__SecurityProfile *profile, const char *deprecated,
		 struct bundle *b, struct error *err)
{
	b->seccomp = BUNDLE_SECCOMP_NONE;
	if (!profile)
		return seccomp_by_text(deprecated, b, err);
	switch (profile->profile_type) {
	case SECURITY_PROFILE(RuntimeDefault):
		b->seccomp = BUNDLE_SECCOMP_DEFAULT;
		return 0;
	case SECURITY_PROFILE(Unconfined):
		return 0;
	case SECURITY_PROFILE(Localhost):
		return load_profile(str_after(profile->localhost_ref, LOCALHOST)
					    ? profile->localhost_ref + strlen(LOCALHOST)
					    : profile->localhost_ref,
				    b, err);
	default:
		return error_set(err, EINVAL, "unknown seccomp profile type %d",
				 profile->profile_type);
	}
}

/* --- AppArmor --------------------------------------------------------------------------------- */

static bool host_has_apparmor(void)
{
	struct strbuf text cleanup_strbuf = { 0 };

	return fd_read_file(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, &text, NULL) ==
		       0 &&
	       text.data && text.data[0] == 'Y';
}

/* Lines of the kernel's list read "name (enforce)". */
static bool apparmor_loaded(const char *name)
{
	struct strbuf text cleanup_strbuf = { 0 };
	size_t len = strlen(name);

	if (fd_read_file(AT_FDCWD, "/sys/kernel/security/apparmor/profiles", APPARMOR_MAX, &text,
			 NULL) < 0 ||
	    !text.data)
		return false;
	for (char *line = text.data; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (strncmp(line, name, len) == 0 && str_has_prefix(line + len, " ("))
			return true;
	return false;
}

static int localhost_apparmor(const char *name, struct bundle *b, struct error *err)
{
	if (str_has_prefix(name, LOCALHOST))
		name += strlen(LOCALHOST);
	if (!host_has_apparmor())
		return error_set(
			err, EINVAL,
			"AppArmor profile '%s' is asked for, but AppArmor is off on this host",
			name);
	if (!apparmor_loaded(name))
		return error_set(
			err, EINVAL,
			"AppArmor profile '%s' is not loaded: load it with apparmor_parser", name);
	b->apparmor_profile = arena_strdup(&b->arena, name);
	return 0;
}

/* Without a profile of ours loaded, the default is none: nothing is said to be confined. */
static int put_apparmor(const spec_security_t *sec, struct bundle *b, struct error *err)
{
	const Runtime__V1__SecurityProfile *p = sec->apparmor;
	const char *text = sec->apparmor_profile;

	if (sec->privileged)
		return 0;
	if (p && p->profile_type == SECURITY_PROFILE(Localhost))
		return localhost_apparmor(p->localhost_ref, b, err);
	if (p || str_empty(text) || str_eq(text, "runtime/default") || str_eq(text, "unconfined"))
		return 0;
	if (!str_has_prefix(text, LOCALHOST))
		return error_set(err, EINVAL, "unknown AppArmor profile '%s'", text);
	return localhost_apparmor(text, b, err);
}

/* --- SELinux, paths --------------------------------------------------------------------------- */

void spec_selinux(const Runtime__V1__SELinuxOption *o, struct bundle *b)
{
	if (!o || !path_exists("/sys/fs/selinux/enforce") || str_empty(o->level))
		return;
	b->selinux_label =
		arena_printf(&b->arena, "%s:%s:%s:%s", str_or(o->user, "system_u"),
			     str_or(o->role, "system_r"), str_or(o->type, "container_t"), o->level);
	b->mount_label = arena_printf(&b->arena, "%s:object_r:container_file_t:%s",
				      str_or(o->user, "system_u"), o->level);
}

static int put_paths(char *const *paths, size_t count, struct strlist *to, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (paths[i][0] != '/')
			return error_set(err, EINVAL,
					 "masked or read-only path '%s' is not absolute", paths[i]);
		strlist_add(to, paths[i]);
	}
	return 0;
}

int spec_security_apply(const spec_security_t *sec, struct bundle *b, struct error *err)
{
	int rc = put_caps(sec, b, err);

	b->no_new_privs = sec->no_new_privs;
	b->root_readonly = sec->readonly_rootfs;
	if (rc == 0)
		rc = put_apparmor(sec, b, err);
	if (rc < 0 || sec->privileged)
		return rc;
	spec_selinux(sec->selinux_options, b);
	rc = spec_seccomp(sec->seccomp, sec->seccomp_profile_path, b, err);
	if (rc == 0)
		rc = put_paths(sec->masked_paths, sec->n_masked_paths, &b->masked_paths, err);
	if (rc == 0)
		rc = put_paths(sec->readonly_paths, sec->n_readonly_paths, &b->readonly_paths, err);
	return rc;
}
