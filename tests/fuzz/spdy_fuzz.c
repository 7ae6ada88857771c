/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes SPDY frames from a client, cut into pieces as a socket would.
 *
 * The first byte of the input is the length of the pieces.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "cri/stream/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Streams whose id has bit 1 set are refused; some of the others want no data. */
static bool opened(void *data, struct mux_stream *s)
{
	(void)data;
	s->discard = s->kind == MUX_ERROR;
	return !(s->id & 2);
}

/* What a session does with whatever has come. */
static void answer(struct mux *m)
{
	for (size_t i = 0; i < m->n_streams; i++) {
		struct mux_stream *s = m->streams[i];

		mux_send(m, s, s->in.data, s->in.len);
		strbuf_reset(&s->in);
		if (s->in_fin)
			mux_send_end(m, s);
		if (s->reset) {
			mux_drop(m, s);
			break;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece = size ? 1 + data[0] : 1;
	struct mux m;
	int rc = 0;

	if (size == 0 || mux_init(&m, -1, NULL) < 0)
		return 0;
	m.opened = opened;
	m.max_streams = 16;
	m.max_stream_bytes = 1 << 16;
	for (size_t at = 1; at < size && rc == 0; at += piece) {
		rc = mux_feed(&m, data + at, MIN(piece, size - at), NULL);
		answer(&m);
		(void)mux_events(&m);
		if (m.n_streams > m.max_streams)
			abort();
	}
	mux_finish(&m);
	return 0;
}
