/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the metadata service.
 */
#include <arpa/inet.h>

#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

#define DEFAULT_IP 0xa9fea9fe /* 169.254.169.254 */

const struct api_field api_any_body[] = { { NULL, JSON_NULL, false } };

int api_get_mmds(struct api *api, const struct api_call *call, struct error *err)
{
	const struct json *data = api->machine->config.mmds.data;

	(void)err;
	if (data)
		json_value(call->out, data);
	else
		json_null(call->out);
	return 0;
}

static int in_words(int r, struct error *err)
{
	if (r)
		error_wrap(err, r == -E2BIG ? "MMDS limit exceeded error" : "MMDS error");
	return r;
}

int api_put_mmds(struct api *api, const struct api_call *call, struct error *err)
{
	return in_words(mmds_store_put(&api->machine->config.mmds, call->body, api->mmds_max, err),
			err);
}

int api_patch_mmds(struct api *api, const struct api_call *call, struct error *err)
{
	return in_words(
		mmds_store_patch(&api->machine->config.mmds, call->body, api->mmds_max, err), err);
}

/* take_address() - IPv4, link-local, not in the first or last 256 of those. */
static int take_address(const struct json *body, uint32_t *ret, struct error *err)
{
	const char *text = json_get_string(body, "ipv4_address", NULL);
	struct in_addr a;
	uint32_t ip;

	*ret = DEFAULT_IP;
	if (!text)
		return 0;
	if (inet_pton(AF_INET, text, &a) != 1)
		return error_set(err, EINVAL, "invalid IPv4 address syntax: %s", text);
	ip = ntohl(a.s_addr);
	if (ip >> 16 != DEFAULT_IP >> 16 || (ip >> 8 & 0xff) == 0 || (ip >> 8 & 0xff) == 0xff)
		return error_set(err, EINVAL, "The MMDS IPv4 address is not link local.");
	*ret = ip;
	return 0;
}

static int take_version(const struct json *body, enum mmds_version *ret, struct error *err)
{
	const char *text = json_get_string(body, "version", "V1");

	if (!str_eq(text, "V1") && !str_eq(text, "V2"))
		return error_set(err, EINVAL, "unknown variant `%s`, expected `V1` or `V2`", text);
	*ret = str_eq(text, "V1") ? MMDS_V1 : MMDS_V2;
	return 0;
}

static int check_interfaces(struct machine_config *c, const struct json *list, struct error *err)
{
	const struct json *id;

	if (!list->child)
		return error_set(err, EINVAL,
				 "The list of network interface IDs that allow forwarding MMDS "
				 "requests is empty.");
	json_for_each(id, list) {
		if (id->type != JSON_STRING || !machine_config_find_net(c, id->text))
			return error_set(err, EINVAL,
					 "The list of network interface IDs provided contains at "
					 "least one ID that does not correspond to any existing "
					 "network interface.");
	}
	return 0;
}

int api_put_mmds_config(struct api *api, const struct api_call *call, struct error *err)
{
	const struct json *list = json_get(call->body, "network_interfaces"), *id;
	struct machine_config *c = &api->machine->config;
	enum mmds_version version = MMDS_V1;
	uint32_t ip = 0;
	int r = take_address(call->body, &ip, err);

	if (!r)
		r = take_version(call->body, &version, err);
	if (!r)
		r = check_interfaces(c, list, err);
	if (r)
		return r;
	for (unsigned int i = 0; i < c->n_nets; i++)
		c->nets[i].mmds = false;
	json_for_each(id, list)
		machine_config_find_net(c, id->text)->mmds = true;
	c->mmds_ip = ip;
	c->mmds.version = version;
	c->mmds.imds = json_get_bool(call->body, "imds_compat", false);
	return 0;
}

void api_write_mmds_config(struct json_writer *w, const struct machine_config *c)
{
	struct in_addr a = { htonl(c->mmds_ip) };
	char text[INET_ADDRSTRLEN];

	if (!c->mmds_ip) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	json_put_string(w, "version", c->mmds.version == MMDS_V1 ? "V1" : "V2");
	json_put_array(w, "network_interfaces");
	for (unsigned int i = 0; i < c->n_nets; i++)
		if (c->nets[i].mmds)
			json_string(w, c->nets[i].id);
	json_end_array(w);
	json_put_string(w, "ipv4_address", inet_ntop(AF_INET, &a, text, sizeof(text)));
	json_put_bool(w, "imds_compat", c->mmds.imds);
	json_end_object(w);
}
