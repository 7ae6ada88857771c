/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics file.
 */
#ifndef MICROVM_API_METRICS_H
#define MICROVM_API_METRICS_H

#include "runtimes/microvm/api/api.h"

/* api_flush_metrics() - one line of JSON to the metrics file, if there is one. */
void api_flush_metrics(struct api *api);

/* api_note_latency() - @what began at @start_ns of the monotonic clock and is done. */
void api_note_latency(struct api *api, enum api_latency what, int64_t start_ns);

/*
 * api_note_startup() - the API is ready now; the process was started at @start_us of the monotonic
 * clock and at @start_cpu_us of its own CPU time, by one that spent @parent_cpu_us on it.  0: not
 * told.
 */
void api_note_startup(struct api *api, uint64_t start_us, uint64_t start_cpu_us,
		      uint64_t parent_cpu_us);

#endif
