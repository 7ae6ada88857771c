/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory: made, loaded from files, copied from and to.
 *
 * Each region is reserved with 2 MiB to spare and cut to a 2 MiB boundary, so that huge pages
 * of host and guest coincide.  A kernel or initrd file that is mapped stays shared with the
 * page cache until the guest writes: many VMs of one kernel share its text.
 */
#include "runtimes/microvm/kvm/memory.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/mem.h"

#define HUGE_BYTES (2ULL << 20)

/* map_aligned() - fresh memory on a 2 MiB boundary.  Return: NULL when there is none. */
static uint8_t *map_aligned(uint64_t bytes)
{
	uint64_t whole = bytes + HUGE_BYTES;
	uint8_t *p = mmap(NULL, whole, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t head;

	if (p == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)p & (HUGE_BYTES - 1);
	if (head)
		munmap(p, head);
	munmap(p + head + bytes, whole - head - bytes);
	return p + head;
}

static uint8_t *map_region(uint64_t bytes, enum guest_pages pages)
{
	uint8_t *p;

	if (pages == GUEST_PAGES_2M) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
		return p == MAP_FAILED ? NULL : p;
	}
	p = map_aligned(bytes);
	if (!p)
		return NULL;
	if (pages == GUEST_PAGES_TRANSPARENT)
		madvise(p, bytes, MADV_HUGEPAGE);
	madvise(p, bytes, MADV_DONTDUMP); /* a core of ours holds nothing of the guest's */
	return p;
}

static int add_region(struct guest_memory *m, uint64_t start, uint64_t bytes,
		      enum guest_pages pages, struct error *err)
{
	uint8_t *host = map_region(bytes, pages);

	if (!host)
		return error_errno(err, errno, "map %llu MiB of guest memory",
				   (unsigned long long)(bytes >> 20));
	m->regions[m->n_regions++] =
		(struct guest_region){ .start = start, .bytes = bytes, .host = host };
	return 0;
}

int guest_memory_create(struct guest_memory *m, uint64_t bytes, enum guest_pages pages,
			struct error *err)
{
	uint64_t low = MIN(bytes, GUEST_GAP_START);
	int r;

	*m = (struct guest_memory){ 0 };
	r = add_region(m, 0, low, pages, err);
	if (!r && bytes > low)
		r = add_region(m, GUEST_GAP_END, bytes - low, pages, err);
	if (r)
		guest_memory_finish(m);
	return r;
}

void guest_memory_finish(struct guest_memory *m)
{
	for (unsigned int i = 0; i < m->n_regions; i++) {
		munmap(m->regions[i].host, m->regions[i].bytes);
		free(m->regions[i].dirty);
	}
	*m = (struct guest_memory){ 0 };
}

void guest_memory_note_file(struct guest_memory *m, const uint8_t *host, uint64_t bytes)
{
	if (m->n_files < GUEST_FILES_MAX)
		m->files[m->n_files++] = (struct guest_file_span){ host, host + bytes };
}

void guest_memory_track(struct guest_memory *m)
{
	for (unsigned int i = 0; i < m->n_regions; i++)
		m->regions[i].dirty = xcalloc((m->regions[i].bytes / GUEST_PAGE_BYTES + 63) / 64,
					      sizeof(uint64_t));
}

void guest_memory_mark(const struct guest_memory *m, struct gpa at, uint64_t len)
{
	for (unsigned int i = 0; i < m->n_regions; i++) {
		const struct guest_region *r = &m->regions[i];
		uint64_t offset = at.at - r->start;

		if (!r->dirty || at.at < r->start || offset >= r->bytes || !len)
			continue;
		len = MIN(len, r->bytes - offset);
		for (uint64_t page = offset / GUEST_PAGE_BYTES;
		     page <= (offset + len - 1) / GUEST_PAGE_BYTES; page++)
			__atomic_fetch_or(&r->dirty[page / 64], 1ULL << page % 64,
					  __ATOMIC_SEQ_CST);
	}
}

uint64_t guest_memory_bytes(const struct guest_memory *m)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < m->n_regions; i++)
		sum += m->regions[i].bytes;
	return sum;
}

void *guest_memory_at(const struct guest_memory *m, struct gpa at, uint64_t len)
{
	for (unsigned int i = 0; i < m->n_regions; i++) {
		const struct guest_region *r = &m->regions[i];
		uint64_t offset = at.at - r->start; /* wraps below: then larger than any region */

		if (at.at >= r->start && offset <= r->bytes && len <= r->bytes - offset)
			return r->host + offset;
	}
	return NULL;
}

int guest_memory_read(const struct guest_memory *m, struct gpa at, void *to, size_t len)
{
	const void *p = guest_memory_at(m, at, len);

	if (!p)
		return -EFAULT;
	memcpy(to, p, len);
	return 0;
}

int guest_memory_write(const struct guest_memory *m, struct gpa at, const void *from, size_t len)
{
	void *p = guest_memory_at(m, at, len);

	if (!p)
		return -EFAULT;
	guest_memory_mark(m, at, len);
	memcpy(p, from, len);
	return 0;
}

void guest_memory_discard(void *host, uint64_t len)
{
	uintptr_t mask = GUEST_PAGE_BYTES - 1, start = ((uintptr_t)host + mask) & ~mask;
	uintptr_t end = ((uintptr_t)host + len) & ~mask;

	/* of huge pages the kernel takes whole ones only, which is as well */
	if (host && start < end)
		madvise((void *)start, end - start, MADV_DONTNEED);
}

static int copy_from_file(uint8_t *to, int fd, off_t offset, uint64_t len)
{
	while (len) {
		ssize_t n = pread(fd, to, MIN(len, 1ULL << 30), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		to += n;
		offset += n;
		len -= (uint64_t)n;
	}
	return 0;
}

int guest_memory_load(struct guest_memory *m, struct gpa at, int fd, off_t offset, uint64_t len)
{
	uint8_t *to = guest_memory_at(m, at, len);
	uint64_t mapped = 0;
	struct stat st;

	if (!to)
		return -EFAULT;
	if (fstat(fd, &st))
		return -errno;
	if (offset < 0 || offset > st.st_size || len > (uint64_t)(st.st_size - offset))
		return -ENODATA; /* a mapping beyond the end would fault later */
	if (((uintptr_t)to | (uint64_t)offset) % GUEST_PAGE_BYTES == 0)
		mapped = len & ~(GUEST_PAGE_BYTES - 1);
	if (m->n_files == GUEST_FILES_MAX)
		mapped = 0;
	if (mapped && mmap(to, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
			   offset) == MAP_FAILED)
		mapped = 0; /* a file system without mmap, or huge pages below: read it */
	if (mapped)
		guest_memory_note_file(m, to, mapped);
	return copy_from_file(to + mapped, fd, offset + (off_t)mapped, len - mapped);
}
