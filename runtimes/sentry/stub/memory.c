/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory calls that the filter does not let through from guest code as they stand.
 *
 * The host's memory map is the only one: nothing is recorded here but the end of the heap.
 */
#include <linux/mman.h>

#include "runtimes/sentry/stub/stub.h"

#define PROT_ALL  (PROT_READ | PROT_WRITE | PROT_EXEC)
#define FIXED_ANY (MAP_FIXED | MAP_FIXED_NOREPLACE)
/* What the host gets of an anonymous mapping's flags; others are hints that we may ignore. */
#define ANON_FLAGS                                                                         \
	(MAP_PRIVATE | MAP_ANONYMOUS | FIXED_ANY | MAP_NORESERVE | MAP_STACK | MAP_32BIT | \
	 MAP_POPULATE)

bool memory_is_ours(uint64_t start, uint64_t len)
{
	return start < stub_area_start + STUB_AREA_BYTES && start + len > stub_area_start;
}

int64_t memory_mmap(const uint64_t a[6], bool *ret_served)
{
	uint64_t flags = a[3];

	*ret_served = flags & MAP_ANONYMOUS && (flags & MAP_TYPE) == MAP_PRIVATE;
	if (!*ret_served)
		return 0;
	if (flags & MAP_HUGETLB)
		return -ENOMEM;
	if (flags & FIXED_ANY && memory_is_ours(a[0], a[1]))
		return -ENOMEM;
	return host_call(__NR_mmap, a[0], a[1], a[2] & PROT_ALL, flags & ANON_FLAGS, -1, 0);
}

int64_t memory_mprotect(const uint64_t a[6])
{
	if (memory_is_ours(a[0], a[1]))
		return -ENOMEM;
	return host_call(__NR_mprotect, a[0], a[1], a[2] & PROT_ALL, 0, 0, 0);
}

int64_t memory_madvise(const uint64_t a[6])
{
	switch ((uint32_t)a[2]) {
	case MADV_DONTFORK:
		if (memory_is_ours(a[0], a[1]))
			return -EINVAL;
		return host_call(__NR_madvise, a[0], a[1], MADV_DONTFORK, 0, 0, 0);
	case MADV_PAGEOUT:
		return 0; /* a hint */
	default:
		return -EINVAL;
	}
}

/* move_brk() - Return: whether this thread moved it. */
static bool move_brk(struct process *p, uint64_t from, uint64_t to)
{
	return __atomic_compare_exchange_n(&p->brk, &from, to, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/*
 * There is no lock, because a fork could copy it held: whoever loses a race gives back what it
 * has mapped and answers the end that it finds, which the guest takes for a full heap.
 */
int64_t memory_brk(struct slot *s, uint64_t end)
{
	struct process *p = s->process;
	uint64_t now = __atomic_load_n(&p->brk, __ATOMIC_SEQ_CST);
	uint64_t from = PAGE_UP(now), to = PAGE_UP(end);

	if (end < p->brk_start || end >= STUB_GUEST_TOP)
		return now;
	if (to > from) {
		if (host_call(__NR_mmap, from, to - from, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			      0) != (long)from)
			return now;
		if (!move_brk(p, now, end)) {
			host_call(__NR_munmap, from, to - from, 0, 0, 0, 0);
			return __atomic_load_n(&p->brk, __ATOMIC_SEQ_CST);
		}
		return end;
	}
	if (!move_brk(p, now, end))
		return __atomic_load_n(&p->brk, __ATOMIC_SEQ_CST);
	if (to < from)
		host_call(__NR_munmap, to, from - to, 0, 0, 0, 0);
	return end;
}
