/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPCs about the node: Version, Status, RuntimeConfig, UpdateRuntimeConfig.
 *
 * All are answered on the loop: the kubelet polls Status every five seconds.
 */
#include "base/mem.h"
#include "cri/services/methods.h"

#define NEW(call, type) grpc_call_new(call, &runtime__v1__##type##__descriptor)

/* The kubelet exits on any other value (its own check, "kubeRuntimeAPIVersion"). */
#define CRI_VERSION	"0.1.0"
#define CRI_API_VERSION "v1"

int rpc_version(struct grpc_call *call, const void *request, void *reply_, struct error *err)
{
	struct services *s = call->context;
	Runtime__V1__VersionResponse *reply = reply_;

	(void)request;
	(void)err;
	reply->version = (char *)CRI_VERSION;
	reply->runtime_name = (char *)s->runtime_name;
	reply->runtime_version = (char *)BULKHEAD_VERSION;
	reply->runtime_api_version = (char *)CRI_API_VERSION;
	return 0;
}

/* --- Status ----------------------------------------------------------------------------------- */

static Runtime__V1__RuntimeCondition *condition(struct grpc_call *call, const char *type,
						bool status, const char *reason,
						const char *message)
{
	Runtime__V1__RuntimeCondition *c = NEW(call, runtime_condition);

	c->type = (char *)type;
	c->status = status;
	if (!status) {
		c->reason = (char *)reason;
		c->message = arena_strdup(&call->arena, message);
	}
	return c;
}

static void add_conditions(struct grpc_call *call, Runtime__V1__RuntimeStatus *status)
{
	struct services *s = call->context;
	struct error why = ERROR_INIT;
	const struct handler *handler;

	status->conditions = arena_alloc(&call->arena, 2 * sizeof(*status->conditions));
	status->n_conditions = 2;
	status->conditions[0] =
		condition(call, "RuntimeReady", handlers_find(s->handlers, "", &handler, &why) == 0,
			  "DefaultHandlerNotUsable", why.text);
	status->conditions[1] = condition(call, "NetworkReady", network_ready(s->network, &why),
					  "NetworkPluginNotReady", why.text);
}

static Runtime__V1__RuntimeHandler *show_handler(struct grpc_call *call, const char *name,
						 const struct handler *h)
{
	Runtime__V1__RuntimeHandler *v = NEW(call, runtime_handler);

	v->name = (char *)name;
	v->features = NEW(call, runtime_handler_features);
	v->features->recursive_read_only_mounts = h->rro_mounts;
	v->features->user_namespaces = h->user_namespaces;
	return v;
}

/* Usable handlers; the default one also as "", which critest and the kubelet look for. */
static void add_handlers(struct grpc_call *call, Runtime__V1__StatusResponse *reply)
{
	struct services *s = call->context;
	const struct handler *h;
	size_t n = 0;

	while (handlers_at(s->handlers, n))
		n++;
	reply->runtime_handlers =
		arena_alloc(&call->arena, (n + 1) * sizeof(*reply->runtime_handlers));
	if (handlers_find(s->handlers, "", &h, NULL) == 0)
		reply->runtime_handlers[reply->n_runtime_handlers++] = show_handler(call, "", h);
	for (size_t i = 0; i < n; i++) {
		h = handlers_at(s->handlers, i);
		if (h->runtime)
			reply->runtime_handlers[reply->n_runtime_handlers++] =
				show_handler(call, h->name, h);
	}
}

static void add_info(struct grpc_call *call, Runtime__V1__StatusResponse *reply)
{
	struct services *s = call->context;
	char *network cleanup_free = network_status_json(s->network);
	const struct {
		const char *key, *value;
	} info[] = {
		{ "config", s->config_json },
		{ "cni", network },
	};

	reply->info = arena_alloc(&call->arena, ARRAY_LEN(info) * sizeof(*reply->info));
	for (size_t i = 0; i < ARRAY_LEN(info); i++) {
		reply->info[i] = NEW(call, status_response__info_entry);
		reply->info[i]->key = (char *)info[i].key;
		reply->info[i]->value = arena_strdup(&call->arena, str_or(info[i].value, "{}"));
	}
	reply->n_info = ARRAY_LEN(info);
}

int rpc_status(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__StatusRequest *request = request_;
	Runtime__V1__StatusResponse *reply = reply_;

	(void)err;
	reply->status = NEW(call, runtime_status);
	add_conditions(call, reply->status);
	add_handlers(call, reply);
	reply->features = NEW(call, runtime_features);
	reply->features->supplemental_groups_policy = true;
	if (request->verbose)
		add_info(call, reply);
	return 0;
}

/* --- configuration ---------------------------------------------------------------------------- */

int rpc_runtime_config(struct grpc_call *call, const void *request, void *reply_, struct error *err)
{
	Runtime__V1__RuntimeConfigResponse *reply = reply_;

	(void)request;
	(void)err;
	reply->linux = NEW(call, linux_runtime_configuration);
	reply->linux->cgroup_driver = RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	return 0;
}

/* The pod CIDR is the business of whoever writes the CNI configuration. */
int rpc_update_runtime_config(struct grpc_call *call, const void *request, void *reply,
			      struct error *err)
{
	(void)call;
	(void)request;
	(void)reply;
	(void)err;
	return 0;
}
