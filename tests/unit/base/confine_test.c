/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights.  Each check runs in a child: what is given up does not come back.
 */
#include "base/confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/unit/tap.h"

/* in_child() - Return: what @check returned there. */
static int in_child(int (*check)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static uint64_t capability_set(const char *name)
{
	char line[128];
	size_t len = strlen(name);
	uint64_t bits = ~0ull;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, len) == 0)
			bits = strtoull(line + len + 1, NULL, 16);
	if (f)
		fclose(f);
	return bits;
}

static int rights(void)
{
	const uint64_t keep = 1U << CAP_CHOWN | 1U << CAP_MKNOD;
	const char *sets[] = { "CapPrm", "CapEff", "CapBnd" };
	struct rlimit core;

	if (confine_rights((uint32_t)keep, NULL) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++)
		if (capability_set(sets[i]) != keep)
			return 2;
	if (capability_set("CapInh") || capability_set("CapAmb"))
		return 3;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
		return 4;
	return getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0 ? 5 : 0;
}

static int rights_of_a_user(void)
{
	if (setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (confine_rights(0, NULL) < 0)
		return 2;
	return capability_set("CapPrm") ? 3 : 0;
}

static int empty_root(void)
{
	if (unshare(CLONE_NEWNS) < 0 || confine_empty_root(NULL) < 0)
		return 1;
	if (access("/proc", F_OK) == 0 || access("..", W_OK) == 0)
		return 2;
	return mkdir("/x", 0700) == 0 || errno != EROFS ? 3 : 0;
}

static int calls(void)
{
	static const struct allowed_call allowed[] = {
		ALLOW(write),
		ALLOW(exit_group),
		ALLOW_NO_EXEC(mmap),
		ALLOW_IF(close, ARG_IS(0, 100)),
		ALLOW_IF(close, ARG_IS(0, 101)),
	};

	if (confine_calls(SECCOMP_RET_ERRNO | ENOTTY, allowed, ARRAY_LEN(allowed), NULL) < 0)
		return 1;
	if (syscall(SYS_getppid) != -1 || errno != ENOTTY)
		return 2;
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return 3;
	if (mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return 4;
	if (close(100) != -1 || errno != EBADF || close(101) != -1 || errno != EBADF)
		return 5;
	return close(102) != -1 || errno != ENOTTY ? 6 : 0;
}

int main(void)
{
	is_int(in_child(rights), 0, "two capabilities are kept, in all sets; no way to gain one");
	is_int(in_child(rights_of_a_user), 0, "a user without capabilities gives up what there is");
	is_int(in_child(empty_root), 0, "nothing is in the root, and nothing can be put there");
#if !CONFINE_FILTERS
	skip("calls: a filter is on", "sanitizer builds have none");
	(void)calls;
#else
	is_int(in_child(calls), 0, "what is not in the table, or not so, is refused");
#endif
	return tap_done();
}
