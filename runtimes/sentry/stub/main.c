/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-stub: from execve to a zygote.
 *
 * The kernel has loaded the program somewhere low, with a stack and, as descriptor 1, a pipe to the
 * launcher.  The stub moves itself into the stub area, high up at a random place, gives
 * everything else back, installs handlers and filter, and waits for orders: each is a fork that
 * becomes a guest process.  The end of the pipe tells the launcher that the filter's listener
 * lies ready as descriptor 0.
 */
#include <elf.h>
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/seccomp.h>

#include "runtimes/sentry/platform/filter.h"
#include "runtimes/sentry/stub/stub.h"

#define SA_RESTORER	0x04000000
#define HANDLER_MASK	(1ull << (STUB_KICK_SIGNAL - 1))
#define HWCAP2_FSGSBASE 2
#define STATUS_FD	1
#define STACK_LIMIT	(8ull << 20)
#define HOST_STACK	(1ull << 20) /* more than the kernel has mapped below the first rsp */

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

/* As the kernel takes it. */
struct host_action {
	void *handler;
	uint64_t flags;
	void *restorer;
	uint64_t mask;
};

struct start {
	uint64_t vdso, random, program_name;
	uint64_t old_image, old_image_bytes, old_stack, old_stack_bytes;
};

uint64_t stub_area_start, stub_vdso_address;
bool stub_has_fsgsbase, stub_is_strict;
struct process stub_main_process;
static struct sock_filter filter[FILTER_MAX_LENGTH];
/* stub_main() hands over to the moved copy through this. */
static struct start start;

void stub_fail(void)
{
	for (;;)
		host_call(__NR_exit_group, 127, 0, 0, 0, 0, 0);
}

static void *slot_memory(uint32_t index)
{
	return (void *)(stub_area_start + STUB_IMAGE_OFFSET - (index + 1ull) * STUB_SLOT_BYTES);
}

struct slot *slot_at(uint32_t index)
{
	return (struct slot *)((uint64_t)slot_memory(index) + STUB_SLOT_BYTES -
			       sizeof(struct slot));
}

stack_t slot_stack(struct slot *s)
{
	char *lowest = (char *)slot_memory(s->index) + PAGE_BYTES;

	return (stack_t){ .ss_sp = lowest, .ss_size = (char *)s - lowest };
}

bool stub_is_ours(uint64_t ip)
{
	return ip - stub_area_start < STUB_AREA_BYTES;
}

/* Why the zygote cannot be: for the launcher, which reads the pipe. */
static void refuse(long rc)
{
	int32_t code = (int32_t)rc;

	host_call(__NR_write, STATUS_FD, (uint64_t)&code, sizeof(code), 0, 0, 0);
	stub_fail();
}

static void set_handler(int signo, void *handler, uint64_t flags, uint64_t mask)
{
	struct host_action a = {
		.handler = handler,
		.flags = flags | SA_RESTORER,
		.restorer = (void *)stub_resume, /* never reached: handlers do not return */
		.mask = mask,
	};
	long rc = host_call(__NR_rt_sigaction, signo, (uint64_t)&a, 0, sizeof(a.mask), 0, 0);

	if (rc < 0)
		refuse(rc);
}

static void set_handlers(struct slot *s)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	uint64_t flags = SA_SIGINFO | SA_ONSTACK;
	stack_t stack = slot_stack(s);
	uint64_t none = 0;

	host_call(__NR_sigaltstack, (uint64_t)&stack, 0, 0, 0, 0, 0);
	set_handler(SIGSYS, fault_on_sigsys, flags, 0);
	set_handler(STUB_KICK_SIGNAL, fault_on_kick, flags, 0);
	/* A fault may hit again while its frame is written for the guest. */
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		set_handler(faults[i], fault_on_fault, flags | SA_NODEFER, HANDLER_MASK);
	set_handler(SIGCHLD, SIG_IGN, 0, 0); /* no zombies: wait(2) is the sentry's */
	host_call(__NR_rt_sigprocmask, SIG_SETMASK, (uint64_t)&none, 0, sizeof(none), 0, 0);
}

static void set_filter(void)
{
	struct sock_fprog program = { .filter = filter };
	long rc;

	program.len = filter_build(stub_is_strict ? FILTER_STRICT : FILTER_DEFAULT, filter,
				   FILTER_MAX_LENGTH, (uint64_t)host_calls_begin,
				   (uint64_t)host_calls_end);
	if (!program.len)
		refuse(-EINVAL);
	host_call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
	rc = host_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		       (uint64_t)&program, 0, 0, 0);
	if (rc != STUB_FD_FIRST)
		refuse(rc < 0 ? rc : -EEXIST);
	host_call(__NR_close, STATUS_FD, 0, 0, 0, 0, 0);
}

/* A new stub: forked from the zygote, on the zygote's stack. */
static void become_stub(uint64_t cookie)
{
	struct slot *s = slot_current();
	struct ucontext uc = { 0 };

	channel_adopt(s, cookie, false);
	s->control->vdso = stub_vdso_address;
	s->control->area = stub_area_start;
	if (channel_exchange(s, CHANNEL_READY) != CHANNEL_START)
		stub_fail();
	s->process->brk_start = s->process->brk = s->control->brk_start;
	gate_set_slot(s);
	verdict_begin(s);
	uc.uc_mcontext.rip = s->control->entry;
	uc.uc_mcontext.rsp = s->control->stack;
	uc.uc_mcontext.eflags = 0x202;
	uc.uc_mcontext.cs = 0x33;
	uc.uc_mcontext.ss = 0x2b;
	uc.uc_stack = slot_stack(s);
	uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	stub_leave(&uc, &s->pending);
}

static void run_zygote(void *unused)
{
	struct slot *s = slot_at(0);
	bool closed = false;

	(void)unused;
	host_call(__NR_munmap, start.old_image, start.old_image_bytes, 0, 0, 0, 0);
	host_call(__NR_munmap, start.old_stack, start.old_stack_bytes, 0, 0, 0, 0);
	s->index = 0;
	s->process = &stub_main_process;
	s->process->threads = 1;
	s->traps_all = stub_is_strict;
	set_handlers(s);
	set_filter();
	for (;;) {
		long cookie = host_call(STUB_RESERVED_CALL, STUB_RESERVED_ORDER, 0, 0, 0, 0, 0);
		long pid;

		if (cookie == -EINTR)
			continue;
		if (cookie <= 0)
			stub_fail(); /* the sentry is gone */
		if (!closed)
			host_call(__NR_close, STUB_FD_FIRST, 0, 0, 0, 0, 0);
		closed = true;
		pid = host_call(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
		if (pid == 0)
			become_stub(cookie);
	}
}

/* --- moving ----------------------------------------------------------------------------------- */

static void read_stack(uint64_t *sp)
{
	uint64_t *p = sp + 1 + sp[0] + 1; /* argc, argv, NULL */

	stub_is_strict = sp[0] > 1;
	while (*p)
		p++;
	for (p++; p[0] != AT_NULL; p += 2) {
		if (p[0] == AT_SYSINFO_EHDR)
			start.vdso = p[1];
		else if (p[0] == AT_HWCAP2)
			stub_has_fsgsbase = p[1] & HWCAP2_FSGSBASE;
		else if (p[0] == AT_RANDOM)
			start.random = *(uint64_t *)p[1];
		else if (p[0] == AT_EXECFN)
			start.program_name = p[1];
	}
}

static uint64_t map(uint64_t at, uint64_t bytes, int prot, int flags)
{
	return host_call(__NR_mmap, at, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* The whole area is taken at once, so that the host puts nothing of the guest between its parts. */
static uint64_t reserve_area(uint64_t random)
{
	for (int tries = 0; tries < 64; tries++, random = random * 6364136223846793005 + 1) {
		uint64_t at = STUB_GUEST_TOP + (random >> 32) % STUB_AREA_STEPS * STUB_AREA_STEP;

		if (map(at, STUB_AREA_BYTES, PROT_NONE, MAP_FIXED_NOREPLACE | MAP_NORESERVE) == at)
			return at;
	}
	refuse(-ENOMEM);
	return 0;
}

/*
 * check_layout() - the host must choose addresses in the guest's part: the launcher has arranged it
 * by the limit of the stack, which is made ordinary again.
 */
static void check_layout(void)
{
	uint64_t limits[2];
	uint64_t at = map(0, PAGE_BYTES, PROT_NONE, 0);

	if (at >= STUB_GUEST_TOP)
		refuse(-ENOMEM);
	host_call(__NR_munmap, at, PAGE_BYTES, 0, 0, 0, 0);
	host_call(__NR_prlimit64, 0, RLIMIT_STACK, 0, (uint64_t)limits, 0, 0);
	limits[0] = STACK_LIMIT;
	host_call(__NR_prlimit64, 0, RLIMIT_STACK, (uint64_t)limits, 0, 0, 0);
}

/* copy_image() - Return: how far the copy stands from here. */
static uint64_t copy_image(uint64_t to)
{
	const Elf64_Ehdr *header = (const void *)__ehdr_start;
	const Elf64_Phdr *p = (const void *)(__ehdr_start + header->e_phoff);
	uint64_t from = (uint64_t)__ehdr_start, bytes = PAGE_UP((uint64_t)_end - from);

	if (bytes > STUB_IMAGE_BYTES || map(to, bytes, PROT_READ | PROT_WRITE, MAP_FIXED) != to)
		refuse(-ENOMEM);
	for (int i = 0; i < header->e_phnum; i++)
		if (p[i].p_type == PT_LOAD)
			memcpy((char *)to + p[i].p_vaddr, __ehdr_start + p[i].p_vaddr,
			       p[i].p_memsz);
	for (int i = 0; i < header->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_X)
			host_call(__NR_mprotect, to + (p[i].p_vaddr & ~(PAGE_BYTES - 1)),
				  PAGE_UP(p[i].p_memsz + p[i].p_vaddr % PAGE_BYTES),
				  PROT_READ | PROT_EXEC, 0, 0, 0);
	return to - from;
}

static uint64_t end_of_stack(void)
{
	const char *p = (const char *)start.program_name;

	while (*p)
		p++;
	return PAGE_UP((uint64_t)p + 9); /* a last null word stands behind the name */
}

void stub_main(uint64_t *sp) __attribute__((noreturn));

void stub_main(uint64_t *sp)
{
	uint64_t area, slots, image, delta;

	read_stack(sp);
	check_layout();
	area = reserve_area(start.random);
	slots = gate_slots = area + STUB_SLOTS_OFFSET;
	if (map(slots, (uint64_t)STUB_SLOT_BYTES * CHANNEL_SLOTS, PROT_READ | PROT_WRITE,
		MAP_FIXED | MAP_NORESERVE) != slots)
		refuse(-ENOMEM);
	host_call(__NR_madvise, slots, (uint64_t)STUB_SLOT_BYTES * CHANNEL_SLOTS, MADV_NOHUGEPAGE,
		  0, 0, 0);
	start.old_stack = ((uint64_t)sp & ~(PAGE_BYTES - 1)) - HOST_STACK;
	start.old_stack_bytes = end_of_stack() - start.old_stack;
	stub_area_start = area;
	stub_vdso_address = start.vdso;
	start.old_image = (uint64_t)__ehdr_start;
	start.old_image_bytes = PAGE_UP((uint64_t)_end - start.old_image);
	image = area + STUB_IMAGE_OFFSET;
	delta = copy_image(image);
	stub_switch((void *)(image - sizeof(struct slot)), /* the stack of slot 0 */
		    (void (*)(void *))((uint64_t)run_zygote + delta), NULL);
}
