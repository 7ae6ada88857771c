/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new program finds on its stack.
 *
 *	top   8 bytes 0 | name | environment | arguments | "x86_64" | 16 random bytes
 *	      auxv .. AT_NULL | envp .. 0 | argv .. 0 | argc   <- rsp, 16-byte aligned
 *
 * The bytes are built here and poked into the mapping, which is as long as RLIMIT_STACK says from
 * the start: pages that are not touched cost nothing.
 */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "runtimes/sentry/task/exec.h"

#define PAGE	  4096ull
#define STACK_TOP 0x7df000000000ull
#define STACK_MIN (128ull << 10) /* below what is in use */
#define STACK_MAX (64ull << 20)	 /* also where the limit is higher */

uint64_t exec_random(unsigned int bits)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = 0;
	return (r & ((1ull << bits) - 1)) * PAGE;
}

static size_t count(char **v)
{
	size_t n = 0;

	while (v[n])
		n++;
	return n;
}

static size_t strings_len(char **v)
{
	size_t len = 0;

	for (; *v; v++)
		len += strlen(*v) + 1;
	return len;
}

/* The bytes as they will stand at [base, base + len). */
struct builder {
	char *bytes;
	uint64_t base;
	size_t at;
};

static uint64_t put(struct builder *b, const void *from, size_t len)
{
	uint64_t addr = b->base + b->at;

	memcpy(b->bytes + b->at, from, len);
	b->at += len;
	return addr;
}

static void put_word(struct builder *b, uint64_t word)
{
	put(b, &word, sizeof(word));
}

static void put_strings(struct builder *b, char **v, uint64_t *ret_addrs)
{
	for (size_t i = 0; v[i]; i++)
		ret_addrs[i] = put(b, v[i], strlen(v[i]) + 1);
}

static void add_aux(struct exec *e, uint64_t type, uint64_t value)
{
	uint64_t *slot = (uint64_t *)((char *)e->auxv + e->auxv_len);

	slot[0] = type;
	slot[1] = value;
	e->auxv_len += 16;
}

static void build_auxv(struct exec *e, uint64_t interp_base, uint64_t program_base,
		       uint64_t random_at, uint64_t name_at, uint64_t platform_at)
{
	const struct cred *c = e->new_cred;

	e->auxv_len = 0;
	/* Its value is known once there is a stub: exec_set_vdso(). */
	add_aux(e, AT_IGNORE, 0);
	add_aux(e, AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ));
	add_aux(e, AT_HWCAP, getauxval(AT_HWCAP));
	add_aux(e, AT_PAGESZ, PAGE);
	add_aux(e, AT_CLKTCK, 100);
	add_aux(e, AT_PHDR, e->elf.phdr_vaddr ? e->elf.phdr_vaddr + program_base : 0);
	add_aux(e, AT_PHENT, sizeof(Elf64_Phdr));
	add_aux(e, AT_PHNUM, e->elf.phnum);
	add_aux(e, AT_BASE, interp_base);
	add_aux(e, AT_FLAGS, 0);
	add_aux(e, AT_ENTRY, e->elf.entry + program_base);
	add_aux(e, AT_UID, c->uid);
	add_aux(e, AT_EUID, c->euid);
	add_aux(e, AT_GID, c->gid);
	add_aux(e, AT_EGID, c->egid);
	add_aux(e, AT_SECURE, e->secure);
	add_aux(e, AT_RANDOM, random_at);
	add_aux(e, AT_HWCAP2, getauxval(AT_HWCAP2));
	add_aux(e, AT_EXECFN, name_at);
	add_aux(e, AT_PLATFORM, platform_at);
	add_aux(e, AT_NULL, 0);
}

#define AUXV_BYTES (21 * 16)

/* layout() - where things stand: strings at *ret_strings, words at *ret_rsp. */
static void layout(const struct exec *e, uint64_t top, size_t argc, size_t envc,
		   uint64_t *ret_strings, uint64_t *ret_rsp)
{
	size_t strings = strings_len(e->argv) + strings_len(e->envp) + strlen(e->name) + 1 + 8;
	size_t words = (1 + argc + 1 + envc + 1) * 8 + AUXV_BYTES;

	*ret_strings = top - strings;
	*ret_rsp = ((*ret_strings - 16 /* random */ - 16 /* platform */ - words) & ~15ull) -
		   (exec_random(9) / PAGE & ~1ull) * 16;
}

static void build(struct exec *e, uint64_t strings, uint64_t top, uint64_t interp_base,
		  uint64_t program_base)
{
	size_t argc = count(e->argv), envc = count(e->envp);
	uint64_t rsp = e->image.stack, random_at, name_at, platform_at;
	cleanup_free uint64_t *addrs = xcalloc(argc + envc + 1, sizeof(*addrs));
	struct builder b = { .bytes = e->stack, .base = rsp, .at = strings - rsp };
	char random[16];

	e->arg_start = strings;
	put_strings(&b, e->argv, addrs);
	e->arg_end = e->env_start = b.base + b.at;
	put_strings(&b, e->envp, addrs + argc);
	e->env_end = b.base + b.at;
	name_at = put(&b, e->name, strlen(e->name) + 1);
	memset(b.bytes + b.at, 0, top - (b.base + b.at));
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		memset(random, 0x5a, sizeof(random));
	b.at = strings - 32 - rsp;
	platform_at = put(&b, "x86_64\0\0\0\0\0\0\0\0\0", 16);
	random_at = put(&b, random, 16);
	build_auxv(e, interp_base, program_base, random_at, name_at, platform_at);
	b.at = 0;
	put_word(&b, argc);
	for (size_t i = 0; i <= argc; i++)
		put_word(&b, i < argc ? addrs[i] : 0);
	for (size_t i = 0; i <= envc; i++)
		put_word(&b, i < envc ? addrs[argc + i] : 0);
	e->auxv_at = b.at;
	put(&b, e->auxv, e->auxv_len);
}

void exec_set_vdso(struct exec *e, uint64_t addr)
{
	e->auxv[0] = addr ? AT_SYSINFO_EHDR : AT_IGNORE;
	e->auxv[1] = addr;
	memcpy(e->stack + e->auxv_at, e->auxv, 16);
}

int exec_stack(struct exec *e, uint64_t interp_base, uint64_t program_base,
	       struct stub_map *ret_map, struct stub_poke *ret_poke)
{
	uint64_t top = STACK_TOP + exec_random(20), strings, bottom;
	size_t argc = count(e->argv), envc = count(e->envp);

	if (strings_len(e->argv) + strings_len(e->envp) + (argc + envc) * 8 > EXEC_STRINGS_MAX)
		return -E2BIG;
	layout(e, top, argc, envc, &strings, &e->image.stack);
	e->stack_start = e->image.stack;
	e->stack = xmalloc(top - e->image.stack);
	memset(e->stack, 0, top - e->image.stack);
	build(e, strings, top, interp_base, program_base);
	bottom = (e->image.stack & ~(PAGE - 1)) - STACK_MIN;
	bottom = MIN(bottom, top - (MIN(e->stack_limit, STACK_MAX) & ~(PAGE - 1)));
	*ret_map = (struct stub_map){
		.addr = bottom,
		.length = top - bottom,
		.prot = PROT_READ | PROT_WRITE | (e->elf.exec_stack ? PROT_EXEC : 0),
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE | MAP_STACK,
		.fd = -1,
	};
	*ret_poke = (struct stub_poke){ .addr = e->image.stack,
					.from = e->stack,
					.len = top - e->image.stack };
	return 0;
}
