/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of one pod: CNI ADD and DEL in a namespace made by someone else.
 *
 * Intent is journaled (record kind "cni") before ADD, so that a killed server's successor can
 * run the missing DEL.  Thread-safe; a configuration change in conf_dir is picked up by itself.
 */
#ifndef NETWORK_POD_H
#define NETWORK_POD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct network;

struct network_config {
	char *const *bin_dirs;
	size_t n_bin_dirs;
	const char *conf_dir;  /* the first *.conflist, *.conf, *.json by name is used */
	const char *cache_dir; /* results, for DEL and CHECK */
	/* journal: put(text) before ADD, put(NULL) after DEL; keeps network free of storage */
	int (*journal)(void *data, const char *id, const char *text, struct error *err);
	void *journal_data;
};

struct network_port {
	const char *protocol; /* "tcp" "udp" "sctp" */
	uint16_t container_port, host_port;
	const char *host_ip; /* "" any */
};

struct network_pod {
	const char *id, *name, *ns, *uid; /* K8S_POD_NAME etc. for the plugins */
	const char *netns;		  /* path; NULL for a DEL after the namespace is gone */
	const char *cgroup_parent;
	const struct network_port *ports; /* those with host_port 0 are left out by the caller */
	size_t n_ports;
	/* bits a second, from annotations kubernetes.io/{in,e}gress-bandwidth; 0 none */
	uint64_t ingress_bps, egress_bps;
	/* NULL-terminated or NULL */
	char *const *dns_servers, *const *dns_searches, *const *dns_options;
};

int network_create(const struct network_config *config, struct network **ret, struct error *err);
void network_destroy(struct network *n);

/* network_ready() - whether a usable configuration is loaded; the reason is CRI-like text. */
bool network_ready(struct network *n, struct error *ret_reason);

/*
 * network_add() - bring up lo, run the plugins' ADD; on failure DEL has been run (or is journaled
 * for network_retry()).  @cancel_fd as in spawn_run().  ret_ips: first is the primary.
 */
int network_add(struct network *n, const struct network_pod *pod, int cancel_fd,
		struct strlist *ret_ips, struct error *err);

/* network_del() - run DEL in reverse; done before is fine.  On failure the journal entry stays. */
int network_del(struct network *n, const struct network_pod *pod, struct error *err);

/*
 * network_restore() - give back one journal text found at start (pod known or not);
 * network_retry() runs DEL for all entries whose pod @keep does not know. Call once after start
 * and then every minute.
 */
int network_restore(struct network *n, const char *id, const char *text, struct error *err);
void network_retry(struct network *n, bool (*keep)(void *data, const char *id), void *data);

/* network_status_json() - verbose Status: the configuration in use. Caller frees. */
char *network_status_json(struct network *n);

#endif
