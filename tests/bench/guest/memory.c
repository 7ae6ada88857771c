/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: the address space.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/bench/guest/guest.h"

#define PAGE	   4096
#define AREA_PAGES 1024

static volatile char *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	guest_must(p == MAP_FAILED ? -1 : 0, "mmap");
	return p;
}

static void do_mmap(long n)
{
	while (n--) {
		volatile char *p = map(16 * PAGE);

		p[0] = 1;
		munmap((void *)(uintptr_t)p, 16 * PAGE);
	}
}

/* Pages of an area that is given back when all are touched; its calls are 1/1000 of the work. */
static void do_touch(long n)
{
	while (n > 0) {
		long pages = n < AREA_PAGES ? n : AREA_PAGES;
		volatile char *p = map(AREA_PAGES * PAGE);

		madvise((void *)(uintptr_t)p, AREA_PAGES * PAGE, MADV_NOHUGEPAGE);
		for (long i = 0; i < pages; i++)
			p[i * PAGE] = 1;
		munmap((void *)(uintptr_t)p, AREA_PAGES * PAGE);
		n -= pages;
	}
}

static void do_mprotect(long n)
{
	void *p = (void *)(uintptr_t)map(PAGE);

	*(volatile char *)p = 1;
	while (n--) {
		mprotect(p, PAGE, PROT_READ);
		mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	}
	munmap(p, PAGE);
}

static void do_brk(long n)
{
	while (n--) {
		sbrk(16 * PAGE);
		sbrk(-16 * PAGE);
	}
}

const struct measure measures_memory[] = {
	{ "mmap_touch_munmap", do_mmap, NULL, NULL },
	{ "page_touch", do_touch, NULL, NULL },
	{ "mprotect_pair", do_mprotect, NULL, NULL },
	{ "brk_pair", do_brk, NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};
