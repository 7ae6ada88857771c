/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod's network with the distribution's real plugins: bridge, host-local, portmap.
 *
 * All of it happens in a network namespace of the test's own, which stands for the host.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "network/pod.h"
#include "network/stats.h"
#include "runtimes/namespaces.h"
#include "tests/unit/tap.h"

#define PLUGINS "/usr/lib/cni"

static char *dir;

static int no_journal(void *data, const char *id, const char *text, struct error *err)
{
	(void)data;
	(void)id;
	(void)text;
	(void)err;
	return 0;
}

/* in_netns() - whether @path holds @text, seen from the namespace at @netns. */
static bool in_netns(const char *netns, const char *path, const char *text)
{
	int status, fd = open(netns, O_RDONLY);
	pid_t pid = fork();

	if (pid == 0) {
		struct strbuf s = { 0 };

		if (setns(fd, CLONE_NEWNET) == 0)
			fd_read_file(AT_FDCWD, path, 1 << 20, &s, NULL);
		_exit(s.data && strstr(s.data, text) ? 0 : 1);
	}
	close(fd);
	waitpid(pid, &status, 0);
	return status == 0;
}

/* answers() - whether a connection to @ip:@port reaches somebody who listens in @netns on :80. */
static bool answers(const char *netns, const char *ip, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = open(netns, O_RDONLY), ready[2], sock, rc, status;
	char c;
	pid_t pid;

	if (pipe(ready) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		if (setns(fd, CLONE_NEWNET) < 0)
			_exit(1);
		sock = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(sock, (void *)&a, sizeof(a)) < 0 || listen(sock, 1) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(fd_wait(sock, POLLIN, 10000) == 1 ? 0 : 1);
	}
	close(ready[1]);
	close(fd);
	rc = read(ready[0], &c, 1) == 1 ? 0 : -1;
	close(ready[0]);
	sock = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, ip, &a.sin_addr);
	fd_set_nonblock(sock, true);
	if (rc == 0 && connect(sock, (void *)&a, sizeof(a)) < 0)
		fd_wait(sock, POLLOUT, 10000);
	waitpid(pid, &status, 0);
	close(sock);
	return status == 0;
}

static void make_conf(const char *conf_dir)
{
	char *path cleanup_free = path_join(conf_dir, "10-bhtest.conflist");
	char *text cleanup_free = xasprintf(
		"{\"cniVersion\":\"1.0.0\",\"name\":\"bhtest\",\"plugins\":[{\"type\":\"bridge\","
		"\"bridge\":\"bhtest0\",\"isGateway\":true,\"ipMasq\":true,\"hairpinMode\":true,"
		"\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/ipam\",\"ranges\":"
		"[[{\"subnet\":\"10.99.0.0/16\"}]],\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}},"
		"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}",
		dir);

	fd_replace_file(AT_FDCWD, path, text, strlen(text), 0644, false, NULL);
}

static void check_stats(void)
{
	struct network_interface_stats list[8];
	int n = network_stats_read(getpid(), list, 8), lo = -1;

	for (int i = 0; i < n; i++)
		if (strcmp(list[i].name, "bhtest0") == 0)
			lo = i;
	ok(n >= 3, "lo, the bridge and the pod's end are counted: %d", n);
	ok(lo >= 0 && list[lo].rx_bytes > 0, "traffic has passed the bridge");
	is_int(network_stats_read(getpid(), list, 1), 1, "no more than asked for");
	is_int(network_stats_read(1 << 22, list, 8), 0, "no such process");
}

static void run(struct network *n, const char *netns)
{
	const struct network_port port = { "tcp", 80, 18080, "" };
	struct network_pod pod = { .id = "bhtestpod",
				   .name = "p",
				   .ns = "default",
				   .uid = "u",
				   .netns = netns,
				   .ports = &port,
				   .n_ports = 1 };
	struct strlist ips cleanup_strlist = { 0 };
	char *lease cleanup_free = NULL;
	struct error err = ERROR_INIT;

	if (!is_int(network_add(n, &pod, -1, &ips, &err), 0, "ADD"))
		printf("# %s\n", err.text);
	if (!ok(ips.count == 1 && str_has_prefix(ips.items[0], "10.99.0."), "an address"))
		return;
	lease = xasprintf("%s/ipam/bhtest/%s", dir, ips.items[0]);
	ok(path_exists(lease), "host-local keeps %s", ips.items[0]);
	ok(in_netns(netns, "/proc/net/dev", "eth0:"), "eth0 is in the pod");
	ok(in_netns(netns, "/proc/net/fib_trie", ips.items[0]), "with its address");
	ok(answers(netns, ips.items[0], 80), "the pod is reached by its address");
	ok(answers(netns, "10.99.0.1", 18080), "and by the host port");
	check_stats();
	pod.netns = NULL;
	namespaces_unpin(netns, NULL);
	if (!is_int(network_del(n, &pod, &err), 0, "DEL after the namespace is gone"))
		printf("# %s\n", err.text);
	ok(!path_exists(lease), "gives the address back");
}

int main(void)
{
	char *bins[] = { (char *)PLUGINS };
	char *conf_dir cleanup_free = NULL, *cache cleanup_free = NULL, *netns cleanup_free = NULL;
	struct network_config c = { .bin_dirs = bins, .n_bin_dirs = 1, .journal = no_journal };
	struct network *n = NULL;

	if (geteuid() != 0 || !path_exists(PLUGINS "/portmap") ||
	    !path_exists("/usr/sbin/iptables")) {
		skip("plugins", "needs root, containernetworking-plugins and iptables");
		return tap_done();
	}
	if (unshare(CLONE_NEWNET) < 0)
		return 1;
	dir = xasprintf("/tmp/bh-test-cni-%d", getpid());
	conf_dir = path_join(dir, "net.d");
	cache = path_join(dir, "cache");
	netns = path_join(dir, "netns");
	path_mkdirs(conf_dir, 0755, NULL);
	make_conf(conf_dir);
	c.conf_dir = conf_dir;
	c.cache_dir = cache;
	network_create(&c, &n, NULL);
	is_int(namespaces_create(&(struct namespaces){ .net = netns }, NULL), 0, "a namespace");
	run(n, netns);
	network_destroy(n);
	path_remove_tree(AT_FDCWD, dir, NULL);
	free(dir);
	return tap_done();
}
