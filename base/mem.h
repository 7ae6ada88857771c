/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation, ownership and cleanup idioms.
 *
 * Small allocations abort when memory is out: state is crash-safe and pods outlive the server,
 * so an abort loses nothing.  Sizes that a peer chooses are bounded by the caller first.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_LEN(a)			(sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b)			((a) < (b) ? (a) : (b))
#define MAX(a, b)			((a) > (b) ? (a) : (b))

/* Allocators that abort instead of returning NULL. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
void *xrealloc(void *ptr, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t len) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *ptr, size_t len) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...)
	__attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/* xnew() - a zeroed object of type @t. */
#define xnew(t) ((t *)xcalloc(1, sizeof(t)))

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* Locals that free or close themselves; hand them on with steal_ptr() and steal_fd(). */
#define cleanup_free  __attribute__((__cleanup__(cleanup_free_fn)))
#define cleanup_close __attribute__((__cleanup__(cleanup_close_fn)))
#define cleanup(fn)   __attribute__((__cleanup__(fn)))

#define steal_ptr(p)                     \
	({                               \
		typeof(p) stolen_ = (p); \
		(p) = NULL;              \
		stolen_;                 \
	})

static inline int steal_fd(int *fd)
{
	int f = *fd;

	*fd = -1;
	return f;
}

/* close_fd() - close @fd if it is open and mark it closed. */
static inline void close_fd(int *fd)
{
	cleanup_close_fn(fd);
	*fd = -1;
}

#endif
