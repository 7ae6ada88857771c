/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patching of call sites: from a trap to a jump.
 *
 *	mov $nr,%eax		jmp trampoline		trampoline: mov $nr,%eax
 *	syscall		->	syscall				    lea behind(%rip),%rcx
 *	behind:			behind:				    jmp *gate
 *
 * Only the instruction that loads the number is overwritten; the `syscall` stays, so whoever
 * jumps to it, or is past the load already, takes the trap and is right.
 *
 * Where the load is too short, as for read(2), the `syscall` and what follows it are overwritten:
 *
 *	syscall			jmp trampoline		trampoline: lea resume(%rip),%rcx
 *	cmp $-4096,%rax	->	...				    jmp *gate
 *	behind:			behind:				    syscall
 *							resume:	    cmp $-4096,%rax
 *								    jmp behind
 *
 * That is done only while the process has one thread, so that no other can come back to the old
 * `cmp`, and only if nothing near looks like a jump to it; a frame that still means the old place
 * is led to `resume` by rt_sigreturn.
 *
 * Text is never writable and executable: a page is copied, changed, made executable and moved
 * over the old one in one step.  Pages that are writable now are left alone: they are somebody's
 * code generator.  Only sites that are used again and again are patched, as each patched page costs
 * memory, and time in every later fork.
 */
#include <linux/mman.h>

#include "runtimes/sentry/stub/stub.h"

#define HITS_TO_PATCH 16
#define MAX_NUMBER    2047
#define N_SITES	      512 /* that are counted; a power of two */
#define N_POOLS	      16
#define ENTRY_BYTES   48u
#define SITE_OFFSET   32 /* in an entry: address of the site */
#define RESUME_OFFSET 15 /* in an entry of the second kind */
#define MOVED_BYTES   6	 /* of its cmp */
#define JUMP_BYTES    5
#define N_MOVED	      64   /* sites of the second kind */
#define LOOK_BYTES    1024 /* where jumps to the old cmp are looked for, each way */
#define GATE_OFFSET   0	   /* in a pool: address of the gate, in the place of an entry */
#define NEAR	      (1700ll << 20)
#define POOL_STEP     (64ll << 20)
#define PROT_TEXT     (PROT_READ | PROT_EXEC)

/* A page of trampolines. */
struct pool {
	uint64_t base;
	uint32_t used; /* bytes */
};

/* All of it is the process' own, and harmless when a fork copies it half done. */
static struct {
	uint64_t site;
	uint32_t hits;
} sites[N_SITES];
static struct pool pools[N_POOLS];
static uint32_t n_pools, busy, n_moved;
static struct {
	uint64_t behind, resume; /* address after the syscall: before, and now */
} moved[N_MOVED];
static uint8_t page[PAGE_BYTES];

void patch_after_fork(void)
{
	if (busy) /* not to copy the page for nothing */
		busy = 0;
}

static bool is_hot(uint64_t ip)
{
	uint32_t n = (uint32_t)(ip * 0x9e3779b97f4a7c15ull >> 55);

	if (sites[n].site != ip) {
		sites[n].site = ip;
		sites[n].hits = 0;
	}
	if (++sites[n].hits < HITS_TO_PATCH)
		return false;
	sites[n].hits = 0;
	return true;
}

/*
 * find_load() - the instruction before the `syscall` that loads @nr.
 * Return: its length, 0: there is none that can be told for sure.
 */
static uint32_t find_load(uint64_t ip, uint32_t nr)
{
	uint8_t code[10]; /* what stands before ip */
	uint32_t value;

	if (guest_copy(code, (void *)(ip - sizeof(code)), sizeof(code)))
		return 0;
	memcpy(&value, code + 4, sizeof(value));
	if (code[8] != 0x0f || code[9] != 0x05 || value != nr)
		return 0;
	if (code[1] == 0x48 && code[2] == 0xc7 && code[3] == 0xc0)
		return 7; /* mov $nr,%rax */
	/* mov $nr,%eax, but not the end of a longer one with a prefix */
	if (code[3] == 0xb8 && (code[2] & 0xf0) != 0x40)
		return 5;
	return 0;
}

/* Writable memory is tried by exchanging a word for itself. */
static bool is_writable(uint64_t at)
{
	uint32_t *word = (uint32_t *)(at & ~3ull), value;

	return guest_copy(&value, word, sizeof(value)) || guest_exchange(word, value, value) != 2;
}

/* install() - what stands in `page` becomes the text at @at, in one step. Return: success. */
static bool install(uint64_t at)
{
	long fresh = host_call(__NR_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fresh < 0)
		return false;
	memcpy((void *)fresh, page, PAGE_BYTES);
	if (host_call(__NR_mprotect, fresh, PAGE_BYTES, PROT_TEXT, 0, 0, 0) == 0 &&
	    host_call(__NR_mremap, fresh, PAGE_BYTES, PAGE_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, at,
		      0) == (long)at)
		return true;
	host_call(__NR_munmap, fresh, PAGE_BYTES, 0, 0, 0, 0);
	return false;
}

static bool is_near(uint64_t a, uint64_t b)
{
	int64_t distance = (int64_t)(a - b);

	return distance < NEAR && distance > -NEAR;
}

static bool take_page(uint64_t at)
{
	return host_call(__NR_mmap, at, PAGE_BYTES, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (long)at;
}

/* Below the text first, then far above it, where the heap is not expected to come. */
static uint64_t page_near(uint64_t site)
{
	uint64_t text = site & ~(PAGE_BYTES - 1);

	for (int64_t d = POOL_STEP; d < NEAR; d += POOL_STEP)
		if (text > (uint64_t)d + STUB_GUEST_LOW && take_page(text - (uint64_t)d))
			return text - (uint64_t)d;
	for (int64_t d = NEAR - POOL_STEP; d > 0; d -= POOL_STEP)
		if (text + (uint64_t)d < STUB_GUEST_TOP && take_page(text + (uint64_t)d))
			return text + (uint64_t)d;
	return 0;
}

static struct pool *pool_for(uint64_t site)
{
	struct pool *p;

	for (uint32_t i = 0; i < n_pools; i++)
		if (is_near(pools[i].base, site) && pools[i].used + ENTRY_BYTES <= PAGE_BYTES)
			return &pools[i];
	if (n_pools == N_POOLS)
		return NULL;
	p = &pools[n_pools];
	p->base = page_near(site);
	p->used = ENTRY_BYTES; /* the first holds the address of the gate */
	if (!p->base)
		return NULL;
	n_pools++;
	return p;
}

static void put32(uint8_t *at, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(at, &v, sizeof(v));
}

/* begin_trampoline() - a copy of the pool's page in `page`. Return: where the new one goes. */
static uint8_t *begin_trampoline(struct pool *p)
{
	uint64_t gate = (uint64_t)gate_enter;

	if (!p || guest_copy(page, (void *)p->base, PAGE_BYTES))
		return NULL;
	memcpy(page + GATE_OFFSET, &gate, sizeof(gate));
	return page + p->used;
}

/* to_gate() - lea resume(%rip),%rcx; jmp *gate(%rip). @at: address of @e. Return: what follows. */
static uint8_t *to_gate(uint8_t *e, uint64_t at, uint64_t resume, uint64_t pool)
{
	e[0] = 0x48, e[1] = 0x8d, e[2] = 0x0d;
	put32(e + 3, resume - (at + 7));
	e[7] = 0xff, e[8] = 0x25;
	put32(e + 9, pool + GATE_OFFSET - (at + 13));
	return e + 13;
}

/* end_trampoline() - Return: its address, 0: it could not be installed. */
static uint64_t end_trampoline(struct pool *p, uint8_t *e, uint64_t site)
{
	uint64_t at = p->base + p->used;

	memcpy(e + SITE_OFFSET, &site, sizeof(site));
	if (!install(p->base))
		return 0;
	p->used += ENTRY_BYTES;
	return at;
}

/* put_jump() - and let the changed copy of the site's page take its place. Return: success. */
static bool put_jump(uint64_t site, uint64_t to)
{
	uint8_t *code = page + site % PAGE_BYTES;

	if (!to || guest_copy(page, (void *)(site & ~(PAGE_BYTES - 1)), PAGE_BYTES))
		return false;
	code[0] = 0xe9;
	put32(code + 1, to - (site + JUMP_BYTES));
	return install(site & ~(PAGE_BYTES - 1));
}

/* A site whose number is loaded just before it. */
static void patch_load(uint64_t ip, uint32_t nr, uint32_t len)
{
	uint64_t site = ip - SYSCALL_BYTES - len;
	struct pool *p = pool_for(site);
	uint8_t *e = begin_trampoline(p);

	if (!e)
		return;
	e[0] = 0xb8; /* mov $nr,%eax */
	put32(e + 1, nr);
	to_gate(e + 5, p->base + p->used + 5, ip, p->base);
	put_jump(site, end_trampoline(p, e, site));
}

/* Any byte may begin an instruction: what could be a jump to @to counts as one. */
static bool is_jumped_to(uint64_t to)
{
	uint64_t start = to - LOOK_BYTES, page_start = to & ~(PAGE_BYTES - 1);
	uint8_t *code = page;
	uint64_t n = 2 * LOOK_BYTES;

	if (guest_copy(code, (void *)start, n)) { /* this may be the first page of the text */
		start = page_start > start ? page_start : start;
		n = to + LOOK_BYTES - start;
		if (guest_copy(code, (void *)start, n))
			return true;
	}
	for (uint64_t i = 0; i + 6 <= n; i++) {
		uint64_t next8 = start + i + 2, next32 = start + i + 5;
		int32_t far;

		if ((code[i] == 0xeb || (code[i] & 0xf0) == 0x70) &&
		    next8 + (uint64_t)(int8_t)code[i + 1] - to < MOVED_BYTES)
			return true;
		memcpy(&far, code + i + 1, sizeof(far));
		if ((code[i] == 0xe9 || (code[i] & 0xf0) == 0x80) &&
		    next32 + (uint64_t)far - to < MOVED_BYTES)
			return true;
	}
	return false;
}

/* A site that is followed by the usual look at the result. Return: where it resumes now. */
static uint64_t patch_after(uint64_t ip)
{
	uint64_t site = ip - SYSCALL_BYTES, resume, at;
	uint8_t cmp[MOVED_BYTES], *e;
	struct pool *p;

	if (guest_copy(cmp, (void *)ip, sizeof(cmp)) || cmp[0] != 0x48 || cmp[1] != 0x3d)
		return ip;
	if (site % PAGE_BYTES + JUMP_BYTES > PAGE_BYTES || n_moved == N_MOVED || is_jumped_to(ip))
		return ip;
	p = pool_for(site);
	e = begin_trampoline(p);
	if (!e)
		return ip;
	at = p->base + p->used;
	resume = at + RESUME_OFFSET;
	to_gate(e, at, resume, p->base);
	e[13] = 0x0f, e[14] = 0x05; /* what a restart repeats, and who may not pass the gate */
	memcpy(e + RESUME_OFFSET, cmp, sizeof(cmp));
	e[21] = 0xe9; /* jmp behind */
	put32(e + 22, ip + MOVED_BYTES - (resume + MOVED_BYTES + JUMP_BYTES));
	if (!put_jump(site, end_trampoline(p, e, site)))
		return ip;
	moved[n_moved].behind = ip;
	moved[n_moved++].resume = resume;
	return resume;
}

static bool is_trampoline(uint64_t ip)
{
	return patch_original(ip) != ip;
}

/* A vfork child is alone, but the memory is its parent's with all its threads. */
static bool is_alone(const struct slot *s)
{
	return s->process == &stub_main_process &&
	       __atomic_load_n(&s->process->threads, __ATOMIC_SEQ_CST) == 1;
}

static uint64_t patch(struct slot *s, uint64_t ip, uint32_t nr)
{
	uint32_t len = find_load(ip, nr);
	uint64_t site = ip - SYSCALL_BYTES - len;

	if (is_trampoline(ip) || is_writable(site))
		return ip;
	if (len && site % PAGE_BYTES + JUMP_BYTES <= PAGE_BYTES)
		patch_load(ip, nr, len);
	else if (!len && is_alone(s))
		return patch_after(ip);
	return ip;
}

bool patch_leaves(uint32_t nr)
{
	switch (nr) {
	case __NR_futex:
	case __NR_munmap:
	case __NR_mremap:
	case __NR_mprotect:
	case __NR_mmap:
	case __NR_madvise:
	case __NR_mincore:
	case __NR_arch_prctl:
	case __NR_rseq:
	case __NR_membarrier:
	case __NR_sched_yield:
		return true;
	default:
		return nr > MAX_NUMBER;
	}
}

void patch_consider(struct slot *s, struct ucontext *uc, uint32_t nr)
{
	uint64_t ip = uc->uc_mcontext.rip;

	if (!stub_has_fsgsbase || patch_leaves(nr) || !is_hot(ip))
		return;
	gate_learn(uc);
	if (!gate_is_open() || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return; /* another thread is at it: this site will be hot again */
	uc->uc_mcontext.rip = patch(s, ip, nr);
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

/* In a trampoline of the second kind the call may be over already. */
static uint64_t original_of(uint64_t site, uint32_t offset)
{
	for (uint32_t i = 0; i < n_moved; i++) {
		if (moved[i].behind != site + SYSCALL_BYTES || offset < RESUME_OFFSET)
			continue;
		return offset == RESUME_OFFSET ? moved[i].behind : moved[i].behind + MOVED_BYTES;
	}
	return site;
}

uint64_t patch_original(uint64_t ip)
{
	for (uint32_t i = 0; i < n_pools; i++) {
		uint64_t offset = ip - pools[i].base, site;

		if (offset < PAGE_BYTES &&
		    !guest_copy(&site, (void *)(ip - offset % ENTRY_BYTES + SITE_OFFSET),
				sizeof(site)))
			return original_of(site, offset % ENTRY_BYTES);
	}
	return ip;
}

uint64_t patch_resume(uint64_t ip)
{
	for (uint32_t i = 0; i < n_moved; i++)
		if (moved[i].behind == ip)
			return moved[i].resume;
	return ip;
}
