/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory in files: snapshots of it, whole or what has changed.
 *
 * A file has the regions behind each other, each page in its place; pages of zeros are holes.
 */
#ifndef MICROVM_KVM_MEMORY_FILE_H
#define MICROVM_KVM_MEMORY_FILE_H

#include "runtimes/microvm/kvm/vm.h"

/*
 * guest_memory_dump() - all of it into @fd, an empty file, which gets its whole size.
 * Preconditions: nobody writes to the memory.  Return: 0 or -errno.
 */
int guest_memory_dump(const struct guest_memory *m, int fd, struct error *err);

/*
 * guest_memory_dump_changed() - into @fd, of that size or empty, the pages that guest and devices
 * wrote since the last call of memory_changes_reset(); where @vm does not track that, all that
 * may have been touched at all.
 */
int guest_memory_dump_changed(const struct guest_memory *m, const struct vm *vm, int fd,
			      struct error *err);

/* memory_changes_reset() - from now on pages count as unchanged, where @vm tracks that. */
int memory_changes_reset(const struct guest_memory *m, const struct vm *vm, struct error *err);

/*
 * guest_memory_map() - memory of @bytes that is @fd's, privately: pages are read when they are
 * touched, and the file is not changed.  It must be of that size and stay as it is.
 */
int guest_memory_map(struct guest_memory *m, uint64_t bytes, int fd, struct error *err);

/* guest_memory_is_file() - whether @fd is the file that guest_memory_map() took. */
bool guest_memory_is_file(const struct guest_memory *m, int fd);

#endif
