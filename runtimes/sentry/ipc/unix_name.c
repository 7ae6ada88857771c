/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of AF_UNIX sockets: nodes of a file system, and abstract ones.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtimes/sentry/ipc/unix_internal.h"

/* Guards inode->socket of every node, and the list of abstract names. */
static struct lock names = LOCK_INIT(LOCK_OBJECT);
static struct list abstract = { &abstract, &abstract };

static bool is_abstract(const struct socket_address *a)
{
	return a->len > offsetof(struct sockaddr_un, sun_path) && a->un.sun_path[0] == '\0';
}

static bool same(const struct socket_address *a, const struct socket_address *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* get_living() - a reference, unless the last one is just going. */
static struct unix_socket *get_living(struct unix_socket *u)
{
	uint32_t refs = u ? __atomic_load_n(&u->refs, __ATOMIC_RELAXED) : 0;

	while (refs > 0)
		if (__atomic_compare_exchange_n(&u->refs, &refs, refs + 1, true, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return u;
	return NULL;
}

/* Preconditions: holds names. */
static struct unix_socket *find_abstract(const struct socket_address *a)
{
	struct unix_socket *u;

	list_for_each(u, &abstract, in_abstract) {
		if (same(&u->name, a))
			return u;
	}
	return NULL;
}

/* choose_name() - Linux's autobind: an abstract name of five digits. Preconditions: holds names. */
static void choose_name(struct unix_socket *u)
{
	static unsigned int next;
	struct socket_address a = { .un.sun_family = AF_UNIX };

	a.len = offsetof(struct sockaddr_un, sun_path) + 6;
	do
		snprintf(a.un.sun_path + 1, 6, "%05x", next++ & 0xfffff);
	while (find_abstract(&a));
	u->name = a;
}

int unix_bind(struct socket *s, const struct socket_address *a, const struct cred *c)
{
	struct unix_socket *u = unix_of(s);

	(void)c;
	LOCKED(&names);
	if (u->name.len)
		return -EINVAL;
	if (a->len == sizeof(sa_family_t)) {
		choose_name(u);
		list_add(&abstract, &u->in_abstract);
		return 0;
	}
	if (is_abstract(a)) {
		if (find_abstract(a))
			return -EADDRINUSE;
		u->name = *a;
		list_add(&abstract, &u->in_abstract);
		return 0;
	}
	if (!a->inode)
		return -EINVAL;
	u->name = *a;
	u->name.inode = inode_get(a->inode);
	a->inode->socket = u;
	return 0;
}

int unix_find(const struct socket_address *a, struct unix_socket **ret)
{
	LOCKED(&names);
	if (is_abstract(a))
		*ret = get_living(find_abstract(a));
	else
		*ret = a->inode ? get_living(a->inode->socket) : NULL;
	return *ret ? 0 : -ECONNREFUSED;
}

void unix_unbind(struct unix_socket *u)
{
	struct inode *i;

	lock_acquire(&names);
	i = steal_ptr(u->name.inode);
	if (i && i->socket == u)
		i->socket = NULL;
	list_remove(&u->in_abstract);
	lock_release(&names);
	inode_put(i);
}
