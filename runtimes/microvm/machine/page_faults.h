/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory whose pages another process brings when they are touched (userfaultfd).
 */
#ifndef MICROVM_MACHINE_PAGE_FAULTS_H
#define MICROVM_MACHINE_PAGE_FAULTS_H

#include "runtimes/microvm/kvm/memory.h"

/*
 * page_faults_delegate() - connect to @path and hand over, in one message, the descriptor that
 * tells of faults and, as Firecracker does, where each region lies here and in the memory file:
 *	[{"base_host_virt_addr":N,"size":N,"offset":N,"page_size":N,"page_size_kib":N},...]
 * @ret_fd: ours of the descriptor, to be kept open for as long as the memory is.
 * Return: 0 or -errno.
 */
int page_faults_delegate(const struct guest_memory *m, enum guest_pages pages, const char *path,
			 int *ret_fd, struct error *err);

#endif
