/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a kernel of a pod and its gofer say to each other.
 *
 * One message a request, one a reply, over SOCK_SEQPACKET: a fixed head, then bytes.  A request
 * names files by handles that the gofer gave out, and names below them; a descriptor travels with
 * the reply (SCM_RIGHTS).  Handle n < GOFER_TREES_MAX is the root of tree n.  CLOSE has no
 * reply.  Both sides are this machine's: numbers are in host order.
 *
 * Who asks sleeps until the answer is there, so the gofer's thread follows it to its CPU: a wake-up
 * of an idle one costs several times what most requests do.
 *
 *   request   | struct gofer_request | name | name2 or data |
 *   reply     | struct gofer_reply   | data |                  + descriptor
 */
#ifndef RUNTIMES_GOFER_PROTOCOL_H
#define RUNTIMES_GOFER_PROTOCOL_H

#include <stdint.h>

#define GOFER_NAME_MAX	  255	     /* of one name, without the NUL that is not sent */
#define GOFER_TARGET_MAX  4095	     /* of a symlink */
#define GOFER_DATA_MAX	  (64 << 10) /* as XATTR_SIZE_MAX */
#define GOFER_CONNECTIONS 4	     /* that a kernel holds: so many requests at a time */
#define GOFER_HANDLES_MAX (1 << 16)
#define GOFER_TREES_MAX	  512
#define GOFER_CLOSE_MAX	  64 /* handles of one CLOSE, as its data */

enum gofer_op {
	GOFER_LOOKUP = 1,  /* handle, name -> handle, attr */
	GOFER_GETATTR,	   /* handle -> attr */
	GOFER_OPEN,	   /* handle, flags: O_RDONLY or O_RDWR, O_DIRECTORY -> descriptor */
	GOFER_CREATE,	   /* handle, name, mode, uid, gid -> handle, attr, descriptor (O_RDWR) */
	GOFER_TMPFILE,	   /* as CREATE, without a name */
	GOFER_MKDIR,	   /* handle, name, mode, uid, gid -> handle, attr */
	GOFER_MKNOD,	   /* as MKDIR; mode says fifo, socket or regular file */
	GOFER_SYMLINK,	   /* handle, name, data: target, uid, gid -> handle, attr */
	GOFER_LINK,	   /* handle: directory, name, handle2: the file */
	GOFER_UNLINK,	   /* handle, name, flags: 0 or AT_REMOVEDIR */
	GOFER_RENAME,	   /* handle, name -> handle2, name2, flags: RENAME_* */
	GOFER_READLINK,	   /* handle -> data */
	GOFER_SETATTR,	   /* handle, mask, mode, uid, gid, size, times -> attr */
	GOFER_GETXATTR,	   /* handle, name -> data */
	GOFER_SETXATTR,	   /* handle, name, data, flags: XATTR_* */
	GOFER_LISTXATTR,   /* handle -> data */
	GOFER_REMOVEXATTR, /* handle, name */
	GOFER_STATFS,	   /* handle -> data: struct statfs */
	GOFER_SYNC,	   /* handle: its file system */
	GOFER_CLOSE,	   /* data: handles; no reply */
	GOFER_OPS,
};

enum gofer_set {
	GOFER_SET_MODE = 1 << 0,
	GOFER_SET_UID = 1 << 1,
	GOFER_SET_GID = 1 << 2,
	GOFER_SET_SIZE = 1 << 3,
	GOFER_SET_ATIME = 1 << 4,
	GOFER_SET_MTIME = 1 << 5,
	GOFER_SET_ALL = (1 << 6) - 1,
};

struct gofer_time {
	int64_t sec;
	uint32_t nsec;
	uint32_t pad;
};

struct gofer_attr {
	uint64_t ino, dev, rdev;
	uint64_t size, blocks;
	uint32_t mode, nlink, uid, gid, blksize;
	uint32_t pad;
	struct gofer_time atime, mtime, ctime, btime;
};

struct gofer_request {
	uint32_t op;
	uint32_t handle, handle2;
	uint32_t flags, mask;
	uint32_t mode, uid, gid;
	uint64_t size;
	struct gofer_time atime, mtime;
	uint32_t name_len; /* bytes after the head; 1-255 or, without a name, 0 */
	uint32_t data_len; /* bytes after the name */
	uint32_t cpu;	   /* 1 + the one that the asking thread runs on; 0: not said */
	uint32_t pad;
};

struct gofer_reply {
	int32_t error; /* 0 or -errno */
	uint32_t handle;
	struct gofer_attr attr;
	uint32_t data_len;
	uint32_t has_descriptor;
};

#define GOFER_REQUEST_MAX (sizeof(struct gofer_request) + GOFER_NAME_MAX + GOFER_DATA_MAX)
#define GOFER_REPLY_MAX	  (sizeof(struct gofer_reply) + GOFER_DATA_MAX)

/*
 * What a launcher says on the gofer's admin socket (a listening one of its making): one tree more.
 * The message carries the directory's (or file's) descriptor; the answer is the number of the
 * tree, or -errno.
 */
struct gofer_tree {
	uint32_t read_only; /* every change is refused here too */
	uint32_t pad;
};

#endif
