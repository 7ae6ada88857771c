/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users, groups, capabilities, process groups and sessions. Starts as root.
 */
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "tests/syscalls/check.h"

#define KEEP ((uid_t)-1)

static bool ids_are(uid_t r, uid_t e, uid_t s)
{
	uid_t a = 1, b = 1, c = 1;

	return !CALL(SYS_getresuid, &a, &b, &c) && a == r && b == e && c == s;
}

static bool gids_are(gid_t r, gid_t e, gid_t s)
{
	gid_t a = 1, b = 1, c = 1;

	return !CALL(SYS_getresgid, &a, &b, &c) && a == r && b == e && c == s;
}

static uint64_t caps(int which)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { 0 };

	syscall(SYS_capget, &h, d);
	return which == 'e' ? d[0].effective : which == 'p' ? d[0].permitted : d[0].inheritable;
}

static void as_root(void)
{
	int wrong = 0;

	is(in_child({
		   wrong += CALL(SYS_setresuid, 10, 20, 30) || !ids_are(10, 20, 30);
		   wrong += getuid() != 10 || geteuid() != 20;
		   _exit(wrong);
	   }),
	   0, "root may have any ids");
	is(in_child({
		   CALL(SYS_setresuid, 10, 20, 30);
		   wrong += CALL(SYS_setresuid, 30, KEEP, 10) || !ids_are(30, 20, 10);
		   wrong += CALL(SYS_setresuid, 5, KEEP, KEEP) != -EPERM;
		   wrong += CALL(SYS_setuid, 20) != -EPERM;
		   wrong += CALL(SYS_setuid, 10) || !ids_are(30, 10, 10);
		   _exit(wrong);
	   }),
	   0, "others may swap theirs");
	is(in_child({
		   wrong += CALL(SYS_setuid, 7) || !ids_are(7, 7, 7);
		   wrong += CALL(SYS_setuid, 0) != -EPERM;
		   _exit(wrong);
	   }),
	   0, "setuid by root is for good");
	is(in_child({
		   wrong += CALL(SYS_setreuid, 7, 8) || !ids_are(7, 8, 8);
		   wrong += CALL(SYS_setreuid, 8, 7) || !ids_are(8, 7, 7);
		   wrong += CALL(SYS_setreuid, KEEP, 0) != -EPERM;
		   _exit(wrong);
	   }),
	   0, "setreuid");
	is(in_child({
		   wrong += CALL(SYS_setresgid, 10, 20, 30) || !gids_are(10, 20, 30);
		   wrong += CALL(SYS_setregid, 1, 2) || !gids_are(1, 2, 2);
		   wrong += CALL(SYS_setgid, 9) || !gids_are(9, 9, 9);
		   wrong += getgid() != 9 || getegid() != 9;
		   CALL(SYS_setuid, 5);
		   wrong += CALL(SYS_setgid, 3) != -EPERM || CALL(SYS_setresgid, 1, 1, 1) != -EPERM;
		   _exit(wrong);
	   }),
	   0, "groups likewise");
	is(in_child({
		   wrong += CALL(SYS_setfsuid, 7) != 0 || CALL(SYS_setfsuid, KEEP) != 7;
		   wrong += CALL(SYS_setfsgid, 7) != 0 || CALL(SYS_setfsgid, KEEP) != 7;
		   CALL(SYS_setuid, 3);
		   wrong += CALL(SYS_setfsuid, 99) != 3 || CALL(SYS_setfsuid, KEEP) != 3;
		   _exit(wrong);
	   }),
	   0, "ids for files");
	is(CALL(SYS_setuid, KEEP), -EINVAL, "no user -1");
	is(CALL(SYS_setgid, KEEP), -EINVAL, "no group -1");
	is(CALL(SYS_getresuid, edge(2), edge(4), edge(4)), -EFAULT, "bad address");
	is(CALL(SYS_getresgid, edge(4), edge(4), edge(2)), -EFAULT, "bad address for groups");
}

static void test_groups(void)
{
	gid_t set[] = { 30, 10, 20 }, got[8] = { 0 };

	is(in_child({
		   int wrong = 0;

		   wrong += CALL(SYS_setgroups, 3, set) != 0;
		   wrong += CALL(SYS_getgroups, 0, NULL) != 3;
		   wrong += CALL(SYS_getgroups, 8, got) != 3 || got[0] + got[1] + got[2] != 60;
		   wrong += CALL(SYS_getgroups, 2, got) != -EINVAL;
		   wrong += CALL(SYS_getgroups, -1, got) != -EINVAL;
		   wrong += CALL(SYS_getgroups, 3, edge(4)) != -EFAULT;
		   wrong += CALL(SYS_setgroups, 3, edge(4)) != -EFAULT;
		   wrong += CALL(SYS_setgroups, 65537, set) != -EINVAL;
		   CALL(SYS_setuid, 5);
		   wrong += CALL(SYS_setgroups, 1, set) != -EPERM;
		   _exit(wrong);
	   }),
	   0, "supplementary groups");
}

static void test_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { 0 };
	uint32_t kill_bit = 1u << CAP_KILL;

	is(CALL(SYS_capget, &h, d), 0, "capget");
	ok(d[0].effective & kill_bit, "root has capabilities");
	is(CALL(SYS_capget, &h, edge(8)), -EFAULT, "bad address");
	is(CALL(SYS_capget, edge(2), d), -EFAULT, "bad header");
	h.version = 1;
	is(CALL(SYS_capget, &h, d), -EINVAL, "unknown version");
	is(h.version, _LINUX_CAPABILITY_VERSION_3, "is answered with ours");
	h.pid = 0x3ffffff;
	is(CALL(SYS_capget, &h, d), -ESRCH, "no such thread");
	is(in_child({
		   h.pid = 0;
		   CALL(SYS_setresuid, 5, 5, 5);
		   _exit(caps('e') || caps('p'));
	   }),
	   0, "they go with root's ids");
	is(in_child({
		   CALL(SYS_setresuid, KEEP, 5, KEEP);
		   if (caps('e') || !caps('p'))
			   _exit(1);
		   CALL(SYS_setresuid, KEEP, 0, KEEP);
		   _exit(!caps('e'));
	   }),
	   0, "and come back with the effective one");
	is(in_child({
		   prctl(PR_SET_KEEPCAPS, 1);
		   CALL(SYS_setresuid, 5, 5, 5);
		   _exit(caps('e') || !(caps('p') & kill_bit) || !prctl(PR_GET_KEEPCAPS));
	   }),
	   0, "PR_SET_KEEPCAPS keeps the permitted ones");
	is(in_child({
		   h.pid = 0;
		   CALL(SYS_capget, &h, d);
		   d[0].effective &= ~kill_bit;
		   d[0].permitted &= ~kill_bit;
		   if (CALL(SYS_capset, &h, d) || caps('e') & kill_bit)
			   _exit(1);
		   d[0].permitted |= kill_bit;
		   _exit(CALL(SYS_capset, &h, d) != -EPERM);
	   }),
	   0, "capset gives up and does not get back");
	is(in_child({
		   if (prctl(PR_CAPBSET_READ, CAP_CHOWN) != 1 || prctl(PR_CAPBSET_READ, 999) != -1)
			   _exit(1);
		   if (prctl(PR_CAPBSET_DROP, CAP_CHOWN) && errno != EPERM)
			   _exit(2);
		   _exit(0);
	   }),
	   0, "the bounding set");
	is(in_child({
		   if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) != -1)
			   _exit(1);
		   h.pid = 0;
		   CALL(SYS_capget, &h, d);
		   d[0].inheritable |= kill_bit;
		   CALL(SYS_capset, &h, d);
		   if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0))
			   _exit(2);
		   if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0) != 1)
			   _exit(3);
		   prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
		   _exit(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
	   }),
	   0, "the ambient set");
	is(in_child({
		   CALL(SYS_setresuid, 5, 5, 5);
		   _exit(kill(getppid(), 0) == 0 || errno != EPERM);
	   }),
	   0, "a user may not signal root");
}

static void test_sessions(void)
{
	pid_t pid;

	is(CALL(SYS_getpgid, 0), CALL(SYS_getpgrp), "getpgid");
	is(CALL(SYS_getpgid, getpid()), CALL(SYS_getpgrp), "by number");
	is(CALL(SYS_getpgid, 0x3ffffff), -ESRCH, "of nobody");
	is(CALL(SYS_getsid, 0x3ffffff), -ESRCH, "no session of nobody");
	is(CALL(SYS_setpgid, 0, -1), -EINVAL, "no negative group");
	is(CALL(SYS_setpgid, 0x3ffffff, 0), -ESRCH, "not for nobody");
	is(in_child({
		   if (CALL(SYS_setpgid, 0, 0) || getpgrp() != getpid())
			   _exit(1);
		   if (CALL(SYS_setsid) != -EPERM)
			   _exit(2);
		   _exit(0);
	   }),
	   0, "a group of one's own; its leader makes no session");
	is(in_child({
		   if (CALL(SYS_setsid) != getpid() || getpgrp() != getpid())
			   _exit(1);
		   if (CALL(SYS_getsid, 0) != getpid() || CALL(SYS_setpgid, 0, 0) != -EPERM)
			   _exit(2);
		   _exit(0);
	   }),
	   0, "a session of one's own; its leader stays in its group");
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	is(CALL(SYS_setpgid, pid, pid), 0, "a group for a child");
	is(CALL(SYS_getpgid, pid), pid, "is its own");
	is(CALL(SYS_setpgid, 0, 0x3ffffff), -EPERM, "a group that is nobody's");
	is(CALL(SYS_kill, -pid, SIGTERM), 0, "a signal for the group");
	waitpid(pid, NULL, 0);
	is(CALL(SYS_kill, -pid, 0), -ESRCH, "which is gone then");
}

int main(void)
{
	as_root();
	test_groups();
	test_caps();
	test_sessions();
	return tap_done();
}
