/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that name nothing: processes that are gone, policies, limits and flags that are not
 * known, and what only root may ask for.
 */
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "tests/syscalls/file_dirs.h"

#define USER(call, want, what) is(as_user(_exit((call) != (want))), 0, what)

static struct sched_param param;
static char buf[4096];

static pid_t gone(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static void test_gone(void)
{
	struct iovec v = { buf, 1 };
	siginfo_t info = { .si_code = SI_QUEUE };
	cpu_set_t cpus = { { 1 } };
	struct {
		uint32_t size, policy;
		uint64_t rest[5];
	} attr = { 48, 0, { 0 } };
	struct timespec t;
	pid_t pid = gone();
	int fd;

	is(CALL(SYS_tkill, pid, 0), -ESRCH, "tkill: ESRCH");
	is(CALL(SYS_sched_getparam, pid, &param), -ESRCH, "sched_getparam: ESRCH");
	is(CALL(SYS_sched_rr_get_interval, pid, &t), -ESRCH, "sched_rr_get_interval: ESRCH");
	is(CALL(SYS_sched_setaffinity, pid, sizeof(cpus), &cpus), -ESRCH,
	   "sched_setaffinity: ESRCH");
	is(CALL(SYS_sched_setattr, pid, &attr, 0), -ESRCH, "sched_setattr: ESRCH");
	is(CALL(SYS_ioprio_get, 1, pid), -ESRCH, "ioprio_get: ESRCH");
	is(CALL(SYS_rt_sigqueueinfo, pid, 0, &info), -ESRCH, "rt_sigqueueinfo: ESRCH");
	is(CALL(SYS_rt_tgsigqueueinfo, pid, pid, 0, &info), -ESRCH, "rt_tgsigqueueinfo: ESRCH");
	is(CALL(SYS_process_vm_writev, pid, &v, 1, &v, 1, 0), -ESRCH, "process_vm_writev: ESRCH");
	is(CALL(SYS_wait4, (long)INT_MIN, NULL, 0, NULL), -ESRCH, "wait4: ESRCH");
	pid = fork();
	if (pid == 0)
		_exit(0);
	fd = (int)CALL(SYS_pidfd_open, pid, 0);
	waitpid(pid, NULL, 0);
	is(CALL(SYS_pidfd_getfd, fd, 0, 0), -ESRCH, "pidfd_getfd: ESRCH");
	close(fd);
	is(CALL(SYS_fork) == 0 ? CALL(SYS_exit_group, 0) : 0, 0, "fork by its number");
	wait(NULL);
}

static void test_unknown(void)
{
	struct rlimit wrong = { 2, 1 };
	struct iovec v = { buf, 1 };
	siginfo_t info = { .si_code = SI_QUEUE };
	struct {
		uint32_t size, policy;
		uint64_t rest[500];
	} big = { sizeof(big), 0, { [20] = 1 } };
	struct sembuf many[600] = { { 0, 0, 0 } };
	struct __user_cap_header_struct odd = { 0x1234, 0 };
	struct timespec t = { 0, 0 };
	struct timex tx = { .modes = 0 };
	int sem = semget(IPC_PRIVATE, 1, 0600);

	is(CALL(SYS_sched_getparam, -1, &param), -EINVAL, "sched_getparam: EINVAL");
	is(CALL(SYS_sched_rr_get_interval, -1, &t), -EINVAL, "sched_rr_get_interval: EINVAL");
	is(CALL(SYS_sched_get_priority_min, 99), -EINVAL, "sched_get_priority_min: EINVAL");
	is(CALL(SYS_setpriority, 9, 0, 0), -EINVAL, "setpriority: EINVAL");
	is(CALL(SYS_rt_sigqueueinfo, getpid(), 99, &info), -EINVAL, "rt_sigqueueinfo: EINVAL");
	is(CALL(SYS_semtimedop, sem, many, 600, &t), -E2BIG, "semtimedop: E2BIG");
	is(CALL(SYS_semtimedop, sem, many, 0, &t), -EINVAL, "semtimedop: EINVAL");
	is(CALL(SYS_msgrcv, -1, buf, 1, 0, 0), -EINVAL, "msgrcv: EINVAL");
	is(CALL(SYS_get_mempolicy, NULL, NULL, 0, NULL, 99), -EINVAL, "get_mempolicy: EINVAL");
	is(CALL(SYS_clock_adjtime, 99, &tx), -EINVAL, "clock_adjtime: EINVAL");
	is(CALL(SYS_syslog, 99, NULL, 0), -EINVAL, "syslog: EINVAL");
	is(CALL(SYS_sethostname, buf, -1L), -EINVAL, "sethostname: EINVAL");
	is(CALL(SYS_setdomainname, buf, -1L), -EINVAL, "setdomainname: EINVAL");
	is(CALL(SYS_setdomainname, "here", 4), 0, "setdomainname");
	is(CALL(SYS_capset, &odd, NULL), -EINVAL, "capset: EINVAL");
	is(CALL(SYS_prlimit64, 0, RLIMIT_CORE, &wrong, NULL), -EINVAL, "prlimit64: EINVAL");
	is(CALL(SYS_prlimit64, 0, 99, NULL, &wrong), -EINVAL, "prlimit64: no such limit");
	is(CALL(SYS_process_vm_writev, getpid(), &v, 1, &v, 1, 1), -EINVAL,
	   "process_vm_writev: EINVAL");
	is(CALL(SYS_sched_setattr, 0, &big, 0), -E2BIG, "sched_setattr: E2BIG");
	is(CALL(SYS_clone3, &big, sizeof(big)), -E2BIG, "clone3: E2BIG");
	is(CALL(SYS_openat2, AT_FDCWD, "/", &big, sizeof(big)), -E2BIG, "openat2: E2BIG");
	is(CALL(SYS_openat2, AT_FDCWD, "/",
		(&(struct open_how){ .resolve = RESOLVE_CACHED, .flags = O_CREAT | O_RDWR }), 24),
	   -EAGAIN, "openat2: what is cached cannot be made: EAGAIN");
	semctl(sem, 0, IPC_RMID);
}

/* What needs rights. */
static void test_rights(void)
{
	struct rlimit none = { 0, 0 }, more = { 1 << 20, RLIM_INFINITY };
	struct timespec t = { 1, 0 };
	struct timex tx = { .modes = ADJ_STATUS };
	siginfo_t info = { .si_code = SI_USER };
	struct iovec v = { buf, 1 };
	cpu_set_t cpus = { { 1 } };
	pid_t init = getpid();

	USER(CALL(SYS_clock_settime, CLOCK_REALTIME, &t), -EPERM, "clock_settime by a user: EPERM");
	USER(CALL(SYS_adjtimex, &tx), -EPERM, "adjtimex: EPERM");
	USER(CALL(SYS_sethostname, "x", 1), -EPERM, "sethostname: EPERM");
	USER(CALL(SYS_setdomainname, "x", 1), -EPERM, "setdomainname: EPERM");
	USER(CALL(SYS_setregid, 0, 0), -EPERM, "setregid: EPERM");
	USER(CALL(SYS_setpriority, PRIO_PROCESS, 0, -5), -EACCES, "setpriority: EACCES");
	USER(CALL(SYS_setpriority, PRIO_PROCESS, init, 5), -EPERM, "setpriority of another: EPERM");
	USER(CALL(SYS_sched_setaffinity, init, sizeof(cpus), &cpus), -EPERM,
	     "sched_setaffinity: EPERM");
	USER(CALL(SYS_ioprio_set, 1, init, 0), -EPERM, "ioprio_set: EPERM");
	USER(CALL(SYS_kcmp, init, init, KCMP_VM, 0, 0), -EPERM, "kcmp: EPERM");
	USER(CALL(SYS_process_vm_readv, init, &v, 1, &v, 1, 0), -EPERM, "process_vm_readv: EPERM");
	USER(CALL(SYS_process_vm_writev, init, &v, 1, &v, 1, 0), -EPERM,
	     "process_vm_writev: EPERM");
	USER(CALL(SYS_rt_tgsigqueueinfo, init, init, 0, &info), -EPERM, "rt_tgsigqueueinfo: EPERM");
	USER(CALL(SYS_prlimit64, init, RLIMIT_CORE, NULL, &none), -EPERM, "prlimit64: EPERM");
	is(as_user({
		   setrlimit(RLIMIT_MEMLOCK, &none);
		   _exit(CALL(SYS_mlock, buf, 4096) != -EPERM ||
			 CALL(SYS_mlock2, buf, 4096, 0) != -EPERM ||
			 CALL(SYS_mlockall, MCL_CURRENT) != -EPERM);
	   }),
	   0, "mlock, mlock2 and mlockall: EPERM");
	is(as_user({
		   setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 10, 10 });
		   _exit(CALL(SYS_setrlimit, RLIMIT_NOFILE, &more) != -EPERM);
	   }),
	   0, "setrlimit: EPERM");
	USER(CALL(SYS_syslog, 5, NULL, 0), -EPERM, "syslog: EPERM");
	USER(CALL(SYS_pidfd_send_signal, (int)CALL(SYS_pidfd_open, init, 0), 0, NULL, 0), -EPERM,
	     "pidfd_send_signal: EPERM");
	USER(CALL(SYS_pidfd_getfd, (int)CALL(SYS_pidfd_open, init, 0), 0, 0), -EPERM,
	     "pidfd_getfd: EPERM");
	USER(CALL(SYS_sched_setscheduler, 0, SCHED_FIFO, (&(struct sched_param){ 1 })), -EPERM,
	     "sched_setscheduler: EPERM");
	USER(CALL(SYS_sched_setattr, 0,
		  (&(uint64_t[6]){ 48 | (uint64_t)SCHED_FIFO << 32, 0, 1ull << 32 }), 0),
	     -EPERM, "sched_setattr: EPERM");
	USER(CALL(SYS_get_robust_list, init, buf, buf + 8), -EPERM, "get_robust_list: EPERM");
	USER(CALL(SYS_prctl, PR_SET_SECCOMP, 2, (&(struct {
			  unsigned short n;
			  void *p;
		  }){ 1, &(uint64_t){ 0x7fff000000000006 } })),
	     -EACCES, "prctl: EACCES");
	USER(CALL(SYS_clone3, (&(uint64_t[10]){ [4] = SIGCHLD, [8] = (uintptr_t)&init, [9] = 1 }),
		  80),
	     -EPERM, "clone3: EPERM");
	is(CALL(SYS_mlock2, NULL, 4096, 0), -ENOMEM, "mlock2: ENOMEM");
	is(CALL(SYS_mlockall, MCL_CURRENT), 0, "mlockall");
	is(CALL(SYS_munlockall), 0, "munlockall");
}

static void test_sockets(void)
{
	struct sockaddr_un dead = { .sun_family = AF_UNIX, .sun_path = "/tmp/numbers-dead" };
	struct iovec v = { buf, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &dead,
					  .msg_namelen = sizeof(dead),
					  .msg_iov = &v,
					  .msg_iovlen = 1 } };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), in = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t wrong = (socklen_t)-1;

	bind(fd, (struct sockaddr *)&dead, sizeof(dead));
	is(CALL(SYS_listen, fd, 1), -EOPNOTSUPP, "listen: EOPNOTSUPP");
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	is(CALL(SYS_sendmsg, fd, &m.msg_hdr, 0), -ECONNREFUSED, "sendmsg: ECONNREFUSED");
	is(CALL(SYS_sendmmsg, fd, &m, 1, 0), -ECONNREFUSED, "sendmmsg: ECONNREFUSED");
	unlink(dead.sun_path);
	is(CALL(SYS_socket, AF_UNIX, SOCK_STREAM | 0x100000, 0), -EINVAL, "socket: EINVAL");
	is(CALL(SYS_sendto, fd, buf, 1, 0, &dead, 1000), -EINVAL, "sendto: EINVAL");
	is(CALL(SYS_getsockname, fd, buf, &wrong), -EINVAL, "getsockname: EINVAL");
	socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)(void *)buf);
	is(CALL(SYS_getpeername, *(int *)(void *)buf, buf + 8, &wrong), -EINVAL,
	   "getpeername: EINVAL");
	is(CALL(SYS_setsockopt, in, SOL_SOCKET, SO_KEEPALIVE, &one, 1), -EINVAL,
	   "setsockopt: EINVAL");
	is(CALL(SYS_getsockopt, in, SOL_SOCKET, SO_TYPE, &one, &wrong), -EINVAL,
	   "getsockopt: EINVAL");
	close(fd);
	close(in);
}

/* What fcntl and mmap refuse of what they know. */
static void test_control(void)
{
	struct flock far = { .l_type = F_RDLCK, .l_start = INT64_MAX, .l_len = 10 };
	int p[2], memory = (int)CALL(SYS_memfd_create, "m", 0);

	pipe(p);
	write(p[1], buf, 4096);
	write(p[1], buf, 4096);
	is(CALL(SYS_fcntl, p[1], F_SETPIPE_SZ, 4096), -EBUSY, "fcntl: EBUSY");
	is(CALL(SYS_fcntl, memory, F_ADD_SEALS, F_SEAL_GROW), -EPERM, "fcntl: EPERM");
	is(CALL(SYS_fcntl, memory, F_SETLK, &far), -EOVERFLOW, "fcntl: EOVERFLOW");
	is(CALL(SYS_mmap, NULL, 8192, PROT_READ, MAP_SHARED, memory, -4096L), -EOVERFLOW,
	   "mmap: EOVERFLOW");
	is(CALL(SYS_mmap, NULL, 4096, PROT_READ, MAP_SHARED_VALIDATE | 1 << 25, memory, 0),
	   -EOPNOTSUPP, "mmap: EOPNOTSUPP");
	is(CALL(SYS_getdents, open("/", O_RDONLY), buf, 1), -EINVAL, "getdents: EINVAL");
	close(memory);
	close(p[0]);
	close(p[1]);
}

static void test_files(void)
{
	int fd = t_file("f", "text"), ro = open("f", O_RDONLY);

	chmod(".", 0755);

	is(CALL(SYS_open, "/proc", O_TMPFILE | O_RDWR, 0600), -EOPNOTSUPP, "open: EOPNOTSUPP");
	is(as_user(_exit(CALL(SYS_open, "f", O_RDONLY | O_NOATIME) != -EPERM)), 0, "open: EPERM");
	is(CALL(SYS_fadvise64, fd, 0, 0, 99), -EINVAL, "fadvise64: EINVAL");
	is(as_user(_exit(CALL(SYS_fchmod, ro, 0600) != -EPERM)), 0, "fchmod: EPERM");
	is(as_user(_exit(CALL(SYS_fchown, ro, 0, 0) != -EPERM)), 0, "fchown: EPERM");
	mkdir("shut", 0700);
	close(ro);
	ro = open("shut", O_RDONLY);
	is(as_user(_exit(CALL(SYS_fchdir, ro) != -EACCES)), 0, "fchdir: EACCES");
	is(CALL(SYS_socketpair, 99, SOCK_STREAM, 0, buf), -EAFNOSUPPORT,
	   "socketpair: EAFNOSUPPORT");
	is(CALL(SYS_execveat, AT_FDCWD, "/proc/self/exe",
		((char *[]){ memset(malloc(1 << 18), 'x', (1 << 18) - 1), NULL }), NULL, 0),
	   -E2BIG, "execveat: E2BIG");
	close(ro);
	close(fd);
}

int main(void)
{
	test_gone();
	test_unknown();
	test_rights();
	test_sockets();
	test_control();
	in_dirs(test_files);
	return tap_done();
}
