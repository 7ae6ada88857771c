/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cri/pods/spec*.c: rows of the security matrix against the JSON that comes out.
 */
#include "cri/pods/spec.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/path.h"
#include "tests/unit/tap.h"

static char dir[] = "/tmp/spec-test.XXXXXX";
static int rootfs = -1;
static struct pods pods;
static Runtime__V1__PodSandboxConfig pod_config = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
static struct pod pod = { .pods = &pods, .config = &pod_config };
static struct image image;
static struct handler handler = { .name = (char *)"runc", .rro_mounts = true };

typedef Runtime__V1__ContainerConfig config_t;

/* One container's configuration, with room for what the rows set. */
struct fixture {
	config_t config;
	Runtime__V1__LinuxContainerConfig l;
	spec_security_t sec;
	Runtime__V1__Capability caps;
	Runtime__V1__ImageSpec image;
};

static void set_up(struct fixture *f)
{
	runtime__v1__container_config__init(&f->config);
	runtime__v1__linux_container_config__init(&f->l);
	runtime__v1__linux_container_security_context__init(&f->sec);
	runtime__v1__capability__init(&f->caps);
	runtime__v1__image_spec__init(&f->image);
	f->image.image = (char *)"test";
	f->config.image = &f->image;
	f->config.linux = &f->l;
	f->l.security_context = &f->sec;
	f->sec.capabilities = &f->caps;
}

static struct spec_container describe(struct fixture *f)
{
	return (struct spec_container){ .pod = &pod,
					.config = &f->config,
					.handler = &handler,
					.image = &image,
					.rootfs_fd = rootfs };
}

/* --- capabilities, seccomp -------------------------------------------------------------------- */

static char *words[3][4];

static size_t split(int list, const char *text)
{
	static char copies[3][128];
	size_t n = 0;

	snprintf(copies[list], sizeof(copies[list]), "%s", text);
	for (char *save = NULL, *w = strtok_r(copies[list], " ", &save); w;
	     w = strtok_r(NULL, " ", &save))
		words[list][n++] = w;
	return n;
}

#define C(x) (UINT64_C(1) << (x))
enum { CHOWN = 0, KILL = 5, NET_ADMIN = 12, NET_RAW = 13, SYS_ADMIN = 21 };

static void test_caps(void)
{
	static const struct {
		const char *add, *drop, *ambient;
		bool privileged;
		uint64_t has, has_not, ambient_has;
		int rc;
	} rows[] = {
		{ "", "", "", false, C(CHOWN) | C(NET_RAW) | C(KILL), C(NET_ADMIN), 0, 0 },
		{ "NET_ADMIN", "", "", false, C(NET_ADMIN) | C(CHOWN), C(SYS_ADMIN), 0, 0 },
		{ "cap_net_admin", "CAP_Chown", "", false, C(NET_ADMIN), C(CHOWN), 0, 0 },
		{ "NET_ADMIN", "ALL", "", false, C(NET_ADMIN), ~C(NET_ADMIN), 0, 0 },
		{ "ALL", "", "", false, C(NET_ADMIN) | C(SYS_ADMIN), 0, 0, 0 },
		{ "all", "NET_ADMIN", "", false, C(SYS_ADMIN), C(NET_ADMIN), 0, 0 },
		{ "", "ALL", "", false, 0, ~UINT64_C(0), 0, 0 },
		{ "", "ALL", "KILL", false, C(KILL), ~C(KILL), C(KILL), 0 },
		{ "", "ALL", "", true, C(SYS_ADMIN), 0, 0, 0 },
		{ "NONSENSE", "", "", false, 0, 0, 0, -EINVAL },
		{ "", "NONSENSE", "", false, 0, 0, 0, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bundle b cleanup_bundle = { 0 };
		struct error err = ERROR_INIT;
		struct fixture f;
		int rc;

		set_up(&f);
		f.caps.n_add_capabilities = split(0, rows[i].add);
		f.caps.add_capabilities = words[0];
		f.caps.n_drop_capabilities = split(1, rows[i].drop);
		f.caps.drop_capabilities = words[1];
		f.caps.n_add_ambient_capabilities = split(2, rows[i].ambient);
		f.caps.add_ambient_capabilities = words[2];
		f.sec.privileged = rows[i].privileged;
		rc = spec_security_apply(&f.sec, &b, &err);
		ok(rc == rows[i].rc && (rc < 0 || ((b.caps.bounding & rows[i].has) == rows[i].has &&
						   !(b.caps.bounding & rows[i].has_not) &&
						   b.caps.effective == b.caps.bounding &&
						   b.caps.permitted == b.caps.bounding &&
						   b.caps.inheritable == rows[i].ambient_has &&
						   b.caps.ambient == rows[i].ambient_has)),
		   "capabilities: add '%s' drop '%s' ambient '%s'%s %s", rows[i].add, rows[i].drop,
		   rows[i].ambient, rows[i].privileged ? " privileged" : "", err.text);
	}
}

static void test_seccomp(void)
{
	char *good cleanup_free = path_join(dir, "profile.json");
	char *bad cleanup_free = path_join(dir, "bad.json");
	char *text cleanup_free = xasprintf("localhost/%s", good);
	const struct {
		int type; /* -1: no profile */
		const char *ref, *deprecated;
		bool privileged;
		enum bundle_seccomp want;
		int rc;
	} rows[] = {
		{ -1, "", "", false, BUNDLE_SECCOMP_NONE, 0 },
		{ 0, "", "", false, BUNDLE_SECCOMP_DEFAULT, 0 },
		{ 1, "", "", false, BUNDLE_SECCOMP_NONE, 0 },
		{ 2, good, "", false, BUNDLE_SECCOMP_JSON, 0 },
		{ 2, text, "", false, BUNDLE_SECCOMP_JSON, 0 },
		{ 2, bad, "", false, 0, -EINVAL },
		{ 2, "/nonexistent", "", false, 0, -ENOENT },
		{ 2, "relative", "", false, 0, -EINVAL },
		{ 0, "", "unconfined", false, BUNDLE_SECCOMP_DEFAULT, 0 },
		{ -1, "", "runtime/default", false, BUNDLE_SECCOMP_DEFAULT, 0 },
		{ -1, "", text, false, BUNDLE_SECCOMP_JSON, 0 },
		{ -1, "", "what/ever", false, 0, -EINVAL },
		{ 2, "/nonexistent", "", true, BUNDLE_SECCOMP_NONE, 0 },
	};

	static const char profile[] = "{\"defaultAction\":\"SCMP_ACT_LOG\"}";

	fd_replace_file(AT_FDCWD, good, profile, strlen(profile), 0644, false, NULL);
	fd_replace_file(AT_FDCWD, bad, "{\"x\":1}", 7, 0644, false, NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__SecurityProfile p = RUNTIME__V1__SECURITY_PROFILE__INIT;
		struct bundle b cleanup_bundle = { 0 };
		struct error err = ERROR_INIT;
		struct fixture f;
		int rc;

		set_up(&f);
		p.profile_type = (Runtime__V1__SecurityProfile__ProfileType)MAX(rows[i].type, 0);
		p.localhost_ref = (char *)rows[i].ref;
		f.sec.seccomp = rows[i].type < 0 ? NULL : &p;
		f.sec.seccomp_profile_path = (char *)rows[i].deprecated;
		f.sec.privileged = rows[i].privileged;
		rc = spec_security_apply(&f.sec, &b, &err);
		ok(rc == rows[i].rc && (rc < 0 || b.seccomp == rows[i].want), "seccomp row %zu %s",
		   i, err.text);
	}
}

static void test_paths(void)
{
	char *masked[] = { (char *)"/proc/kcore" }, *readonly[] = { (char *)"/proc/sys" };
	struct bundle b cleanup_bundle = { 0 };
	struct bundle open cleanup_bundle = { 0 };
	struct fixture f;

	set_up(&f);
	f.sec.masked_paths = masked;
	f.sec.readonly_paths = readonly;
	f.sec.n_masked_paths = f.sec.n_readonly_paths = 1;
	f.sec.no_new_privs = f.sec.readonly_rootfs = true;
	ok(spec_security_apply(&f.sec, &b, NULL) == 0 && b.masked_paths.count == 1 &&
		   b.readonly_paths.count == 1 && b.no_new_privs && b.root_readonly,
	   "paths as given, no more");
	f.sec.privileged = true;
	ok(spec_security_apply(&f.sec, &open, NULL) == 0 && open.masked_paths.count == 0 &&
		   open.readonly_paths.count == 0,
	   "privileged: nothing is masked");
}

/* --- users ------------------------------------------------------------------------------------ */

static void make_image(void)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbroken\n:x:1:1\n"
				     "default-user:x:1000:1000::/:/bin/sh\nwww-data:x:33:34::/:/\n";
	static const char group[] = "root:x:0:root\nstaff:x:50:\nimage:x:50000:other,default-user\n"
				    "no:x:60000:default-user2\nbig:x:99999999999:default-user\n";
	char *etc cleanup_free = path_join(dir, "rootfs/etc");

	path_mkdirs(etc, 0755, NULL);
	rootfs = open(etc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd_replace_file(rootfs, "real-passwd", passwd, strlen(passwd), 0644, false, NULL);
	fd_replace_file(rootfs, "group", group, strlen(group), 0644, false, NULL);
	/* an absolute link that stays in the image */
	if (symlinkat("/etc/real-passwd", rootfs, "passwd") < 0)
		printf("# symlink: %m\n");
	close(rootfs);
	*strrchr(etc, '/') = '\0';
	rootfs = open(etc, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void test_users(void)
{
	static const struct {
		const char *image_user, *name;
		int64_t uid, gid; /* -2: not given */
		bool strict;
		int64_t extra;	  /* supplemental group, 0 none */
		const char *want; /* "uid gid groups..." */
		int rc;
	} rows[] = {
		{ "", "", -2, -2, false, 0, "0 0 0", 0 },
		{ "1002", "", -2, -2, false, 0, "1002 0 0", 0 },
		{ "www-data", "", -2, -2, false, 0, "33 34 34", 0 },
		{ "1003:1004", "", -2, -2, false, 0, "1003 1004 1004", 0 },
		{ "www-data:1004", "", -2, -2, false, 0, "33 1004 1004", 0 },
		{ "www-data:staff", "", -2, -2, false, 0, "33 50 50", 0 },
		{ "www-data:absent", "", -2, -2, false, 0, "", -EINVAL },
		{ "absent", "", -2, -2, false, 0, "", -EINVAL },
		{ "www-data", "", 1000, -2, false, 1234, "1000 1000 1000 1234 50000", 0 },
		{ "www-data", "", 1000, -2, true, 1234, "1000 1000 1000 1234", 0 },
		{ "", "", 1000, 7, false, 0, "1000 7 7 50000", 0 },
		{ "", "", 4242, -2, false, 5, "4242 0 0 5", 0 },
		{ "", "default-user", -2, -2, true, 0, "1000 1000 1000", 0 },
		{ "", "default-user", -2, 9, true, 0, "1000 9 9", 0 },
		{ "", "nobody-here", -2, -2, false, 0, "", -EINVAL },
		{ "1000", "", -2, 9, false, 0, "", -EINVAL }, /* group without user */
		{ "", "", -1, -2, false, 0, "", -EINVAL },
		{ "", "", INT64_C(4294967295), -2, false, 0, "", -EINVAL },
		{ "", "", 0, -2, false, -7, "", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__Int64Value uid = RUNTIME__V1__INT64_VALUE__INIT;
		Runtime__V1__Int64Value gid = RUNTIME__V1__INT64_VALUE__INIT;
		struct strbuf got cleanup_strbuf = { 0 };
		struct bundle b cleanup_bundle = { 0 };
		struct error err = ERROR_INIT;
		struct spec_container s;
		struct fixture f;
		int64_t extra = rows[i].extra;
		int rc;

		set_up(&f);
		s = describe(&f);
		image.user = (char *)rows[i].image_user;
		f.sec.run_as_username = (char *)rows[i].name;
		uid.value = rows[i].uid;
		gid.value = rows[i].gid;
		f.sec.run_as_user = rows[i].uid == -2 ? NULL : &uid;
		f.sec.run_as_group = rows[i].gid == -2 ? NULL : &gid;
		f.sec.supplemental_groups = &extra;
		f.sec.n_supplemental_groups = extra != 0;
		f.sec.supplemental_groups_policy = rows[i].strict;
		rc = spec_user(&s, &b, &err);
		strbuf_printf(&got, "%u %u", b.uid, b.gid);
		for (size_t g = 0; g < b.n_groups; g++)
			strbuf_printf(&got, " %u", b.groups[g]);
		ok(rc == rows[i].rc && (rc < 0 || strcmp(got.data, rows[i].want) == 0),
		   "user row %zu: %s%s", i, rc < 0 ? "" : got.data, err.text);
	}
	image.user = NULL;
}

static void test_hostile_link(void)
{
	struct bundle b cleanup_bundle = { 0 };
	struct spec_container s;
	struct fixture f;
	char *etc cleanup_free = path_join(dir, "rootfs/etc");
	int fd = open(etc, O_PATH | O_DIRECTORY | O_CLOEXEC);

	unlinkat(fd, "passwd", 0);
	if (symlinkat("../../../../../../etc/passwd", fd, "passwd") < 0)
		printf("# symlink: %m\n");
	close(fd);
	set_up(&f);
	s = describe(&f);
	f.sec.run_as_username = (char *)"daemon"; /* of the host */
	ok(spec_user(&s, &b, NULL) == -EINVAL, "a link cannot lead out of the image");
}

/* --- process ---------------------------------------------------------------------------------- */

static void add_words(struct strlist *l, const char *text)
{
	char *copy cleanup_free = xstrdup(text);

	for (char *save = NULL, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		strlist_add(l, w);
}

static void test_args(void)
{
	static const struct {
		const char *entrypoint, *cmd, *command, *args, *want;
		int rc;
	} rows[] = {
		{ "e1 e2", "c1", "", "", "e1 e2 c1 ", 0 },
		{ "e1", "c1", "", "a1", "e1 a1 ", 0 },
		{ "e1", "c1", "k1", "", "k1 ", 0 },
		{ "e1", "c1", "k1", "a1", "k1 a1 ", 0 },
		{ "", "c1", "", "", "c1 ", 0 },
		{ "", "c1", "", "a1", "a1 ", 0 },
		{ "", "", "", "", "", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strlist l[2] = { 0 };
		struct strbuf got cleanup_strbuf = { 0 };
		struct bundle b cleanup_bundle = { 0 };
		struct error err = ERROR_INIT;
		struct spec_container s;
		struct fixture f;
		int rc;

		set_up(&f);
		s = describe(&f);
		add_words(&image.entrypoint, rows[i].entrypoint);
		add_words(&image.cmd, rows[i].cmd);
		add_words(&l[0], rows[i].command);
		add_words(&l[1], rows[i].args);
		f.config.command = l[0].items;
		f.config.n_command = l[0].count;
		f.config.args = l[1].items;
		f.config.n_args = l[1].count;
		rc = spec_process(&s, &b, &err);
		for (size_t a = 0; rc == 0 && a < b.args.count; a++)
			strbuf_printf(&got, "%s ", b.args.items[a]);
		ok(rc == rows[i].rc && (rc < 0 || strcmp(got.data, rows[i].want) == 0),
		   "args: %s%s", rows[i].want, err.text);
		strlist_finish(&image.entrypoint);
		strlist_finish(&image.cmd);
		strlist_finish(&l[0]);
		strlist_finish(&l[1]);
	}
}

static void test_env(void)
{
	Runtime__V1__KeyValue kv[2] = { RUNTIME__V1__KEY_VALUE__INIT,
					RUNTIME__V1__KEY_VALUE__INIT };
	Runtime__V1__KeyValue *envs[] = { &kv[0], &kv[1] };
	struct bundle b cleanup_bundle = { 0 };
	struct bundle bad cleanup_bundle = { 0 };
	struct spec_container s;
	struct fixture f;

	pod_config.hostname = (char *)"myhost";
	pod.netns = (char *)"/run/netns/x"; /* on the host network the name is the host's */
	set_up(&f);
	s = describe(&f);
	add_words(&image.cmd, "sh");
	add_words(&image.env, "FROM=image OTHER=x");
	kv[0].key = (char *)"FROM";
	kv[0].value = (ProtobufCBinaryData){ 3, (uint8_t *)(char *)"cri" };
	kv[1].key = (char *)"NEW";
	f.config.envs = envs;
	f.config.n_envs = 2;
	f.config.tty = true;
	ok(spec_process(&s, &b, NULL) == 0, "environment");
	ok(strlist_has(&b.env, "FROM=cri") && !strlist_has(&b.env, "FROM=image"), "CRI over image");
	ok(strlist_has(&b.env, "OTHER=x") && strlist_has(&b.env, "NEW="), "both are there");
	ok(strlist_has(&b.env, "HOSTNAME=myhost") && strlist_has(&b.env, "TERM=xterm"),
	   "HOSTNAME and TERM");
	pod.netns = NULL;
	is_str(b.cwd, "/", "directory by default");
	kv[1].key = (char *)"A=B";
	ok(spec_process(&s, &bad, NULL) == -EINVAL, "a name with =");
	strlist_finish(&image.cmd);
	strlist_finish(&image.env);
}

static void test_signals(void)
{
	static const struct {
		int cri;
		const char *text;
		int want, rc;
	} rows[] = {
		{ 0, "", SIGTERM, 0 },
		{ 0, "SIGQUIT", SIGQUIT, 0 },
		{ 0, "usr1", SIGUSR1, 0 },
		{ 0, "3", SIGQUIT, 0 },
		{ 0, "SIGRTMIN+3", 37, 0 },
		{ 0, "RTMAX-1", 63, 0 },
		{ 0, "SIGNONSENSE", 0, -EINVAL },
		{ 0, "99", 0, -EINVAL },
		{ 29, "SIGQUIT", SIGUSR1, 0 },
		{ 35, "", 34, 0 },
		{ 65, "", 64, 0 },
		{ 66, "", 0, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		int signo = 0, rc;

		set_up(&f);
		f.config.stop_signal = (Runtime__V1__Signal)rows[i].cri;
		rc = spec_signal(&f.config, rows[i].text, &signo, NULL);
		ok(rc == rows[i].rc && (rc < 0 || signo == rows[i].want), "signal %d '%s'",
		   rows[i].cri, rows[i].text);
		if (rc == 0 && rows[i].cri > 0)
			is_int(spec_cri_signal(signo), rows[i].cri, "and back");
	}
}

/* --- mounts and devices ----------------------------------------------------------------------- */

static const struct bundle_mount *mount_at(const struct bundle *b, const char *target)
{
	const struct bundle_mount *found = NULL;

	for (size_t i = 0; i < b->n_mounts; i++)
		if (strcmp(b->mounts[i].target, target) == 0)
			found = &b->mounts[i];
	return found;
}

static void test_mounts(void)
{
	char *link cleanup_free = path_join(dir, "link");
	const struct {
		const char *host, *target;
		bool readonly, recursive;
		int propagation;
		const char *options; /* NULL: fails */
	} rows[] = {
		{ dir, "/data", false, false, 0, "rbind,rprivate,rw" },
		{ dir, "/data", true, false, 0, "rbind,rprivate,ro" },
		{ dir, "/data", true, true, 0, "rbind,rprivate,rro" },
		{ link, "/data", false, false, 0, "rbind,rprivate,rw" },
		{ dir, "/data", false, true, 0, NULL },
		{ dir, "/data", true, true, 1, NULL },
		{ "/nonexistent/x", "/data", false, false, 0, NULL },
		{ dir, "data", false, false, 0, NULL },
		{ dir, "/../data", false, false, 0, NULL },
		{ "", "/data", false, false, 0, NULL },
		{ dir, "/data", false, false, 7, NULL },
	};

	if (symlink(dir, link) < 0)
		printf("# symlink: %m\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__Mount m = RUNTIME__V1__MOUNT__INIT, *list[] = { &m };
		struct bundle b cleanup_bundle = { 0 };
		const struct bundle_mount *got;
		struct error err = ERROR_INIT;
		struct spec_container s;
		struct fixture f;
		int rc;

		set_up(&f);
		s = describe(&f);
		m.host_path = (char *)rows[i].host;
		m.container_path = (char *)rows[i].target;
		m.readonly = rows[i].readonly;
		m.recursive_read_only = rows[i].recursive;
		m.propagation = (Runtime__V1__MountPropagation)rows[i].propagation;
		f.config.mounts = list;
		f.config.n_mounts = 1;
		rc = spec_mounts(&s, &b, &err);
		got = rc == 0 ? mount_at(&b, rows[i].target) : NULL;
		ok(rows[i].options ? got && strcmp(got->options, rows[i].options) == 0 &&
					     strcmp(got->source, dir) == 0
				   : rc < 0,
		   "mount row %zu %s", i, err.text);
	}
}

static void test_standard_mounts(void)
{
	Runtime__V1__Mount m = RUNTIME__V1__MOUNT__INIT, *list[] = { &m };
	struct bundle b cleanup_bundle = { 0 };
	struct bundle p cleanup_bundle = { 0 };
	struct spec_container s;
	struct fixture f;
	size_t count = 0;

	set_up(&f);
	s = describe(&f);
	m.host_path = dir;
	m.container_path = (char *)"/etc/hosts";
	f.config.mounts = list;
	f.config.n_mounts = 1;
	ok(spec_mounts(&s, &b, NULL) == 0, "standard mounts");
	for (size_t i = 0; i < b.n_mounts; i++)
		count += strcmp(b.mounts[i].target, "/etc/hosts") == 0;
	is_int(count, 1, "what was asked for replaces ours");
	is_str(mount_at(&b, "/etc/hosts")->source, dir, "and is the one that was asked for");
	ok(strstr(mount_at(&b, "/sys")->options, "ro"), "sysfs is read-only");
	for (const char *const *t =
		     (const char *const[]){ "/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm",
					    "/etc/hostname", "/etc/resolv.conf", "/sys/fs/cgroup",
					    NULL };
	     *t; t++)
		ok(mount_at(&b, *t) != NULL, "%s", *t);
	ok(mount_at(&b, "/dev") < mount_at(&b, "/dev/pts") &&
		   mount_at(&b, "/sys") < mount_at(&b, "/sys/fs/cgroup"),
	   "parents first");
	f.sec.privileged = true;
	ok(spec_mounts(&s, &p, NULL) == 0 && strstr(mount_at(&p, "/sys")->options, "rw") &&
		   strstr(mount_at(&p, "/sys/fs/cgroup")->options, "rw"),
	   "privileged: sysfs and cgroup are writable");
}

static void test_devices(void)
{
	const struct {
		const char *host, *permissions;
		int rc;
	} rows[] = {
		{ "/dev/null", "rwm", 0 },	  { "/dev/null", "r", 0 },
		{ "/dev/null", "", 0 },		  { "/dev/null", "x", -EINVAL },
		{ "/nonexistent", "r", -EINVAL }, { dir, "r", 0 },
		{ "/etc/passwd", "r", -EINVAL },
	};
	Runtime__V1__CDIDevice cdi = RUNTIME__V1__CDIDEVICE__INIT, *cdis[] = { &cdi };
	struct bundle all cleanup_bundle = { 0 };
	struct error err = ERROR_INIT;
	struct spec_container s;
	struct fixture f;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__Device d = RUNTIME__V1__DEVICE__INIT, *list[] = { &d };
		struct bundle b cleanup_bundle = { 0 };
		int rc;

		set_up(&f);
		s = describe(&f);
		d.host_path = (char *)rows[i].host;
		d.container_path = (char *)"/dev/inside";
		d.permissions = (char *)rows[i].permissions;
		f.config.devices = list;
		f.config.n_devices = 1;
		rc = spec_devices(&s, &b, &err);
		is_int(rc, rows[i].rc, rows[i].host);
		if (rc == 0 && strcmp(rows[i].host, "/dev/null") == 0)
			ok(b.n_devices == 1 && b.devices[0].major == 1 && b.devices[0].minor == 3 &&
				   strcmp(b.devices[0].path, "/dev/inside") == 0,
			   "is /dev/null");
	}
	set_up(&f);
	s = describe(&f);
	f.sec.privileged = true;
	ok(spec_devices(&s, &all, &err) == 0 && all.n_devices > 3 && all.resources.all_devices,
	   "privileged: all devices of the host");
	cdi.name = (char *)"vendor.com/gpu=0";
	f.config.cdi_devices = cdis;
	f.config.n_cdi_devices = 1;
	ok(spec_devices(&s, &all, &err) == -EINVAL && strstr(err.text, "vendor.com/gpu=0"), "%s",
	   err.text);
}

static void test_resources(void)
{
	Runtime__V1__LinuxContainerResources r = RUNTIME__V1__LINUX_CONTAINER_RESOURCES__INIT;
	Runtime__V1__HugepageLimit h = RUNTIME__V1__HUGEPAGE_LIMIT__INIT, *pages[] = { &h };
	struct bundle b cleanup_bundle = { .root = "/r" };
	char *text cleanup_free = NULL;

	r.cpu_shares = 2;
	r.cpu_quota = -1;
	r.memory_limit_in_bytes = 1 << 25;
	r.oom_score_adj = 5000;
	r.cpuset_cpus = (char *)"0";
	h.page_size = (char *)"2MB";
	h.limit = 4096;
	r.hugepage_limits = pages;
	r.n_hugepage_limits = 1;
	ok(spec_resources(&r, &b, NULL) == 0, "resources");
	is_int(b.oom_score_adj, 1000, "oom_score_adj is bounded");
	text = bundle_json(&b);
	ok(strstr(text, "\"shares\":2") && strstr(text, "\"quota\":-1") &&
		   strstr(text, "\"cpus\":\"0\"") && strstr(text, "\"limit\":33554432") &&
		   strstr(text, "\"pageSize\":\"2MB\",\"limit\":4096"),
	   "in the JSON");
	h.page_size = (char *)"../x";
	ok(spec_resources(&r, &b, NULL) == -EINVAL, "a hugepage size that is a path");
}

/* --- sandboxes -------------------------------------------------------------------------------- */

static void test_sandbox(void)
{
	static const struct {
		const char *sysctl;
		int network, ipc, rc;
	} rows[] = {
		{ "net.ipv4.ip_forward", 0, 0, 0 },
		{ "net/ipv4/ip_forward", 0, 0, 0 },
		{ "net.ipv4.ip_forward", 2, 0, -EINVAL },
		{ "kernel.shm_rmid_forced", 0, 0, 0 },
		{ "fs.mqueue.msg_max", 0, 0, 0 },
		{ "kernel.shm_rmid_forced", 0, 2, -EINVAL },
		{ "kernel.panic", 0, 0, -EINVAL },
		{ "vm.swappiness", 0, 0, -EINVAL },
		{ "net.../kernel.panic", 0, 0, -EINVAL },
		{ "kernel.hostname", 0, 0, -EINVAL },
		{ NULL, 1, 0, -EINVAL },
		{ NULL, 0, 1, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__PodSandboxConfig c = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
		Runtime__V1__LinuxPodSandboxConfig l = RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__INIT;
		Runtime__V1__LinuxSandboxSecurityContext sec =
			RUNTIME__V1__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;
		Runtime__V1__NamespaceOption ns = RUNTIME__V1__NAMESPACE_OPTION__INIT;
		Runtime__V1__LinuxPodSandboxConfig__SysctlsEntry e =
			RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__SYSCTLS_ENTRY__INIT;
		Runtime__V1__LinuxPodSandboxConfig__SysctlsEntry *list[] = { &e };
		struct error err = ERROR_INIT;

		ns.network = (Runtime__V1__NamespaceMode)rows[i].network;
		ns.ipc = (Runtime__V1__NamespaceMode)rows[i].ipc;
		e.key = (char *)rows[i].sysctl;
		e.value = (char *)"1";
		c.linux = &l;
		l.security_context = &sec;
		l.sysctls = list;
		l.n_sysctls = rows[i].sysctl != NULL;
		sec.namespace_options = &ns;
		ok(spec_check_sandbox(&c, &err) == rows[i].rc, "sandbox row %zu %s", i, err.text);
	}
}

static void test_user_namespaces(void)
{
	static const struct {
		int mode;
		size_t n_uids, n_gids;
		uint32_t container_id, length;
		int rc;
	} rows[] = {
		{ 0, 1, 1, 0, 65536, 0 },	{ 2, 0, 0, 0, 0, 0 },
		{ 2, 1, 1, 0, 65536, -EINVAL }, { 0, 0, 1, 0, 65536, -EINVAL },
		{ 0, 2, 1, 0, 65536, -EINVAL }, { 0, 1, 2, 0, 65536, -EINVAL },
		{ 0, 1, 1, 5, 65536, -EINVAL }, { 0, 1, 1, 0, 0, -EINVAL },
		{ 1, 1, 1, 0, 65536, -EINVAL }, { 3, 1, 1, 0, 65536, -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Runtime__V1__PodSandboxConfig c = RUNTIME__V1__POD_SANDBOX_CONFIG__INIT;
		Runtime__V1__LinuxPodSandboxConfig l = RUNTIME__V1__LINUX_POD_SANDBOX_CONFIG__INIT;
		Runtime__V1__LinuxSandboxSecurityContext sec =
			RUNTIME__V1__LINUX_SANDBOX_SECURITY_CONTEXT__INIT;
		Runtime__V1__NamespaceOption ns = RUNTIME__V1__NAMESPACE_OPTION__INIT;
		Runtime__V1__UserNamespace user = RUNTIME__V1__USER_NAMESPACE__INIT;
		Runtime__V1__IDMapping map = RUNTIME__V1__IDMAPPING__INIT, *maps[] = { &map, &map };
		struct error err = ERROR_INIT;

		map.host_id = 100000;
		map.container_id = rows[i].container_id;
		map.length = rows[i].length;
		user.mode = (Runtime__V1__NamespaceMode)rows[i].mode;
		user.uids = user.gids = maps;
		user.n_uids = rows[i].n_uids;
		user.n_gids = rows[i].n_gids;
		c.linux = &l;
		l.security_context = &sec;
		sec.namespace_options = &ns;
		ns.userns_options = &user;
		ok(spec_check_sandbox(&c, &err) == rows[i].rc, "user namespace row %zu %s", i,
		   err.text);
	}
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	pod.dir = dir;
	pod.netns = (char *)"/run/netns/x";
	pod.ipcns = (char *)"/run/ipcns/x";
	make_image();
	test_caps();
	test_seccomp();
	test_paths();
	test_users();
	test_hostile_link();
	test_args();
	test_env();
	test_signals();
	test_mounts();
	test_standard_mounts();
	test_devices();
	test_resources();
	test_sandbox();
	test_user_namespaces();
	close(rootfs);
	path_remove_tree(AT_FDCWD, dir, NULL);
	return tap_done();
}
