/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses at the edge of a page: one row for each address that a call takes.
 *
 * What is read or written there is laid so that its last byte falls on a page that is not ours:
 * EFAULT.  With all of it on our page the answer is another one.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <utime.h>

#include "tests/syscalls/check.h"

#define SIGINFO_READ 48 /* what the kernel takes of a siginfo_t */
#define ARCH_GET_FS  0x1003
#define RIGHT	     1 /* what is needed besides: what a whole one does would be lasting */

static int file, zeros, dir, in, out, ep, timer_fd, ear, pair[2], shm, sem, msg, pid_fd, some;
static timer_t timer;
static char *name; /* of the file */

/* One address of a call.  For buffers the size is 0: they may be used up to the edge. */
struct row {
	const char *what;
	size_t size;
	long (*fn)(void *p);
	int right;
};

#define ONE(id, call, ...)                      \
	static long f_##id(void *p)             \
	{                                       \
		return CALL(call, __VA_ARGS__); \
	}

#define N	   NULL
#define SET	   (&(uint64_t){ 0 })
#define NOW	   (&(struct timespec){ 0, 0 })
#define IOV	   (&(struct iovec){ (char[1]){ 0 }, 1 })
#define CAP_HEADER (&(struct __user_cap_header_struct){ _LINUX_CAPABILITY_VERSION_3, 0 })
#define SOME_LEN   (&(socklen_t){ 16 })

ONE(read, SYS_read, zeros, p, 4)
ONE(write, SYS_write, file, p, 4)
ONE(pread, SYS_pread64, file, p, 4, 0)
ONE(pwrite, SYS_pwrite64, file, p, 4, 0)
ONE(readv, SYS_readv, file, p, 1)
ONE(writev, SYS_writev, file, p, 1)
ONE(preadv, SYS_preadv, file, p, 1, 0, 0)
ONE(pwritev, SYS_pwritev, file, p, 1, 0, 0)
ONE(preadv2, SYS_preadv2, file, p, 1, 0, 0, 0)
ONE(pwritev2, SYS_pwritev2, file, p, 1, 0, 0, 0)
ONE(stat, SYS_stat, name, p)
ONE(lstat, SYS_lstat, name, p)
ONE(fstat, SYS_fstat, file, p)
ONE(newfstatat, SYS_newfstatat, AT_FDCWD, name, p, 0)
ONE(statx, SYS_statx, AT_FDCWD, name, 0, STATX_BASIC_STATS, p)
ONE(statfs, SYS_statfs, name, p)
ONE(fstatfs, SYS_fstatfs, file, p)
ONE(poll, SYS_poll, p, 1, 0)
ONE(ppoll, SYS_ppoll, p, 1, NOW, N, 8)
ONE(ppoll_time, SYS_ppoll, N, 0, p, N, 8)
ONE(ppoll_mask, SYS_ppoll, N, 0, NOW, p, 8)
ONE(select, SYS_select, 1, p, N, N, &(struct timeval){ 0, 0 })
ONE(select_time, SYS_select, 0, N, N, N, p)
ONE(pselect, SYS_pselect6, 1, p, N, N, NOW, N)
ONE(pselect_time, SYS_pselect6, 0, N, N, N, p, N)
ONE(pselect_mask, SYS_pselect6, 0, N, N, N, NOW, p)
ONE(epoll_ctl, SYS_epoll_ctl, ep, EPOLL_CTL_MOD, out, p)
ONE(epoll_wait, SYS_epoll_wait, ep, p, 1, 0)
ONE(epoll_pwait, SYS_epoll_pwait, ep, p, 1, 0, N, 8)
ONE(epoll_pwait2, SYS_epoll_pwait2, ep, p, 1, NOW, N, 8)
ONE(epoll_pwait2_time, SYS_epoll_pwait2, ep, (char[16]){ 0 }, 1, p, N, 8)
ONE(pipe, SYS_pipe, p)
ONE(pipe2, SYS_pipe2, p, 0)
ONE(getdents, SYS_getdents, dir, p, 1000)
ONE(getdents64, SYS_getdents64, dir, p, 1000)
ONE(getcwd, SYS_getcwd, p, 4096)
ONE(readlink, SYS_readlink, "/proc/self/exe", p, 100)
ONE(readlinkat, SYS_readlinkat, AT_FDCWD, "/proc/self/exe", p, 100)
ONE(utime, SYS_utime, name, p)
ONE(utimes, SYS_utimes, name, p)
ONE(futimesat, SYS_futimesat, AT_FDCWD, name, p)
ONE(utimensat, SYS_utimensat, AT_FDCWD, name, p, 0)
ONE(setxattr, SYS_setxattr, name, "user.a", p, 4, 0)
ONE(lsetxattr, SYS_lsetxattr, name, "user.a", p, 4, 0)
ONE(fsetxattr, SYS_fsetxattr, file, "user.a", p, 4, 0)
ONE(getxattr, SYS_getxattr, name, "user.a", p, 4)
ONE(lgetxattr, SYS_lgetxattr, name, "user.a", p, 4)
ONE(fgetxattr, SYS_fgetxattr, file, "user.a", p, 4)
ONE(listxattr, SYS_listxattr, name, p, 100)
ONE(llistxattr, SYS_llistxattr, name, p, 100)
ONE(flistxattr, SYS_flistxattr, file, p, 100)
ONE(removexattr, SYS_removexattr, name, p)
ONE(lremovexattr, SYS_lremovexattr, name, p)
ONE(fremovexattr, SYS_fremovexattr, file, p)
ONE(sendfile, SYS_sendfile, out, file, p, 1)
ONE(splice, SYS_splice, file, p, out, N, 1, 0)
ONE(vmsplice, SYS_vmsplice, out, p, 1, 0)
ONE(copy_file_range, SYS_copy_file_range, file, p, file, (&(loff_t){ 100 }), 1, 0)
ONE(nanosleep, SYS_nanosleep, p, N)
ONE(clock_nanosleep, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, p, N)
ONE(clock_gettime, SYS_clock_gettime, CLOCK_MONOTONIC, p)
ONE(clock_getres, SYS_clock_getres, CLOCK_MONOTONIC, p)
ONE(clock_settime, SYS_clock_settime, CLOCK_REALTIME, p)
ONE(gettimeofday, SYS_gettimeofday, p, N)
ONE(time, SYS_time, p)
ONE(getitimer, SYS_getitimer, ITIMER_VIRTUAL, p)
ONE(setitimer, SYS_setitimer, ITIMER_VIRTUAL, p, N)
ONE(setitimer_old, SYS_setitimer, ITIMER_VIRTUAL, (&(struct itimerval){ 0 }), p)
ONE(timer_create, SYS_timer_create, CLOCK_MONOTONIC, p, &some)
ONE(timer_create_id, SYS_timer_create, CLOCK_MONOTONIC, N, p)
ONE(timer_settime, SYS_timer_settime, timer, 0, p, N)
ONE(timer_gettime, SYS_timer_gettime, timer, p)
ONE(timerfd_settime, SYS_timerfd_settime, timer_fd, 0, p, N)
ONE(timerfd_gettime, SYS_timerfd_gettime, timer_fd, p)
ONE(rt_sigaction, SYS_rt_sigaction, SIGUSR1, N, p, 8)
ONE(rt_sigprocmask, SYS_rt_sigprocmask, SIG_BLOCK, p, N, 8)
ONE(rt_sigpending, SYS_rt_sigpending, p, 8)
ONE(rt_sigtimedwait, SYS_rt_sigtimedwait, p, N, NOW, 8)
ONE(rt_sigtimedwait_time, SYS_rt_sigtimedwait, SET, N, p, 8)
ONE(rt_sigsuspend, SYS_rt_sigsuspend, p, 8)
ONE(rt_sigqueueinfo, SYS_rt_sigqueueinfo, getpid(), 0, p)
ONE(rt_tgsigqueueinfo, SYS_rt_tgsigqueueinfo, getpid(), getpid(), 0, p)
ONE(sigaltstack, SYS_sigaltstack, N, p)
ONE(signalfd, SYS_signalfd, -1, p, 8)
ONE(signalfd4, SYS_signalfd4, -1, p, 8, 0)
ONE(pidfd_send_signal, SYS_pidfd_send_signal, pid_fd, 0, p, 0)
ONE(getrlimit, SYS_getrlimit, RLIMIT_CORE, p)
ONE(setrlimit, SYS_setrlimit, RLIMIT_CORE, p)
ONE(prlimit64, SYS_prlimit64, 0, RLIMIT_CORE, N, p)
ONE(prlimit64_new, SYS_prlimit64, 0, RLIMIT_CORE, p, N)
ONE(getrusage, SYS_getrusage, RUSAGE_SELF, p)
ONE(sysinfo, SYS_sysinfo, p)
ONE(times, SYS_times, p)
ONE(uname, SYS_uname, p)
ONE(sethostname, SYS_sethostname, p, 4)
ONE(setdomainname, SYS_setdomainname, p, 4)
ONE(getgroups, SYS_getgroups, 100, p)
ONE(setgroups, SYS_setgroups, 2, p)
ONE(getresuid, SYS_getresuid, p, &some, &some)
ONE(getresgid, SYS_getresgid, p, &some, &some)
ONE(capget, SYS_capget, CAP_HEADER, p)
ONE(capset, SYS_capset, CAP_HEADER, p)
ONE(capget_head, SYS_capget, p, N)
ONE(sched_getparam, SYS_sched_getparam, 0, p)
ONE(sched_setparam, SYS_sched_setparam, 0, p)
ONE(sched_setscheduler, SYS_sched_setscheduler, 0, 0, p)
ONE(sched_rr_get_interval, SYS_sched_rr_get_interval, 0, p)
ONE(sched_getaffinity, SYS_sched_getaffinity, 0, 8, p)
ONE(sched_setaffinity, SYS_sched_setaffinity, 0, 8, p)
ONE(sched_getattr, SYS_sched_getattr, 0, p, 48, 0)
ONE(sched_setattr, SYS_sched_setattr, 0, p, 0)
ONE(getcpu, SYS_getcpu, p, N, N)
ONE(get_mempolicy, SYS_get_mempolicy, p, N, 0, N, 0)
ONE(set_mempolicy, SYS_set_mempolicy, 2, p, 64)
ONE(shmctl, SYS_shmctl, shm, IPC_STAT, p)
ONE(semctl, SYS_semctl, sem, 0, IPC_STAT, p)
ONE(semop, SYS_semop, sem, p, 1)
ONE(semtimedop, SYS_semtimedop, sem, (&(struct sembuf){ 0, 0, IPC_NOWAIT }), 1, p)
ONE(msgctl, SYS_msgctl, msg, IPC_STAT, p)
ONE(msgsnd, SYS_msgsnd, msg, p, 1, IPC_NOWAIT)
ONE(futex, SYS_futex, p, FUTEX_WAIT, 1, N, N, 0)
ONE(futex_wake, SYS_futex, p, FUTEX_WAKE_OP, 1, 1, p, 0)
ONE(bind, SYS_bind, ear, p, 16)
ONE(connect, SYS_connect, ear, p, 16)
ONE(getsockname, SYS_getsockname, ear, (char[16]){ 0 }, p)
ONE(getpeername, SYS_getpeername, pair[0], (char[16]){ 0 }, p)
ONE(getsockopt, SYS_getsockopt, ear, SOL_SOCKET, SO_TYPE, p, SOME_LEN)
ONE(getsockopt_len, SYS_getsockopt, ear, SOL_SOCKET, SO_TYPE, &some, p)
ONE(setsockopt, SYS_setsockopt, ear, SOL_SOCKET, SO_KEEPALIVE, p, 4)
ONE(socketpair, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, p)
ONE(sendto, SYS_sendto, pair[0], p, 4, 0, N, 0)
ONE(sendmsg, SYS_sendmsg, pair[0], p, 0)
ONE(recvmsg, SYS_recvmsg, pair[0], p, MSG_DONTWAIT)
ONE(sendmmsg, SYS_sendmmsg, pair[0], p, 1, 0)
ONE(recvmmsg, SYS_recvmmsg, pair[0], p, 1, MSG_DONTWAIT, N)
ONE(prctl_name, SYS_prctl, PR_GET_NAME, p)
ONE(prctl_signal, SYS_prctl, PR_GET_PDEATHSIG, p)
ONE(arch_prctl, SYS_arch_prctl, ARCH_GET_FS, p)
ONE(process_vm_readv, SYS_process_vm_readv, getpid(), p, 1, IOV, 1, 0)
ONE(process_vm_readv_theirs, SYS_process_vm_readv, getpid(), IOV, 1, p, 1, 0)
ONE(process_vm_writev, SYS_process_vm_writev, getpid(), p, 1, IOV, 1, 0)
ONE(clone3, SYS_clone3, p, 64)
ONE(execve, SYS_execve, "/proc/self/exe", p, N)
ONE(execveat, SYS_execveat, AT_FDCWD, "/proc/self/exe", p, N, 0)
ONE(getrandom, SYS_getrandom, p, 8, 0)
ONE(memfd_create, SYS_memfd_create, p, 0)
ONE(openat2, SYS_openat2, AT_FDCWD, name, p, 24)
ONE(seccomp, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, p)
ONE(adjtimex, SYS_adjtimex, p)
ONE(clock_adjtime, SYS_clock_adjtime, CLOCK_REALTIME, p)
ONE(ioctl, SYS_ioctl, in, FIONREAD, p)
ONE(fcntl, SYS_fcntl, file, F_GETLK, p)
ONE(mincore, SYS_mincore, (uintptr_t)edge(1) & ~4095ul, 4096, p)

#define R(id, size)                  \
	{                            \
#id, size, f_##id, 0 \
	}
#define LASTING(id, size)                \
	{                                \
#id, size, f_##id, RIGHT \
	}
static const struct row rows[] = {
	R(read, 0),
	R(write, 0),
	R(pread, 0),
	R(pwrite, 0),
	R(readv, 16),
	R(writev, 16),
	R(preadv, 16),
	R(pwritev, 16),
	R(preadv2, 16),
	R(pwritev2, 16),
	R(stat, sizeof(struct stat)),
	R(lstat, sizeof(struct stat)),
	R(fstat, sizeof(struct stat)),
	R(newfstatat, sizeof(struct stat)),
	R(statx, sizeof(struct statx)),
	R(statfs, sizeof(struct statfs)),
	R(fstatfs, sizeof(struct statfs)),
	R(poll, sizeof(struct pollfd)),
	R(ppoll, sizeof(struct pollfd)),
	R(ppoll_time, sizeof(struct timespec)),
	R(ppoll_mask, 8),
	R(select, 8),
	R(select_time, sizeof(struct timeval)),
	R(pselect, 8),
	R(pselect_time, sizeof(struct timespec)),
	R(pselect_mask, 16),
	R(epoll_wait, sizeof(struct epoll_event)),
	R(epoll_pwait, sizeof(struct epoll_event)),
	R(epoll_pwait2, sizeof(struct epoll_event)),
	R(epoll_pwait2_time, sizeof(struct timespec)),
	R(epoll_ctl, sizeof(struct epoll_event)),
	R(pipe, 8),
	R(pipe2, 8),
	R(getdents, 0),
	R(getdents64, 0),
	R(getcwd, 0),
	R(readlink, 0),
	R(readlinkat, 0),
	R(utime, sizeof(struct utimbuf)),
	R(utimes, 2 * sizeof(struct timeval)),
	R(futimesat, 2 * sizeof(struct timeval)),
	R(utimensat, 2 * sizeof(struct timespec)),
	R(setxattr, 4),
	R(lsetxattr, 4),
	R(fsetxattr, 4),
	R(getxattr, 4),
	R(lgetxattr, 4),
	R(fgetxattr, 4),
	R(listxattr, 7),
	R(llistxattr, 7),
	R(flistxattr, 7),
	R(removexattr, 0),
	R(lremovexattr, 0),
	R(fremovexattr, 0),
	R(sendfile, 8),
	R(splice, 8),
	R(vmsplice, 16),
	R(copy_file_range, 8),
	R(nanosleep, sizeof(struct timespec)),
	R(clock_nanosleep, sizeof(struct timespec)),
	R(clock_gettime, sizeof(struct timespec)),
	R(clock_getres, sizeof(struct timespec)),
	LASTING(clock_settime, sizeof(struct timespec)),
	R(gettimeofday, sizeof(struct timeval)),
	R(time, 8),
	R(getitimer, sizeof(struct itimerval)),
	R(setitimer, sizeof(struct itimerval)),
	R(setitimer_old, sizeof(struct itimerval)),
	R(timer_create, sizeof(struct sigevent)),
	R(timer_create_id, 4),
	R(timer_settime, sizeof(struct itimerspec)),
	R(timer_gettime, sizeof(struct itimerspec)),
	R(timerfd_settime, sizeof(struct itimerspec)),
	R(timerfd_gettime, sizeof(struct itimerspec)),
	R(rt_sigaction, 32),
	R(rt_sigprocmask, 8),
	R(rt_sigpending, 8),
	R(rt_sigtimedwait, 8),
	R(rt_sigtimedwait_time, sizeof(struct timespec)),
	LASTING(rt_sigsuspend, 8),
	R(rt_sigqueueinfo, SIGINFO_READ),
	R(rt_tgsigqueueinfo, SIGINFO_READ),
	R(pidfd_send_signal, SIGINFO_READ),
	R(sigaltstack, sizeof(stack_t)),
	R(signalfd, 8),
	R(signalfd4, 8),
	R(getrlimit, sizeof(struct rlimit)),
	LASTING(setrlimit, sizeof(struct rlimit)),
	R(prlimit64, sizeof(struct rlimit)),
	LASTING(prlimit64_new, sizeof(struct rlimit)),
	R(getrusage, sizeof(struct rusage)),
	R(sysinfo, sizeof(struct sysinfo)),
	R(times, sizeof(struct tms)),
	R(uname, sizeof(struct utsname)),
	LASTING(sethostname, 4),
	LASTING(setdomainname, 4),
	LASTING(setgroups, 8),
	R(getresuid, 4),
	R(getresgid, 4),
	R(capget, 24),
	LASTING(capset, 24),
	R(capget_head, 4),
	R(sched_getparam, 4),
	R(sched_setparam, 4),
	R(sched_setscheduler, 4),
	R(sched_rr_get_interval, sizeof(struct timespec)),
	R(sched_getaffinity, 8),
	R(sched_setaffinity, 8),
	R(sched_getattr, 48),
	R(sched_setattr, 48),
	R(getcpu, 4),
	R(get_mempolicy, 4),
	R(set_mempolicy, 8),
	R(shmctl, sizeof(struct shmid_ds)),
	R(semctl, sizeof(struct semid_ds)),
	R(semop, sizeof(struct sembuf)),
	R(semtimedop, sizeof(struct timespec)),
	R(msgctl, sizeof(struct msqid_ds)),
	R(msgsnd, 0),
	R(bind, 16),
	R(connect, 16),
	R(getsockname, 4),
	R(getpeername, 4),
	R(getsockopt, 4),
	R(getsockopt_len, 4),
	R(setsockopt, 4),
	R(socketpair, 8),
	R(sendto, 4),
	R(sendmsg, sizeof(struct msghdr)),
	R(recvmsg, sizeof(struct msghdr)),
	R(sendmmsg, offsetof(struct mmsghdr, msg_len) + 4),
	R(recvmmsg, sizeof(struct msghdr)),
	R(prctl_name, 16),
	R(prctl_signal, 4),
	R(arch_prctl, 8),
	R(process_vm_readv, 16),
	R(process_vm_readv_theirs, 16),
	R(process_vm_writev, 16),
	LASTING(clone3, 64),
	LASTING(execve, 8),
	LASTING(execveat, 8),
	R(memfd_create, 0),
	R(openat2, 24),
	R(seccomp, 16),
	R(adjtimex, sizeof(struct timex)),
	R(clock_adjtime, sizeof(struct timex)),
	R(ioctl, 4),
	R(fcntl, sizeof(struct flock)),
	R(mincore, 1),
};

/* Words that must be aligned stand on the page that is not ours as a whole. */
static void test_words(void)
{
	is(f_futex(edge(0)), -EFAULT, "futex");
	is(f_futex_wake(edge(0)), -EFAULT, "futex: a word to change");
	is(f_getrandom(edge(0)), -EFAULT, "getrandom");
	is(f_getgroups(edge(0)) > 0 ? -EFAULT : f_getgroups(edge(4)), CALL(SYS_getgroups, 0, NULL),
	   "getgroups");
	is(CALL(SYS_mbind, (uintptr_t)edge(1) & ~4095ul, 4096, 2, edge(7), 64, 0), -EFAULT,
	   "mbind");
	is(CALL(SYS_recvfrom, pair[0], edge(0), 4, MSG_DONTWAIT, NULL, NULL), -EAGAIN,
	   "recvfrom of nothing does not look");
	is(write(pair[1], "abc", 3), 3, "something");
	is(CALL(SYS_recvfrom, pair[0], edge(0), 4, MSG_DONTWAIT, NULL, NULL), -EFAULT, "recvfrom");
	is(CALL(SYS_accept, ear, edge(0), edge(0)), -EINVAL, "accept of who does not listen");
}

/* What is taken from a stream before a bad address is given, and no more is taken. */
static void test_parts(void)
{
	struct iovec v[2] = { { edge(2), 2 }, { edge(0), 8 } };
	char buf[4096], *p = edge(200);
	int list = open("/proc", O_RDONLY | O_DIRECTORY), n[2];
	long got;

	pipe(n);
	write(n[1], "abcdef", 6);
	is(CALL(SYS_read, n[0], edge(0), 8), -EFAULT, "nowhere to put it");
	is(CALL(SYS_read, n[0], buf, 2), 2, "it is still there");
	ok(memcmp(buf, "ab", 2) == 0, "from its beginning");
	is(CALL(SYS_readv, n[0], v, 2), -EFAULT, "a part that is bad");
	got = CALL(SYS_getdents64, list, p, 4000);
	ok(got > 0 && got <= 200, "names before the edge");
	got = CALL(SYS_getdents64, list, buf, 4096);
	ok(got > 0, "and those after them from the next call");
	close(list);
	close(n[0]);
	close(n[1]);
}

/* What is waited for, or whose status is asked. */
static void test_waiting(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	is(CALL(SYS_waitid, P_PID, pid, edge(27), WEXITED | WNOWAIT, NULL), -EFAULT, "waitid");
	is(CALL(SYS_wait4, pid, edge(3), 0, NULL), -EFAULT, "wait4");
	is(CALL(SYS_wait4, pid, NULL, 0, NULL), -ECHILD, "which has waited all the same");
}

static void test_row(const struct row *r)
{
	char *p;

	is(r->fn(edge(r->size ? r->size - 1 : 0)), -EFAULT, "%s", r->what);
	if (!r->size || r->right)
		return;
	p = edge(r->size);
	memset(p, 0, r->size);
	ok(r->fn(p) != -EFAULT, "%s: with all of it", r->what);
}

static void prepare(void)
{
	struct epoll_event e = { .events = EPOLLOUT };
	char where[] = "/tmp/faults-XXXXXX";
	int p[2];

	if (!mkdtemp(where) || chdir(where) || pipe(p))
		abort();
	name = strdup("f");
	file = open(name, O_RDWR | O_CREAT, 0600);
	zeros = open("/dev/zero", O_RDONLY);
	pid_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	dir = open("/proc", O_RDONLY | O_DIRECTORY);
	in = p[0], out = p[1];
	ep = epoll_create1(0);
	epoll_ctl(ep, EPOLL_CTL_ADD, out, &e);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, 0);
	timer_create(CLOCK_MONOTONIC, NULL, &timer);
	ear = socket(AF_INET, SOCK_STREAM, 0);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	shm = shmget(IPC_PRIVATE, 4096, 0600);
	sem = semget(IPC_PRIVATE, 1, 0600);
	msg = msgget(IPC_PRIVATE, 0600);
	write(file, "text", 4);
	setxattr(name, "user.a", "1234", 4, 0);
}

static void clear(void)
{
	char where[64];

	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
	unlink(name);
	if (getcwd(where, sizeof(where)))
		rmdir(where);
}

int main(void)
{
	prepare();
	for (size_t n = 0; n < ARRAY_LEN(rows); n++)
		test_row(&rows[n]);
	test_words();
	test_parts();
	test_waiting();
	clear();
	return tap_done();
}
