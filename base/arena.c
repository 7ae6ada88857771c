/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena.
 *
 *   blocks -> [header|used.....|free   ] -> [header|used......] -> NULL
 *
 * The newest block is filled from its start; a request that does not fit gets a new block, a
 * large one a block of its own behind the newest, so that small ones go on filling it.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_BYTES 4000 /* with malloc's header still under a page */

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

static struct arena_block *new_block(size_t size)
{
	struct arena_block *b = xmalloc(sizeof(*b) + size);

	*b = (struct arena_block){ .size = size };
	return b;
}

/* Room of @size bytes; @size is a multiple of the alignment. */
static void *take(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	void *p;

	if (!b || b->size - b->used < size) {
		bool alone = b && size > BLOCK_BYTES / 4;
		struct arena_block *fresh = new_block(alone ? size : MAX(size, BLOCK_BYTES));

		if (alone) {
			fresh->next = b->next;
			b->next = fresh;
		} else {
			fresh->next = b;
			a->blocks = fresh;
		}
		b = fresh;
	}
	p = b->data + b->used;
	b->used += size;
	a->used_bytes += size;
	return memset(p, 0, size);
}

static size_t rounded(size_t size)
{
	size_t align = alignof(max_align_t);

	if (size > SIZE_MAX / 2)
		abort();
	return (MAX(size, 1) + align - 1) / align * align;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return take(a, rounded(size));
}

void *arena_try_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	size = rounded(size);
	if (a->limit_bytes && (size > a->limit_bytes || a->used_bytes > a->limit_bytes - size))
		return NULL;
	return take(a, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	memcpy(p, s, len);
	return p;
}

void *arena_memdup(struct arena *a, const void *data, size_t len)
{
	void *p = arena_alloc(a, len);

	if (len)
		memcpy(p, data, len);
	return p;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	p = arena_alloc(a, (size_t)MAX(n, 0) + 1);
	va_start(ap, format);
	vsnprintf(p, (size_t)MAX(n, 0) + 1, format, ap);
	va_end(ap);
	return p;
}

void arena_finish(struct arena *a)
{
	struct arena_block *b = a->blocks;

	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
	a->blocks = NULL;
	a->used_bytes = 0;
}
