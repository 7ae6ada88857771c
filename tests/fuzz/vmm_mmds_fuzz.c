/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzer: a hostile guest's frames to the metadata service.
 *
 * The input is frames with their lengths before them; what is answered is read, with a clock that
 * jumps.  Sequence numbers of the service are put into acknowledgements, or nothing would ever get
 * through.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimes/microvm/mmds/tcp.h"

#define OURS 0xa9fea9fe

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct mmds_store store;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "{\"a\":\"b\",\"c\":{\"d\":[1,2]}}";
	struct arena a = { 0 };
	struct json *j;

	(void)argc;
	(void)argv;
	if (json_parse(&a, text, sizeof(text) - 1, 0, &j, NULL) ||
	    mmds_store_put(&store, j, 1000, NULL))
		abort();
	arena_finish(&a);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t out[65536];
	struct mmds_net *n = malloc(sizeof(*n));
	uint32_t acknowledged = 0;
	int64_t now_ns = 1;
	size_t got;

	mmds_net_init(n, &store, OURS);
	store.version = len & 1 ? MMDS_V2 : MMDS_V1;
	while (len > 2) {
		size_t bytes = MIN((size_t)data[0] * 4, len - 2);
		uint8_t *frame = malloc(bytes + 1);

		memcpy(frame, data + 2, bytes);
		if (bytes >= 46 && (data[1] & 1))
			put32(frame + 42, acknowledged);
		mmds_net_input(n, frame, bytes, now_ns);
		now_ns += (int64_t)(data[1] >> 1) << 29;
		for (int i = 0; i < 8 && (got = mmds_net_output(n, out, sizeof(out), now_ns)); i++)
			if (got >= 54)
				acknowledged =
					get32(out + 38) + (uint32_t)got - 54 + !!(out[47] & 3);
		free(frame);
		data += bytes + 2;
		len -= bytes + 2;
	}
	mmds_net_waits(n);
	mmds_net_finish(n);
	free(n);
	return 0;
}
