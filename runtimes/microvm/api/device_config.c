/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /vm/config says about devices.
 */
#include <stdio.h>

#include "runtimes/microvm/api/api.h"

static void write_drive(struct json_writer *w, const struct drive_config *d)
{
	json_begin_object(w);
	json_put_string(w, "drive_id", d->id);
	json_put_string(w, "partuuid", d->partuuid);
	json_put_bool(w, "is_root_device", d->root);
	json_put_string(w, "cache_type", d->writeback ? "Writeback" : "Unsafe");
	json_put_bool(w, "is_read_only", d->read_only);
	json_put_string(w, "path_on_host", d->path);
	api_write_limiter(w, "rate_limiter", &d->limiter);
	json_put_string(w, "io_engine", d->async ? "Async" : "Sync");
	json_put_string(w, "socket", NULL);
	json_end_object(w);
}

static void write_net(struct json_writer *w, const struct net_config *n)
{
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
		 n->mac[3], n->mac[4], n->mac[5]);
	json_begin_object(w);
	json_put_string(w, "iface_id", n->id);
	json_put_string(w, "host_dev_name", n->device);
	json_put_string(w, "guest_mac", n->has_mac ? mac : NULL);
	json_key(w, "mtu");
	if (n->mtu)
		json_u64(w, n->mtu);
	else
		json_null(w);
	api_write_limiter(w, "rx_rate_limiter", &n->rx_limiter);
	api_write_limiter(w, "tx_rate_limiter", &n->tx_limiter);
	json_end_object(w);
}

static void write_entropy(struct json_writer *w, const struct machine_config *c)
{
	json_key(w, "entropy");
	if (!c->entropy) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	api_write_limiter(w, "rate_limiter", &c->entropy_limiter);
	json_end_object(w);
}

static void write_vsock(struct json_writer *w, const struct vsock_config *v)
{
	json_key(w, "vsock");
	if (!v->path) {
		json_null(w);
		return;
	}
	json_begin_object(w);
	json_put_u64(w, "guest_cid", v->cid);
	json_put_string(w, "uds_path", v->path);
	json_end_object(w);
}

void api_write_devices(struct json_writer *w, const struct machine_config *c)
{
	json_put_array(w, "drives");
	for (unsigned int i = 0; i < c->n_drives; i++)
		write_drive(w, &c->drives[i]);
	json_end_array(w);
	json_put_array(w, "network-interfaces");
	for (unsigned int i = 0; i < c->n_nets; i++)
		write_net(w, &c->nets[i]);
	json_end_array(w);
	write_entropy(w, c);
	write_vsock(w, &c->vsock);
	json_key(w, "mmds-config");
	api_write_mmds_config(w, c);
	json_key(w, "balloon");
	if (c->has_balloon)
		api_write_balloon(w, &c->balloon);
	else
		json_null(w);
}
