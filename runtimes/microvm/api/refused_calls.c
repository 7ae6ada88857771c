/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of the API that this VMM knows and does not serve: each says so by name.
 */
#include "runtimes/microvm/api/api.h"

int api_no_pci(struct api *api, const struct api_call *call, struct error *err)
{
	(void)api;
	(void)call;
	return error_set(err, ENOTSUP, "PCI is not enabled");
}

int api_no_pmem(struct api *api, const struct api_call *call, struct error *err)
{
	(void)api;
	return error_set(err, ENOTSUP, "pmem devices are not supported: %s", call->id);
}

int api_no_memory_hotplug(struct api *api, const struct api_call *call, struct error *err)
{
	(void)api;
	(void)call;
	return error_set(err, ENOTSUP, "memory hotplug is not supported");
}

/* An empty one asks for the processor as it is: that can be had. */
int api_no_cpu_config(struct api *api, const struct api_call *call, struct error *err)
{
	const struct json *part;

	(void)api;
	json_for_each(part, call->body) {
		if (part->child)
			return error_set(err, ENOTSUP, "Configure CPU error: %s are not supported",
					 part->key);
	}
	return 0;
}
