/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arena: many small allocations freed in one go (a request, a JSON document).
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

/* {0} is an empty arena; limit_bytes 0 means unlimited. */
struct arena {
	struct arena_block *blocks;
	size_t used_bytes;  /* handed out */
	size_t limit_bytes; /* arena_try_alloc() returns NULL beyond it */
};

/* arena_alloc() - zeroed, aligned for any type; aborts when memory is out. */
void *arena_alloc(struct arena *a, size_t size)
	__attribute__((malloc, returns_nonnull, alloc_size(2)));
/* arena_try_alloc() - as arena_alloc(), but NULL beyond a->limit_bytes. */
void *arena_try_alloc(struct arena *a, size_t size) __attribute__((malloc, alloc_size(2)));
char *arena_strdup(struct arena *a, const char *s) __attribute__((malloc, returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t len)
	__attribute__((malloc, returns_nonnull));
void *arena_memdup(struct arena *a, const void *p, size_t len)
	__attribute__((malloc, returns_nonnull));
char *arena_printf(struct arena *a, const char *format, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 2, 3)));
void arena_finish(struct arena *a);
#define cleanup_arena __attribute__((__cleanup__(arena_finish)))

#endif
