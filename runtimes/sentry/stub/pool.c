/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of trampolines near call sites, and changes of text.
 *
 * A pool is 64 KiB of address space; pages of it come to be when an entry of them is taken:
 *
 *   entry:  | code ...            | address of the gate | address of the site |
 *           0                     POOL_GATE             POOL_SITE             POOL_ENTRY_BYTES
 *
 * Which entry a site may have depends on the bytes that its jump would hold, see patch.c: pools lie
 * at distances whose upper bytes are of use, and the entries of one have every value of the lower.
 *
 * Text is never writable and executable: pages are copied, changed, made executable and moved over
 * the old ones in one step.
 */
#include <linux/mman.h>

#include "runtimes/sentry/stub/stub.h"

#define POOL_PAGES   16u
#define POOL_BYTES   (POOL_PAGES * PAGE_BYTES)
#define PAGE_ENTRIES (PAGE_BYTES / POOL_ENTRY_BYTES)
#define N_POOLS	     8u
#define PROT_TEXT    (PROT_READ | PROT_EXEC)

_Static_assert(PAGE_ENTRIES <= 64, "one word a page");

static struct {
	uint64_t base;
	uint64_t used[POOL_PAGES]; /* bit n: entry n of the page */
} pools[N_POOLS];
static uint32_t n_pools;

/*
 * Upper bytes of distances to pools, below the site first, then far above it, where the heap is not
 * expected to come: each is an instruction that traps, as is its neighbour where it can be.
 */
static const uint8_t far_below[] = { 0xfb, 0xf4, 0xea, 0xd6, 0xd4, 0xce, 0x9a };
static const uint8_t far_above[] = { 0x61, 0x60, 0x3f, 0x37, 0x2f, 0x27, 0x1f,
				     0x1e, 0x17, 0x16, 0x0e, 0x07, 0x06 };
static const uint8_t middle[] = { 0x07, 0x17, 0x1f, 0x61, 0xfb };

bool patch_byte_traps(uint8_t byte)
{
	switch (byte) {
	case 0x06: /* these do not exist in 64-bit mode */
	case 0x07:
	case 0x0e:
	case 0x16:
	case 0x17:
	case 0x1e:
	case 0x1f:
	case 0x27:
	case 0x2f:
	case 0x37:
	case 0x3f:
	case 0x60:
	case 0x61:
	case 0x82:
	case 0x9a:
	case 0xce:
	case 0xd4:
	case 0xd6:
	case 0xea:
	case 0xf4: /* these are the kernel's: hlt, cli, sti */
	case 0xfa:
	case 0xfb:
		return true;
	default:
		return false;
	}
}

bool text_change(uint64_t at, const uint8_t *bytes, size_t n)
{
	uint64_t start = at & ~(PAGE_BYTES - 1), len = PAGE_UP(at + n) - start;
	long fresh = host_call(__NR_mmap, 0, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fresh < 0)
		return false;
	if (guest_copy((void *)fresh, (void *)start, len) == 0 &&
	    guest_copy((void *)(fresh + (long)(at - start)), bytes, n) == 0 &&
	    host_call(__NR_mprotect, fresh, len, PROT_TEXT, 0, 0, 0) == 0 &&
	    host_call(__NR_mremap, fresh, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, start, 0) ==
		    (long)start)
		return true;
	host_call(__NR_munmap, fresh, len, 0, 0, 0, 0);
	return false;
}

/* Whether the jump at @site to @to fits, and holds bytes that trap where @must says. */
static bool is_fit(uint64_t site, uint64_t to, uint32_t must)
{
	uint64_t distance = to - (site + JUMP_BYTES);

	if (distance != (uint64_t)(int64_t)(int32_t)distance)
		return false;
	for (uint32_t i = 1; i < JUMP_BYTES; i++)
		if (must & 1u << i && !patch_byte_traps((uint8_t)(distance >> 8 * (i - 1))))
			return false;
	return true;
}

static uint64_t take_of_page(uint64_t page, uint64_t *used, uint64_t site, uint32_t must)
{
	for (uint32_t i = 0; i < PAGE_ENTRIES; i++) {
		uint64_t at = page + i * POOL_ENTRY_BYTES;

		if (*used & 1ull << i || !is_fit(site, at, must))
			continue;
		*used |= 1ull << i;
		return at;
	}
	return 0;
}

/* @fresh: take pages that nobody uses yet, each of which costs memory. */
static uint64_t take_of_pools(uint32_t first, uint64_t site, uint32_t must, bool fresh)
{
	for (uint32_t p = first; p < n_pools; p++) {
		for (uint32_t i = 0; i < POOL_PAGES; i++) {
			uint64_t *used = &pools[p].used[i], at;

			if (!*used != fresh)
				continue;
			at = take_of_page(pools[p].base + i * PAGE_BYTES, used, site, must);
			if (at)
				return at;
		}
	}
	return 0;
}

/* open_at() - a pool whose distance from @site begins with the bytes @high, @mid. */
static bool open_at(uint64_t site, uint8_t high, uint8_t mid)
{
	int64_t distance = (int64_t)(int32_t)((uint32_t)high << 24 | (uint32_t)mid << 16);
	uint64_t base = (site + JUMP_BYTES + (uint64_t)distance) & ~(uint64_t)(POOL_BYTES - 1);

	if (base < STUB_GUEST_LOW || base >= STUB_GUEST_TOP - POOL_BYTES)
		return false;
	if (host_call(__NR_mmap, base, POOL_BYTES, PROT_READ,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1,
		      0) != (long)base)
		return false;
	pools[n_pools].base = base;
	n_pools++;
	return true;
}

static bool open_pool(uint64_t site)
{
	for (size_t i = 0; i < sizeof(far_below); i++)
		for (size_t k = 0; k < sizeof(middle); k++)
			if (open_at(site, far_below[i], middle[k]))
				return true;
	for (size_t i = 0; i < sizeof(far_above); i++)
		for (size_t k = 0; k < sizeof(middle); k++)
			if (open_at(site, far_above[i], middle[k]))
				return true;
	return false;
}

uint64_t pool_take(uint64_t site, uint32_t must)
{
	uint64_t at = take_of_pools(0, site, must, false);

	if (!at)
		at = take_of_pools(0, site, must, true);
	if (at || n_pools == N_POOLS || !open_pool(site))
		return at;
	return take_of_pools(n_pools - 1, site, must, true);
}

uint64_t pool_site(uint64_t ip, uint32_t *ret_offset)
{
	for (uint32_t i = 0; i < n_pools; i++) {
		uint64_t offset = ip - pools[i].base, site;

		if (offset >= POOL_BYTES)
			continue;
		*ret_offset = (uint32_t)(offset % POOL_ENTRY_BYTES);
		if (!guest_copy(&site, (void *)(ip - *ret_offset + POOL_SITE), sizeof(site)))
			return site;
	}
	return 0;
}
