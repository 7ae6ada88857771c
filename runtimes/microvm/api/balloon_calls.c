/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the balloon.
 */
#include "base/mem.h"
#include "runtimes/microvm/api/api.h"

int api_put_balloon(struct api *api, const struct api_call *call, struct error *err)
{
	struct machine_config *c = &api->machine->config;
	int64_t amount = json_get_int(call->body, "amount_mib", -1);
	int64_t interval = json_get_int(call->body, "stats_polling_interval_s", 0);

	if (amount < 0 || interval < 0 || interval > UINT16_MAX)
		return error_set(err, EINVAL,
				 "invalid value: amount_mib and stats_polling_interval_s are "
				 "numbers from 0 on");
	if ((uint64_t)amount > c->memory_mib)
		return error_set(err, ERANGE, "Amount of pages requested is too large.");
	c->balloon = (struct balloon_backend){
		.amount_mib = (uint32_t)amount,
		.deflate_on_oom = json_get_bool(call->body, "deflate_on_oom", false),
		.stats_interval_s = (uint16_t)interval,
		.hinting = json_get_bool(call->body, "free_page_hinting", false),
		.reporting = json_get_bool(call->body, "free_page_reporting", false),
	};
	c->has_balloon = true;
	return 0;
}

static int need_balloon(const struct api *api, struct error *err)
{
	return api->machine->config.has_balloon
		       ? 0
		       : error_set(err, ENODEV, "No balloon device found.");
}

void api_write_balloon(struct json_writer *w, const struct balloon_backend *b)
{
	json_begin_object(w);
	json_put_u64(w, "amount_mib", b->amount_mib);
	json_put_bool(w, "deflate_on_oom", b->deflate_on_oom);
	json_put_u64(w, "stats_polling_interval_s", b->stats_interval_s);
	json_put_bool(w, "free_page_hinting", b->hinting);
	json_put_bool(w, "free_page_reporting", b->reporting);
	json_end_object(w);
}

int api_get_balloon(struct api *api, const struct api_call *call, struct error *err)
{
	int r = need_balloon(api, err);

	if (!r)
		api_write_balloon(call->out, &api->machine->config.balloon);
	return r;
}

int api_patch_balloon(struct api *api, const struct api_call *call, struct error *err)
{
	int64_t amount = json_get_int(call->body, "amount_mib", -1);
	int r = need_balloon(api, err);

	if (r)
		return r;
	if (amount < 0 || amount > UINT32_MAX)
		return error_set(err, EINVAL, "invalid value of field `amount_mib`, expected u32");
	r = balloon_resize(api->machine->balloon, (uint32_t)amount, err);
	if (r)
		return error_wrap(err, "Balloon");
	api->machine->config.balloon.amount_mib = (uint32_t)amount;
	return 0;
}

int api_patch_balloon_stats(struct api *api, const struct api_call *call, struct error *err)
{
	int64_t interval = json_get_int(call->body, "stats_polling_interval_s", -1);
	int r = need_balloon(api, err);

	if (r)
		return r;
	if (interval < 0 || interval > UINT16_MAX)
		return error_set(err, EINVAL,
				 "invalid value of field `stats_polling_interval_s`, expected u16");
	r = balloon_set_interval(api->machine->balloon, (uint16_t)interval, err);
	if (r)
		return error_wrap(err, "Balloon");
	api->machine->config.balloon.stats_interval_s = (uint16_t)interval;
	return 0;
}

int api_get_balloon_stats(struct api *api, const struct api_call *call, struct error *err)
{
	static const char *const names[BALLOON_STATS] = {
		"swap_in",	    "swap_out",	   "major_faults",
		"minor_faults",	    "free_memory", "total_memory",
		"available_memory", "disk_caches", "hugetlb_allocations",
		"hugetlb_failures", "oom_kill",	   "alloc_stall",
		"async_scan",	    "direct_scan", "async_reclaim",
		"direct_reclaim",
	};
	struct json_writer *w = call->out;
	struct balloon_stats s;
	int r = need_balloon(api, err);

	if (r)
		return r;
	r = balloon_get_stats(api->machine->balloon, &s, err);
	if (r)
		return error_wrap(err, "Balloon");
	json_begin_object(w);
	json_put_u64(w, "target_pages", s.target_pages);
	json_put_u64(w, "actual_pages", s.actual_pages);
	json_put_u64(w, "target_mib", s.target_pages / BALLOON_PAGES_PER_MIB);
	json_put_u64(w, "actual_mib", s.actual_pages / BALLOON_PAGES_PER_MIB);
	for (unsigned int i = 0; i < BALLOON_STATS; i++)
		if (s.known & (1U << i))
			json_put_u64(w, names[i], s.values[i]);
	json_end_object(w);
	return 0;
}

int api_start_hinting(struct api *api, const struct api_call *call, struct error *err)
{
	bool acknowledge = json_get_bool(call->body, "acknowledge_on_stop", true);
	int r = need_balloon(api, err);

	if (r)
		return r;
	r = balloon_hint_start(api->machine->balloon, acknowledge, err);
	return r ? error_wrap(err, "Balloon") : 0;
}

int api_stop_hinting(struct api *api, const struct api_call *call, struct error *err)
{
	int r = need_balloon(api, err);

	(void)call;
	if (r)
		return r;
	r = balloon_hint_stop(api->machine->balloon, err);
	return r ? error_wrap(err, "Balloon") : 0;
}

int api_get_hinting(struct api *api, const struct api_call *call, struct error *err)
{
	struct json_writer *w = call->out;
	struct balloon_hinting h;
	int r = need_balloon(api, err);

	if (r)
		return r;
	r = balloon_hint_status(api->machine->balloon, &h, err);
	if (r)
		return error_wrap(err, "Balloon");
	json_begin_object(w);
	json_put_u64(w, "host_cmd", h.host_command);
	json_key(w, "guest_cmd");
	if (h.heard)
		json_u64(w, h.guest_command);
	else
		json_null(w);
	json_end_object(w);
	return 0;
}
