/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confinement of bulkhead-fetch.
 *
 * uid and gid 65534, no supplementary groups, empty capability sets, no_new_privs, not dumpable
 * (credentials are in memory), no core, and an allow-list of system calls: anything else is
 * ENOSYS, so that a library that probes falls back.  It may open files for reading only: name
 * service and certificates are looked up while it runs.
 */
#include "image/fetch/confine.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/mem.h"

#define NOBODY 65534

#define READING(flags) ARG_MASKED(flags, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)
#define FAMILY(family) ALLOW_IF(socket, ARG_IS(0, family))

static const struct allowed_call allowed[] = {
	/* memory and threads of glibc */
	ALLOW(brk),
	ALLOW(mmap),
	ALLOW(mprotect),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW(futex),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity),
	ALLOW(restart_syscall),
	ALLOW(membarrier),
	ALLOW(gettid),
	ALLOW(tgkill),
	/* signals: SIGPIPE is ignored around TLS writes; abort() */
	ALLOW(rt_sigaction),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW(sigaltstack),
	/* descriptors: sockets, pipes, memory files */
	ALLOW(read),
	ALLOW(readv),
	ALLOW(pread64),
	ALLOW(write),
	ALLOW(writev),
	ALLOW(pwrite64),
	ALLOW(close),
	ALLOW(lseek),
	ALLOW(fcntl),
	ALLOW(dup),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(select),
	ALLOW(pselect6),
	ALLOW(epoll_create1),
	ALLOW(epoll_ctl),
	ALLOW(epoll_wait),
	ALLOW(epoll_pwait),
	ALLOW(eventfd2),
	ALLOW(pipe2),
	ALLOW(memfd_create),
	ALLOW(ioctl),
	/* the resolver's and TLS's files */
	ALLOW(stat),
	ALLOW(fstat),
	ALLOW(lstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(statfs),
	ALLOW(fstatfs),
	/* network */
	ALLOW(connect),
	ALLOW(bind),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(sendmmsg),
	ALLOW(recvfrom),
	ALLOW(recvmsg),
	ALLOW(recvmmsg),
	ALLOW(shutdown),
	ALLOW(getsockname),
	ALLOW(getpeername),
	ALLOW(getsockopt),
	ALLOW(setsockopt),
	ALLOW(socketpair),
	/* clocks, identity, random numbers */
	ALLOW(clock_gettime),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(gettimeofday),
	ALLOW(time),
	ALLOW(getpid),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	ALLOW(getrandom),
	ALLOW(uname),
	ALLOW(sysinfo),
	ALLOW(prlimit64),
	ALLOW(getrusage),
	/* files only for reading, threads but no processes, four kinds of sockets */
	ALLOW_IF(openat, READING(2)),
	ALLOW_IF(open, READING(1)),
	ALLOW_IF(clone, ARG_MASKED(0, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD)),
	FAMILY(AF_UNIX),
	FAMILY(AF_INET),
	FAMILY(AF_INET6),
	FAMILY(AF_NETLINK),
};

static int drop_ids(struct error *err)
{
	int rc;

	if (geteuid() != 0)
		return 0;
	rc = confine_bounding(0, err);
	if (rc < 0)
		return rc;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return error_errno(err, errno, "becoming uid %d", NOBODY);
	if (setresuid(-1, 0, -1) == 0)
		return error_set(err, EPERM, "uid 0 can still be taken back");
	return 0;
}

int confine_enter(struct error *err)
{
	pid_t parent = getppid();
	int rc = drop_ids(err);

	if (rc == 0)
		rc = confine_rights(0, err);
	if (rc < 0)
		return rc;
	/* Changing ids cleared what the server had set. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		return error_set(err, ESRCH, "the server is gone");
	return confine_calls(SECCOMP_RET_ERRNO | ENOSYS, allowed, ARRAY_LEN(allowed), err);
}
