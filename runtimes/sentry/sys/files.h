/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of the calls on files, for the table.
 */
#ifndef SENTRY_SYS_FILES_H
#define SENTRY_SYS_FILES_H

#include "runtimes/sentry/sys/sys.h"

/* reading and writing (file_rw.c) */
sys_fn sys_read;
sys_fn sys_write;
sys_fn sys_readv;
sys_fn sys_writev;
sys_fn sys_pread64;
sys_fn sys_pwrite64;
sys_fn sys_preadv;
sys_fn sys_pwritev;
sys_fn sys_preadv2;
sys_fn sys_pwritev2;
sys_fn sys_lseek;
sys_fn sys_truncate;
sys_fn sys_ftruncate;
sys_fn sys_fallocate;
sys_fn sys_fsync;
sys_fn sys_fdatasync;
sys_fn sys_sync;
sys_fn sys_syncfs;
sys_fn sys_sync_file_range;
sys_fn sys_readahead;
sys_fn sys_fadvise64;

/* moving bytes between files (file_copy.c) */
sys_fn sys_sendfile;
sys_fn sys_splice;
sys_fn sys_tee;
sys_fn sys_vmsplice;
sys_fn sys_copy_file_range;

/* opening, closing, descriptors (file_open.c) */
sys_fn sys_open;
sys_fn sys_openat;
sys_fn sys_openat2;
sys_fn sys_creat;
sys_fn sys_close;
sys_fn sys_close_range;
sys_fn sys_dup;
sys_fn sys_dup2;
sys_fn sys_dup3;
sys_fn sys_pipe;
sys_fn sys_pipe2;
sys_fn sys_memfd_create;
sys_fn sys_umask;

/* what descriptors can be told (file_control.c) */
sys_fn sys_fcntl;
sys_fn sys_flock;
sys_fn sys_ioctl;

/* attributes (file_stat.c) */
sys_fn sys_stat;
sys_fn sys_lstat;
sys_fn sys_fstat;
sys_fn sys_newfstatat;
sys_fn sys_statx;
sys_fn sys_access;
sys_fn sys_faccessat;
sys_fn sys_faccessat2;
sys_fn sys_readlink;
sys_fn sys_readlinkat;
sys_fn sys_statfs;
sys_fn sys_fstatfs;

/* changing attributes (file_attr.c) */
sys_fn sys_chmod;
sys_fn sys_fchmod;
sys_fn sys_fchmodat;
sys_fn sys_fchmodat2;
sys_fn sys_chown;
sys_fn sys_lchown;
sys_fn sys_fchown;
sys_fn sys_fchownat;
sys_fn sys_utime;
sys_fn sys_utimes;
sys_fn sys_futimesat;
sys_fn sys_utimensat;

/* extended attributes (file_xattr.c) */
sys_fn sys_setxattr;
sys_fn sys_lsetxattr;
sys_fn sys_fsetxattr;
sys_fn sys_getxattr;
sys_fn sys_lgetxattr;
sys_fn sys_fgetxattr;
sys_fn sys_listxattr;
sys_fn sys_llistxattr;
sys_fn sys_flistxattr;
sys_fn sys_removexattr;
sys_fn sys_lremovexattr;
sys_fn sys_fremovexattr;

/* names and directories (file_names.c) */
sys_fn sys_mkdir;
sys_fn sys_mkdirat;
sys_fn sys_rmdir;
sys_fn sys_unlink;
sys_fn sys_unlinkat;
sys_fn sys_rename;
sys_fn sys_renameat;
sys_fn sys_renameat2;
sys_fn sys_link;
sys_fn sys_linkat;
sys_fn sys_symlink;
sys_fn sys_symlinkat;
sys_fn sys_mknod;
sys_fn sys_mknodat;
sys_fn sys_getdents;
sys_fn sys_getdents64;
sys_fn sys_chdir;
sys_fn sys_fchdir;
sys_fn sys_chroot;
sys_fn sys_getcwd;

/* waiting for files (file_poll.c) */
sys_fn sys_poll;
sys_fn sys_ppoll;
sys_fn sys_select;
sys_fn sys_pselect6;

/* epoll (file_epoll.c) */
sys_fn sys_epoll_create;
sys_fn sys_epoll_create1;
sys_fn sys_epoll_ctl;
sys_fn sys_epoll_wait;
sys_fn sys_epoll_pwait;
sys_fn sys_epoll_pwait2;

/* events as files (file_event.c) */
sys_fn sys_eventfd;
sys_fn sys_eventfd2;
sys_fn sys_timerfd_create;
sys_fn sys_timerfd_settime;
sys_fn sys_timerfd_gettime;
sys_fn sys_signalfd;
sys_fn sys_signalfd4;
sys_fn sys_inotify_init;
sys_fn sys_inotify_init1;
sys_fn sys_inotify_add_watch;
sys_fn sys_inotify_rm_watch;

/* mounts (file_mount.c) */
sys_fn sys_mount;
sys_fn sys_umount2;
sys_fn sys_pivot_root;

#endif
