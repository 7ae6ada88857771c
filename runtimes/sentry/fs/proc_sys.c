/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/sys: settings of the kernel.
 *
 * A setting is a text of the pod. Those that the sentry acts on are read where they act; the
 * others are kept because programs look at them.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/random.h>

#include "runtimes/sentry/fs/proc.h"
#include "runtimes/sentry/fs/proc_node.h"

#define VALUE_BYTES 64

struct setting {
	char value[VALUE_BYTES];
	bool numbers; /* only digits, blanks and '-' */
};

static struct lock lock = LOCK_INIT(LOCK_OBJECT);

static int show_setting(const void *data, struct strbuf *out)
{
	const struct setting *s = data;

	LOCKED(&lock);
	strbuf_printf(out, "%s\n", s->value);
	return 0;
}

static int set(struct setting *s, const char *text, size_t len)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == 0))
		len--;
	if (len >= VALUE_BYTES)
		return -EINVAL;
	if (s->numbers && strspn(text, "0123456789- \t") < len)
		return -EINVAL;
	LOCKED(&lock);
	memcpy(s->value, text, len);
	s->value[len] = 0;
	return 0;
}

static int store_setting(const void *data, const char *text, size_t len)
{
	struct task *me = task_current();

	if (me && !cred_has(me->cred, CAP_SYS_ADMIN))
		return -EPERM;
	return set((struct setting *)data, text, len);
}

/* NUMBER(), TEXT() - a setting that can be written; FIXED(): one that cannot. */
#define SETTING(n, v, is_number)                                                   \
	{                                                                          \
		.name = (n), .mode = S_IFREG | 0644,                               \
		.data = &(struct setting){ .value = (v), .numbers = (is_number) }, \
		.show_data = show_setting, .store_data = store_setting             \
	}
#define NUMBER(n, v) SETTING(n, v, true)
#define TEXT(n, v)   SETTING(n, v, false)
#define FIXED(n, v)  PROC_TEXT(n, v "\n")

/* --- names of the machine --- */

static int show_uts(struct strbuf *out, bool domain)
{
	struct task *me = task_current();
	struct uts_namespace *uts = me ? me->process->container->uts : NULL;

	if (!uts)
		return -ESRCH;
	LOCKED(&uts->lock);
	strbuf_printf(out, "%s\n", domain ? uts->domainname : uts->nodename);
	return 0;
}

static int show_hostname(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	return show_uts(out, false);
}

static int show_domainname(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	return show_uts(out, true);
}

static int store_uts(const char *text, size_t len, bool domain)
{
	struct task *me = task_current();
	struct uts_namespace *uts = me->process->container->uts;
	char *to = domain ? uts->domainname : uts->nodename;

	if (!cred_has(me->cred, CAP_SYS_ADMIN))
		return -EPERM;
	len = MIN(strcspn(text, "\n"), len);
	if (len >= UTS_NAME_BYTES)
		return -EINVAL;
	LOCKED(&uts->lock);
	memcpy(to, text, len);
	to[len] = 0;
	return 0;
}

static int store_hostname(const struct proc_target *t, const char *text, size_t len)
{
	(void)t;
	return store_uts(text, len, false);
}

static int store_domainname(const struct proc_target *t, const char *text, size_t len)
{
	(void)t;
	return store_uts(text, len, true);
}

/* --- random --- */

static void put_uuid(unsigned char b[16], struct strbuf *out)
{
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (int n = 0; n < 16; n++)
		strbuf_printf(out, n == 4 || n == 6 || n == 8 || n == 10 ? "-%02x" : "%02x", b[n]);
	strbuf_putc(out, '\n');
}

static int show_uuid(const struct proc_target *t, struct strbuf *out)
{
	unsigned char b[16];

	(void)t;
	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return -EIO;
	put_uuid(b, out);
	return 0;
}

static int show_boot_id(const struct proc_target *t, struct strbuf *out)
{
	static unsigned char id[16];
	static bool made;

	(void)t;
	LOCKED(&lock);
	if (!made && getrandom(id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	made = true;
	put_uuid(id, out);
	return 0;
}

static const struct proc_entry random_entries[] = {
	PROC_FILE("boot_id", show_boot_id),
	FIXED("entropy_avail", "256"),
	FIXED("poolsize", "256"),
	PROC_FILE("uuid", show_uuid),
	PROC_END,
};

static int show_file_nr(const struct proc_target *t, struct strbuf *out)
{
	(void)t;
	strbuf_puts(out, "1024\t0\t9223372036854775807\n");
	return 0;
}

static int show_last_pid(const struct proc_target *t, struct strbuf *out)
{
	LOCKED(&tasks_lock);
	strbuf_printf(out, "%d\n", t->pids->last);
	return 0;
}

static const struct proc_entry yama_entries[] = { FIXED("ptrace_scope", "1"), PROC_END };

static const struct proc_entry keys_entries[] = { FIXED("maxbytes", "20000"),
						  FIXED("maxkeys", "200"), PROC_END };

static const struct proc_entry seccomp_entries[] = {
	FIXED("actions_avail", "kill_process kill_thread trap errno user_notif trace log allow"),
	PROC_END,
};

static const struct proc_entry kernel_entries[] = {
	FIXED("cap_last_cap", "40"),
	NUMBER("core_uses_pid", "0"),
	TEXT("core_pattern", "core"),
	{ .name = "domainname",
	  .mode = S_IFREG | 0644,
	  .show = show_domainname,
	  .store = store_domainname },
	NUMBER("dmesg_restrict", "1"),
	{ .name = "hostname",
	  .mode = S_IFREG | 0644,
	  .show = show_hostname,
	  .store = store_hostname },
	PROC_DIR("keys", keys_entries),
	NUMBER("kptr_restrict", "2"),
	NUMBER("msgmax", "8192"),
	NUMBER("msgmnb", "16384"),
	NUMBER("msgmni", "32000"),
	FIXED("ngroups_max", "65536"),
	PROC_FILE("ns_last_pid", show_last_pid),
	FIXED("osrelease", PROC_RELEASE),
	FIXED("ostype", "Linux"),
	NUMBER("overflowgid", "65534"),
	NUMBER("overflowuid", "65534"),
	NUMBER("panic", "0"),
	NUMBER("panic_on_oops", "0"),
	NUMBER("perf_event_paranoid", "3"),
	FIXED("pid_max", "32768"),
	NUMBER("printk", "4\t4\t1\t7"),
	PROC_DIR("random", random_entries),
	FIXED("randomize_va_space", "2"),
	NUMBER("sched_child_runs_first", "0"),
	NUMBER("sched_rt_period_us", "1000000"),
	NUMBER("sched_rt_runtime_us", "950000"),
	PROC_DIR("seccomp", seccomp_entries),
	NUMBER("sem", "32000\t1024000000\t500\t32000"),
	NUMBER("shm_rmid_forced", "0"),
	NUMBER("shmall", "18446744073692774399"),
	NUMBER("shmmax", "18446744073692774399"),
	NUMBER("shmmni", "4096"),
	FIXED("tainted", "0"),
	NUMBER("threads-max", "127235"),
	NUMBER("unprivileged_bpf_disabled", "2"),
	FIXED("version", PROC_VERSION),
	PROC_DIR("yama", yama_entries),
	PROC_END,
};

static const struct proc_entry inotify_entries[] = { NUMBER("max_queued_events", "16384"),
						     NUMBER("max_user_instances", "128"),
						     NUMBER("max_user_watches", "65536"),
						     PROC_END };
static const struct proc_entry epoll_entries[] = { NUMBER("max_user_watches", "1755824"),
						   PROC_END };
static const struct proc_entry mqueue_entries[] = {
	NUMBER("msg_default", "10"),	   NUMBER("msg_max", "10"),
	NUMBER("msgsize_default", "8192"), NUMBER("msgsize_max", "8192"),
	NUMBER("queues_max", "256"),	   PROC_END
};

static const struct proc_entry fs_entries[] = {
	NUMBER("aio-max-nr", "65536"),
	FIXED("aio-nr", "0"),
	PROC_DIR("epoll", epoll_entries),
	FIXED("file-max", "9223372036854775807"),
	PROC_FILE("file-nr", show_file_nr),
	PROC_DIR("inotify", inotify_entries),
	NUMBER("lease-break-time", "45"),
	NUMBER("leases-enable", "0"),
	PROC_DIR("mqueue", mqueue_entries),
	FIXED("nr_open", "1048576"),
	FIXED("overflowgid", "65534"),
	FIXED("overflowuid", "65534"),
	FIXED("pipe-max-size", "1048576"),
	FIXED("protected_fifos", "0"),
	FIXED("protected_hardlinks", "1"),
	FIXED("protected_regular", "0"),
	FIXED("protected_symlinks", "0"),
	FIXED("suid_dumpable", "0"),
	PROC_END,
};

static const struct proc_entry vm_entries[] = {
	NUMBER("dirty_background_ratio", "10"),
	NUMBER("dirty_ratio", "20"),
	NUMBER("max_map_count", "65530"),
	FIXED("mmap_min_addr", "65536"),
	FIXED("nr_hugepages", "0"),
	FIXED("oom_kill_allocating_task", "0"),
	NUMBER("overcommit_kbytes", "0"),
	NUMBER("overcommit_memory", "0"),
	NUMBER("overcommit_ratio", "50"),
	NUMBER("panic_on_oom", "0"),
	NUMBER("swappiness", "60"),
	NUMBER("vfs_cache_pressure", "100"),
	PROC_END,
};

static const struct proc_entry core_entries[] = {
	FIXED("default_qdisc", "pfifo_fast"),
	NUMBER("netdev_max_backlog", "1000"),
	NUMBER("optmem_max", "131072"),
	NUMBER("rmem_default", "212992"),
	NUMBER("rmem_max", "212992"),
	NUMBER("somaxconn", "4096"),
	NUMBER("wmem_default", "212992"),
	NUMBER("wmem_max", "212992"),
	PROC_END,
};

static const struct proc_entry ipv4_entries[] = {
	NUMBER("ip_default_ttl", "64"),
	NUMBER("ip_forward", "0"),
	NUMBER("ip_local_port_range", "32768\t60999"),
	TEXT("ip_local_reserved_ports", ""),
	NUMBER("ip_nonlocal_bind", "0"),
	NUMBER("ip_unprivileged_port_start", "1024"),
	NUMBER("ping_group_range", "1\t0"),
	TEXT("tcp_allowed_congestion_control", "reno cubic"),
	TEXT("tcp_available_congestion_control", "reno cubic"),
	TEXT("tcp_congestion_control", "cubic"),
	NUMBER("tcp_fastopen", "1"),
	NUMBER("tcp_fin_timeout", "60"),
	NUMBER("tcp_keepalive_intvl", "75"),
	NUMBER("tcp_keepalive_probes", "9"),
	NUMBER("tcp_keepalive_time", "7200"),
	NUMBER("tcp_max_syn_backlog", "512"),
	NUMBER("tcp_max_tw_buckets", "16384"),
	NUMBER("tcp_rmem", "4096\t131072\t6291456"),
	NUMBER("tcp_sack", "1"),
	NUMBER("tcp_syn_retries", "6"),
	NUMBER("tcp_synack_retries", "5"),
	NUMBER("tcp_syncookies", "1"),
	NUMBER("tcp_timestamps", "1"),
	NUMBER("tcp_tw_reuse", "2"),
	NUMBER("tcp_window_scaling", "1"),
	NUMBER("tcp_wmem", "4096\t16384\t4194304"),
	PROC_END,
};

static const struct proc_entry ipv6_conf_entries[] = { NUMBER("disable_ipv6", "0"),
						       NUMBER("forwarding", "0"), PROC_END };
static const struct proc_entry ipv6_conf_all[] = { PROC_DIR("all", ipv6_conf_entries),
						   PROC_DIR("default", ipv6_conf_entries),
						   PROC_DIR("lo", ipv6_conf_entries), PROC_END };
static const struct proc_entry ipv6_entries[] = { NUMBER("bindv6only", "0"),
						  PROC_DIR("conf", ipv6_conf_all), PROC_END };
static const struct proc_entry unix_entries[] = { NUMBER("max_dgram_qlen", "512"), PROC_END };

static const struct proc_entry net_entries[] = {
	PROC_DIR("core", core_entries),
	PROC_DIR("ipv4", ipv4_entries),
	PROC_DIR("ipv6", ipv6_entries),
	PROC_DIR("unix", unix_entries),
	PROC_END,
};

const struct proc_entry proc_sys_entries[] = {
	PROC_DIR("fs", fs_entries),
	PROC_DIR("kernel", kernel_entries),
	PROC_DIR("net", net_entries),
	PROC_DIR("vm", vm_entries),
	PROC_END,
};

/* find() - the entry of one component of a name. */
static const struct proc_entry *find(const struct proc_entry *in, const char *name, size_t len)
{
	for (; in && in->name; in++)
		if (strlen(in->name) == len && memcmp(in->name, name, len) == 0)
			return in;
	return NULL;
}

int sysctl_set(const char *name, const char *value)
{
	const struct proc_entry *e = NULL, *in = proc_sys_entries;

	while (*name) {
		size_t len = strcspn(name, "./");

		e = find(in, name, len);
		if (!e)
			return -ENOENT;
		in = e->children;
		name += len + (name[len] != 0);
	}
	if (!e || !e->store_data)
		return -ENOENT;
	return set((struct setting *)e->data, value, strlen(value));
}
