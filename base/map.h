/* SPDX-License-Identifier: Apache-2.0 */
/*
 * String-keyed hash map.
 *
 * Not locked.  Iteration order is insertion order as long as nothing is removed.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

struct map_entry {
	char *key;   /* owned copy; NULL: free slot */
	void *value; /* not owned */
};

struct map {
	struct map_entry *entries; /* dense, in insertion order */
	size_t count;		   /* live ones */
	size_t used, cap;	   /* of entries, holes included */
	unsigned int *index;	   /* hash slots: entry number + 1 */
	size_t slots;
	unsigned int seed;
};

void map_finish(struct map *m);
/* map_get() - value of @key, or NULL. */
void *map_get(const struct map *m, const char *key);
/* map_put() - set @key; Return: the value it had, or NULL. */
void *map_put(struct map *m, const char *key, void *value);
/* map_remove() - Return: the value that was removed, or NULL. */
void *map_remove(struct map *m, const char *key);

/*
 * map_find_prefix() - the only value whose key begins with @prefix.
 * Return: the value, or NULL; *ret_ambiguous tells several from none.
 */
void *map_find_prefix(const struct map *m, const char *prefix, bool *ret_ambiguous);

/* for (size_t i = 0; (e = map_at(m, &i)); ) - next live entry at or after *i, then *i moves on. */
struct map_entry *map_at(const struct map *m, size_t *i);

#endif
