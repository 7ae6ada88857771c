/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead run` and `bulkhead rm`: a pod of one container.
 *
 * What a kubelet does for a pod, by hand: PullImage, RunPodSandbox, CreateContainer,
 * StartContainer, each with its time.  A step that fails takes the pod away again.
 */
#include "cri/tool/commands.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>

#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "cri/proto/api.pb-c.h"
#include "cri/tool/client.h"

#define MAX_PORTS  16
#define TIMEOUT_MS (4 * 60 * 1000)
#define RUNTIME	   "/runtime.v1.RuntimeService/"
#define IMAGES	   "/runtime.v1.ImageService/"

struct run {
	const char *socket, *image, *handler, *name;
	char *uid, *log_dir, *pod;
	char **argv; /* command of the container; 0: the image's */
	size_t argc;
	Runtime__V1__PortMapping ports[MAX_PORTS];
	size_t n_ports;
	int64_t step_ns;

	/* the pod's configuration: sent twice, pointing into what stands above */
	Runtime__V1__PortMapping *port_list[MAX_PORTS];
	Runtime__V1__PodSandboxMetadata metadata;
	Runtime__V1__LinuxPodSandboxConfig linux;
	Runtime__V1__PodSandboxConfig config;
};

static int call(struct run *r, const char *method, const void *req,
		const ProtobufCMessageDescriptor *type, void *ret, struct error *err)
{
	return client_call(r->socket, method, req, type, ret, TIMEOUT_MS, err);
}

static void reply_free(void *reply)
{
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
}

/* One line a step: what, how long, and what came of it. */
static void step_done(struct run *r, const char *step, const char *what)
{
	int64_t now_ns = clock_monotonic_ns();

	printf("%-8s %8.1f ms  %s\n", step, (double)(now_ns - r->step_ns) / 1e6, what);
	fflush(stdout);
	r->step_ns = now_ns;
}

/* --- steps --- */

static int pull(struct run *r, struct error *err)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__PullImageRequest req = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	Runtime__V1__PullImageResponse *reply = NULL;
	int rc;

	spec.image = (char *)r->image;
	req.image = &spec;
	rc = call(r, IMAGES "PullImage", &req, &runtime__v1__pull_image_response__descriptor,
		  &reply, err);
	if (rc == 0)
		step_done(r, "pull", r->image);
	reply_free(reply);
	return rc;
}

static void fill_config(struct run *r)
{
	runtime__v1__pod_sandbox_metadata__init(&r->metadata);
	r->metadata.name = (char *)r->name;
	r->metadata.namespace_ = (char *)"default";
	r->metadata.uid = r->uid;
	runtime__v1__linux_pod_sandbox_config__init(&r->linux);
	runtime__v1__pod_sandbox_config__init(&r->config);
	r->config.metadata = &r->metadata;
	r->config.linux = &r->linux;
	r->config.log_directory = r->log_dir;
	for (size_t i = 0; i < r->n_ports; i++)
		r->port_list[i] = &r->ports[i];
	r->config.port_mappings = r->port_list;
	r->config.n_port_mappings = r->n_ports;
}

/* The pod's address, for the one who will talk to it; "" when the server does not tell. */
static char *pod_ip(struct run *r)
{
	Runtime__V1__PodSandboxStatusRequest req = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;
	Runtime__V1__PodSandboxStatusResponse *reply = NULL;
	char *ip = NULL;

	req.pod_sandbox_id = r->pod;
	if (call(r, RUNTIME "PodSandboxStatus", &req,
		 &runtime__v1__pod_sandbox_status_response__descriptor, &reply, NULL) == 0 &&
	    reply->status && reply->status->network)
		ip = xstrdup(str_or(reply->status->network->ip, ""));
	reply_free(reply);
	return ip ? ip : xstrdup("");
}

static int sandbox(struct run *r, struct error *err)
{
	Runtime__V1__RunPodSandboxRequest req = RUNTIME__V1__RUN_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__RunPodSandboxResponse *reply = NULL;
	char *text cleanup_free = NULL, *ip cleanup_free = NULL;
	int rc;

	req.config = &r->config;
	req.runtime_handler = (char *)r->handler;
	rc = call(r, RUNTIME "RunPodSandbox", &req,
		  &runtime__v1__run_pod_sandbox_response__descriptor, &reply, err);
	if (rc == 0) {
		r->pod = xstrdup(reply->pod_sandbox_id);
		text = xasprintf("pod %.12s", r->pod);
		step_done(r, "sandbox", text);
		ip = pod_ip(r);
		if (*ip)
			printf("%-8s %11s  %s\n", "address", "", ip);
		r->step_ns = clock_monotonic_ns();
	}
	reply_free(reply);
	return rc;
}

static int create(struct run *r, char **ret_id, struct error *err)
{
	Runtime__V1__ContainerMetadata metadata = RUNTIME__V1__CONTAINER_METADATA__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__LinuxContainerConfig lin = RUNTIME__V1__LINUX_CONTAINER_CONFIG__INIT;
	Runtime__V1__ContainerConfig config = RUNTIME__V1__CONTAINER_CONFIG__INIT;
	Runtime__V1__CreateContainerRequest req = RUNTIME__V1__CREATE_CONTAINER_REQUEST__INIT;
	Runtime__V1__CreateContainerResponse *reply = NULL;
	char *text cleanup_free = NULL;
	int rc;

	metadata.name = (char *)r->name;
	spec.image = (char *)r->image;
	config.metadata = &metadata;
	config.image = &spec;
	config.linux = &lin;
	config.command = r->argv;
	config.n_command = r->argc;
	config.log_path = (char *)"0.log";
	req.pod_sandbox_id = r->pod;
	req.config = &config;
	req.sandbox_config = &r->config;
	rc = call(r, RUNTIME "CreateContainer", &req,
		  &runtime__v1__create_container_response__descriptor, &reply, err);
	if (rc == 0) {
		*ret_id = xstrdup(reply->container_id);
		text = xasprintf("container %.12s", *ret_id);
		step_done(r, "create", text);
	}
	reply_free(reply);
	return rc;
}

static int start(struct run *r, char *id, struct error *err)
{
	Runtime__V1__StartContainerRequest req = RUNTIME__V1__START_CONTAINER_REQUEST__INIT;
	Runtime__V1__StartContainerResponse *reply = NULL;
	char *text cleanup_free = xasprintf("log %s/0.log", r->log_dir);
	int rc;

	req.container_id = id;
	rc = call(r, RUNTIME "StartContainer", &req,
		  &runtime__v1__start_container_response__descriptor, &reply, err);
	if (rc == 0)
		step_done(r, "start", text);
	reply_free(reply);
	return rc;
}

static int stop(struct run *r, struct error *err)
{
	Runtime__V1__StopPodSandboxRequest req = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__StopPodSandboxResponse *reply = NULL;
	int rc;

	req.pod_sandbox_id = r->pod;
	rc = call(r, RUNTIME "StopPodSandbox", &req,
		  &runtime__v1__stop_pod_sandbox_response__descriptor, &reply, err);
	if (rc == 0)
		step_done(r, "stop", r->pod);
	reply_free(reply);
	return rc;
}

static int remove_pod(struct run *r, struct error *err)
{
	Runtime__V1__RemovePodSandboxRequest req = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__RemovePodSandboxResponse *reply = NULL;
	int rc = stop(r, err);

	if (rc < 0)
		return rc;
	req.pod_sandbox_id = r->pod;
	rc = call(r, RUNTIME "RemovePodSandbox", &req,
		  &runtime__v1__remove_pod_sandbox_response__descriptor, &reply, err);
	if (rc == 0)
		step_done(r, "remove", r->pod);
	reply_free(reply);
	return rc;
}

/* --- bulkhead run --- */

static int run_pod(struct run *r, struct error *err)
{
	char *id cleanup_free = NULL;
	int64_t begin_ns = clock_monotonic_ns();
	int64_t pulled_ns;
	int rc = path_mkdirs(r->log_dir, 0755, err);

	r->step_ns = begin_ns;
	if (rc == 0)
		rc = pull(r, err);
	pulled_ns = clock_monotonic_ns();
	fill_config(r);
	if (rc == 0)
		rc = sandbox(r, err);
	if (rc == 0)
		rc = create(r, &id, err);
	if (rc == 0)
		rc = start(r, id, err);
	if (rc == 0)
		printf("%-8s %8.1f ms  without the pull; remove it with: bulkhead rm %.12s\n",
		       "total", (double)(clock_monotonic_ns() - pulled_ns) / 1e6, r->pod);
	else if (r->pod)
		remove_pod(r, NULL);
	return rc;
}

/* "HOST:CONTAINER". */
static int add_port(struct run *r, const char *text)
{
	Runtime__V1__PortMapping *p = &r->ports[r->n_ports];
	const char *colon = strchr(text, ':');
	char *host cleanup_free = colon ? xstrndup(text, (size_t)(colon - text)) : NULL;
	uint64_t from, to;

	if (!colon || r->n_ports == MAX_PORTS || str_parse_u64(host, &from) < 0 ||
	    str_parse_u64(colon + 1, &to) < 0 || from == 0 || from > UINT16_MAX || to == 0 ||
	    to > UINT16_MAX) {
		fprintf(stderr,
			"bulkhead run: --port '%s' is not HOST:CONTAINER (1-65535, %d at "
			"most)\n",
			text, MAX_PORTS);
		return -EINVAL;
	}
	runtime__v1__port_mapping__init(p);
	p->host_port = (int32_t)from;
	p->container_port = (int32_t)to;
	r->n_ports++;
	return 0;
}

/* "registry:5000/demo/nginx:1" gives "nginx". */
static char *name_of_image(const char *image)
{
	const char *slash = strrchr(image, '/');
	char *name = xstrdup(slash ? slash + 1 : image);

	name[strcspn(name, ":@")] = '\0';
	for (char *p = name; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '-';
	return name;
}

static int usage_run(FILE *out)
{
	fputs("usage: bulkhead run [--runtime HANDLER] [--name NAME] [--port HOST:CONTAINER]...\n"
	      "                    [--log-dir DIR] IMAGE [--] [COMMAND...]\n"
	      "\n"
	      "Pulls the image and runs a pod of one container, printing each step and its time.\n"
	      "\n"
	      "  --runtime HANDLER  as a RuntimeClass's handler (default: the server's)\n"
	      "  --name NAME        of pod and container (default: from the image)\n"
	      "  --port HOST:CTR    TCP port of the host that reaches one of the pod\n"
	      "  --log-dir DIR      absolute (default /var/log/pods/default_NAME_UID)\n",
	      out);
	return out == stdout ? 0 : 2;
}

/* Return: -1 to go on, else an exit code. */
static int parse_run(struct run *r, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "runtime", required_argument, NULL, 'r' },
		{ "name", required_argument, NULL, 'n' },
		{ "port", required_argument, NULL, 'p' },
		{ "log-dir", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	optind = 0; /* the command line was looked at before: start anew */
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (c == 'r')
			r->handler = optarg;
		else if (c == 'n')
			r->name = optarg;
		else if (c == 'l' && optarg[0] == '/')
			r->log_dir = xstrdup(optarg);
		else if (c == 'p' && add_port(r, optarg) == 0)
			continue;
		else
			return usage_run(c == 'h' ? stdout : stderr);
	}
	if (optind == argc)
		return usage_run(stderr);
	r->image = argv[optind++];
	if (optind < argc && str_eq(argv[optind], "--"))
		optind++;
	r->argv = argv + optind;
	r->argc = (size_t)(argc - optind);
	return -1;
}

int command_run(const char *socket, int argc, char **argv)
{
	struct run r = { .socket = socket, .handler = "" };
	char *name cleanup_free = NULL;
	struct error err = ERROR_INIT;
	char uid[17];
	int rc = parse_run(&r, argc, argv);

	if (rc >= 0) {
		free(r.log_dir);
		return rc;
	}
	name = name_of_image(r.image);
	r.name = str_or(r.name, name);
	str_random_hex(uid, 8);
	r.uid = uid;
	if (!r.log_dir)
		r.log_dir = xasprintf("/var/log/pods/default_%s_%s", r.name, uid);
	rc = run_pod(&r, &err);
	if (rc < 0)
		fprintf(stderr, "bulkhead run: %s\n", err.text);
	free(r.log_dir);
	free(r.pod);
	return rc < 0 ? 1 : 0;
}

/* --- bulkhead rm --- */

int command_rm(const char *socket, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	int code = 0;

	if (argc < 2 || argv[1][0] == '-') {
		bool help = argc > 1 && str_eq(argv[1], "--help");

		fputs("usage: bulkhead rm POD...\n\nStops and removes pods, by id or unique start "
		      "of it.\n",
		      help ? stdout : stderr);
		return help ? 0 : 2;
	}
	for (int i = 1; i < argc; i++) {
		struct run r = { .socket = socket,
				 .pod = argv[i],
				 .step_ns = clock_monotonic_ns() };

		if (remove_pod(&r, &err) < 0) {
			fprintf(stderr, "bulkhead rm: %s: %s\n", argv[i], err.text);
			code = 1;
		}
	}
	return code;
}
