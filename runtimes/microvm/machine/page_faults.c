/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory whose pages another process brings.
 *
 * The device file gives a descriptor without privilege where it may be opened; else the system
 * call does, for who may.
 */
#include "runtimes/microvm/machine/page_faults.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/mem.h"

#define HUGE_BYTES (2ULL << 20)

static int open_uffd(struct error *err)
{
	int device cleanup_close = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC), fd;

	if (device >= 0)
		fd = ioctl(device, USERFAULTFD_IOC_NEW, (unsigned long)(O_CLOEXEC | O_NONBLOCK));
	else
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? error_errno(err, errno, "userfaultfd") : fd;
}

/* With the event of removal the handler hears of what a balloon gives back. */
static int register_memory(int fd, const struct guest_memory *m, bool huge, struct error *err)
{
	struct uffdio_api api = { .api = UFFD_API,
				  .features = UFFD_FEATURE_EVENT_REMOVE |
					      (huge ? UFFD_FEATURE_MISSING_HUGETLBFS : 0) };

	if (ioctl(fd, UFFDIO_API, &api))
		return error_errno(err, errno, "userfaultfd: agree on its version");
	for (unsigned int i = 0; i < m->n_regions; i++) {
		struct uffdio_register r = { .range = { (uintptr_t)m->regions[i].host,
							m->regions[i].bytes },
					     .mode = UFFDIO_REGISTER_MODE_MISSING };

		if (ioctl(fd, UFFDIO_REGISTER, &r))
			return error_errno(err, errno, "userfaultfd: register memory");
	}
	return 0;
}

static void write_regions(const struct guest_memory *m, uint64_t page_bytes, struct strbuf *ret)
{
	struct json_writer w = { .out = ret };
	uint64_t offset = 0;

	json_begin_array(&w);
	for (unsigned int i = 0; i < m->n_regions; i++) {
		json_begin_object(&w);
		json_put_u64(&w, "base_host_virt_addr", (uintptr_t)m->regions[i].host);
		json_put_u64(&w, "size", m->regions[i].bytes);
		json_put_u64(&w, "offset", offset);
		json_put_u64(&w, "page_size", page_bytes);
		json_put_u64(&w, "page_size_kib", page_bytes); /* an old name; bytes all the same */
		json_end_object(&w);
		offset += m->regions[i].bytes;
	}
	json_end_array(&w);
}

int page_faults_delegate(const struct guest_memory *m, enum guest_pages pages, const char *path,
			 int *ret_fd, struct error *err)
{
	bool huge = pages == GUEST_PAGES_2M;
	struct strbuf regions cleanup_strbuf = { 0 };
	int fd cleanup_close = open_uffd(err), sock cleanup_close = -1;
	int r;

	if (fd < 0)
		return fd;
	r = register_memory(fd, m, huge, err);
	if (r)
		return r;
	sock = fd_connect_unix(path, SOCK_STREAM, err);
	if (sock < 0)
		return sock;
	write_regions(m, huge ? HUGE_BYTES : GUEST_PAGE_BYTES, &regions);
	r = fd_send(sock, regions.data, regions.len, &fd, 1);
	if (r)
		return error_errno(err, -r, "hand page faults over to %s", path);
	*ret_fd = steal_fd(&fd);
	return 0;
}
