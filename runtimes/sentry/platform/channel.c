/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: memory shared with one host process.
 *
 * A channel is a sealed memfd, sparse: only slots in use have pages.  Nobody can shrink it under
 * the sentry, and its descriptor is closed on both sides once both have mapped it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/platform/internal.h"

#define POOL_SIZE 4

static struct {
	pthread_mutex_t lock;
	struct list ready;
	int n;
} pool = { PTHREAD_MUTEX_INITIALIZER, { &pool.ready, &pool.ready }, 0 };

static int make_memory(char **ret_base)
{
	cleanup_close int fd = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base;

	if (fd < 0 || ftruncate(fd, (off_t)CHANNEL_BYTES) < 0)
		return -1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -1;
	base = mmap(NULL, CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (base == MAP_FAILED)
		return -1;
	*(volatile char *)base = 0; /* the first slot is all that most use: its page is there */
	*ret_base = base;
	return steal_fd(&fd);
}

static struct channel *make(void)
{
	struct channel *c = xnew(struct channel);

	c->refs = 1;
	pthread_mutex_init(&c->lock, NULL);
	c->fd = make_memory(&c->base);
	if (c->fd < 0) {
		free(c);
		return NULL;
	}
	return c;
}

struct channel *channel_create(void)
{
	struct channel *c = NULL;

	pthread_mutex_lock(&pool.lock);
	if (!list_empty(&pool.ready)) {
		c = list_first(&pool.ready, struct channel, in_pool);
		list_remove(&c->in_pool);
		pool.n--;
	}
	pthread_mutex_unlock(&pool.lock);
	return c ? c : make();
}

void channel_fill_pool(void)
{
	for (;;) {
		struct channel *c;

		pthread_mutex_lock(&pool.lock);
		c = pool.n < POOL_SIZE ? make() : NULL;
		if (c) {
			list_add(&pool.ready, &c->in_pool);
			pool.n++;
		}
		pthread_mutex_unlock(&pool.lock);
		if (!c)
			return;
	}
}

struct channel *channel_get(struct channel *c)
{
	__atomic_fetch_add(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void channel_put(struct channel *c)
{
	if (__atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL))
		return;
	munmap(c->base, CHANNEL_BYTES);
	close_fd(&c->fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct channel_control *channel_control_of(struct channel *c, uint32_t slot)
{
	return (struct channel_control *)(c->base + (size_t)slot * CHANNEL_SLOT_BYTES);
}

struct channel_process *channel_process_of(struct channel *c, uint32_t slot)
{
	return (struct channel_process *)((char *)channel_control_of(c, slot) +
					  CHANNEL_CONTROL_BYTES);
}

static bool bit_get(const uint64_t *bits, uint32_t n)
{
	return bits[n / 64] >> n % 64 & 1;
}

static void bit_put(uint64_t *bits, uint32_t n, bool value)
{
	bits[n / 64] = (bits[n / 64] & ~(1ull << n % 64)) | (uint64_t)value << n % 64;
}

/* Preconditions: holds c->lock. */
static bool is_free(struct channel *c, uint32_t slot)
{
	if (!bit_get(c->used, slot))
		return true;
	if (!bit_get(c->leaving, slot))
		return false;
	return __atomic_load_n(&channel_control_of(c, slot)->exited, __ATOMIC_ACQUIRE) == 1;
}

int channel_slot_take(struct channel *c, int wanted)
{
	uint32_t first = wanted < 0 ? 0 : (uint32_t)wanted;
	int found = -1;

	pthread_mutex_lock(&c->lock);
	for (uint32_t i = first; i < CHANNEL_SLOTS && found < 0; i++) {
		if (!is_free(c, i))
			continue;
		/* pages of slots that were never used are zero as they come */
		if (bit_get(c->used, i))
			memset(channel_control_of(c, i), 0, sizeof(struct channel_control));
		bit_put(c->used, i, true);
		bit_put(c->leaving, i, false);
		found = (int)i;
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

void channel_slot_leave(struct channel *c, uint32_t slot, bool at_once)
{
	pthread_mutex_lock(&c->lock);
	bit_put(c->leaving, slot, true);
	if (at_once)
		__atomic_store_n(&channel_control_of(c, slot)->exited, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&c->lock);
}
