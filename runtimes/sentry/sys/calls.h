/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of calls, a group a file; sys/files.h has those on files and descriptors.
 *
 * Each is the Linux call of its name; what it lacks stands in sys/table.c.
 */
#ifndef SENTRY_SYS_CALLS_H
#define SENTRY_SYS_CALLS_H

#include "runtimes/sentry/sys/sys.h"

/* sys/process.c */
sys_fn sys_clone;
sys_fn sys_fork;
sys_fn sys_vfork;
sys_fn sys_clone3;
sys_fn sys_unshare;
sys_fn sys_execve;
sys_fn sys_execveat;
sys_fn sys_exit;
sys_fn sys_exit_group;
sys_fn sys_wait4;
sys_fn sys_waitid;
sys_fn sys_getpid;
sys_fn sys_gettid;
sys_fn sys_getppid;
sys_fn sys_getpgrp;
sys_fn sys_getpgid;
sys_fn sys_setpgid;
sys_fn sys_getsid;
sys_fn sys_setsid;
sys_fn sys_set_tid_address;
sys_fn sys_pidfd_open;
sys_fn sys_pidfd_send_signal;
sys_fn sys_pidfd_getfd;
sys_fn sys_kcmp;

/* sys/signal.c */
sys_fn sys_kill;
sys_fn sys_tgkill;
sys_fn sys_tkill;
sys_fn sys_rt_sigqueueinfo;
sys_fn sys_rt_tgsigqueueinfo;
sys_fn sys_rt_sigaction;
sys_fn sys_rt_sigprocmask;
sys_fn sys_rt_sigpending;
sys_fn sys_pause;
sys_fn sys_rt_sigsuspend;
sys_fn sys_rt_sigtimedwait;
sys_fn sys_restart_syscall;

/* sys/time.c */
sys_fn sys_clock_gettime;
sys_fn sys_clock_getres;
sys_fn sys_clock_settime;
sys_fn sys_gettimeofday;
sys_fn sys_time;
sys_fn sys_adjtimex;
sys_fn sys_clock_adjtime;
sys_fn sys_nanosleep;
sys_fn sys_clock_nanosleep;
sys_fn sys_getitimer;
sys_fn sys_setitimer;
sys_fn sys_alarm;
sys_fn sys_timer_create;
sys_fn sys_timer_settime;
sys_fn sys_timer_gettime;
sys_fn sys_timer_getoverrun;
sys_fn sys_timer_delete;

/* sys/id.c */
sys_fn sys_getuid;
sys_fn sys_geteuid;
sys_fn sys_getgid;
sys_fn sys_getegid;
sys_fn sys_setuid;
sys_fn sys_setgid;
sys_fn sys_setreuid;
sys_fn sys_setregid;
sys_fn sys_setresuid;
sys_fn sys_setresgid;
sys_fn sys_getresuid;
sys_fn sys_getresgid;
sys_fn sys_setfsuid;
sys_fn sys_setfsgid;
sys_fn sys_getgroups;
sys_fn sys_setgroups;
sys_fn sys_capget;
sys_fn sys_capset;

/* sys/limits.c */
sys_fn sys_getrlimit;
sys_fn sys_setrlimit;
sys_fn sys_prlimit64;
sys_fn sys_getrusage;
sys_fn sys_times;
sys_fn sys_sysinfo;

/* sys/prctl.c */
sys_fn sys_seccomp;
sys_fn sys_prctl;
sys_fn sys_arch_prctl;
sys_fn sys_personality;

/* sys/sched.c */
sys_fn sys_sched_yield;
sys_fn sys_sched_getaffinity;
sys_fn sys_sched_setaffinity;
sys_fn sys_sched_getscheduler;
sys_fn sys_sched_setscheduler;
sys_fn sys_sched_getparam;
sys_fn sys_sched_setparam;
sys_fn sys_sched_get_priority_max;
sys_fn sys_sched_get_priority_min;
sys_fn sys_sched_rr_get_interval;
sys_fn sys_sched_getattr;
sys_fn sys_sched_setattr;
sys_fn sys_getpriority;
sys_fn sys_setpriority;
sys_fn sys_ioprio_get;
sys_fn sys_ioprio_set;
sys_fn sys_getcpu;

/* sys/memory.c */
sys_fn sys_mmap;
sys_fn sys_msync;
sys_fn sys_mlock;
sys_fn sys_mlock2;
sys_fn sys_munlock;
sys_fn sys_munlockall;
sys_fn sys_mlockall;
sys_fn sys_get_mempolicy;
sys_fn sys_set_mempolicy;
sys_fn sys_mbind;
sys_fn sys_process_vm_readv;
sys_fn sys_process_vm_writev;

/* sys/misc.c */
sys_fn sys_uname;
sys_fn sys_sethostname;
sys_fn sys_setdomainname;
sys_fn sys_getrandom;
sys_fn sys_membarrier;
sys_fn sys_syslog;
sys_fn sys_sysfs;
sys_fn sys_get_robust_list;
sys_fn sys_set_robust_list;

/* sys/ipc.c */
sys_fn sys_shmget;
sys_fn sys_shmat;
sys_fn sys_shmdt;
sys_fn sys_shmctl;
sys_fn sys_semget;
sys_fn sys_semop;
sys_fn sys_semtimedop;
sys_fn sys_semctl;
sys_fn sys_msgget;
sys_fn sys_msgsnd;
sys_fn sys_msgrcv;
sys_fn sys_msgctl;

/* sys_copy_in_siginfo() - as much of it as Linux reads; the rest is 0. Return: 0 or -EFAULT. */
int sys_copy_in_siginfo(struct task *t, siginfo_t *to, uint64_t from);
/* sys_may_look_into() - ptrace's rule for what shows the inside of @p. Return: 0 or -EPERM. */
int sys_may_look_into(struct task *t, struct process *p);

#endif
