/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String-keyed hash map: dense entries, and slots that name them.
 *
 *   entries: [a][b][-][d]           (insertion order; a removed one leaves a hole)
 *   index:   [0][2][0][4][1][0]...  (entry number + 1; linear probing)
 *
 * Holes are squeezed out when entries are full; the index is then built anew.
 */
#include "base/map.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define GONE UINT_MAX /* a slot whose entry was removed: probing goes on past it */

static unsigned int hash(const struct map *m, const char *key)
{
	uint64_t h = 14695981039346656037ULL ^ m->seed;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 1099511628211ULL;
	return (unsigned int)(h ^ (h >> 32));
}

/* find_slot() - the slot of @key, or the one where it would be put; slots > 0. */
static size_t find_slot(const struct map *m, const char *key, bool *ret_found)
{
	size_t slot = hash(m, key) & (m->slots - 1);
	size_t free_slot = SIZE_MAX;

	for (;; slot = (slot + 1) & (m->slots - 1)) {
		unsigned int number = m->index[slot];

		if (number == 0) {
			*ret_found = false;
			return free_slot == SIZE_MAX ? slot : free_slot;
		}
		if (number == GONE) {
			if (free_slot == SIZE_MAX)
				free_slot = slot;
		} else if (strcmp(m->entries[number - 1].key, key) == 0) {
			*ret_found = true;
			return slot;
		}
	}
}

/* squeeze() - close holes, make room for one more, index anew. */
static void squeeze(struct map *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->used; i++)
		if (m->entries[i].key)
			m->entries[n++] = m->entries[i];
	m->used = n;
	if (m->cap < 2 * (n + 1)) {
		m->cap = MAX(8, 2 * (n + 1));
		m->entries = xrealloc(m->entries, m->cap, sizeof(*m->entries));
	}
	for (m->slots = 16; m->slots < 2 * m->cap;)
		m->slots *= 2;
	free(m->index);
	m->index = xcalloc(m->slots, sizeof(*m->index));
	for (size_t i = 0; i < n; i++) {
		bool found;

		m->index[find_slot(m, m->entries[i].key, &found)] = (unsigned int)i + 1;
	}
}

void map_finish(struct map *m)
{
	for (size_t i = 0; i < m->used; i++)
		free(m->entries[i].key);
	free(m->entries);
	free(m->index);
	*m = (struct map){ 0 };
}

void *map_get(const struct map *m, const char *key)
{
	bool found;
	size_t slot;

	if (m->slots == 0 || !key)
		return NULL;
	slot = find_slot(m, key, &found);
	return found ? m->entries[m->index[slot] - 1].value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
	struct map_entry *e;
	size_t slot;
	bool found;

	if (m->slots == 0)
		m->seed = (unsigned int)(uintptr_t)m;
	if (m->used == m->cap)
		squeeze(m);
	slot = find_slot(m, key, &found);
	if (found) {
		void *old;

		e = &m->entries[m->index[slot] - 1];
		old = e->value;
		e->value = value;
		return old;
	}
	e = &m->entries[m->used++];
	*e = (struct map_entry){ xstrdup(key), value };
	m->index[slot] = (unsigned int)m->used;
	m->count++;
	return NULL;
}

void *map_remove(struct map *m, const char *key)
{
	struct map_entry *e;
	void *value;
	size_t slot;
	bool found;

	if (m->slots == 0 || !key)
		return NULL;
	slot = find_slot(m, key, &found);
	if (!found)
		return NULL;
	e = &m->entries[m->index[slot] - 1];
	value = e->value;
	free(e->key);
	*e = (struct map_entry){ 0 };
	m->index[slot] = GONE;
	m->count--;
	return value;
}

void *map_find_prefix(const struct map *m, const char *prefix, bool *ret_ambiguous)
{
	void *value = NULL;
	size_t n = 0;

	for (size_t i = 0; i < m->used; i++) {
		if (m->entries[i].key && str_has_prefix(m->entries[i].key, prefix)) {
			value = m->entries[i].value;
			n++;
		}
	}
	*ret_ambiguous = n > 1;
	return n == 1 ? value : NULL;
}

struct map_entry *map_at(const struct map *m, size_t *i)
{
	while (*i < m->used) {
		struct map_entry *e = &m->entries[(*i)++];

		if (e->key)
			return e;
	}
	return NULL;
}
