/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkheadd: the CRI server.
 *
 * Opens the parts from the bottom up (records, images, handlers, network, pods, streaming), then
 * listens.  SIGTERM stops the server and no pod: monitors keep what runs, and the next server
 * takes it over.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "cri/config.h"
#include "cri/grpc/server.h"
#include "cri/notify.h"
#include "cri/pods/pods.h"
#include "cri/services/services.h"
#include "cri/stream/stream.h"

#define MAX_MESSAGE_BYTES (16 << 20) /* what kubelet and crictl accept (TR-3) */
#define MAX_JOBS	  512
#define MAX_STREAMS	  256
#define IDLE_STREAM_S	  (4 * 3600)
#define LOCK_TRIES	  100
#define LOCK_PAUSE_US	  20000
#define SLOW_NS		  (5 * INT64_C(1000000000))

struct server {
	struct config config;
	struct loop *loop;
	struct db *db;
	struct image_store *images;
	struct handlers *handlers;
	struct network *network;
	struct pods *pods;
	struct stream_server *stream;
	struct services services;
	struct grpc_server *grpc;
	char *layers_dir, *config_json;
	char *monitor, *pause, *fetch, *unpack; /* our other programs */
	int state_lock;
};

static void usage(FILE *out)
{
	fputs("usage: bulkheadd [--config FILE] [--listen PATH] [--root DIR] [--state DIR]\n"
	      "                 [--log-level error|warn|info|debug]\n"
	      "\n"
	      "The Kubernetes node runtime: serves the CRI (runtime.v1) on a UNIX socket.\n"
	      "\n"
	      "  --config FILE      configuration (default " CONFIG_DEFAULT_PATH " if it exists)\n"
	      "  --listen PATH      socket (default /run/bulkhead/bulkhead.sock)\n"
	      "  --root DIR         images, writable layers, records (default /var/lib/bulkhead)\n"
	      "  --state DIR        what a reboot may lose (default /run/bulkhead)\n"
	      "  --log-level LEVEL  least level logged (default info)\n"
	      "  --version          print the version\n"
	      "  --help             print this\n"
	      "\n"
	      "Flags win over the file.  SIGTERM stops the server; pods run on.\n"
	      "See bulkheadd(8) and bulkhead-config(5); `bulkhead check` tells what the host "
	      "lacks.\n",
	      out);
}

/* --- options ---------------------------------------------------------------------------------- */

struct options {
	const char *config, *listen, *root, *state, *log_level;
};

/* Return: -1 to go on, else an exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "listen", required_argument, NULL, 'l' },
		{ "root", required_argument, NULL, 'r' },
		{ "state", required_argument, NULL, 's' },
		{ "log-level", required_argument, NULL, 'L' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'l':
			o->listen = optarg;
			break;
		case 'r':
			o->root = optarg;
			break;
		case 's':
			o->state = optarg;
			break;
		case 'L':
			o->log_level = optarg;
			break;
		case 'v':
			puts("bulkheadd " BULKHEAD_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "bulkheadd: unexpected argument '%s'\n", argv[optind]);
		usage(stderr);
		return 2;
	}
	return -1;
}

static int take_path(char **member, const char *value, const char *flag, struct error *err)
{
	if (!value)
		return 0;
	if (value[0] != '/')
		return error_set(err, EINVAL, "%s '%s' is not an absolute path", flag, value);
	free(*member);
	*member = xstrdup(value);
	return 0;
}

static int load_config(struct server *s, const struct options *o, struct error *err)
{
	struct config *c = &s->config;
	int rc = config_load(o->config, c, err);

	if (rc == 0)
		rc = take_path(&c->listen, o->listen, "--listen", err);
	if (rc == 0)
		rc = take_path(&c->root, o->root, "--root", err);
	if (rc == 0)
		rc = take_path(&c->state, o->state, "--state", err);
	if (rc == 0 && o->log_level)
		rc = log_parse_level(o->log_level, &c->log_level, err);
	return rc;
}

/* --- parts ------------------------------------------------------------------------------------ */

static int find_program(char **member, const char *name, struct error *err)
{
	*member = path_sibling_program(name);
	if (!*member)
		return error_set(err, ENOENT,
				 "%s not found beside bulkheadd nor in ../libexec/bulkhead: run "
				 "`make install`, or start bulkheadd from where it was built",
				 name);
	return 0;
}

static int find_programs(struct server *s, struct error *err)
{
	int rc = find_program(&s->monitor, "bulkhead-monitor", err);

	if (rc == 0)
		rc = find_program(&s->pause, "bulkhead-pause", err);
	if (rc == 0)
		rc = find_program(&s->fetch, "bulkhead-fetch", err);
	if (rc == 0)
		rc = find_program(&s->unpack, "bulkhead-unpack", err);
	return rc;
}

static int make_dirs(const struct config *c, struct error *err)
{
	char *dir cleanup_free = xstrdup(c->listen);
	int rc;

	*strrchr(dir, '/') = '\0';
	rc = path_mkdirs(c->root, 0711, err);
	if (rc == 0)
		rc = path_mkdirs(c->state, 0711, err);
	if (rc == 0 && *dir)
		rc = path_mkdirs(dir, 0755, err);
	return rc;
}

/* The database locks the root; whoever shares only the other directory would end its pods. */
static int lock_state(struct server *s, struct error *err)
{
	char *path cleanup_free = path_join(s->config.state, "server.lock");

	s->state_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->state_lock < 0)
		return error_errno(err, errno, "open %s", path);
	/* a predecessor that was killed may take a moment to let go of its files */
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(s->state_lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		usleep(LOCK_PAUSE_US);
	}
	if (errno != EWOULDBLOCK)
		return error_errno(err, errno, "lock %s", path);
	return error_set(err, EBUSY,
			 "another server uses %s: stop it, or choose another state directory",
			 s->config.state);
}

/* Listening comes last; a server that will not get its socket must not have made anything. */
static int check_socket(struct server *s, struct error *err)
{
	int fd cleanup_close = fd_connect_unix(s->config.listen, SOCK_STREAM, NULL);

	return fd < 0 ? 0
		      : error_set(err, EADDRINUSE, "another process listens on %s",
				  s->config.listen);
}

static int open_images(struct server *s, struct error *err)
{
	struct image_store_config c = {
		.root = s->config.root,
		.certs_dir = s->config.registry_config_path,
		.pinned = &s->config.pinned_images,
		.verify_program = s->config.registry_verifier,
		.db = s->db,
		.fetch_program = s->fetch,
		.unpack_program = s->unpack,
	};

	return image_store_open(&c, &s->images, err);
}

static int open_handlers(struct server *s, struct error *err)
{
	char *work cleanup_free = path_join(s->config.state, "probe");
	struct handlers_config c = {
		.list = s->config.handlers,
		.count = s->config.n_handlers,
		.default_name = s->config.default_handler,
		.pause_program = s->pause,
		.work_dir = work,
	};

	return handlers_create(&c, &s->handlers, err);
}

/* The network's journal is a kind of record; network/ itself knows no data base. */
static int journal(void *data, const char *id, const char *text, struct error *err)
{
	struct server *s = data;

	if (text)
		return db_put(s->db, "cni", id, text, 0, err);
	return db_delete(s->db, "cni", id, 0, err);
}

static int open_network(struct server *s, struct error *err)
{
	char *cache cleanup_free = path_join(s->config.root, "cni");
	struct network_config c = {
		.bin_dirs = s->config.cni_bin_dirs.items,
		.n_bin_dirs = s->config.cni_bin_dirs.count,
		.conf_dir = s->config.cni_conf_dir,
		.cache_dir = cache,
		.journal = journal,
		.journal_data = s,
	};

	return network_create(&c, &s->network, err);
}

static int open_pods(struct server *s, struct error *err)
{
	struct pods_config c = {
		.loop = s->loop,
		.db = s->db,
		.images = s->images,
		.network = s->network,
		.handlers = s->handlers,
		.root = s->config.root,
		.state = s->config.state,
		.monitor_cgroup = s->config.monitor_cgroup,
		.netns_dir = s->config.netns_dir,
		.monitor_program = s->monitor,
		.pause_program = s->pause,
		.log_level = s->config.log_level,
		.privileged_without_host_devices = s->config.privileged_without_host_devices,
	};

	return pods_open(&c, &s->pods, err);
}

static int open_stream(struct server *s, struct error *err)
{
	struct stream_backend backend;
	struct stream_config c = {
		.address = s->config.stream_address,
		.port = s->config.stream_port,
		.backend = &backend,
		.max_connections = MAX_STREAMS,
		.idle_timeout_s = IDLE_STREAM_S,
	};

	pods_stream_backend(s->pods, &backend);
	return stream_server_create(&c, &s->stream, err);
}

/*
 * One line a failed or slow RPC; the rest at debug.  That something is not there is an answer: a
 * kubelet asks for what it knows to be gone.
 */
static void observe(void *data, const char *method, enum grpc_status status, int64_t ns,
		    const struct error *err)
{
	(void)data;
	if (status != GRPC_OK && status != GRPC_UNIMPLEMENTED && status != GRPC_NOT_FOUND)
		log_warn("%s: status %d after %lld ms: %s", method, status,
			 (long long)(ns / 1000000), err ? err->text : "");
	else if (ns > SLOW_NS)
		log_info("%s: took %lld ms", method, (long long)(ns / 1000000));
	else
		log_debug("%s: status %d, %lld us", method, status, (long long)(ns / 1000));
}

static int open_grpc(struct server *s, struct error *err)
{
	static struct grpc_service tables[SERVICES_COUNT];
	struct grpc_config c = {
		.listen = s->config.listen,
		.mode = 0660,
		.max_message_bytes = MAX_MESSAGE_BYTES,
		.max_jobs = MAX_JOBS,
		.services = tables,
		.n_services = SERVICES_COUNT,
		.observe = observe,
	};

	s->layers_dir = path_join(s->config.root, "layers");
	s->config_json = config_json(&s->config);
	s->services = (struct services){
		.pods = s->pods,
		.images = s->images,
		.network = s->network,
		.handlers = s->handlers,
		.stream = s->stream,
		.runtime_name = s->config.runtime_name,
		.layers_dir = s->layers_dir,
		.config_json = s->config_json,
	};
	services_tables(&s->services, tables);
	return grpc_server_create(s->loop, &c, &s->grpc, err);
}

static int open_all(struct server *s, struct error *err)
{
	int (*const steps[])(struct server *, struct error *) = {
		open_images, open_handlers, open_network, open_pods, open_stream, open_grpc,
	};
	int rc = find_programs(s, err);

	if (rc == 0)
		rc = make_dirs(&s->config, err);
	if (rc == 0)
		rc = lock_state(s, err);
	if (rc == 0)
		rc = check_socket(s, err);
	if (rc == 0)
		rc = loop_create(&s->loop, err);
	if (rc == 0)
		rc = db_open(s->config.root, &s->db, err);
	for (size_t i = 0; i < ARRAY_LEN(steps) && rc == 0; i++)
		rc = steps[i](s, err);
	return rc;
}

static void close_all(struct server *s)
{
	grpc_server_destroy(s->grpc);
	stream_server_destroy(s->stream);
	pods_close(s->pods);
	network_destroy(s->network);
	handlers_destroy(s->handlers);
	image_store_close(s->images);
	db_close(s->db);
	loop_destroy(s->loop);
	free(s->layers_dir);
	free(s->config_json);
	free(s->monitor);
	free(s->pause);
	free(s->fetch);
	free(s->unpack);
	close_fd(&s->state_lock);
	config_finish(&s->config);
}

/* --- run -------------------------------------------------------------------------------------- */

static void drained(void *data)
{
	struct server *s = data;

	loop_stop(s->loop);
}

static void on_stop_signal(void *data, int signo)
{
	struct server *s = data;

	log_info("signal %d: stopping the server; pods run on", signo);
	notify_stopping();
	grpc_server_drain(s->grpc, drained, s);
}

/* Memory goes back to the host when a burst of calls is over. */
static void tune_memory(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 128 << 10);
	mallopt(M_MMAP_THRESHOLD, 64 << 10);
}

static int run(struct server *s, const struct options *o, struct error *err)
{
	int64_t start_ns = clock_monotonic_ns();
	int rc = load_config(s, o, err);

	if (rc < 0)
		return rc;
	log_init("bulkheadd", s->config.log_level);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	tune_memory();
	rc = open_all(s, err);
	if (rc == 0)
		rc = loop_add_signal(s->loop, SIGTERM, on_stop_signal, s, err);
	if (rc == 0)
		rc = loop_add_signal(s->loop, SIGINT, on_stop_signal, s, err);
	if (rc < 0)
		return rc;
	log_info("ready on %s after %lld ms: root %s, state %s", s->config.listen,
		 (long long)((clock_monotonic_ns() - start_ns) / 1000000), s->config.root,
		 s->config.state);
	notify_ready();
	loop_run(s->loop);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct server s = { .state_lock = -1 };
	struct error err = ERROR_INIT;
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	rc = run(&s, &o, &err);
	if (rc < 0)
		fprintf(stderr, "bulkheadd: %s\n", err.text);
	close_all(&s);
	return rc < 0 ? 1 : 0;
}
