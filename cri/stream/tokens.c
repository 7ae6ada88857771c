/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-use tokens: what a URL stands for until its client comes.
 *
 * A table with a slot a token; both operations walk it, which for a thousand slots costs less
 * than the system call that brought the request.
 */
#include "cri/stream/tokens.h"

#include <sys/random.h>

#include "base/mem.h"
#include "base/str.h"

struct token_slot {
	char text[TOKENS_CHARS + 1];
	enum stream_kind kind;
	struct stream_request *request; /* NULL: free slot */
	int64_t end_ns;			/* monotonic */
};

static void slot_clear(struct token_slot *s)
{
	tokens_request_free(s->request);
	*s = (struct token_slot){ 0 };
}

void tokens_finish(struct tokens *t)
{
	for (size_t i = 0; t->slots && i < TOKENS_MAX; i++)
		slot_clear(&t->slots[i]);
	free(t->slots);
	t->slots = NULL;
}

void tokens_request_free(struct stream_request *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->argv && r->argv[i]; i++)
		free(r->argv[i]);
	free(r->argv);
	free(r->container_id);
	free(r->sandbox_id);
	free(r->ports);
	free(r);
}

static char **copy_argv(char *const *argv)
{
	size_t n = 0;
	char **copy;

	while (argv[n])
		n++;
	copy = xcalloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(argv[i]);
	return copy;
}

static struct stream_request *request_copy(const struct stream_request *r)
{
	struct stream_request *copy = xmemdup(r, sizeof(*r));

	copy->container_id = r->container_id ? xstrdup(r->container_id) : NULL;
	copy->sandbox_id = r->sandbox_id ? xstrdup(r->sandbox_id) : NULL;
	copy->argv = r->argv ? copy_argv(r->argv) : NULL;
	copy->ports = r->n_ports ? xmemdup(r->ports, r->n_ports * sizeof(*r->ports)) : NULL;
	return copy;
}

/* 48 random bits in the URL-safe alphabet of base64. */
static int make_text(char text[TOKENS_CHARS + 1], struct error *err)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned char random[TOKENS_CHARS];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return error_set(err, EIO, "no random bytes for a streaming token");
	for (size_t i = 0; i < TOKENS_CHARS; i++)
		text[i] = alphabet[random[i] & 63];
	text[TOKENS_CHARS] = '\0';
	return 0;
}

static struct token_slot *find_free(struct tokens *t, int64_t now_ns)
{
	struct token_slot *found = NULL;

	for (size_t i = 0; i < TOKENS_MAX; i++) {
		struct token_slot *s = &t->slots[i];

		if (s->request && s->end_ns <= now_ns)
			slot_clear(s);
		if (!s->request && !found)
			found = s;
	}
	return found;
}

int tokens_put(struct tokens *t, enum stream_kind kind, const struct stream_request *r,
	       int64_t now_ns, char ret[TOKENS_CHARS + 1], struct error *err)
{
	char text[TOKENS_CHARS + 1];
	struct token_slot *s;
	int rc;

	if (!t->slots)
		t->slots = xcalloc(TOKENS_MAX, sizeof(*t->slots));
	s = find_free(t, now_ns);
	if (!s)
		return error_set(err, EDQUOT,
				 "%d streaming URLs wait for their clients already; try again in a "
				 "minute",
				 TOKENS_MAX);
	rc = make_text(text, err);
	if (rc < 0)
		return rc;
	*s = (struct token_slot){
		.kind = kind,
		.request = request_copy(r),
		.end_ns = now_ns + TOKENS_LIFE_NS,
	};
	memcpy(s->text, text, sizeof(text));
	memcpy(ret, text, sizeof(text));
	return 0;
}

struct stream_request *tokens_take(struct tokens *t, enum stream_kind kind, const char *token,
				   int64_t now_ns)
{
	for (size_t i = 0; t->slots && i < TOKENS_MAX; i++) {
		struct token_slot *s = &t->slots[i];
		struct stream_request *r = NULL;

		if (!s->request || s->kind != kind || !str_eq(s->text, token))
			continue;
		if (s->end_ns > now_ns)
			r = steal_ptr(s->request);
		slot_clear(s);
		return r;
	}
	return NULL;
}
