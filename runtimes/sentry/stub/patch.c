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
 * Everywhere else the `syscall` and what follows it are overwritten:
 *
 *	syscall			jmp trampoline		trampoline: lea resume(%rip),%rcx
 *	test %rax,%rax	->	(rest of the jump)		    jmp *gate
 *	js error		js error			    syscall
 *							resume:	    test %rax,%rax
 *								    jmp <js error>
 *
 * Others may still come to the old `test`: threads that are inside the call now, frames of
 * signals, jumps.  So the trampoline is taken from where the byte of the jump that stands in its
 * place is an instruction that traps; the handler of the fault sends them on to `resume`, or to
 * wherever the moved copy of their instruction is.
 *
 * Pages that are writable now are left alone: they are somebody's code generator.  Only sites that
 * are used again and again are patched, as each patched page costs memory, and time in every later
 * fork.
 */
#include <linux/futex.h>

#include "runtimes/sentry/stub/insn.h"
#include "runtimes/sentry/stub/stub.h"

#define HITS_TO_PATCH 16
#define REFUSED	      UINT32_MAX /* in the place of hits: it cannot be patched */
#define MAX_NUMBER    2047
#define N_SITES	      256   /* that are counted: one page, as each process copies it */
#define N_MOVED	      256   /* sites whose `syscall` is overwritten */
#define N_STARTS      3	    /* of instructions within the jump, behind the `syscall` */
#define RESUME	      15u   /* in an entry of the second kind */
#define LOOK_BYTES    1024u /* where jumps into a site are looked for, each way */
#define SYNC_BYTES    64u   /* before a load: enough to fall into step with the instructions */
#define SYNC_LEAST    24u

/* All of it is the process' own, and harmless when a fork copies it half done. */
static struct {
	uint64_t site;
	uint32_t hits;
} sites[N_SITES] __attribute__((aligned(PAGE_BYTES)));
static uint32_t busy, n_moved;
static bool off;
/* Where instructions of the site stood, and stand now: the last is the end of what was moved. */
static struct moved {
	uint64_t site, entry;
	uint8_t n, from[N_STARTS + 1], to[N_STARTS + 1];
} moved[N_MOVED];

void patch_after_fork(void)
{
	if (busy) /* not to copy the page for nothing */
		busy = 0;
}

void patch_turn_off(void)
{
	off = true;
}

static uint32_t *hits_of(uint64_t ip)
{
	uint32_t n = (uint32_t)(ip * 0x9e3779b97f4a7c15ull >> 56);

	if (sites[n].site != ip) {
		sites[n].site = ip;
		sites[n].hits = 0;
	}
	return &sites[n].hits;
}

static bool is_hot(uint64_t ip)
{
	uint32_t *hits = hits_of(ip);

	if (*hits == REFUSED || ++*hits < HITS_TO_PATCH)
		return false;
	*hits = 0;
	return true;
}

/* Writable memory is tried by exchanging a word for itself. */
static bool is_writable(uint64_t at)
{
	uint32_t *word = (uint32_t *)(at & ~3ull), value;

	return guest_copy(&value, word, sizeof(value)) || guest_exchange(word, value, value) != 2;
}

static bool is_text(uint64_t from, uint64_t to)
{
	return !is_writable(from) &&
	       (from / PAGE_BYTES == (to - 1) / PAGE_BYTES || !is_writable(to - 1));
}

static void put32(uint8_t *at, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(at, &v, sizeof(v));
}

/* to_gate() - lea resume(%rip),%rcx; jmp *gate(%rip). @e: begin of the entry, of which it is @at.
 */
static uint32_t to_gate(uint8_t *e, uint32_t at, uint64_t entry, uint64_t resume)
{
	e[at] = 0x48, e[at + 1] = 0x8d, e[at + 2] = 0x0d;
	put32(e + at + 3, resume - (entry + at + 7));
	e[at + 7] = 0xff, e[at + 8] = 0x25;
	put32(e + at + 9, POOL_GATE - (at + 13));
	return at + 13;
}

static bool put_entry(uint8_t *e, uint64_t entry, uint64_t site)
{
	uint64_t gate = (uint64_t)gate_enter;

	memcpy(e + POOL_GATE, &gate, sizeof(gate));
	memcpy(e + POOL_SITE, &site, sizeof(site));
	return text_change(entry, e, POOL_ENTRY_BYTES);
}

static void make_jump(uint8_t jump[JUMP_BYTES], uint64_t site, uint64_t to)
{
	jump[0] = 0xe9;
	put32(jump + 1, to - (site + JUMP_BYTES));
}

static bool put_jump(uint64_t site, uint64_t to)
{
	uint8_t jump[JUMP_BYTES];

	make_jump(jump, site, to);
	return text_change(site, jump, sizeof(jump));
}

/* --- sites whose number is loaded just before ---------------------------------------------------
 */

/* fetch() - as much as can be read of [@from, @to), its end at least. Return: where it begins. */
static uint64_t fetch(uint8_t *code, uint64_t from, uint64_t to)
{
	uint64_t page = to & ~(PAGE_BYTES - 1);

	if (!guest_copy(code, (void *)from, to - from))
		return from;
	if (page <= from || guest_copy(code, (void *)page, to - page))
		return to;
	return page; /* the text begins there */
}

/*
 * begins_here() - whether an instruction begins at @at.  Going through the code from anywhere falls
 * into step with its instructions soon: most ways must lead here.
 */
static bool begins_here(uint64_t at)
{
	uint8_t code[SYNC_BYTES];
	uint64_t start = fetch(code, at - SYNC_BYTES, at);
	uint32_t n = (uint32_t)(at - start), ways = 0, good = 0;
	struct insn i;

	for (uint32_t first = 0; first + SYNC_LEAST <= n; first++, ways++) {
		uint32_t k = first;

		while (k < n) {
			uint32_t len = insn_decode(code + k, n - k, &i);

			k += len ? len : 1;
		}
		good += k == n;
	}
	return ways && good * 4 >= ways * 3;
}

/*
 * find_load() - the instruction before the `syscall` that loads @nr.
 * Return: its length, 0: there is none that can be told for sure.
 */
static uint32_t find_load(uint64_t ip, uint32_t nr)
{
	uint8_t code[9]; /* what stands before ip */
	uint32_t value, len = 5;

	if (guest_copy(code, (void *)(ip - sizeof(code)), sizeof(code)))
		return 0;
	memcpy(&value, code + 3, sizeof(value));
	if (code[7] != 0x0f || code[8] != 0x05 || value != nr)
		return 0;
	if (code[0] == 0x48 && code[1] == 0xc7 && code[2] == 0xc0)
		len = 7; /* mov $nr,%rax */
	else if (code[2] != 0xb8 || (code[1] & 0xf0) == 0x40)
		return 0; /* not mov $nr,%eax, or the end of a longer one */
	return begins_here(ip - SYSCALL_BYTES - len) ? len : 0;
}

static bool patch_load(uint64_t ip, uint32_t nr, uint32_t len)
{
	uint64_t site = ip - SYSCALL_BYTES - len, entry = pool_take(site, 0);
	uint8_t e[POOL_ENTRY_BYTES] = { 0 };

	if (!entry)
		return false;
	e[0] = 0xb8; /* mov $nr,%eax */
	put32(e + 1, nr);
	to_gate(e, 5, entry, ip);
	return put_entry(e, entry, site) && put_jump(site, entry);
}

/* --- sites whose `syscall` is moved -------------------------------------------------------------
 */

/*
 * starts_of() - instructions behind the `syscall` of @site that the jump would overwrite.
 * Behind the end of a function only what fills the room to the next one may be.
 * Return: bit n: one begins at byte n; 0: they cannot be moved. *ret_end: of the last.
 */
static uint32_t starts_of(uint64_t site, const uint8_t *code, uint32_t n, uint32_t *ret_end)
{
	uint8_t out[INSN_MAX];
	uint32_t at = SYSCALL_BYTES, starts = 0;
	bool ended = false;
	struct insn i;

	while (at < JUMP_BYTES) {
		uint32_t len = insn_decode(code + at, n - at, &i);

		if (!len || (ended && !insn_fills(&i)))
			return 0;
		if (!ended && !insn_move(&i, code + at, site + at, site, out))
			return 0;
		starts |= 1u << at;
		ended |= insn_ends(&i);
		at += len;
	}
	*ret_end = at;
	return starts;
}

/* jumps_into() - whether @n bytes of code, which stand at @start, hold a jump to one of @starts. */
static bool jumps_into(const uint8_t *code, uint32_t n, uint64_t start, uint64_t site,
		       uint32_t starts)
{
	uint64_t target;
	struct insn i;

	for (uint32_t at = 0; at < n;) {
		uint32_t len = insn_decode(code + at, n - at, &i);

		if (len && insn_target(&i, code + at, start + at, &target) &&
		    target - site < JUMP_BYTES && starts & 1u << (target - site))
			return true;
		at += len ? len : 1;
	}
	return false;
}

/* They would trap each time, which is right but slow: a site with one near is left alone. */
static bool is_jumped_into(uint64_t site, uint32_t starts)
{
	uint64_t behind = site + SYSCALL_BYTES, end = behind + LOOK_BYTES;
	uint8_t code[LOOK_BYTES];
	uint64_t start = fetch(code, behind - LOOK_BYTES, behind);

	if (jumps_into(code, (uint32_t)(behind - start), start, site, starts))
		return true;
	if (guest_copy(code, (void *)behind, LOOK_BYTES)) { /* this is the last page of the text */
		end = PAGE_UP(behind);
		guest_copy(code, (void *)behind, end - behind);
	}
	return jumps_into(code, (uint32_t)(end - behind), behind, site, starts);
}

/* move_all() - what stands behind the `syscall` into @e, which is to stand at m->entry. */
static bool move_all(struct moved *m, const uint8_t *code, uint32_t n, uint8_t *e)
{
	uint32_t at = SYSCALL_BYTES, to = RESUME;
	bool ended = false;
	struct insn i;

	m->n = 0;
	while (at < JUMP_BYTES) {
		uint32_t len = insn_decode(code + at, n - at, &i), written = len;

		m->from[m->n] = (uint8_t)at;
		m->to[m->n++] = (uint8_t)to;
		if (ended)
			memcpy(e + to, code + at, len);
		else
			written = insn_move(&i, code + at, m->site + at, m->entry + to, e + to);
		if (!written)
			return false; /* too far away from what it means */
		ended |= insn_ends(&i);
		at += len;
		to += written;
	}
	m->from[m->n] = (uint8_t)at;
	m->to[m->n++] = (uint8_t)to;
	e[to] = 0xe9;
	put32(e + to + 1, m->site + at - (m->entry + to + JUMP_BYTES));
	return true;
}

/* @ip: behind the `syscall`. *ret: where whoever is in the call resumes now. */
static bool patch_call(uint64_t ip, uint64_t *ret)
{
	uint64_t site = ip - SYSCALL_BYTES, left = PAGE_BYTES - site % PAGE_BYTES;
	uint8_t code[SYSCALL_BYTES + 2 * INSN_MAX], e[POOL_ENTRY_BYTES] = { 0 };
	uint32_t n = sizeof(code), end, starts;
	struct moved *m = &moved[n_moved];

	if (n_moved == N_MOVED)
		return false;
	if (guest_copy(code, (void *)site, n)) {
		n = left < n ? (uint32_t)left : 0;
		if (!n || guest_copy(code, (void *)site, n))
			return false;
	}
	starts = starts_of(site, code, n, &end);
	if (!starts || !is_text(site, site + end) || is_jumped_into(site, starts))
		return false;
	m->site = site;
	m->entry = pool_take(site, starts);
	if (!m->entry || !move_all(m, code, n, e))
		return false;
	to_gate(e, 0, m->entry, m->entry + RESUME);
	e[13] = 0x0f, e[14] = 0x05; /* what a restart repeats, and who may not pass the gate */
	if (!put_entry(e, m->entry, site))
		return false;
	*ret = m->entry + RESUME;
	__atomic_store_n(&n_moved, n_moved + 1, __ATOMIC_RELEASE); /* before anybody can trap */
	return put_jump(site, m->entry);
}

/* --- deciding -----------------------------------------------------------------------------------
 */

/* Waits are the stub's: a site of them alone is worth a jump, and so is one of both. */
static bool is_futex_wait(uint64_t op)
{
	return (op & FUTEX_CMD_MASK) == FUTEX_WAIT || (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
}

bool patch_leaves(const struct slot *s, const struct ucontext *uc, uint32_t nr)
{
	if (s->traps_all)
		return false;
	switch (nr) {
	case __NR_futex:
		return !is_futex_wait(uc->uc_mcontext.rsi);
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

/* Those of the whole process: of the slot that has its actions. */
static struct stub_patch_counts *counts_of(struct slot *s)
{
	char *control = (char *)s->shared - CHANNEL_CONTROL_BYTES;

	return &((struct channel_control *)control)->patch;
}

/* patch() - Return: success, *ip: where the thread goes on. */
static bool patch(uint64_t *ip, uint32_t nr)
{
	uint32_t len = find_load(*ip, nr);
	uint64_t site = *ip - SYSCALL_BYTES - len;

	if (len && is_text(site, site + JUMP_BYTES) && patch_load(*ip, nr, len))
		return true;
	return patch_call(*ip, ip);
}

void patch_consider(struct slot *s, struct ucontext *uc, uint32_t nr)
{
	struct stub_patch_counts *counts = counts_of(s);
	uint64_t ip = uc->uc_mcontext.rip;
	uint32_t offset;

	counts->traps++;
	if (!stub_has_fsgsbase || off || patch_leaves(s, uc, nr) || !is_hot(ip))
		return;
	gate_learn(uc);
	/* One that does not pass the gate traps at its trampoline. */
	if (!gate_is_open() || pool_site(ip, &offset))
		return;
	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return; /* another thread is at it: this site will be hot again */
	if (patch(&ip, nr)) {
		counts->patched++;
	} else {
		counts->refused++;
		*hits_of(ip) = REFUSED;
	}
	uc->uc_mcontext.rip = ip;
	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
}

/* --- whoever is inside of a site ----------------------------------------------------------------
 */

/* is_there() - the guest may have put other code where the site was. */
static bool is_there(const struct moved *m)
{
	uint8_t now[JUMP_BYTES], jump[JUMP_BYTES];

	make_jump(jump, m->site, m->entry);
	if (guest_copy(now, (void *)m->site, sizeof(now)))
		return false;
	for (size_t i = 0; i < sizeof(now); i++)
		if (now[i] != jump[i])
			return false;
	return true;
}

uint64_t patch_original(uint64_t ip)
{
	uint32_t offset, n = __atomic_load_n(&n_moved, __ATOMIC_ACQUIRE);
	uint64_t site = pool_site(ip, &offset);

	if (!site)
		return ip;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; moved[i].entry == ip - offset && k < moved[i].n; k++)
			if (moved[i].to[k] == offset)
				return site + moved[i].from[k];
	return site; /* the call has not been made yet */
}

uint64_t patch_resume(uint64_t ip)
{
	uint32_t n = __atomic_load_n(&n_moved, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++) {
		const struct moved *m = &moved[i];

		if (ip - m->site >= JUMP_BYTES)
			continue;
		for (uint32_t k = 0; k + 1 < m->n; k++)
			if (ip == m->site + m->from[k] && is_there(m))
				return m->entry + m->to[k];
	}
	return ip;
}
