/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the VMM's filters: a thread of each kind tries what it may and what it may not.
 */
#include "runtimes/microvm/jail/confine.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/tap.h"

struct attempt {
	const char *what;
	void (*call)(void);
	bool allowed[CONFINE_KINDS];
};

static void call_getpid(void)
{
	getpid();
}

static void call_malloc(void)
{
	free(malloc(1 << 20)); /* mapped */
}

static void call_kvm_run(void)
{
	ioctl(-1, KVM_RUN, 0);
}

static void call_kvm_create(void)
{
	ioctl(-1, KVM_CREATE_VM, 0);
}

static void call_other_ioctl(void)
{
	ioctl(-1, TIOCSTI, "x");
}

static void call_open(void)
{
	close(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void call_unix_socket(void)
{
	close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void call_inet_socket(void)
{
	close(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void call_exec_memory(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void call_execve(void)
{
	syscall(SYS_execve, NULL, NULL, NULL);
}

static void call_fork(void)
{
	if (!fork())
		_exit(0);
}

static void call_ptrace(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}

static void call_x32(void)
{
	syscall(0x40000000 | SYS_getpid);
}

static void *nothing(void *data)
{
	return data;
}

static void call_thread(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, nothing, NULL))
		pthread_join(t, NULL);
}

static const struct attempt attempts[] = {
	{ "getpid", call_getpid, { true, true } },
	{ "malloc", call_malloc, { true, true } },
	{ "KVM_RUN", call_kvm_run, { true, true } },
	{ "KVM_CREATE_VM", call_kvm_create, { true, false } },
	{ "another ioctl", call_other_ioctl, { false, false } },
	{ "open", call_open, { true, false } },
	{ "a UNIX socket", call_unix_socket, { true, false } },
	{ "a thread", call_thread, { true, false } },
	{ "an internet socket", call_inet_socket, { false, false } },
	{ "memory to execute", call_exec_memory, { false, false } },
	{ "execve", call_execve, { false, false } },
	{ "fork", call_fork, { false, false } },
	{ "ptrace", call_ptrace, { false, false } },
	{ "a call of x32", call_x32, { false, false } },
};

static void *try(void *data)
{
	const struct attempt *a = data;

	a->call();
	return NULL;
}

/* try_in_child() - how a child of @kind ends that tries it. */
static int try_in_child(const struct attempt *a, enum confine_kind kind)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		if (confine_thread(kind, NULL))
			_exit(3);
		try((void *)(uintptr_t)a);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	static const char *const names[] = { "VMM", "vCPU" };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip("filters", "they are not loaded beside sanitizers");
	return tap_done();
#endif
	for (size_t k = 0; k < CONFINE_KINDS; k++) {
		for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
			const struct attempt *a = &attempts[i];
			int status = try_in_child(a, (enum confine_kind)k);

			if (a->allowed[k])
				ok(WIFEXITED(status) && !WEXITSTATUS(status), "%s: %s passes",
				   names[k], a->what);
			else
				ok(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS),
				   "%s: %s is stopped", names[k], a->what);
		}
	}
	return tap_done();
}
