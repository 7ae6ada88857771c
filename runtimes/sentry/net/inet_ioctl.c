/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl(2) on sockets of the pod's network: those that ask; none of them changes anything.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/mem.h"
#include "runtimes/sentry/net/inet_internal.h"

#define LIST_BYTES_MAX (64 << 10)

/* structure_bytes() - behind a call that reads; 0: refused. */
static size_t structure_bytes(unsigned int cmd)
{
	switch (cmd) {
	case FIONREAD:
	case TIOCOUTQ:
	case SIOCATMARK:
		return sizeof(int);
	case SIOCGIFNAME:
	case SIOCGIFINDEX:
	case SIOCGIFFLAGS:
	case SIOCGIFADDR:
	case SIOCGIFDSTADDR:
	case SIOCGIFBRDADDR:
	case SIOCGIFNETMASK:
	case SIOCGIFMETRIC:
	case SIOCGIFMTU:
	case SIOCGIFHWADDR:
	case SIOCGIFTXQLEN:
		return sizeof(struct ifreq);
	default:
		return 0;
	}
}

static int ask(struct socket *s, unsigned int cmd, void *value)
{
	return inet_of(s)->stack->ioctl(inet_of(s)->end, cmd, value);
}

/* with_ahead() - bytes that have left the stack count; no mark is before them. */
static int with_ahead(struct socket *s, unsigned int cmd, void *value)
{
	int n, error, more = (int)inet_ahead_bytes(inet_of(s), &error);

	memcpy(&n, value, sizeof(n));
	n = cmd == FIONREAD ? n + more : more ? 0 : n;
	memcpy(value, &n, sizeof(n));
	return 0;
}

/* list_interfaces() - SIOCGIFCONF, whose structure points to where the list shall go. */
static long list_interfaces(struct socket *s, uint64_t arg, struct ioctl_memory *m)
{
	struct ifconf c;
	void *list cleanup_free = NULL;
	uint64_t to;
	int rc = m->in(m, &c, arg, sizeof(c));

	if (rc < 0)
		return rc;
	to = (uint64_t)(uintptr_t)c.ifc_buf;
	if (c.ifc_len < 0)
		return -EINVAL;
	c.ifc_len = MIN(c.ifc_len, LIST_BYTES_MAX);
	list = to ? xcalloc(1, (size_t)c.ifc_len + 1) : NULL;
	c.ifc_buf = list;
	rc = ask(s, SIOCGIFCONF, &c);
	if (rc < 0)
		return rc;
	if (list && m->out(m, to, list, (size_t)c.ifc_len) < 0)
		return -EFAULT;
	c.ifc_buf = (char *)(uintptr_t)to;
	return m->out(m, arg, &c, sizeof(c));
}

long inet_ioctl(struct socket *s, unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	char value[sizeof(struct ifreq)] = { 0 };
	size_t size = structure_bytes(cmd);
	int rc;

	if (cmd == SIOCGIFCONF)
		return list_interfaces(s, arg, m);
	if (!size)
		return -ENOTTY;
	if (m->in(m, value, arg, size) < 0)
		return -EFAULT;
	rc = ask(s, cmd, value);
	if (rc == 0 && (cmd == FIONREAD || cmd == SIOCATMARK))
		rc = with_ahead(s, cmd, value);
	return rc < 0 ? rc : m->out(m, arg, value, size);
}

long inet_ask_interfaces(unsigned int cmd, uint64_t arg, struct ioctl_memory *m)
{
	struct socket *s;
	long rc;

	if (cmd != SIOCGIFCONF && structure_bytes(cmd) != sizeof(struct ifreq))
		return -ENOTTY;
	rc = inet_create(AF_INET, SOCK_DGRAM, 0, NULL, &s);
	if (rc < 0)
		return -ENOTTY;
	rc = inet_ioctl(s, cmd, arg, m);
	s->ops->release(s);
	return rc;
}
