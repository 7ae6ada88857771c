/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about devices.
 */
#include <ctype.h>

#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

/* check_choice() - a field that may be absent, with one of two values. */
static int check_choice(const struct json *body, const char *key, const char *a, const char *b,
			struct error *err)
{
	const char *v = json_get_string(body, key, a);

	if (str_eq(v, a) || str_eq(v, b))
		return 0;
	return error_set(err, EINVAL, "unknown variant `%s`, expected `%s` or `%s`", v, a, b);
}

int api_put_drive(struct api *api, const struct api_call *call, struct error *err)
{
	struct drive_config d cleanup(drive_config_finish) = { .fd = -1 };
	const char *path = json_get_string(call->body, "path_on_host", NULL);
	const char *uuid = json_get_string(call->body, "partuuid", NULL);
	int r = check_choice(call->body, "cache_type", "Unsafe", "Writeback", err);

	if (!r)
		r = check_choice(call->body, "io_engine", "Sync", "Async", err);
	if (!r && json_get_string(call->body, "socket", NULL))
		r = error_set(err, ENOTSUP, "vhost-user drives are not supported");
	if (r)
		return r;
	if (!path)
		return error_set(err, EINVAL,
				 "Unable to create the virtio block device: Invalid "
				 "configuration: path_on_host is missing");
	memcpy(d.id, call->id, strlen(call->id));
	d.root = json_get_bool(call->body, "is_root_device", false);
	d.read_only = json_get_bool(call->body, "is_read_only", false);
	d.writeback = str_eq(json_get_string(call->body, "cache_type", ""), "Writeback");
	d.async = str_eq(json_get_string(call->body, "io_engine", ""), "Async");
	r = api_take_limiter(call->body, "rate_limiter", &d.limiter, err);
	if (!r && d.async)
		r = machine_check_async(err);
	if (r)
		return r;
	d.fd = drive_config_open(path, d.read_only, err);
	if (d.fd < 0)
		return error_wrap(err, "Unable to create the virtio block device");
	d.path = xstrdup(path);
	d.partuuid = uuid ? xstrdup(uuid) : NULL;
	return machine_config_put_drive(&api->machine->config, &d, err);
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* take_mac() - six pairs of hexadecimal digits with colons; NULL: none. */
static int take_mac(struct net_config *c, const char *text, struct error *err)
{
	if (!text)
		return 0;
	for (size_t i = 0; i < 17; i++) {
		int digit = hex_digit(text[i]);

		if (i % 3 == 2 ? text[i] != ':' : digit < 0)
			return error_set(err, EINVAL, "invalid MAC address: %s", text);
		if (i % 3 != 2)
			c->mac[i / 3] = (uint8_t)(c->mac[i / 3] << 4 | digit);
	}
	if (text[17])
		return error_set(err, EINVAL, "invalid MAC address: %s", text);
	c->has_mac = true;
	return 0;
}

static bool mtu_given(const struct json *body)
{
	const struct json *mtu = json_get(body, "mtu");

	return mtu && mtu->type != JSON_NULL;
}

int api_put_net(struct api *api, const struct api_call *call, struct error *err)
{
	struct net_config c cleanup(net_config_finish) = { .tap = -1 };
	const char *device = json_get_string(call->body, "host_dev_name", "");
	int64_t mtu = json_get_int(call->body, "mtu", 0);
	int r = take_mac(&c, json_get_string(call->body, "guest_mac", NULL), err);

	if (!r)
		r = api_take_limiter(call->body, "rx_rate_limiter", &c.rx_limiter, err);
	if (!r)
		r = api_take_limiter(call->body, "tx_rate_limiter", &c.tx_limiter, err);
	if (!r && mtu_given(call->body) && (mtu < 68 || mtu > 65535))
		r = error_set(err, EINVAL, "an MTU is between 68 and 65535");
	if (r)
		return r;
	memcpy(c.id, call->id, strlen(call->id));
	c.mtu = (uint16_t)mtu;
	c.tap = machine_open_tap(device, err);
	if (c.tap < 0)
		return c.tap;
	c.device = xstrdup(device);
	return machine_config_put_net(&api->machine->config, &c, err);
}

int api_put_entropy(struct api *api, const struct api_call *call, struct error *err)
{
	struct limiter_config limiter = { 0 };
	int r = api_take_limiter(call->body, "rate_limiter", &limiter, err);

	if (r)
		return r;
	api->machine->config.entropy = true;
	api->machine->config.entropy_limiter = limiter;
	return 0;
}

int api_patch_drive(struct api *api, const struct api_call *call, struct error *err)
{
	struct drive_config *d = machine_config_find_drive(&api->machine->config, call->id);
	struct limiter_config limiter = { 0 };
	struct error why;
	int r = api_take_limiter(call->body, "rate_limiter", &limiter, err);

	if (!r && !d)
		r = error_set(err, ENODEV, "Failed perform action on device: Device not found");
	if (!r)
		r = machine_update_drive(d, json_get_string(call->body, "path_on_host", NULL),
					 &limiter, err);
	if (!r)
		return 0;
	why = *err;
	return error_set(err, -r,
			 "Unable to patch the block device: %s Please verify the request "
			 "arguments.",
			 why.text);
}

int api_patch_net(struct api *api, const struct api_call *call, struct error *err)
{
	struct net_config *n = machine_config_find_net(&api->machine->config, call->id);
	struct limiter_config rx = { 0 }, tx = { 0 };
	int r = api_take_limiter(call->body, "rx_rate_limiter", &rx, err);

	if (!r)
		r = api_take_limiter(call->body, "tx_rate_limiter", &tx, err);
	if (!r && !n)
		r = error_set(err, ENODEV, "Failed perform action on device: Device not found");
	if (r)
		return r;
	machine_update_net(n, &rx, &tx);
	return 0;
}

int api_put_vsock(struct api *api, const struct api_call *call, struct error *err)
{
	int64_t cid = json_get_int(call->body, "guest_cid", -1);

	if (cid < 3 || cid > UINT32_MAX - 1LL)
		return error_set(err, EINVAL, "guest_cid is between 3 and 4294967294");
	return machine_config_put_vsock(&api->machine->config, (uint64_t)cid,
					json_get_string(call->body, "uds_path", ""), err);
}
