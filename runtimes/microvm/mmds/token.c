/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session tokens of the metadata service.
 *
 *   token = base64(time of its end, random number, seal of both)
 *
 * Nothing is kept: the seal is SipHash-2-4 (Aumasson, Bernstein) under a secret of this process,
 * twice over for 128 bits.  Who could guess one is the guest that may ask for one.
 */
#include <sys/random.h>

#include "base/mem.h"
#include "runtimes/microvm/mmds/store.h"

#define NS_S	  INT64_C(1000000000)
#define TOKEN_MAX 70 /* characters */

struct token {
	uint64_t end_ns, number, seal[2];
};

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* siphash() - of @n words. */
static uint64_t siphash(const uint64_t key[2], const uint64_t *words, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)n * sizeof(*words) << 56;

	for (size_t i = 0; i <= n; i++) {
		uint64_t word = i < n ? words[i] : last;

		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void seal(struct mmds_store *s, const struct token *t, uint64_t ret[2])
{
	while (!s->secret[0] || !s->secret[1])
		if (getrandom(s->secret, sizeof(s->secret), 0) != sizeof(s->secret))
			abort(); /* a Linux without random numbers */
	for (uint64_t i = 0; i < 2; i++)
		ret[i] = siphash(s->secret, (uint64_t[]){ t->end_ns, t->number, i }, 3);
}

char *mmds_token_make(struct mmds_store *s, uint32_t seconds, int64_t now_ns)
{
	struct token t = { .end_ns = (uint64_t)(now_ns + seconds * NS_S) };

	if (getrandom(&t.number, sizeof(t.number), 0) != sizeof(t.number))
		abort();
	seal(s, &t, t.seal);
	return str_base64_encode(&t, sizeof(t));
}

bool mmds_token_good(struct mmds_store *s, const char *token, int64_t now_ns)
{
	struct strbuf bytes cleanup_strbuf = { 0 };
	uint64_t want[2];
	struct token t;

	if (strlen(token) > TOKEN_MAX || str_base64_decode(token, strlen(token), &bytes) ||
	    bytes.len != sizeof(t))
		return false;
	memcpy(&t, bytes.data, sizeof(t));
	seal(s, &t, want);
	if ((want[0] ^ t.seal[0]) | (want[1] ^ t.seal[1]))
		return false;
	return t.end_ns > (uint64_t)now_ns;
}
