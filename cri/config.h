/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's configuration: JSON with comments.
 *
 * Every key has a default, so an absent file is a valid configuration.  An unknown key is an
 * error that names the line and the nearest known key; see bulkhead-config(5) for all of them.
 */
#ifndef CRI_CONFIG_H
#define CRI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "runtimes/handlers.h"

#define CONFIG_DEFAULT_PATH "/etc/bulkhead/config.json"

struct config {
	char *listen;	    /* "/run/bulkhead/bulkhead.sock" */
	char *root;	    /* "/var/lib/bulkhead": layers, writable layers, records */
	char *state;	    /* "/run/bulkhead": what a reboot may lose */
	char *runtime_name; /* "bulkhead": what Version says, and the prefix of container ids */
	char *cgroup_driver;
	enum log_level log_level;
	struct strlist pinned_images;
	char *registry_verifier;    /* NULL: images need no signature */
	char *registry_config_path; /* "/etc/bulkhead/certs.d" */
	struct strlist cni_bin_dirs;
	char *cni_conf_dir;
	char *monitor_cgroup; /* "/bulkhead-monitors": parent of those of monitors */
	char *netns_dir;      /* "/run/netns": where CNI daemons look */
	char *stream_address; /* "127.0.0.1" */
	uint16_t stream_port; /* 0: the kernel's choice */
	char *default_handler;
	struct handler_config *handlers;
	size_t n_handlers;
	bool privileged_without_host_devices;
};

/* config_init() - all defaults. */
void config_init(struct config *c);
void config_finish(struct config *c);

/*
 * config_load() - defaults, then what the file at @path says.
 * @path: NULL reads CONFIG_DEFAULT_PATH if there is one.
 * Return: 0 with *ret to be finished by the caller; errors read "path:line: what is wrong".
 */
int config_load(const char *path, struct config *ret, struct error *err);

/* config_json() - the effective configuration, for verbose Status.  Caller frees. */
char *config_json(const struct config *c);

#endif
