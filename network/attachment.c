/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text form of an attachment.
 *
 *   {"version": 1, "id": "...", "netns": "/run/netns/bh-...", "args": "IgnoreUnknown=1;...",
 *    "runtime": {"portMappings": [...], "bandwidth": {...}, "dns": {...}}, "conf": {...}}
 */
#include "network/attachment.h"

#include "base/mem.h"

#define TEXT_VERSION 1
#define TEXT_MAX     (4 << 20)

/* A ';' would begin another variable of CNI_ARGS. */
static int put_arg(struct strbuf *args, const char *key, const char *value, struct error *err)
{
	if (!value || strpbrk(value, ";\n") || strlen(value) > 1024)
		return error_set(err, EINVAL, "'%.64s' cannot be given to network plugins as %s",
				 value ? value : "", key);
	strbuf_printf(args, ";%s=%s", key, value);
	return 0;
}

static int make_args(const struct network_pod *pod, struct strbuf *args, struct error *err)
{
	int rc;

	strbuf_puts(args, "IgnoreUnknown=1");
	rc = put_arg(args, "K8S_POD_NAMESPACE", pod->ns, err);
	if (rc == 0)
		rc = put_arg(args, "K8S_POD_NAME", pod->name, err);
	if (rc == 0)
		rc = put_arg(args, "K8S_POD_INFRA_CONTAINER_ID", pod->id, err);
	if (rc == 0)
		rc = put_arg(args, "K8S_POD_UID", pod->uid, err);
	return rc;
}

static void put_ports(struct json_writer *w, const struct network_pod *pod)
{
	if (pod->n_ports == 0)
		return;
	json_put_array(w, "portMappings");
	for (size_t i = 0; i < pod->n_ports; i++) {
		json_begin_object(w);
		json_put_u64(w, "hostPort", pod->ports[i].host_port);
		json_put_u64(w, "containerPort", pod->ports[i].container_port);
		json_put_string(w, "protocol", pod->ports[i].protocol);
		if (!str_empty(pod->ports[i].host_ip))
			json_put_string(w, "hostIP", pod->ports[i].host_ip);
		json_end_object(w);
	}
	json_end_array(w);
}

/* Rates are bits a second; the burst is the largest that the plugin takes, as peers give it. */
static void put_bandwidth(struct json_writer *w, const struct network_pod *pod)
{
	if (pod->ingress_bps == 0 && pod->egress_bps == 0)
		return;
	json_put_object(w, "bandwidth");
	if (pod->ingress_bps) {
		json_put_u64(w, "ingressRate", pod->ingress_bps);
		json_put_u64(w, "ingressBurst", UINT32_MAX);
	}
	if (pod->egress_bps) {
		json_put_u64(w, "egressRate", pod->egress_bps);
		json_put_u64(w, "egressBurst", UINT32_MAX);
	}
	json_end_object(w);
}

static void put_list(struct json_writer *w, const char *key, char *const *items)
{
	size_t n = 0;

	while (items && items[n])
		n++;
	if (n > 0)
		json_put_strings(w, key, items, n);
}

static void put_runtime(struct json_writer *w, const struct network_pod *pod)
{
	json_put_object(w, "runtime");
	put_ports(w, pod);
	put_bandwidth(w, pod);
	if (pod->dns_servers || pod->dns_searches || pod->dns_options) {
		json_put_object(w, "dns");
		put_list(w, "servers", pod->dns_servers);
		put_list(w, "searches", pod->dns_searches);
		put_list(w, "options", pod->dns_options);
		json_end_object(w);
	}
	if (!str_empty(pod->cgroup_parent))
		json_put_string(w, "cgroupPath", pod->cgroup_parent);
	json_end_object(w);
}

/* The id names files. */
static bool is_id(const char *id)
{
	return !str_empty(id) && *id != '.' && !strchr(id, '/') && strlen(id) <= 128;
}

int attachment_text(const struct network_pod *pod, const struct conf *conf, char **ret_text,
		    struct error *err)
{
	struct strbuf args cleanup_strbuf = { 0 };
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	if (!is_id(pod->id))
		return error_set(err, EINVAL, "'%.64s' cannot be a pod's id", pod->id ?: "");
	if (make_args(pod, &args, err) < 0)
		return -EINVAL;
	json_begin_object(&w);
	json_put_i64(&w, "version", TEXT_VERSION);
	json_put_string(&w, "id", pod->id);
	json_put_string(&w, "netns", pod->netns ? pod->netns : "");
	json_put_string(&w, "args", args.data);
	put_runtime(&w, pod);
	json_key(&w, "conf");
	conf_json(conf, &w);
	json_end_object(&w);
	*ret_text = strbuf_steal(&out);
	return 0;
}

static int read_attachment(struct attachment *a, const struct json *root, struct error *err)
{
	struct strbuf conf cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &conf };

	if (json_get_int(root, "version", 0) != TEXT_VERSION)
		return error_set(err, EPROTO, "written by another version of this program");
	a->id = json_get_string(root, "id", "");
	a->netns = json_get_string(root, "netns", "");
	a->args = json_get_string(root, "args", "");
	a->runtime = json_get(root, "runtime");
	if (!is_id(a->id) || !json_get(root, "conf"))
		return error_set(err, EPROTO, "no id or no conf");
	json_value(&w, json_get(root, "conf"));
	return conf_parse(conf.data, conf.len, &a->conf, err);
}

int attachment_parse(const char *text, struct attachment **ret, struct error *err)
{
	struct attachment *a = xnew(struct attachment);
	struct json *root;
	size_t len = strlen(text);
	int rc = len > TEXT_MAX ? error_set(err, EFBIG, "longer than %d bytes", TEXT_MAX)
				: json_parse(&a->arena, text, len, 0, &root, err);

	if (rc == 0)
		rc = read_attachment(a, root, err);
	if (rc < 0) {
		attachment_destroy(a);
		return error_wrap(err, "network journal");
	}
	*ret = a;
	return 0;
}

void attachment_destroy(struct attachment *a)
{
	if (!a)
		return;
	conf_destroy(a->conf);
	arena_finish(&a->arena);
	free(a);
}
