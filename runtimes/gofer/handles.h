/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: the numbers by which a kernel names files.
 *
 * A handle is an O_PATH descriptor and the tree it was reached from.  The first GOFER_TREES_MAX
 * numbers are roots of trees and are never closed.  Safe for several threads.
 */
#ifndef RUNTIMES_GOFER_HANDLES_H
#define RUNTIMES_GOFER_HANDLES_H

#include <stdbool.h>
#include <stdint.h>

/* A handle in use: the descriptor is the user's own until handle_put(). */
struct handle {
	int fd;
	uint32_t tree;
	bool read_only;
	uint32_t number;
};

/* handles_add_tree() - @fd (taken over) is the root of the next tree. Return: number or -errno. */
int handles_add_tree(int fd, bool read_only);
/* handle_use() - Return: 0 with *ret filled, or -EBADF. */
int handle_use(uint32_t number, struct handle *ret);
void handle_put(struct handle *h);
/* handles_add() - @fd (taken over, also on failure) reached from @from. Return: 0 or -ENFILE. */
int handles_add(int fd, const struct handle *from, uint32_t *ret);
/* handles_close() - unknown numbers and roots are left alone. */
void handles_close(uint32_t number);
/* handles_count() - roots included. */
uint32_t handles_count(void);

#endif
