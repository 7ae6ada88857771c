/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: checked as hostile, then done.
 *
 * The kernel that asks parses a container's bytes and may have been taken over, so nothing of a
 * request is believed: lengths must add up to the message, names are single names, handles are
 * looked up, flags are masked against what the operation knows, and a read-only tree is never
 * changed.  All checks that many operations share stand in the table below.
 */
#include "runtimes/gofer/serve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum needs {
	NEEDS_NAME = 1 << 0,   /* has a name below the handle */
	NEEDS_DATA = 1 << 1,   /* may have bytes after it */
	NEEDS_OTHER = 1 << 2,  /* has a second handle */
	NEEDS_CHANGE = 1 << 3, /* refused in a read-only tree */
	NEEDS_XATTR = 1 << 4,  /* its name is an attribute's */
};

static const struct {
	gofer_fn *fn;
	unsigned int needs;
} ops[GOFER_OPS] = {
	[GOFER_LOOKUP] = { gofer_do_lookup, NEEDS_NAME },
	[GOFER_GETATTR] = { gofer_do_getattr, 0 },
	[GOFER_OPEN] = { gofer_do_open, 0 },
	[GOFER_CREATE] = { gofer_do_create, NEEDS_NAME | NEEDS_CHANGE },
	[GOFER_TMPFILE] = { gofer_do_tmpfile, NEEDS_CHANGE },
	[GOFER_MKDIR] = { gofer_do_mkdir, NEEDS_NAME | NEEDS_CHANGE },
	[GOFER_MKNOD] = { gofer_do_mknod, NEEDS_NAME | NEEDS_CHANGE },
	[GOFER_SYMLINK] = { gofer_do_symlink, NEEDS_NAME | NEEDS_DATA | NEEDS_CHANGE },
	[GOFER_LINK] = { gofer_do_link, NEEDS_NAME | NEEDS_OTHER | NEEDS_CHANGE },
	[GOFER_UNLINK] = { gofer_do_unlink, NEEDS_NAME | NEEDS_CHANGE },
	[GOFER_RENAME] = { gofer_do_rename, NEEDS_NAME | NEEDS_DATA | NEEDS_OTHER | NEEDS_CHANGE },
	[GOFER_READLINK] = { gofer_do_readlink, 0 },
	[GOFER_SETATTR] = { gofer_do_setattr, NEEDS_CHANGE },
	[GOFER_GETXATTR] = { gofer_do_getxattr, NEEDS_NAME | NEEDS_XATTR },
	[GOFER_SETXATTR] = { gofer_do_setxattr,
			     NEEDS_NAME | NEEDS_XATTR | NEEDS_DATA | NEEDS_CHANGE },
	[GOFER_LISTXATTR] = { gofer_do_listxattr, 0 },
	[GOFER_REMOVEXATTR] = { gofer_do_removexattr, NEEDS_NAME | NEEDS_XATTR | NEEDS_CHANGE },
	[GOFER_STATFS] = { gofer_do_statfs, 0 },
	[GOFER_SYNC] = { gofer_do_sync, 0 },
};

int gofer_name_ok(const char *name, size_t len)
{
	if (len == 0 || len > GOFER_NAME_MAX || memchr(name, '/', len) || memchr(name, '\0', len))
		return -EINVAL;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	return 0;
}

void gofer_self_name(int fd, char ret[12])
{
	snprintf(ret, 12, "%d", fd);
}

/* --- checks ----------------------------------------------------------------------------------- */

static int check_name(struct gofer_call *c, const char *name, unsigned int needs)
{
	size_t len = c->rq->name_len;

	if (!(needs & NEEDS_NAME))
		return len == 0 ? 0 : -EINVAL;
	if (needs & NEEDS_XATTR) {
		if (len == 0 || len > GOFER_NAME_MAX || memchr(name, '\0', len))
			return -EINVAL;
	} else if (gofer_name_ok(name, len) < 0) {
		return -EINVAL;
	}
	memcpy(c->name, name, len);
	c->name[len] = '\0';
	return 0;
}

/* parse() - the parts of a message; everything in it is the sender's word. */
static int parse(const void *message, size_t len, unsigned int needs, struct gofer_call *c)
{
	const struct gofer_request *rq = c->rq;
	size_t rest = len - sizeof(*rq);
	const char *bytes = (const char *)message + sizeof(*rq);

	if (rq->name_len > rest || rq->data_len != rest - rq->name_len)
		return -EINVAL;
	if (rq->data_len > GOFER_DATA_MAX || (rq->data_len > 0 && !(needs & NEEDS_DATA)))
		return -EINVAL;
	c->data = bytes + rq->name_len;
	c->data_len = rq->data_len;
	return check_name(c, bytes, needs);
}

static int may_change(const struct gofer_call *c, unsigned int needs)
{
	if (!(needs & NEEDS_CHANGE))
		return 0;
	if (c->handle.read_only || ((needs & NEEDS_OTHER) && c->other.read_only))
		return -EROFS;
	return 0;
}

/* run_checked() - Preconditions: the handles are in use. */
static int run_checked(struct gofer_call *c, unsigned int needs, gofer_fn *fn)
{
	int rc = may_change(c, needs);

	if (rc == 0 && (needs & NEEDS_OTHER) && c->other.tree != c->handle.tree)
		rc = -EXDEV;
	return rc < 0 ? rc : fn(c);
}

static int run(struct gofer_call *c, unsigned int needs, gofer_fn *fn)
{
	int rc = handle_use(c->rq->handle, &c->handle);

	if (rc < 0)
		return rc;
	if (!(needs & NEEDS_OTHER)) {
		rc = run_checked(c, needs, fn);
	} else {
		rc = handle_use(c->rq->handle2, &c->other);
		if (rc == 0) {
			rc = run_checked(c, needs, fn);
			handle_put(&c->other);
		}
	}
	handle_put(&c->handle);
	return rc;
}

/* CLOSE has no reply: what is wrong with it is the sender's loss. */
static void close_handles(const char *data, size_t len)
{
	for (size_t i = 0; i + sizeof(uint32_t) <= len && i < GOFER_CLOSE_MAX * sizeof(uint32_t);
	     i += sizeof(uint32_t)) {
		uint32_t number;

		memcpy(&number, data + i, sizeof(number));
		handles_close(number);
	}
}

int gofer_serve(const void *message, size_t len, struct gofer_answer *ret)
{
	struct gofer_request rq;
	struct gofer_call c = { .rq = &rq, .answer = ret };
	int rc;

	memset(&ret->reply, 0, sizeof(ret->reply));
	ret->fd = -1;
	if (len < sizeof(rq)) {
		ret->reply.error = -EINVAL;
		return 1;
	}
	memcpy(&rq, message, sizeof(rq));
	if (rq.op == GOFER_CLOSE) {
		close_handles((const char *)message + sizeof(rq), len - sizeof(rq));
		return 0;
	}
	if (rq.op >= GOFER_OPS || !ops[rq.op].fn)
		rc = -ENOSYS;
	else
		rc = parse(message, len, ops[rq.op].needs, &c);
	if (rc == 0)
		rc = run(&c, ops[rq.op].needs, ops[rq.op].fn);
	ret->reply.error = rc;
	ret->reply.has_descriptor = ret->fd >= 0;
	if (rc < 0)
		ret->reply.data_len = 0;
	return 1;
}
