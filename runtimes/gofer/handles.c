/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of handles.
 *
 * A slot has a count of users, so that a handle which one thread closes while another works with
 * it goes when that one is done: its descriptor's number is never another file's meanwhile.
 */
#include "runtimes/gofer/handles.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "runtimes/gofer/protocol.h"

struct slot {
	int fd; /* -1: free */
	uint32_t users;
	uint32_t next_free;
	uint16_t tree;
	bool closing;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static uint32_t n_slots, cap_slots, first_free, n_used;
static bool tree_read_only[GOFER_TREES_MAX];
static int tree_fd[GOFER_TREES_MAX];
static uint32_t n_trees;

int handles_add_tree(int fd, bool read_only)
{
	int rc = -ENFILE;

	pthread_mutex_lock(&lock);
	if (n_trees < GOFER_TREES_MAX) {
		tree_fd[n_trees] = fd;
		tree_read_only[n_trees] = read_only;
		rc = (int)n_trees++;
	}
	pthread_mutex_unlock(&lock);
	if (rc < 0)
		close(fd);
	return rc;
}

static int use_slot(uint32_t index, struct handle *ret)
{
	struct slot *s = index < n_slots ? &slots[index] : NULL;

	if (!s || s->fd < 0 || s->closing)
		return -EBADF;
	s->users++;
	ret->fd = s->fd;
	ret->tree = s->tree;
	return 0;
}

int handle_use(uint32_t number, struct handle *ret)
{
	int rc = 0;

	ret->number = number;
	pthread_mutex_lock(&lock);
	if (number >= GOFER_TREES_MAX) {
		rc = use_slot(number - GOFER_TREES_MAX, ret);
	} else if (number < n_trees) {
		ret->fd = tree_fd[number];
		ret->tree = number;
	} else {
		rc = -EBADF;
	}
	if (rc == 0)
		ret->read_only = tree_read_only[ret->tree];
	pthread_mutex_unlock(&lock);
	return rc;
}

/* Preconditions: lock held, nobody uses it. */
static void free_slot(uint32_t index)
{
	close(slots[index].fd);
	slots[index].fd = -1;
	slots[index].closing = false;
	slots[index].next_free = first_free;
	first_free = index + 1;
	n_used--;
}

void handle_put(struct handle *h)
{
	uint32_t index = h->number - GOFER_TREES_MAX;

	if (h->number < GOFER_TREES_MAX)
		return;
	pthread_mutex_lock(&lock);
	if (--slots[index].users == 0 && slots[index].closing)
		free_slot(index);
	pthread_mutex_unlock(&lock);
}

/* Preconditions: lock held. Return: index, or UINT32_MAX: the table is full. */
static uint32_t take_slot(void)
{
	uint32_t index;

	if (first_free) {
		index = first_free - 1;
		first_free = slots[index].next_free;
		return index;
	}
	if (n_slots == GOFER_HANDLES_MAX)
		return UINT32_MAX;
	if (n_slots == cap_slots) {
		cap_slots = cap_slots ? cap_slots * 2 : 64;
		slots = xrealloc(slots, cap_slots, sizeof(*slots));
	}
	return n_slots++;
}

int handles_add(int fd, const struct handle *from, uint32_t *ret)
{
	uint32_t index;

	pthread_mutex_lock(&lock);
	index = take_slot();
	if (index != UINT32_MAX) {
		slots[index] = (struct slot){ .fd = fd, .tree = (uint16_t)from->tree };
		*ret = index + GOFER_TREES_MAX;
		n_used++;
	}
	pthread_mutex_unlock(&lock);
	if (index != UINT32_MAX)
		return 0;
	close(fd);
	return -ENFILE;
}

void handles_close(uint32_t number)
{
	uint32_t index = number - GOFER_TREES_MAX;

	if (number < GOFER_TREES_MAX)
		return;
	pthread_mutex_lock(&lock);
	if (index < n_slots && slots[index].fd >= 0 && !slots[index].closing) {
		if (slots[index].users == 0)
			free_slot(index);
		else
			slots[index].closing = true;
	}
	pthread_mutex_unlock(&lock);
}

uint32_t handles_count(void)
{
	uint32_t n;

	pthread_mutex_lock(&lock);
	n = n_trees + n_used;
	pthread_mutex_unlock(&lock);
	return n;
}
