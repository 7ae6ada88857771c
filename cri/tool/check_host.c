/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead check`: control groups, KVM and the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "cri/tool/check.h"
#include "network/conf.h"
#include "runtimes/cgroup/cgroup.h"

#define CPUINFO_MAX (8 << 20)
#define KVM_API	    12

/* --- control groups --------------------------------------------------------------------------- */

static void check_controllers(struct check_report *r)
{
	static const char *const needed[] = { "cpu", "memory", "pids", "cpuset" };
	struct strlist have cleanup_strlist = { 0 };
	struct strbuf missing cleanup_strbuf = { 0 };

	cgroup_controllers(&have);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!strlist_has(&have, needed[i]))
			strbuf_printf(&missing, " %s", needed[i]);
	if (missing.len > 0)
		check_fail(
			r, "controllers",
			"mount the controllers, or take cgroup_disable= off the kernel's command "
			"line",
			"missing:%s", missing.data);
	else
		check_ok(r, "controllers", "cpu, memory, pids and cpuset of %zu", have.count);
}

void check_cgroups(struct check_report *r)
{
	if (cgroup_version() == 2)
		check_ok(r, "cgroups", "version 2");
	else if (cgroup_is_hybrid())
		check_warn(r, "cgroups",
			   "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: "
			   "false in the kubelet's configuration and use runc",
			   "version 1 with version 2 beside it: crun refuses this layout, and so "
			   "does the kubelet by default");
	else
		check_warn(r, "cgroups",
			   "boot with systemd.unified_cgroup_hierarchy=1, or set failCgroupV1: "
			   "false in the kubelet's configuration",
			   "version 1: the kubelet refuses it by default");
	check_controllers(r);
}

/* --- KVM -------------------------------------------------------------------------------------- */

/* "vmx" or "svm" when the processor says so, else NULL. */
static const char *cpu_flag(void)
{
	struct strbuf info cleanup_strbuf = { 0 };
	const char *line;
	char *flags cleanup_free = NULL;

	if (fd_read_file(AT_FDCWD, "/proc/cpuinfo", CPUINFO_MAX, &info, NULL) < 0)
		return NULL;
	line = strstr(str_or(info.data, ""), "\nflags");
	if (!line)
		return NULL;
	flags = xasprintf("%.*s ", (int)strcspn(line + 1, "\n"), line + 1);
	if (strstr(flags, " vmx "))
		return "vmx";
	return strstr(flags, " svm ") ? "svm" : NULL;
}

void check_kvm(struct check_report *r)
{
	const char *flag = cpu_flag();
	int fd cleanup_close = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int open_errno = errno;
	int vm cleanup_close = -1;

	if (fd >= 0 && ioctl(fd, KVM_GET_API_VERSION, 0) == KVM_API)
		vm = ioctl(fd, KVM_CREATE_VM, 0);
	if (vm >= 0 && flag)
		check_ok(r, "kvm", "usable (%s)", flag);
	else if (vm >= 0)
		check_warn(
			r, "kvm",
			"turn nested virtualization on where this machine runs as a guest "
			"(nested=1 of "
			"kvm_intel or kvm_amd); handlers without virtual machines need none",
			"/dev/kvm answers, but the processor shows neither vmx nor svm: micro-VMs "
			"will not run");
	else if (!flag)
		check_warn(
			r, "kvm",
			"turn virtualization on in the firmware, or nested virtualization on the "
			"host of this machine",
			"the processor shows neither vmx nor svm: no micro-VMs here");
	else
		check_warn(r, "kvm", "modprobe kvm_intel or kvm_amd; give /dev/kvm to root",
			   "/dev/kvm is not usable: %s", strerror(fd < 0 ? open_errno : errno));
}

/* --- network ---------------------------------------------------------------------------------- */

static bool plugin_exists(const struct config *c, const char *type)
{
	for (size_t i = 0; i < c->cni_bin_dirs.count; i++) {
		char *path cleanup_free = path_join(c->cni_bin_dirs.items[i], type);

		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Programs that the configuration names: its plugins and their ipam plugins. */
static void missing_plugins(const struct config *c, const struct conf *conf, struct strbuf *ret)
{
	for (size_t i = 0; i < conf->n_plugins; i++) {
		const char *ipam =
			json_get_string(json_get(conf->plugins[i], "ipam"), "type", NULL);

		if (!plugin_exists(c, conf->types[i]))
			strbuf_printf(ret, " %s", conf->types[i]);
		if (ipam && *ipam && !plugin_exists(c, ipam))
			strbuf_printf(ret, " %s", ipam);
	}
}

static void check_cni(struct check_report *r, const struct config *c)
{
	struct strbuf missing cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;
	char *path cleanup_free = NULL;
	struct conf *conf = NULL;

	if (conf_find(c->cni_conf_dir, &path, &err) < 0) {
		check_fail(r, "cni",
			   "let the cluster's network add-on install one, or copy "
			   "manifests/cni/10-bulkhead.conflist there",
			   "no network configuration in %s", c->cni_conf_dir);
		return;
	}
	if (conf_load(path, &conf, &err) < 0) {
		check_fail(r, "cni", "mend the file", "%s", err.text);
		return;
	}
	missing_plugins(c, conf, &missing);
	if (missing.len > 0)
		check_fail(r, "cni",
			   "install the CNI plugins (Debian: containernetworking-plugins), or set "
			   "cni.bin_dirs",
			   "%s: these plugins are not in cni.bin_dirs:%s", path, missing.data);
	else
		check_ok(r, "cni", "network '%s' of %s, %zu plugins", conf->name, path,
			 conf->n_plugins);
	conf_destroy(conf);
}

static void check_forwarding(struct check_report *r)
{
	char on[8];

	check_read("/proc/sys/net/ipv4/ip_forward", on, sizeof(on));
	if (str_eq(on, "1"))
		check_ok(r, "ip_forward", "on");
	else
		check_warn(r, "ip_forward",
			   "sysctl -w net.ipv4.ip_forward=1, and a file in /etc/sysctl.d",
			   "net.ipv4.ip_forward is off: pods reach nothing beyond this node");
}

static void check_iptables(struct check_report *r)
{
	char *iptables cleanup_free = path_find_program("iptables");
	char *nft cleanup_free = path_find_program("nft");

	if (iptables || nft)
		check_ok(r, "iptables", "%s", iptables ? iptables : nft);
	else
		check_warn(r, "iptables", "install iptables or nftables",
			   "neither iptables nor nft is on PATH: plugins cannot masquerade or map "
			   "ports");
}

void check_network(struct check_report *r, const struct config *c)
{
	check_cni(r, c);
	check_forwarding(r);
	check_iptables(r);
}
