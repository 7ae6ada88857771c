/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the unpacker gives up before it reads a byte.
 */
#ifndef IMAGE_UNPACK_CONFINE_H
#define IMAGE_UNPACK_CONFINE_H

#include "base/error.h"

/*
 * confine() - leave this process in @dir as its root, with six capabilities and the system calls
 * of unpacking.  Everything that libraries load lazily must have been loaded.  One thread.
 */
int confine(const char *dir, struct error *err);

#endif
