/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the API: every path and method, its fields, when it is allowed.
 *
 * A path that is not here is refused as Firecracker refuses an unknown one.
 */
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

#define FIELDS(...) ((const struct api_field[]){ __VA_ARGS__{ NULL, JSON_NULL, false } })
#define NEEDS(n, t) { n, t, true },
#define TAKES(n, t) { n, t, false },

#define MACHINE_OPTIONAL                      \
	TAKES("smt", JSON_BOOL)               \
	TAKES("cpu_template", JSON_STRING)    \
	TAKES("track_dirty_pages", JSON_BOOL) \
	TAKES("huge_pages", JSON_STRING)

/* clang-format off */
const struct api_route api_routes[] = {
	{ "GET", "/", API_ANY, NULL, NULL, NULL, api_get_info },
	{ "GET", "/version", API_ANY, NULL, NULL, NULL, api_get_version },
	{ "PUT", "/actions", API_ANY, NULL, NULL,
	  FIELDS(NEEDS("action_type", JSON_STRING)), api_put_actions },
	{ "PUT", "/boot-source", API_BEFORE_START, NULL, "Boot source error",
	  FIELDS(NEEDS("kernel_image_path", JSON_STRING) TAKES("initrd_path", JSON_STRING)
		 TAKES("boot_args", JSON_STRING)), api_put_boot_source },
	{ "GET", "/machine-config", API_ANY, NULL, NULL, NULL, api_get_machine_config },
	{ "PUT", "/machine-config", API_BEFORE_START, NULL, "Machine config error",
	  FIELDS(NEEDS("vcpu_count", JSON_NUMBER) NEEDS("mem_size_mib", JSON_NUMBER)
		 MACHINE_OPTIONAL), api_put_machine_config },
	{ "PATCH", "/machine-config", API_BEFORE_START, NULL, "Machine config error",
	  FIELDS(TAKES("vcpu_count", JSON_NUMBER) TAKES("mem_size_mib", JSON_NUMBER)
		 MACHINE_OPTIONAL), api_patch_machine_config },
	{ "PUT", "/drives/", API_PLUG, "drive_id", "Drive config error",
	  FIELDS(NEEDS("drive_id", JSON_STRING) NEEDS("is_root_device", JSON_BOOL)
		 TAKES("path_on_host", JSON_STRING) TAKES("is_read_only", JSON_BOOL)
		 TAKES("partuuid", JSON_STRING) TAKES("cache_type", JSON_STRING)
		 TAKES("io_engine", JSON_STRING) TAKES("rate_limiter", JSON_OBJECT)
		 TAKES("socket", JSON_STRING)), api_put_drive },
	{ "PATCH", "/drives/", API_AFTER_START, "drive_id", "Drive config error",
	  FIELDS(NEEDS("drive_id", JSON_STRING) TAKES("path_on_host", JSON_STRING)
		 TAKES("rate_limiter", JSON_OBJECT)), api_patch_drive },
	{ "DELETE", "/drives/", API_AFTER_START, NULL, NULL, NULL, api_no_pci },
	{ "PUT", "/network-interfaces/", API_PLUG, "iface_id", "Network config error",
	  FIELDS(NEEDS("iface_id", JSON_STRING) NEEDS("host_dev_name", JSON_STRING)
		 TAKES("guest_mac", JSON_STRING) TAKES("mtu", JSON_NUMBER)
		 TAKES("rx_rate_limiter", JSON_OBJECT) TAKES("tx_rate_limiter", JSON_OBJECT)),
	  api_put_net },
	{ "PATCH", "/network-interfaces/", API_AFTER_START, "iface_id", "Network config error",
	  FIELDS(NEEDS("iface_id", JSON_STRING) TAKES("rx_rate_limiter", JSON_OBJECT)
		 TAKES("tx_rate_limiter", JSON_OBJECT)), api_patch_net },
	{ "DELETE", "/network-interfaces/", API_AFTER_START, NULL, NULL, NULL, api_no_pci },
	{ "PUT", "/pmem/", API_PLUG, "id", "Pmem config error",
	  FIELDS(NEEDS("id", JSON_STRING) NEEDS("path_on_host", JSON_STRING)
		 TAKES("root_device", JSON_BOOL) TAKES("read_only", JSON_BOOL)
		 TAKES("rate_limiter", JSON_OBJECT)), api_no_pmem },
	{ "PATCH", "/pmem/", API_AFTER_START, "id", NULL,
	  FIELDS(NEEDS("id", JSON_STRING) TAKES("rate_limiter", JSON_OBJECT)), api_no_pmem },
	{ "DELETE", "/pmem/", API_AFTER_START, NULL, NULL, NULL, api_no_pci },
	{ "GET", "/hotplug/memory", API_AFTER_START, NULL, NULL, NULL, api_no_memory_hotplug },
	{ "PUT", "/hotplug/memory", API_BEFORE_START, NULL, "Memory hotplug config error",
	  FIELDS(NEEDS("total_size_mib", JSON_NUMBER) TAKES("slot_size_mib", JSON_NUMBER)
		 TAKES("block_size_mib", JSON_NUMBER)), api_no_memory_hotplug },
	{ "PATCH", "/hotplug/memory", API_AFTER_START, NULL, "Memory hotplug update error",
	  FIELDS(NEEDS("requested_size_mib", JSON_NUMBER)), api_no_memory_hotplug },
	{ "PUT", "/cpu-config", API_SETTING, NULL, NULL,
	  FIELDS(TAKES("kvm_capabilities", JSON_ARRAY) TAKES("cpuid_modifiers", JSON_ARRAY)
		 TAKES("msr_modifiers", JSON_ARRAY)), api_no_cpu_config },
	{ "PUT", "/entropy", API_BEFORE_START, NULL, "Entropy config error",
	  FIELDS(TAKES("rate_limiter", JSON_OBJECT)), api_put_entropy },
	{ "PUT", "/balloon", API_BEFORE_START, NULL, "Balloon config error",
	  FIELDS(NEEDS("amount_mib", JSON_NUMBER) NEEDS("deflate_on_oom", JSON_BOOL)
		 TAKES("stats_polling_interval_s", JSON_NUMBER)
		 TAKES("free_page_hinting", JSON_BOOL) TAKES("free_page_reporting", JSON_BOOL)),
	  api_put_balloon },
	{ "GET", "/balloon", API_ANY, NULL, "Balloon config error", NULL, api_get_balloon },
	{ "PATCH", "/balloon", API_AFTER_START, NULL, "Balloon update error",
	  FIELDS(NEEDS("amount_mib", JSON_NUMBER)), api_patch_balloon },
	{ "GET", "/balloon/statistics", API_AFTER_START, NULL, "Balloon update error", NULL,
	  api_get_balloon_stats },
	{ "PATCH", "/balloon/statistics", API_AFTER_START, NULL, "Balloon update error",
	  FIELDS(NEEDS("stats_polling_interval_s", JSON_NUMBER)), api_patch_balloon_stats },
	{ "PATCH", "/balloon/hinting/start", API_AFTER_START_BARE, NULL, "Balloon update error",
	  FIELDS(TAKES("acknowledge_on_stop", JSON_BOOL)), api_start_hinting },
	{ "PATCH", "/balloon/hinting/stop", API_AFTER_START_BARE, NULL, "Balloon update error",
	  FIELDS(TAKES("acknowledge_on_stop", JSON_BOOL)), api_stop_hinting },
	{ "GET", "/balloon/hinting/status", API_AFTER_START, NULL, "Balloon update error", NULL,
	  api_get_hinting },
	{ "GET", "/mmds", API_ANY, NULL, NULL, NULL, api_get_mmds },
	{ "PUT", "/mmds", API_ANY, NULL, NULL, api_any_body, api_put_mmds },
	{ "PATCH", "/mmds", API_ANY, NULL, NULL, api_any_body, api_patch_mmds },
	{ "PUT", "/mmds/config", API_BEFORE_START, NULL, "MMMDS config error",
	  FIELDS(NEEDS("network_interfaces", JSON_ARRAY) TAKES("version", JSON_STRING)
		 TAKES("ipv4_address", JSON_STRING) TAKES("imds_compat", JSON_BOOL)),
	  api_put_mmds_config },
	{ "PUT", "/vsock", API_BEFORE_START, NULL, "Vsock config error",
	  FIELDS(NEEDS("guest_cid", JSON_NUMBER) NEEDS("uds_path", JSON_STRING)
		 TAKES("vsock_id", JSON_STRING)), api_put_vsock },
	{ "PUT", "/serial", API_SETTING, NULL, "Serial config error",
	  FIELDS(TAKES("serial_out_path", JSON_STRING) TAKES("rate_limiter", JSON_OBJECT)),
	  api_put_serial },
	{ "PUT", "/logger", API_SETTING, NULL, "Logger error",
	  FIELDS(TAKES("log_path", JSON_STRING) TAKES("level", JSON_STRING)
		 TAKES("show_level", JSON_BOOL) TAKES("show_log_origin", JSON_BOOL)
		 TAKES("module", JSON_STRING)), api_put_logger },
	{ "PUT", "/metrics", API_SETTING, NULL, "Metrics error",
	  FIELDS(NEEDS("metrics_path", JSON_STRING) TAKES("emit_id", JSON_BOOL)
		 TAKES("properties", JSON_OBJECT)), api_put_metrics },
	{ "PATCH", "/vm", API_AFTER_START, NULL, NULL,
	  FIELDS(NEEDS("state", JSON_STRING)), api_patch_vm },
	{ "PUT", "/snapshot/create", API_AFTER_START, NULL, "Create snapshot error",
	  FIELDS(NEEDS("snapshot_path", JSON_STRING) NEEDS("mem_file_path", JSON_STRING)
		 TAKES("snapshot_type", JSON_STRING)), api_create_snapshot },
	{ "PUT", "/snapshot/load", API_SETTING, NULL, "Load snapshot error",
	  FIELDS(NEEDS("snapshot_path", JSON_STRING) TAKES("mem_file_path", JSON_STRING)
		 TAKES("mem_backend", JSON_OBJECT) TAKES("enable_diff_snapshots", JSON_BOOL)
		 TAKES("track_dirty_pages", JSON_BOOL) TAKES("resume_vm", JSON_BOOL)
		 TAKES("network_overrides", JSON_ARRAY) TAKES("vsock_override", JSON_OBJECT)
		 TAKES("clock_realtime", JSON_BOOL) TAKES("huge_pages", JSON_STRING)),
	  api_load_snapshot },
	{ "GET", "/vm/config", API_ANY, NULL, NULL, NULL, api_get_vm_config },
};
/* clang-format on */

const size_t api_n_routes = ARRAY_LEN(api_routes);
_Static_assert(ARRAY_LEN(api_routes) <= API_ROUTES_MAX, "a route without its counters");
