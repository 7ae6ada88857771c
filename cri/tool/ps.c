/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead ps`: pods, each with its containers below it.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/mem.h"
#include "cri/proto/api.pb-c.h"
#include "cri/tool/client.h"
#include "cri/tool/commands.h"
#include "cri/tool/table.h"

#define TIMEOUT_MS 10000
#define ID_CHARS   13

static void usage(FILE *out)
{
	fputs("usage: bulkhead ps [--all]\n"
	      "\n"
	      "Pods and their containers.  Without --all: ready pods, running containers.\n",
	      out);
}

static const char *container_state(Runtime__V1__ContainerState state)
{
	switch (state) {
	case RUNTIME__V1__CONTAINER_STATE__CONTAINER_CREATED:
		return "created";
	case RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING:
		return "running";
	case RUNTIME__V1__CONTAINER_STATE__CONTAINER_EXITED:
		return "exited";
	default:
		return "unknown";
	}
}

static bool is_ready(const Runtime__V1__PodSandbox *p)
{
	return p->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;
}

static void add_pod(struct table *t, const Runtime__V1__PodSandbox *p)
{
	strlist_addf(&t->cells, "%.*s", ID_CHARS, p->id);
	if (p->metadata)
		strlist_addf(&t->cells, "%s/%s", p->metadata->namespace_, p->metadata->name);
	else
		strlist_add(&t->cells, "-");
	strlist_add(&t->cells, is_ready(p) ? "ready" : "not ready");
	table_add_age(t, p->created_at);
	strlist_add(&t->cells, str_or(p->runtime_handler, "(default)"));
}

static void add_container(struct table *t, const Runtime__V1__Container *c)
{
	strlist_addf(&t->cells, "  %.*s", ID_CHARS, c->id);
	strlist_addf(&t->cells, "  %s", c->metadata ? c->metadata->name : "-");
	strlist_add(&t->cells, container_state(c->state));
	table_add_age(t, c->created_at);
	strlist_add(&t->cells, str_or(c->image ? c->image->user_specified_image : NULL,
				      c->image ? c->image->image : "-"));
}

static void print(const Runtime__V1__ListPodSandboxResponse *pods,
		  const Runtime__V1__ListContainersResponse *containers, bool all)
{
	struct table t cleanup_table = { .columns = 5 };

	strlist_add(&t.cells, "ID");
	strlist_add(&t.cells, "NAME");
	strlist_add(&t.cells, "STATE");
	strlist_add(&t.cells, "AGE");
	strlist_add(&t.cells, "HANDLER, IMAGE");
	for (size_t i = 0; i < pods->n_items; i++) {
		const Runtime__V1__PodSandbox *p = pods->items[i];

		if (!all && !is_ready(p))
			continue;
		add_pod(&t, p);
		for (size_t k = 0; k < containers->n_containers; k++) {
			const Runtime__V1__Container *c = containers->containers[k];

			if (str_eq(c->pod_sandbox_id, p->id) &&
			    (all || c->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING))
				add_container(&t, c);
		}
	}
	table_print(&t);
}

static int list(const char *socket, bool all, struct error *err)
{
	Runtime__V1__ListPodSandboxRequest pods_request =
		RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__ListContainersRequest containers_request =
		RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	ProtobufCMessage *pods = NULL, *containers = NULL;
	int rc = client_call(
		socket, "/runtime.v1.RuntimeService/ListPodSandbox", &pods_request.base,
		&runtime__v1__list_pod_sandbox_response__descriptor, &pods, TIMEOUT_MS, err);

	if (rc == 0)
		rc = client_call(socket, "/runtime.v1.RuntimeService/ListContainers",
				 &containers_request.base,
				 &runtime__v1__list_containers_response__descriptor, &containers,
				 TIMEOUT_MS, err);
	if (rc == 0)
		print((void *)pods, (void *)containers, all);
	if (pods)
		protobuf_c_message_free_unpacked(pods, NULL);
	if (containers)
		protobuf_c_message_free_unpacked(containers, NULL);
	return rc;
}

int command_ps(const char *socket, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct error err = ERROR_INIT;
	bool all = false;
	int c;

	while ((c = getopt_long(argc, argv, "a", longs, NULL)) != -1) {
		if (c != 'a') {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
		all = true;
	}
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	if (list(socket, all, &err) == 0)
		return 0;
	fprintf(stderr, "bulkhead ps: %s\n", err.text);
	return 1;
}
