/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a sandbox, each made and taken away on its own.
 *
 *   <state>/pods/<id>/        monitor.sock exits/ ns/ containers/
 *     shm/ files/             mounts that only its monitor and containers see; files: hostname,
 *                             hosts, resolv.conf
 *   <netns_dir>/bh-<id>       pin of its network namespace
 *   <monitor_cgroup>/<id>     cgroup of its monitor, and of the runtime's command lines
 *   <cgroup>/<id>             its sandbox container, where it has one
 *
 * Every path follows from the id and the configuration, so a restarted server that has only the
 * record finds everything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/spawn.h"
#include "cri/pods/objects.h"
#include "cri/pods/spec.h"
#include "runtimes/cgroup/cgroup.h"
#include "runtimes/monitor/client.h"
#include "runtimes/namespaces.h"
#include "storage/overlay.h"

#define SHM_BYTES      (64 << 20) /* what every peer gives a pod */
#define FILES_BYTES    (4 << 20)  /* hostname, hosts, resolv.conf: its containers may write there */
#define HOST_FILE_MAX  (1 << 20)
#define KILL_WAIT_MS   10000
#define START_BOUND_MS 120000

static const Runtime__V1__NamespaceOption *namespace_options(const struct pod *pod)
{
	return spec_sandbox_namespaces(pod->config);
}

void sandbox_derive(struct pod *pod)
{
	const Runtime__V1__PodSandboxMetadata *m = pod->config->metadata;
	const Runtime__V1__LinuxPodSandboxConfig *linux_config = pod->config->linux;
	const Runtime__V1__NamespaceOption *ns = namespace_options(pod);
	const struct pods *pods = pod->pods;

	pod->key = xasprintf("%s/%s/%s/%u", m->namespace_, m->name, m->uid, m->attempt);
	pod->dir = path_join(pods->pods_dir, pod->id);
	pod->own_cgroup = !linux_config || str_empty(linux_config->cgroup_parent);
	pod->cgroup = pod->own_cgroup ? xasprintf("/bulkhead/%s", pod->id)
				      : xstrdup(linux_config->cgroup_parent);
	if (ns->network != RUNTIME__V1__NAMESPACE_MODE__NODE) {
		pod->netns = xasprintf("%s/bh-%s", pods->config.netns_dir, pod->id);
		pod->utsns = xasprintf("%s/ns/uts", pod->dir);
	}
	if (ns->ipc != RUNTIME__V1__NAMESPACE_MODE__NODE)
		pod->ipcns = xasprintf("%s/ns/ipc", pod->dir);
	if (ns->userns_options && ns->userns_options->mode == RUNTIME__V1__NAMESPACE_MODE__POD)
		pod->userns = xasprintf("%s/ns/user", pod->dir);
	pod->has_sandbox_container = ns->pid == RUNTIME__V1__NAMESPACE_MODE__POD;
}

/* --- files ------------------------------------------------------------------------------------ */

static int write_file(int dir, const char *name, const char *text, size_t len, struct error *err)
{
	return fd_replace_file(dir, name, text, len, 0644, false, err);
}

static int copy_host_file(int dir, const char *name, const char *source, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	struct error ignored = ERROR_INIT;

	fd_read_file(AT_FDCWD, source, HOST_FILE_MAX, &text, &ignored); /* absent: empty */
	return write_file(dir, name, text.data ? text.data : "", text.len, err);
}

static void put_words(struct strbuf *out, const char *key, char **words, size_t count)
{
	if (count == 0)
		return;
	strbuf_puts(out, key);
	for (size_t i = 0; i < count; i++)
		strbuf_printf(out, " %s", words[i]);
	strbuf_putc(out, '\n');
}

static int write_resolv_conf(const struct pod *pod, int dir, struct error *err)
{
	const Runtime__V1__DNSConfig *dns = pod->config->dns_config;
	struct strbuf out cleanup_strbuf = { 0 };

	if (!dns || dns->n_servers + dns->n_searches + dns->n_options == 0)
		return copy_host_file(dir, "resolv.conf", "/etc/resolv.conf", err);
	put_words(&out, "search", dns->searches, dns->n_searches);
	for (size_t i = 0; i < dns->n_servers; i++)
		strbuf_printf(&out, "nameserver %s\n", dns->servers[i]);
	put_words(&out, "options", dns->options, dns->n_options);
	return write_file(dir, "resolv.conf", out.data, out.len, err);
}

void sandbox_hostname(const struct pod *pod, char out[HOSTNAME_BYTES])
{
	if (!str_empty(pod->config->hostname) && pod->netns) {
		snprintf(out, HOSTNAME_BYTES, "%s", pod->config->hostname);
		return;
	}
	if (gethostname(out, HOSTNAME_BYTES) < 0)
		snprintf(out, HOSTNAME_BYTES, "localhost");
	out[HOSTNAME_BYTES - 1] = '\0';
}

static int write_files(const struct pod *pod, int dir, struct error *err)
{
	char name[HOSTNAME_BYTES + 1];
	int rc = write_resolv_conf(pod, dir, err);

	if (rc == 0)
		rc = copy_host_file(dir, "hosts", "/etc/hosts", err);
	if (rc < 0)
		return rc;
	sandbox_hostname(pod, name);
	strcat(name, "\n");
	return write_file(dir, "hostname", name, strlen(name), err);
}

int sandbox_make_files(struct pod *pod, struct error *err)
{
	static const char *const dirs[] = { "containers", "exits", "ns" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(dirs) && rc == 0; i++) {
		char *path cleanup_free = path_join(pod->dir, dirs[i]);

		rc = path_mkdirs(path, 0711, err);
	}
	if (rc == 0 && !str_empty(pod->config->log_directory))
		rc = path_mkdirs(pod->config->log_directory, 0755, err);
	return rc;
}

void sandbox_remove_files(struct pod *pod)
{
	struct error err = ERROR_INIT;

	if (path_remove_tree(AT_FDCWD, pod->dir, &err) < 0)
		log_warn("pod %s: %s", pod->id, err.text);
}

/* --- namespaces ------------------------------------------------------------------------------- */

static void add_sysctls(const struct pod *pod, struct strlist *list)
{
	const Runtime__V1__LinuxPodSandboxConfig *l = pod->config->linux;

	for (size_t i = 0; l && i < l->n_sysctls; i++)
		strlist_addf(list, "%s=%s", l->sysctls[i]->key, l->sysctls[i]->value);
}

int sandbox_make_namespaces(struct pod *pod, struct error *err)
{
	const Runtime__V1__UserNamespace *user = namespace_options(pod)->userns_options;
	struct strlist sysctls cleanup_strlist = { 0 };
	char hostname[HOSTNAME_BYTES];
	struct namespaces n = {
		.net = pod->netns,
		.ipc = pod->ipcns,
		.uts = pod->utsns,
		.user = pod->userns,
		.hostname = hostname,
	};

	sandbox_hostname(pod, hostname);
	add_sysctls(pod, &sysctls);
	if (pod->userns) {
		n.uid_map =
			(struct id_mapping){ user->uids[0]->host_id, user->uids[0]->container_id,
					     user->uids[0]->length };
		n.gid_map =
			(struct id_mapping){ user->gids[0]->host_id, user->gids[0]->container_id,
					     user->gids[0]->length };
	}
	namespaces_default_sysctls(&n, &sysctls);
	n.sysctls = (const char *const *)sysctls.items;
	if (pod->netns && path_mkdirs(pod->pods->config.netns_dir, 0755, err) < 0)
		return err->code;
	return namespaces_create(&n, err);
}

static int unpin_all(const struct pod *pod, struct error *err)
{
	const char *pins[] = { pod->netns, pod->ipcns, pod->utsns, pod->userns };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(pins); i++)
		if (pins[i] && rc == 0)
			rc = namespaces_unpin(pins[i], err);
	return rc;
}

/* --- network ---------------------------------------------------------------------------------- */

/* bandwidth() - "10M" as the bandwidth annotations write quantities; bits a second. */
static uint64_t bandwidth(const struct pod *pod, const char *annotation)
{
	static const struct {
		const char *suffix;
		uint64_t factor;
	} units[] = {
		{ "", 1 },	   { "k", 1000 },     { "M", 1000000 },	 { "G", 1000000000 },
		{ "Ki", 1 << 10 }, { "Mi", 1 << 20 }, { "Gi", 1 << 30 },
	};
	const Runtime__V1__PodSandboxConfig *c = pod->config;

	for (size_t i = 0; i < c->n_annotations; i++) {
		char *end;
		unsigned long long value;

		if (!str_eq(c->annotations[i]->key, annotation))
			continue;
		value = strtoull(c->annotations[i]->value, &end, 10);
		for (size_t u = 0; u < ARRAY_LEN(units); u++)
			if (end != c->annotations[i]->value && str_eq(end, units[u].suffix) &&
			    value < (UINT64_C(1) << 40))
				return value * units[u].factor;
	}
	return 0;
}

static size_t collect_ports(const struct pod *pod, struct network_port *ports, size_t max)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	size_t n = 0;

	for (size_t i = 0; i < pod->config->n_port_mappings && n < max; i++) {
		const Runtime__V1__PortMapping *p = pod->config->port_mappings[i];

		if (p->host_port <= 0)
			continue;
		ports[n++] = (struct network_port){
			.protocol = protocols[(unsigned int)p->protocol % 3],
			.container_port = (uint16_t)p->container_port,
			.host_port = (uint16_t)p->host_port,
			.host_ip = p->host_ip,
		};
	}
	return n;
}

static struct network_pod describe(const struct pod *pod, const char *netns,
				   const struct network_port *ports, size_t n_ports)
{
	const Runtime__V1__PodSandboxMetadata *m = pod->config->metadata;

	return (struct network_pod){
		.id = pod->id,
		.name = m->name,
		.ns = m->namespace_,
		.uid = m->uid,
		.netns = netns,
		.cgroup_parent = pod->cgroup,
		.ports = ports,
		.n_ports = n_ports,
		.ingress_bps = bandwidth(pod, "kubernetes.io/ingress-bandwidth"),
		.egress_bps = bandwidth(pod, "kubernetes.io/egress-bandwidth"),
	};
}

int sandbox_add_network(struct pod *pod, struct error *err)
{
	size_t max = pod->config->n_port_mappings + 1;
	struct network_port *ports cleanup_free = xcalloc(max, sizeof(*ports));
	struct strlist ips = { 0 };
	struct network_pod n;
	int rc;

	if (!pod->netns)
		return 0;
	n = describe(pod, pod->netns, ports, collect_ports(pod, ports, max));
	rc = network_add(pod->pods->config.network, &n, -1, &ips, err);
	pods_lock(pod->pods);
	strlist_finish(&pod->ips);
	pod->ips = ips;
	pods_unlock(pod->pods);
	return rc;
}

static int del_network(struct pod *pod, bool same_boot, struct error *err)
{
	size_t max = pod->config->n_port_mappings + 1;
	struct network_port *ports cleanup_free = xcalloc(max, sizeof(*ports));
	struct network_pod n;

	if (!pod->netns)
		return 0;
	n = describe(pod, same_boot && path_exists(pod->netns) ? pod->netns : NULL, ports,
		     collect_ports(pod, ports, max));
	return network_del(pod->pods->config.network, &n, err);
}

/* --- monitor ---------------------------------------------------------------------------------- */

/*
 * Beside the pod's cgroup, not in it: a pod with a hundredth of a CPU, or a few MiB, would starve
 * the runtime that execs a probe in it.
 */
static char *monitor_cgroup(const struct pod *pod)
{
	return path_join(pod->pods->config.monitor_cgroup, pod->id);
}

static int make_shm(const struct pod *pod, int *ret_fd, struct error *err)
{
	const Runtime__V1__UserNamespace *user = namespace_options(pod)->userns_options;
	uid_t uid = pod->userns ? user->uids[0]->host_id : 0;
	gid_t gid = pod->userns ? user->gids[0]->host_id : 0;

	if (overlay_tmpfs(SHM_BYTES, uid, gid, ret_fd, err) < 0)
		return error_wrap(err, "make /dev/shm");
	return 0;
}

/*
 * The pod's own files and its /dev/shm: made here, attached in the monitor's own mount namespace.
 * The files are a file system of their own because containers write to them: what they put there
 * is bounded, and takes no room from the state of others.
 */
static int attach_mounts(struct pod *pod, struct error *err)
{
	int files cleanup_close = -1;
	int shm cleanup_close = -1;
	struct monitor_mount m[2] = { { .target = "files" }, { .target = "shm" } };
	int rc = overlay_tmpfs(FILES_BYTES, 0, 0, &files, err);

	if (rc == 0)
		rc = write_files(pod, files, err);
	if (rc < 0)
		return error_wrap(err, "make the pod's files");
	if (pod->ipcns)
		rc = make_shm(pod, &shm, err);
	if (rc < 0)
		return rc;
	m[0].fd = files;
	m[1].fd = shm;
	return monitor_mount(pod->dir, m, pod->ipcns ? 2 : 1, err);
}

int sandbox_start_monitor(struct pod *pod, const struct handler *handler, struct error *err)
{
	char *leaf cleanup_free = monitor_cgroup(pod);
	struct fork_cgroups cgroups cleanup(fork_cgroups_close) = FORK_CGROUPS_INIT;
	int netns cleanup_close = -1;
	struct monitor_spawn s = {
		.program = pod->pods->config.monitor_program,
		.id = pod->id,
		.dir = pod->dir,
		.runtime = handler->runtime,
		.runtime_args = (const char *const *)handler->args.items,
		.runtime_root = pod->pods->runtime_root,
		.log_level = pod->pods->config.log_level,
	};
	pid_t pid;
	int watch, rc;

	if (cgroup_create(leaf, err) < 0 || cgroup_open(leaf, &cgroups, err) < 0 ||
	    (pod->own_cgroup && cgroup_create(pod->cgroup, err) < 0))
		return err->code;
	s.cgroups = &cgroups;
	if (pod->netns) {
		netns = open(pod->netns, O_RDONLY | O_CLOEXEC);
		if (netns < 0)
			return error_errno(err, errno, "open %s", pod->netns);
	}
	s.netns_fd = netns;
	rc = monitor_spawn(&s, &pid, err);
	if (rc < 0)
		return rc;
	pods_lock(pod->pods);
	pod->monitor_pid = pid;
	pods_unlock(pod->pods);
	rc = monitor_watch(pod->dir, &watch, err);
	if (rc < 0)
		return rc;
	exits_watch(pod, watch);
	return attach_mounts(pod, err);
}

int sandbox_start_container(struct pod *pod, const struct handler *handler, struct error *err)
{
	char *dir cleanup_free = path_join(pod->dir, "containers/sandbox");
	char *cgroup cleanup_free = xasprintf("%s/%s", pod->cgroup, pod->id);
	struct monitor_container c = { .id = pod->id, .bundle = dir, .cgroup = cgroup };
	int64_t started_ns;
	pid_t pid;
	int rc = path_mkdirs(dir, 0711, err);

	if (rc == 0)
		rc = spec_write_sandbox(pod, handler, dir, cgroup, err);
	if (rc == 0)
		rc = monitor_run(pod->dir, &c, START_BOUND_MS, &pid, &started_ns, err);
	if (rc < 0)
		return error_wrap(err, "start sandbox container");
	pods_lock(pod->pods);
	pod->sandbox_pid = pid;
	pods_unlock(pod->pods);
	return 0;
}

/* A monitor that this server started is its child; one that it took over is not. */
static void reap_monitor(struct pod *pod)
{
	int pid = pod->monitor_pid;

	for (int i = 0; pid > 1 && i < 200; i++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		usleep(1000 + 1000 * (useconds_t)i / 10);
	}
}

static int end_monitor(struct pod *pod, struct error *err)
{
	char *leaf cleanup_free = monitor_cgroup(pod);
	char *sandbox cleanup_free = xasprintf("%s/%s", pod->cgroup, pod->id);
	struct error ignored = ERROR_INIT;
	int rc = 0;

	exits_unwatch(pod);
	if (pod->has_sandbox_container) {
		if (cgroup_exists(sandbox))
			rc = cgroup_kill(sandbox, KILL_WAIT_MS, err);
		monitor_delete(pod->dir, pod->id, &ignored);
	}
	monitor_stop(pod->dir, &ignored);
	if (rc == 0 && cgroup_exists(leaf))
		rc = cgroup_kill(leaf, KILL_WAIT_MS, err);
	reap_monitor(pod);
	if (rc == 0 && pod->has_sandbox_container)
		runtime_forget(pod, pod->id);
	if (rc == 0)
		rc = cgroup_remove(sandbox, err);
	if (rc == 0)
		rc = cgroup_remove(leaf, err);
	if (rc == 0 && pod->own_cgroup)
		rc = cgroup_remove(pod->cgroup, err);
	return rc;
}

/* A DEL that failed is journaled and tried again later: the pod need not wait. */
void sandbox_disconnect(struct pod *pod, bool same_boot)
{
	struct error err = ERROR_INIT;

	if (del_network(pod, same_boot, &err) < 0)
		log_warn("pod %s: network: %s", pod->id, err.text);
	fault_point("cni-deleted");
}

int sandbox_end(struct pod *pod, struct error *err)
{
	int rc = end_monitor(pod, err);

	if (rc == 0)
		rc = unpin_all(pod, err);
	if (rc == 0) {
		pods_lock(pod->pods);
		pod->sandbox_pid = 0;
		pod->monitor_pid = 0;
		pods_unlock(pod->pods);
	}
	return rc;
}

int sandbox_teardown(struct pod *pod, bool same_boot, struct error *err)
{
	sandbox_disconnect(pod, same_boot);
	return sandbox_end(pod, err);
}
