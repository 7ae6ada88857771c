/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods and containers as records in the data base.
 *
 * A record is JSON that a person can read; the CRI's own configuration message is inside as
 * base64 of its protobuf form, so that it comes back byte for byte.
 */
#include <errno.h>

#include "base/json.h"
#include "cri/pods/objects.h"

static const char *const pod_states[] = {
	[POD_CREATING] = "creating", [POD_READY] = "ready", [POD_NOTREADY] = "notready",
	[POD_REMOVING] = "removing", [POD_GONE] = "gone",
};

static const char *const container_states[] = {
	[CONTAINER_CREATING] = "creating", [CONTAINER_CREATED] = "created",
	[CONTAINER_STARTING] = "starting", [CONTAINER_RUNNING] = "running",
	[CONTAINER_EXITED] = "exited",	   [CONTAINER_REMOVING] = "removing",
	[CONTAINER_GONE] = "gone",
};

const char *pod_state_name(enum pod_state state)
{
	return pod_states[state];
}

const char *container_state_name(enum container_state state)
{
	return container_states[state];
}

static int find_state(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(names[i], name))
			return (int)i;
	return -EINVAL;
}

static void put_message(struct json_writer *w, const char *key, const void *message)
{
	size_t len;
	uint8_t *packed cleanup_free = NULL;
	char *text cleanup_free = NULL;

	if (!message)
		return;
	len = protobuf_c_message_get_packed_size(message);
	packed = xmalloc(len + 1);
	protobuf_c_message_pack(message, packed);
	text = str_base64_encode(packed, len);
	json_put_string(w, key, text);
}

static void *get_message(const struct json *j, const char *key,
			 const ProtobufCMessageDescriptor *type)
{
	struct strbuf packed cleanup_strbuf = { 0 };
	const char *text = json_get_string(j, key, NULL);

	if (!text || str_base64_decode(text, strlen(text), &packed) < 0)
		return NULL;
	return protobuf_c_message_unpack(type, NULL, packed.len, (const uint8_t *)packed.data);
}

int record_save_pod(struct pod *pod, int flags, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };
	const Runtime__V1__PodSandboxMetadata *m = pod->config->metadata;

	json_begin_object(&w);
	json_put_string(&w, "name", m->name);
	json_put_string(&w, "namespace", m->namespace_);
	json_put_string(&w, "uid", m->uid);
	json_put_u64(&w, "attempt", m->attempt);
	json_put_string(&w, "handler", pod->handler_name);
	json_put_i64(&w, "created", pod->created_ns);
	pods_lock(pod->pods);
	json_put_string(&w, "state", pod_states[pod->state]);
	json_put_strings(&w, "ips", pod->ips.items, pod->ips.count);
	json_put_i64(&w, "sandbox_pid", pod->sandbox_pid);
	json_put_i64(&w, "monitor_pid", pod->monitor_pid);
	pods_unlock(pod->pods);
	put_message(&w, "config", pod->config);
	json_end_object(&w);
	return db_put(pod->pods->config.db, "pod", pod->id, out.data, flags, err);
}

/* The members of a container record; with pods->lock held, since some change under it. */
static void write_container(struct json_writer *w, struct container *c)
{
	json_put_string(w, "pod", c->pod->id);
	json_put_string(w, "name", c->config->metadata->name);
	json_put_u64(w, "attempt", c->config->metadata->attempt);
	json_put_string(w, "image", c->image_name);
	json_put_string(w, "image_id", c->image_id);
	json_put_strings(w, "layers", c->layers.items, c->layers.count);
	json_put_string(w, "log", c->log_path);
	json_put_i64(w, "stop_signal", c->stop_signal);
	json_put_string(w, "state", container_states[c->state]);
	json_put_i64(w, "created", c->created_ns);
	json_put_i64(w, "started", c->started_ns);
	json_put_i64(w, "finished", c->finished_ns);
	json_put_i64(w, "exit_code", c->exit_code);
	json_put_string(w, "reason", c->reason);
	json_put_string(w, "message", c->message);
	json_put_i64(w, "pid", c->pid);
	put_message(w, "user", c->user);
	put_message(w, "resources", c->resources);
	put_message(w, "config", c->config);
}

int record_save_container(struct container *c, int flags, struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	json_begin_object(&w);
	pods_lock(c->pod->pods);
	write_container(&w, c);
	pods_unlock(c->pod->pods);
	json_end_object(&w);
	return db_put(c->pod->pods->config.db, "container", c->id, out.data, flags, err);
}

void record_delete_pod(struct pod *pod)
{
	struct error err = ERROR_INIT;

	if (db_delete(pod->pods->config.db, "pod", pod->id, 0, &err) < 0)
		log_error("pod %s: record not deleted: %s", pod->id, err.text);
}

void record_delete_container(struct container *c)
{
	struct error err = ERROR_INIT;

	if (db_delete(c->pod->pods->config.db, "container", c->id, 0, &err) < 0)
		log_error("container %s: record not deleted: %s", c->id, err.text);
}

static int parse(struct arena *arena, const char *kind, const char *id, const char *text,
		 struct json **ret, struct error *err)
{
	if (strlen(id) != ID_LEN)
		return error_set(err, EINVAL, "record of %s '%s': not an id", kind, id);
	if (json_parse(arena, text, strlen(text), 0, ret, err) < 0)
		return error_wrap(err, "record of %s %s", kind, id);
	return 0;
}

int record_load_pod(struct pods *pods, const char *id, const char *text, struct pod **ret,
		    struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	Runtime__V1__PodSandboxConfig *config;
	struct json *j;
	struct pod *pod;
	int state;

	if (parse(&arena, "pod", id, text, &j, err) < 0)
		return err->code;
	state = find_state(pod_states, ARRAY_LEN(pod_states), json_get_string(j, "state", ""));
	config = get_message(j, "config", &runtime__v1__pod_sandbox_config__descriptor);
	if (state < 0 || !config || !config->metadata) {
		message_free(config);
		return error_set(err, EINVAL, "record of pod %s: damaged", id);
	}
	pod = pod_new(pods);
	memcpy(pod->id, id, ID_LEN + 1);
	pod->config = config;
	pod->handler_name = xstrdup(json_get_string(j, "handler", ""));
	pod->created_ns = json_get_int(j, "created", 1);
	pod->state = (enum pod_state)state;
	pod->sandbox_pid = json_get_int(j, "sandbox_pid", 0);
	pod->monitor_pid = (int)json_get_int(j, "monitor_pid", 0);
	json_get_strings(j, "ips", &pod->ips);
	sandbox_derive(pod);
	*ret = pod;
	return 0;
}

/* Reasons are constants in memory; a record holds their text. */
static const char *reason_constant(const char *text)
{
	static const char *const reasons[] = { "Completed",  "Error",	"OOMKilled",
					       "StartError", "Unknown", "" };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (str_eq(reasons[i], text))
			return reasons[i];
	return "";
}

static void load_container_fields(struct container *c, const struct json *j)
{
	const char *log = json_get_string(j, "log", NULL);

	c->image_name = xstrdup(json_get_string(j, "image", ""));
	c->image_id = xstrdup(json_get_string(j, "image_id", ""));
	json_get_strings(j, "layers", &c->layers);
	c->log_path = log ? xstrdup(log) : NULL;
	c->stop_signal = (int)json_get_int(j, "stop_signal", 15);
	c->created_ns = json_get_int(j, "created", 1);
	c->started_ns = json_get_int(j, "started", 0);
	c->finished_ns = json_get_int(j, "finished", 0);
	c->exit_code = (int32_t)json_get_int(j, "exit_code", 0);
	c->reason = reason_constant(json_get_string(j, "reason", ""));
	c->message = xstrdup(json_get_string(j, "message", ""));
	c->pid = (int)json_get_int(j, "pid", 0);
	c->user = get_message(j, "user", &runtime__v1__container_user__descriptor);
	c->resources =
		get_message(j, "resources", &runtime__v1__linux_container_resources__descriptor);
}

int record_load_container(struct pods *pods, const char *id, const char *text,
			  struct container **ret, struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	Runtime__V1__ContainerConfig *config;
	struct container *c;
	struct json *j;
	struct pod *pod;
	int state;

	if (parse(&arena, "container", id, text, &j, err) < 0)
		return err->code;
	pod = map_get(&pods->pod_ids, json_get_string(j, "pod", ""));
	state = find_state(container_states, ARRAY_LEN(container_states),
			   json_get_string(j, "state", ""));
	config = get_message(j, "config", &runtime__v1__container_config__descriptor);
	if (!pod || state < 0 || !config || !config->metadata) {
		message_free(config);
		return error_set(err, EINVAL, "record of container %s: %s", id,
				 pod ? "damaged" : "its pod is gone");
	}
	c = container_new(pod);
	memcpy(c->id, id, ID_LEN + 1);
	c->config = config;
	c->state = (enum container_state)state;
	load_container_fields(c, j);
	container_derive(c);
	*ret = c;
	return 0;
}
