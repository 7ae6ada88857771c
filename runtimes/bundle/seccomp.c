/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime's own seccomp profile ("RuntimeDefault").
 *
 * An allow list: whatever is not named fails with EPERM, or with ENOSYS where a C library falls
 * back to an older call (clone3).  Calls that need a capability anyway are let
 * through only where the process has it, so the profile never says more than the capability set.
 * Runtimes skip names that their architecture or libseccomp does not know.
 */
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/bundle/bundle.h"

#define X32_CALLS 0x40000000 /* __X32_SYSCALL_BIT */

/* Space-separated names, by what they are about. */
static const char *const always[] = {
	/* files */
	"access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 "
	"faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 "
	"fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr "
	"fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat "
	"getcwd getdents getdents64 getxattr getxattrat ioctl lchown lchown32 lgetxattr link "
	"linkat "
	"listxattr listxattrat llistxattr lremovexattr lseek _llseek lsetxattr lstat lstat64 mkdir "
	"mkdirat mknod mknodat name_to_handle_at newfstatat oldfstat oldlstat oldstat open openat "
	"openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink "
	"readlinkat "
	"readv removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 "
	"setxattr "
	"setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync "
	"sync_file_range "
	"sync_file_range2 syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat "
	"utimensat_time64 utimes vmsplice write writev file_getattr file_setattr cachestat",
	/* memory */
	"brk get_mempolicy madvise map_shadow_stack membarrier memfd_create memfd_secret mincore "
	"mlock "
	"mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap "
	"pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages",
	/* processes and threads */
	"arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue "
	"futex_time64 "
	"futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid "
	"getegid32 "
	"geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid "
	"getpriority getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid "
	"getuid getuid32 landlock_add_rule landlock_create_ruleset landlock_restrict_self "
	"modify_ldt pidfd_open pidfd_send_signal prctl prlimit64 ptrace process_vm_readv "
	"process_vm_writev restart_syscall rseq sched_get_priority_max sched_get_priority_min "
	"sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address "
	"setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid "
	"setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	"setreuid32 setrlimit setsid setuid setuid32 sysinfo uname ugetrlimit vfork wait4 waitid "
	"waitpid times",
	/* signals and time */
	"alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
	"clock_gettime64 clock_nanosleep clock_nanosleep_time64 adjtimex getitimer gettimeofday "
	"kill "
	"nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
	"rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer "
	"sigaltstack "
	"sigprocmask sigreturn signal signalfd signalfd4 tgkill time timer_create timer_delete "
	"timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
	"timerfd_create "
	"timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 tkill",
	/* waiting, pipes, notification, asynchronous I/O */
	"_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
	"epoll_wait epoll_wait_old eventfd eventfd2 inotify_add_watch inotify_init inotify_init1 "
	"inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
	"io_setup "
	"io_submit ioprio_get ioprio_set pipe pipe2 poll ppoll ppoll_time64 pselect6 "
	"pselect6_time64 "
	"select",
	/* sockets; socket() itself has a rule of its own */
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
	"recvmmsg "
	"recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall "
	"socketpair",
	/* System V and POSIX IPC */
	"ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
	"semtimedop_time64 shmat shmctl shmdt shmget",
	/* random numbers, listing mounts */
	"getrandom listmount statmount",
};

static const struct {
	int cap;
	const char *names;
} with_cap[] = {
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	{ CAP_SYS_ADMIN, "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
			 "lookup_dcookie lsm_get_self_attr "
			 "lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
			 "open_tree open_tree_attr "
			 "perf_event_open quotactl quotactl_fd setdomainname sethostname setns "
			 "syslog umount umount2 "
			 "unshare" },
	{ CAP_SYS_BOOT, "reboot" },
	{ CAP_SYS_CHROOT, "chroot" },
	{ CAP_SYS_MODULE, "delete_module finit_module init_module" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise" },
	{ CAP_SYS_RAWIO, "ioperm iopl" },
	{ CAP_SYS_TIME, "clock_settime clock_settime64 settimeofday stime" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
	{ CAP_SYS_NICE, "mbind move_pages set_mempolicy set_mempolicy_home_node migrate_pages" },
	{ CAP_SYSLOG, "syslog" },
	{ CAP_BPF, "bpf" },
	{ CAP_PERFMON, "perf_event_open" },
};

/* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: new namespaces need CAP_SYS_ADMIN. */
#define CLONE_NAMESPACES 0x7E020000

static void begin_rule(struct json_writer *w, const char *names, const char *action)
{
	json_begin_object(w);
	json_put_array(w, "names");
	while (*names) {
		size_t len = strcspn(names, " ");

		json_stringn(w, names, len);
		names += len + (names[len] == ' ');
	}
	json_end_array(w);
	json_put_string(w, "action", action);
}

static void put_rule(struct json_writer *w, const char *names)
{
	begin_rule(w, names, "SCMP_ACT_ALLOW");
	json_end_object(w);
}

static void put_arg_rule(struct json_writer *w, const char *names, unsigned int index,
			 uint64_t value, uint64_t value_two, const char *op)
{
	begin_rule(w, names, "SCMP_ACT_ALLOW");
	json_put_array(w, "args");
	json_begin_object(w);
	json_put_u64(w, "index", index);
	json_put_u64(w, "value", value);
	json_put_u64(w, "valueTwo", value_two);
	json_put_string(w, "op", op);
	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
}

static void put_errno_rule(struct json_writer *w, const char *names, int errnum)
{
	begin_rule(w, names, "SCMP_ACT_ERRNO");
	json_put_i64(w, "errnoRet", errnum);
	json_end_object(w);
}

static void put_args_rules(struct json_writer *w, uint64_t caps)
{
	/* personalities: Linux, 32 bits, no ASLR, and asking */
	static const uint64_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

	for (size_t i = 0; i < ARRAY_LEN(personalities); i++)
		put_arg_rule(w, "personality", 0, personalities[i], 0, "SCMP_CMP_EQ");
	/* every family but vsock, which reaches hypervisors, and AF_ALG, a large kernel surface */
	put_arg_rule(w, "socket", 0, AF_ALG, 0, "SCMP_CMP_LT");
	put_arg_rule(w, "socket", 0, AF_NFC, 0, "SCMP_CMP_EQ");
	put_arg_rule(w, "socket", 0, AF_VSOCK, 0, "SCMP_CMP_GT");
	if (caps >> CAP_SYS_ADMIN & 1)
		return;
	put_arg_rule(w, "clone", 0, CLONE_NAMESPACES, 0, "SCMP_CMP_MASKED_EQ");
	put_errno_rule(w, "clone3", ENOSYS); /* its flags are in memory: libc falls back to clone */
}

/*
 * An architecture costs each start of a container and each exec about 8 ms, in which the runtime
 * compiles its filter.  x32 is in few kernels, and where it is not no program can use it.
 */
#if defined(__x86_64__)
static bool has_x32;

/* In a child: a filter around this process may answer by killing. */
static void probe_x32(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(syscall(X32_CALLS | SYS_getpid) < 0);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	has_x32 = pid > 0 && status == 0;
}
#endif

static void put_architectures(struct json_writer *w)
{
	json_put_array(w, "architectures");
#if defined(__x86_64__)
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, probe_x32);
	json_string(w, "SCMP_ARCH_X86_64");
	json_string(w, "SCMP_ARCH_X86");
	if (has_x32)
		json_string(w, "SCMP_ARCH_X32");
#elif defined(__aarch64__)
	json_string(w, "SCMP_ARCH_AARCH64");
	json_string(w, "SCMP_ARCH_ARM");
#else
#error "name this architecture for libseccomp"
#endif
	json_end_array(w);
}

void bundle_seccomp_default(struct json_writer *w, uint64_t caps)
{
	json_begin_object(w);
	json_put_string(w, "defaultAction", "SCMP_ACT_ERRNO");
	json_put_i64(w, "defaultErrnoRet", EPERM);
	put_architectures(w);
	json_put_array(w, "syscalls");
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		put_rule(w, always[i]);
	for (size_t i = 0; i < ARRAY_LEN(with_cap); i++)
		if (caps >> with_cap[i].cap & 1)
			put_rule(w, with_cap[i].names);
	put_args_rules(w, caps);
	json_end_array(w);
	json_end_object(w);
}
