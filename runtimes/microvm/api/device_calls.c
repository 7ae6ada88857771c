/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about devices.
 */
#include <ctype.h>
#include <fcntl.h>

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
	d.fd = open(path, (d.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (d.fd < 0)
		return error_set(err, errno,
				 "Unable to create the virtio block device: Virtio backend error: "
				 "Error manipulating the backing file: %s (os error %d) %s",
				 strerror(errno), errno, path);
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

int api_put_net(struct api *api, const struct api_call *call, struct error *err)
{
	struct net_config c cleanup(net_config_finish) = { .tap = -1 };
	const char *device = json_get_string(call->body, "host_dev_name", "");
	int64_t mtu = json_get_int(call->body, "mtu", 0);
	int r = take_mac(&c, json_get_string(call->body, "guest_mac", NULL), err);

	if (!r && json_get(call->body, "mtu") && (mtu < 68 || mtu > 65535))
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
	(void)call;
	(void)err;
	api->machine->config.entropy = true;
	return 0;
}
