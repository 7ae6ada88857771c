/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: bytes of a stream that lie in a thread's channel before it asks for them.
 *
 * A call that tells a thread what is ready may bring the bytes along.  A read of that descriptor
 * that has room for all of them takes them in the stub, with one exchange of a word; whoever else
 * wants the stream ends the lease first.  Either the thread has taken the bytes or it never will:
 * the word decides.  The bytes stay the sentry's until then, as a guest may write its channel; by
 * lying in the word it can only read again what it could read anyway, or lose it.
 */
#ifndef SENTRY_PLATFORM_LEASE_H
#define SENTRY_PLATFORM_LEASE_H

#include <stdbool.h>
#include <stddef.h>

struct stub_lease;
struct stub_thread;

/*
 * stub_lease() - @len bytes for the next read of @fd by @t, the calling thread's.
 * Return: a reference that stub_lease_end() takes; NULL: there is no room.
 */
struct stub_lease *stub_lease(struct stub_thread *t, int fd, const void *from, size_t len);
/* stub_lease_end() - the bytes are not to be taken any more. Return: whether they were. */
bool stub_lease_end(struct stub_lease *l);
/* stub_leases_clear() - all of @t, the calling thread's; who holds one hears of it at its end. */
void stub_leases_clear(struct stub_thread *t);

#endif
