/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory in files.
 *
 * Which pages need no look: anonymous ones that are not resident have never been touched, or were
 * given back, and are zero, unless the host swaps.  Of the others each is looked at: reading a
 * page that turns out to be zero costs a fraction of writing it, and it is not in the file then.
 *
 * What a guest writes KVM logs; what devices write they mark themselves (guest_memory_mark()).
 */
#include "runtimes/microvm/kvm/memory_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "base/mem.h"

#define PAGE	   GUEST_PAGE_BYTES
#define STEP_PAGES 4096 /* looked at in one go */

/* Where a run of pages that are to be written begins and ends. */
struct run {
	int fd;
	const uint8_t *host; /* of the region */
	uint64_t offset;     /* of the region in the file */
	uint64_t start, end; /* pages of the region; none when they are the same */
};

static int write_run(struct run *r)
{
	const uint8_t *from = r->host + r->start * PAGE;
	uint64_t left = (r->end - r->start) * PAGE, at = r->offset + r->start * PAGE;

	while (left) {
		ssize_t n = pwrite(r->fd, from, MIN(left, 1ULL << 30), (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		from += n;
		at += (uint64_t)n;
		left -= (uint64_t)n;
	}
	r->start = r->end;
	return 0;
}

/* add_page() - to the run, which is written first when the page does not follow on it. */
static int add_page(struct run *r, uint64_t page)
{
	int rc = 0;

	if (r->start != r->end && r->end != page)
		rc = write_run(r);
	if (r->start == r->end)
		r->start = page;
	r->end = page + 1;
	return rc;
}

static bool is_zero(const uint8_t *page)
{
	const uint64_t *p = (const uint64_t *)(const void *)page;
	uint64_t any = 0;

	for (size_t i = 0; i < PAGE / sizeof(*p); i += 8) {
		for (size_t j = 0; j < 8; j++)
			any |= p[i + j];
		if (any)
			return false;
	}
	return true;
}

static bool host_swaps(void)
{
	struct sysinfo info;

	return sysinfo(&info) || info.totalswap;
}

static bool is_mapped(const struct guest_memory *m, const uint8_t *at)
{
	for (unsigned int i = 0; i < m->n_files; i++)
		if (at >= m->files[i].start && at < m->files[i].end)
			return true;
	return false;
}

/* untouched() - whether each of @n pages is surely zero. */
static void untouched(const struct guest_memory *m, const uint8_t *at, uint64_t n, bool swaps,
		      bool ret[STEP_PAGES])
{
	unsigned char resident[STEP_PAGES];
	bool known = !swaps && !mincore((void *)(uintptr_t)at, n * PAGE, resident);

	for (uint64_t i = 0; i < n; i++)
		ret[i] = known && !(resident[i] & 1) && !is_mapped(m, at + i * PAGE);
}

/* dump_region() - pages that may have been touched; those of zeros too with @zeros. */
static int dump_region(const struct guest_memory *m, const struct guest_region *region, bool zeros,
		       struct run *r)
{
	bool skip[STEP_PAGES], swaps = host_swaps();
	uint64_t pages = region->bytes / PAGE;
	int rc = 0;

	for (uint64_t at = 0; at < pages && !rc; at += STEP_PAGES) {
		uint64_t n = MIN(pages - at, (uint64_t)STEP_PAGES);

		untouched(m, region->host + at * PAGE, n, swaps, skip);
		for (uint64_t i = 0; i < n && !rc; i++)
			if (!skip[i] && (zeros || !is_zero(region->host + (at + i) * PAGE)))
				rc = add_page(r, at + i);
	}
	return rc;
}

/* dump_bits() - the pages whose bit stands in @ours or in @theirs (NULL: none). */
static int dump_bits(const struct guest_region *region, const uint64_t *ours,
		     const uint64_t *theirs, struct run *r)
{
	uint64_t pages = region->bytes / PAGE;
	int rc = 0;

	for (uint64_t word = 0; word * 64 < pages && !rc; word++) {
		uint64_t bits = (ours ? __atomic_load_n(&ours[word], __ATOMIC_SEQ_CST) : 0) |
				(theirs ? theirs[word] : 0);

		for (; bits && !rc; bits &= bits - 1)
			rc = add_page(r, word * 64 + (uint64_t)__builtin_ctzll(bits));
	}
	return rc;
}

static uint64_t *read_log(const struct guest_region *region, const struct vm *vm, unsigned int slot,
			  struct error *err)
{
	uint64_t *bitmap = xcalloc((region->bytes / PAGE + 63) / 64, sizeof(*bitmap));

	if (vm_dirty_log(vm, slot, bitmap, err)) {
		free(bitmap);
		return NULL;
	}
	return bitmap;
}

/* dump_changed_region() - Return: 0; a failed write, without text; what KVM says, with one. */
static int dump_changed_region(const struct guest_memory *m, const struct vm *vm, unsigned int i,
			       struct run *r, struct error *err)
{
	const struct guest_region *region = &m->regions[i];
	uint64_t *theirs cleanup_free = NULL;

	if (!vm->tracks_dirty)
		return dump_region(m, region, true, r);
	theirs = read_log(region, vm, i, err);
	return theirs ? dump_bits(region, region->dirty, theirs, r) : err->code;
}

static int dump(const struct guest_memory *m, const struct vm *vm, bool changed, int fd,
		struct error *err)
{
	uint64_t offset = 0;

	if (ftruncate(fd, (off_t)guest_memory_bytes(m)))
		return error_errno(err, errno, "make room for memory");
	for (unsigned int i = 0; i < m->n_regions; i++) {
		struct run r = { .fd = fd, .host = m->regions[i].host, .offset = offset };
		int rc = changed ? dump_changed_region(m, vm, i, &r, err)
				 : dump_region(m, &m->regions[i], false, &r);

		if (!rc)
			rc = write_run(&r);
		if (rc)
			return err->code ? rc : error_errno(err, -rc, "write memory");
		offset += m->regions[i].bytes;
	}
	return fsync(fd) ? error_errno(err, errno, "write memory") : 0;
}

int guest_memory_dump(const struct guest_memory *m, int fd, struct error *err)
{
	return dump(m, NULL, false, fd, err);
}

int guest_memory_dump_changed(const struct guest_memory *m, const struct vm *vm, int fd,
			      struct error *err)
{
	return dump(m, vm, true, fd, err);
}

int memory_changes_reset(const struct guest_memory *m, const struct vm *vm, struct error *err)
{
	for (unsigned int i = 0; vm->tracks_dirty && i < m->n_regions; i++) {
		const struct guest_region *region = &m->regions[i];
		uint64_t *log cleanup_free = read_log(region, vm, i, err);

		if (!log)
			return err->code;
		if (region->dirty)
			memset(region->dirty, 0, (region->bytes / PAGE + 63) / 64 * 8);
	}
	return 0;
}

/* --- memory that is a file -------------------------------------------------------------------- */

int guest_memory_map(struct guest_memory *m, uint64_t bytes, int fd, struct error *err)
{
	uint64_t offset = 0;
	struct stat st;
	int r = 0;

	if (fstat(fd, &st))
		return error_errno(err, errno, "read the memory file");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
		return error_set(err, EINVAL,
				 "the memory file has %lld bytes, the machine of the snapshot %llu",
				 (long long)st.st_size, (unsigned long long)bytes);
	r = guest_memory_create(m, bytes, GUEST_PAGES_PLAIN, err);
	for (unsigned int i = 0; !r && i < m->n_regions; i++) {
		struct guest_region *region = &m->regions[i];

		if (mmap(region->host, region->bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, (off_t)offset) == MAP_FAILED)
			r = error_errno(err, errno, "map the memory file");
		else
			guest_memory_note_file(m, region->host, region->bytes);
		offset += region->bytes;
	}
	m->file_dev = st.st_dev;
	m->file_ino = st.st_ino;
	if (r)
		guest_memory_finish(m);
	return r;
}

bool guest_memory_is_file(const struct guest_memory *m, int fd)
{
	struct stat st;

	return m->file_ino && !fstat(fd, &st) && st.st_dev == m->file_dev &&
	       st.st_ino == m->file_ino;
}
