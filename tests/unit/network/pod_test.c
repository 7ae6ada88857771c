/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of pods with plugins that are scripts: what they get, failures, the journal.
 */
#include "network/pod.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/unit/tap.h"

#define RESULT                                                                               \
	"{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/s\"}]," \
	"\"ips\":[{\"address\":\"10.9.9.9/24\",\"interface\":0}]}"

static char *dir, *bin, *conf_dir, *cache, *netns;
static struct map journal; /* pod id -> text */
static int journal_fails;

static int put_journal(void *data, const char *id, const char *text, struct error *err)
{
	(void)data;
	if (journal_fails)
		return error_set(err, EIO, "disk");
	free(text ? map_put(&journal, id, xstrdup(text)) : map_remove(&journal, id));
	return 0;
}

static void write_text(const char *path, const char *text, mode_t mode)
{
	fd_replace_file(AT_FDCWD, path, text, strlen(text), mode, false, NULL);
}

/* A plugin that appends "<name> <command>" to calls, and keeps its stdin and environment. */
static void make_plugin(const char *name, const char *on_add, const char *on_del)
{
	char *path cleanup_free = path_join(bin, name);
	char *text cleanup_free =
		xasprintf("#!/bin/sh\nd=%s\necho \"%s $CNI_COMMAND\" >>$d/calls\n"
			  "cat >$d/%s.$CNI_COMMAND.stdin\nenv >$d/%s.$CNI_COMMAND.env\n"
			  "case $CNI_COMMAND in ADD) %s;; DEL) %s;; esac\n",
			  dir, name, name, name, on_add, on_del);

	write_text(path, text, 0755);
}

static void make_conf(void)
{
	char *path cleanup_free = path_join(conf_dir, "10-test.conflist");

	write_text(path,
		   "{\"cniVersion\":\"1.0.0\",\"name\":\"test\",\"plugins\":["
		   "{\"type\":\"one\",\"extra\":[1,{\"a\":null}]},"
		   "{\"type\":\"two\",\"capabilities\":{\"portMappings\":true,"
		   "\"bandwidth\":true}}]}",
		   0644);
}

static char *read_text(const char *name)
{
	char *path cleanup_free = path_join(dir, name);
	struct strbuf text = { 0 };

	fd_read_file(AT_FDCWD, path, 1 << 20, &text, NULL);
	return strbuf_steal(&text);
}

static void forget_calls(void)
{
	char *path cleanup_free = path_join(dir, "calls");

	unlink(path);
}

static void calls_are(const char *want, const char *what)
{
	char *calls cleanup_free = read_text("calls");

	is_str(calls, want, what);
	forget_calls();
}

static void text_has(const char *file, const char *want)
{
	char *text cleanup_free = read_text(file);

	if (!ok(strstr(text, want) != NULL, "%s has %s", file, want))
		printf("# %s\n", text);
}

static struct network *open_network(void)
{
	char *bins[] = { "/nowhere", bin };
	struct network_config c = { .bin_dirs = bins,
				    .n_bin_dirs = 2,
				    .conf_dir = conf_dir,
				    .cache_dir = cache,
				    .journal = put_journal };
	struct network *n = NULL;

	network_create(&c, &n, NULL);
	return n;
}

static const struct network_port ports[] = { { "tcp", 80, 8080, "" },
					     { "udp", 53, 53, "127.0.0.1" } };

static struct network_pod pod_named(const char *id)
{
	return (struct network_pod){ .id = id,
				     .name = "web",
				     .ns = "default",
				     .uid = "u-1",
				     .netns = netns,
				     .cgroup_parent = "/pods/x",
				     .ports = ports,
				     .n_ports = 2,
				     .ingress_bps = 1000000 };
}

static bool keep_all(void *data, const char *id)
{
	(void)data;
	(void)id;
	return true;
}

static bool keep_none(void *data, const char *id)
{
	(void)data;
	(void)id;
	return false;
}

static void test_ready(struct network *n)
{
	struct error why = ERROR_INIT;

	ok(!network_ready(n, &why), "not ready without a configuration");
	ok(str_has_prefix(why.text, "cni plugin not initialized: no network config found in "),
	   "%s", why.text);
	make_conf();
	make_plugin("one", "echo '" RESULT "'", "true");
	ok(!network_ready(n, &why), "nor without a plugin");
	ok(strstr(why.text, "'two' is not in /nowhere, "), "%s", why.text);
	make_plugin("two", "echo '" RESULT "'", "true");
	ok(network_ready(n, &why), "ready once both are there");
}

static void test_add(struct network *n)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct network_pod pod = pod_named("pod1");
	struct error err = ERROR_INIT;

	if (!is_int(network_add(n, &pod, -1, &ips, &err), 0, "ADD"))
		printf("# %s\n", err.text);
	is_int(ips.count, 1, "one address");
	is_str(ips.count ? ips.items[0] : NULL, "10.9.9.9", "the plugin's");
	calls_are("one ADD\ntwo ADD\n", "in order");
	text_has("one.ADD.stdin", "{\"cniVersion\":\"1.0.0\",\"name\":\"test\",\"type\":\"one\","
				  "\"extra\":[1,{\"a\":null}]}");
	text_has("two.ADD.stdin", "\"prevResult\":" RESULT);
	text_has("two.ADD.stdin",
		 "\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080,"
		 "\"containerPort\":80,\"protocol\":\"tcp\"},{\"hostPort\":53,"
		 "\"containerPort\":53,\"protocol\":\"udp\","
		 "\"hostIP\":\"127.0.0.1\"}],\"bandwidth\":{\"ingressRate\":1000000,"
		 "\"ingressBurst\":4294967295}}");
	text_has("one.ADD.env",
		 "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;"
		 "K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=pod1;K8S_POD_UID=u-1\n");
	text_has("one.ADD.env", "CNI_IFNAME=eth0\n");
	text_has("one.ADD.env", "CNI_CONTAINERID=pod1\n");
	text_has("one.ADD.env", "CNI_PATH=/nowhere:/tmp/bh-test-pod-");
	text_has("one.ADD.env", "CNI_NETNS=/tmp/bh-test-pod-");
	ok(map_get(&journal, "pod1") != NULL, "it is journaled");
	ok(network_add(n, &pod, -1, &ips, &err) == -EEXIST, "twice: %s", err.text);
	network_retry(n, keep_all, NULL);
	calls_are("", "a pod that is known is kept");
	is_int(network_del(n, &pod, &err), 0, "DEL");
	calls_are("two DEL\none DEL\n", "in reverse");
	text_has("one.DEL.stdin", "\"prevResult\":" RESULT);
	ok(map_get(&journal, "pod1") == NULL, "the journal is empty");
	is_int(network_del(n, &pod, &err), 0, "again");
	calls_are("", "runs nothing");
}

static void test_lo(void)
{
	struct strbuf text cleanup_strbuf = { 0 };
	int status, fd = open(netns, O_RDONLY);
	pid_t pid = fork();

	if (pid == 0) {
		setns(fd, CLONE_NEWNET);
		fd_read_file(AT_FDCWD, "/proc/net/if_inet6", 4096, &text, NULL);
		_exit(text.data && strstr(text.data, "lo\n") ? 0 : 1);
	}
	close(fd);
	waitpid(pid, &status, 0);
	is_int(status, 0, "lo is up in the pod: it has ::1");
}

static void test_failed_add(struct network *n)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct network_pod pod = pod_named("pod2");
	struct error err = ERROR_INIT;

	make_plugin("two",
		    "echo '{\"code\":7,\"msg\":\"no port\",\"details\":\"8080 taken\"}'; exit 1",
		    "true");
	is_int(network_add(n, &pod, -1, &ips, &err), -EIO, "the second plugin fails");
	is_str(err.text, "network test: network plugin two: ADD: no port; 8080 taken",
	       "with its words");
	calls_are("one ADD\ntwo ADD\ntwo DEL\none DEL\n", "DEL is run");
	ok(map_get(&journal, "pod2") == NULL, "nothing is left");

	make_plugin("two", "echo nonsense", "echo oops >&2; exit 3");
	ok(network_add(n, &pod, -1, &ips, &err) < 0, "a result that is none: %s", err.text);
	calls_are("one ADD\ntwo ADD\ntwo DEL\none DEL\n", "a failing DEL does not stop the others");
	ok(map_get(&journal, "pod2") != NULL, "but the entry stays");
	network_retry(n, keep_none, NULL);
	calls_are("two DEL\none DEL\n", "it is tried again");
	ok(map_get(&journal, "pod2") != NULL, "as long as it fails");
	make_plugin("two", "echo '" RESULT "'", "true");
	network_retry(n, keep_none, NULL);
	forget_calls();
	ok(map_get(&journal, "pod2") == NULL, "until it succeeds");

	make_plugin("two", "echo '{}'", "true");
	ok(network_add(n, &pod, -1, &ips, &err) < 0 && strstr(err.text, "no address"), "%s",
	   err.text);
	make_plugin("two", "echo '" RESULT "'", "true");
	forget_calls();
	pod.name = "a;CNI=1";
	ok(network_add(n, &pod, -1, &ips, &err) == -EINVAL,
	   "a name that would end the variable: %s", err.text);
	pod.name = "web";
	journal_fails = 1;
	ok(network_add(n, &pod, -1, &ips, &err) == -EIO, "no journal: %s", err.text);
	journal_fails = 0;
	calls_are("", "no network");
	is_int(ips.count, 0, "failures give no addresses");
}

static void test_cancel(struct network *n)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct network_pod pod = pod_named("pod3");
	struct error err = ERROR_INIT;
	int p[2];

	if (pipe(p) < 0 || write(p[1], "x", 1) != 1)
		return;
	make_plugin("one", "exec sleep 1000", "true");
	is_int(network_add(n, &pod, p[0], &ips, &err), -ECANCELED, "cancelled");
	ok(map_get(&journal, "pod3") == NULL, "DEL has been run all the same");
	make_plugin("one", "echo '" RESULT "'", "true");
	close(p[0]);
	close(p[1]);
	forget_calls();
}

static void test_restart(struct network *n)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct network_pod pod = pod_named("pod4");
	char *conf cleanup_free = path_join(conf_dir, "10-test.conflist");
	char *text cleanup_free = NULL, *status cleanup_free = NULL;
	struct error err = ERROR_INIT;

	network_add(n, &pod, -1, &ips, &err);
	network_destroy(n);
	text = xstrdup(map_get(&journal, "pod4") ?: "");
	unlink(conf); /* DEL needs none */
	n = open_network();
	is_int(network_restore(n, "pod4", text, &err), 0, "a journal text is taken back");
	ok(network_restore(n, "pod5", text, &err) < 0, "of another pod: %s", err.text);
	ok(network_restore(n, "pod4", "{", &err) < 0, "broken: %s", err.text);
	status = network_status_json(n);
	ok(strstr(status, "\"attachments\":1") && strstr(status, "no network config"), "%s",
	   status);
	forget_calls();
	pod.netns = NULL; /* as after a boot */
	is_int(network_del(n, &pod, &err), 0, "DEL by another server, without namespace");
	calls_are("two DEL\none DEL\n", "with the configuration of its ADD");
	text_has("two.DEL.env", "CNI_NETNS=\n");
	text_has("two.DEL.stdin", "\"hostPort\":8080");
	ok(map_get(&journal, "pod4") == NULL, "done");
	network_destroy(n);
}

static void make_dirs(void)
{
	dir = xasprintf("/tmp/bh-test-pod-%d", getpid());
	bin = path_join(dir, "bin");
	conf_dir = path_join(dir, "net.d");
	cache = path_join(dir, "cache");
	netns = path_join(dir, "netns");
	path_mkdirs(bin, 0755, NULL);
	path_mkdirs(conf_dir, 0755, NULL);
	write_text(netns, "", 0600);
	if (fork() == 0)
		_exit(unshare(CLONE_NEWNET) ||
		      mount("/proc/self/ns/net", netns, NULL, MS_BIND, NULL));
	wait(NULL);
}

int main(void)
{
	struct network *n;

	if (geteuid() != 0) {
		skip("networks", "needs root");
		return tap_done();
	}
	make_dirs();
	n = open_network();
	test_ready(n);
	test_add(n);
	test_lo();
	test_failed_add(n);
	test_cancel(n);
	test_restart(n);
	umount2(netns, MNT_DETACH);
	path_remove_tree(AT_FDCWD, dir, NULL);
	map_finish(&journal);
	free(dir), free(bin), free(conf_dir), free(cache), free(netns);
	return tap_done();
}
