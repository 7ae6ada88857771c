/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that has taken over its stub: it talks to the sentry by itself.
 *
 *   hostile files FILE...     maps each for reading, takes the descriptor that comes for it, and
 *                             tries to make a mapping of it that can be written
 *   hostile shm KEY           the same with a segment that it may only read
 *   hostile stub              makes all of its stub writable and overwrites it, in a child
 *   hostile poison PROGRAM    destroys its stub, has the sentry execute PROGRAM and goes on asking
 *   hostile whoami            prints the user that it acts for
 *
 * What it comes to is printed; whether anybody else noticed is for the caller to see.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtimes/sentry/platform/abi.h"

#define MARK	   'H'
#define FUTEX_WAKE 1

static struct channel_control *control;
static long slot, image, site; /* of the stub; its plain system call */

/* jump() - the stub's own instruction makes a call of the host. */
static long jump(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long rc;

	__asm__ volatile("call *%[site]"
			 : "=a"(rc)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9), [site] "b"(site)
			 : "rcx", "r11", "memory");
	return rc;
}

/* The slot of the first thread is in %gs, and all else at fixed distances from it. */
static void take_over(void)
{
	const unsigned char *p;

	__asm__ volatile("rdgsbase %0" : "=r"(slot));
	if (!slot) {
		fprintf(stderr, "this processor keeps no slot in gs\n");
		exit(77);
	}
	image = (slot | (STUB_SLOT_BYTES - 1)) + 1;
	control = (struct channel_control *)(image + (long)STUB_IMAGE_BYTES);
	for (p = (const unsigned char *)image; memcmp(p, "\x0f\x05\xc3", 3) != 0; p++)
		;
	site = (long)p;
}

/* say() - a request of one's own, and the kind of its answer. */
static uint32_t say(uint32_t kind)
{
	uint32_t now = control->request + 1;

	control->kind = kind;
	__atomic_store_n(&control->request, now, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &control->request, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (__atomic_load_n(&control->answer, __ATOMIC_SEQ_CST) != now)
		sched_yield();
	return control->answer_kind;
}

static uint32_t call(uint32_t nr, long a, long b, long c, long d, long e, long f)
{
	const long args[6] = { a, b, c, d, e, f };

	control->nr = nr;
	control->n_windows = 0;
	memcpy(control->args, args, sizeof(args));
	return say(CHANNEL_CALL);
}

/* try_fd() - each way to map a descriptor. Return: how many shared pages could be written. */
static int try_fd(long fd, int *tries)
{
	int written = 0;

	for (long prot = 0; prot <= 7; prot++) {
		for (long flags = MAP_SHARED; flags <= MAP_PRIVATE; flags++) {
			long at = jump(SYS_mmap, 0, 4096, prot, flags, fd, 0);

			++*tries;
			if (at < 0 && at > -4096)
				continue;
			for (long more = 0; more <= 7; more++) {
				++*tries;
				if (jump(SYS_mprotect, at, 4096, more, 0, 0, 0) || !(more & 2))
					continue;
				*(volatile char *)at = MARK;
				written += flags == MAP_SHARED;
			}
			munmap((void *)at, 4096);
		}
	}
	return written;
}

/* attack() - a call that maps something is on its way. */
static void attack(const char *what, uint32_t answer)
{
	int tries = 0, written = 0, fds = 0;

	if (answer == CHANNEL_COMMANDS && control->token) {
		if (jump(STUB_RESERVED_CALL, STUB_RESERVED_FETCH, (long)control->token, 0, 0, 0,
			 0) >= 0)
			for (; fds < STUB_FD_COUNT; fds++)
				written += try_fd(fds, &tries);
		for (long fd = 0; fd < STUB_FD_COUNT; fd++)
			jump(SYS_close, fd, 0, 0, 0, 0, 0);
		control->result = -EPERM; /* the mapping itself is not wanted */
		say(CHANNEL_COMMANDS_DONE);
	}
	call(SYS_getpid, 0, 0, 0, 0, 0, 0); /* so that the stub's next number is a new one */
	printf("%s: %s, %s\n", what, tries ? "tried" : "no descriptor came",
	       written ? "WRITTEN" : "not written");
	fflush(stdout);
}

static void attack_file(const char *path, long flags)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		printf("%s: cannot be opened\n", path);
		return;
	}
	attack(path, call(SYS_mmap, 0, 4096, PROT_READ, flags, fd, 0));
	close(fd);
}

static void attack_shm(long key)
{
	int id = shmget((key_t)key, 0, 0);

	attack("segment", call(SYS_shmat, id, 0, SHM_RDONLY, 0, 0, 0));
}

/* scribble() - over a part of the stub that could be made writable. Return: whether it could. */
static int scribble(long at, long bytes)
{
	if (jump(SYS_mprotect, at, bytes, PROT_READ | PROT_WRITE, 0, 0, 0))
		return 0;
	for (long i = 0; i < bytes; i += 8)
		*(volatile long *)(at + i) = 0x4848484848484848;
	return 1;
}

static void attack_stub(void)
{
	long vdso = (long)control->vdso;
	int n = 0;

	if (fork() == 0) {
		/* whatever is done to it, it is this process' own copy */
		n += scribble(vdso, 4096);
		n += scribble((long)control, 4096);
		n += scribble(image + 4096, 4096);
		n += scribble((slot & -(long)STUB_SLOT_BYTES) + 4096, 4096);
		_exit(n);
	}
	printf("a child is gone: %d\n", wait(NULL) > 0);
}

static void poison(char *program)
{
	char *argv[] = { program, (char *)"whoami", NULL };
	static char gained[] = "GAINED\n";

	/* our own loop needs no stub but its channel */
	jump(SYS_mprotect, image, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0);
	memset((void *)image, 0xcc, 4096);
	control->nr = SYS_execve;
	control->n_windows = 0;
	control->args[0] = (uint64_t)program;
	control->args[1] = (uint64_t)argv;
	control->args[2] = 0;
	control->kind = CHANNEL_CALL;
	for (int asked = 0; asked < 1000; asked++) {
		__atomic_fetch_add(&control->request, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &control->request, FUTEX_WAKE, 1, NULL, NULL, 0);
		/* until the sentry has the request; then at once the next one */
		do {
			sched_yield();
		} while (control->sentry_sleeps);
		for (int i = 0; i < 100; i++)
			sched_yield();
		control->nr = SYS_write;
		control->args[0] = 1;
		control->args[1] = (uint64_t)gained;
		control->args[2] = sizeof(gained) - 1;
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "whoami") == 0) {
		printf("user %d\n", (int)geteuid());
		return 0;
	}
	take_over();
	if (strcmp(what, "files") == 0) {
		for (int i = 2; i < argc; i++) {
			attack_file(argv[i], MAP_PRIVATE);
			attack_file(argv[i], MAP_SHARED);
		}
	} else if (strcmp(what, "shm") == 0 && argc > 2) {
		attack_shm(atol(argv[2]));
	} else if (strcmp(what, "stub") == 0) {
		attack_stub();
	} else if (strcmp(what, "poison") == 0 && argc > 2) {
		poison(argv[2]);
	} else {
		return 2;
	}
	return 0;
}
