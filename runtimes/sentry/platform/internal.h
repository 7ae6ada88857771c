/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the platform share.
 *
 *   zygote ---- stub_process ---- stub_thread ---- server
 *                    |                |
 *                 channel          its slot
 *
 * Locks, in order: zygote's, tickets', process', the housekeeper's, channel's, pools'.  All are
 * leaves of the sentry's own order: no upcall is made with one held.
 */
#ifndef SENTRY_PLATFORM_INTERNAL_H
#define SENTRY_PLATFORM_INTERNAL_H

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>

#include "base/list.h"
#include "runtimes/sentry/platform/lease.h"
#include "runtimes/sentry/platform/platform.h"

extern const struct platform_ops *platform_ops;

struct zygote {
	int pidfd, listener, proc;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint32_t refs;
	pid_t pid;	   /* who asked for the first order; 0: nobody yet */
	uint64_t order_id; /* the notification that waits for an order */
	bool order_waits, spare_wanted;
	volatile bool dead;
	struct stub_thread *spare; /* of a stub that nobody uses yet */
	struct list in_wanting;	   /* zygotes that want a spare, see housekeeper.c */
};

/* Shared with one host process, and with its vfork children. */
struct channel {
	uint32_t refs;
	int fd; /* -1 once it has been handed over */
	char *base;
	pthread_mutex_t lock;
	uint64_t used[CHANNEL_SLOTS / 64];
	uint64_t leaving[CHANNEL_SLOTS / 64]; /* free again once the stub says `exited` */
	struct list in_pool;
};

struct stub_process {
	uint32_t refs; /* its threads, and one until it is dead */
	struct zygote *zygote;
	struct channel *channel;
	int pidfd; /* -1 before adoption */
	pid_t host_pid;
	uint32_t leader_slot; /* holds the actions; kept until the process is dead */
	void *owner;
	pthread_mutex_t lock;
	struct list threads;
	struct list in_watched; /* from adoption to death, see housekeeper.c */
	bool told_to_exit;	/* its last thread was asked to end */
	bool death_untold;	/* until its last call has been served */
	uint64_t last_cpu_ns;	/* what it says that it used, once it has made its last call */
	atomic_bool dead;
	atomic_bool killed, stopped; /* asked for, perhaps before there was a pidfd */
};

/* What waits for a notification: a new process, or descriptors to be fetched. */
struct ticket {
	struct list in_tickets;
	uint64_t number; /* random; 0: none */
	struct stub_thread *thread;
	int fds[STUB_FD_COUNT];
	int n_fds;
};

/* A window of the call that runs, checked. */
struct window {
	uint64_t addr;
	uint32_t len, flags, dirty_from, dirty_to;
	uint8_t *data;
};

struct stub_thread {
	uint32_t refs;		      /* its server's, and its parent's while that is cloning it */
	bool started, gone;	      /* has made a request; is released. Under process->lock */
	struct stub_process *process; /* valid until gone */
	struct list in_process;
	uint32_t slot;
	struct channel_control *control;
	uint8_t *data;
	void *owner;
	struct server *server;
	uint32_t seen;	     /* the last request */
	atomic_bool busy;    /* in an upcall: kicks need no signal */
	atomic_bool leaving; /* that request is a LAST_CALL */
	atomic_uint kick;    /* a signal may be due */
	atomic_bool stop;    /* the server must leave */
	struct list in_stopping;
	pid_t host_tid; /* in our pid namespace; 0: not looked up yet */
	bool is_new_process, adopted;
	struct stub_thread *parent;  /* valid only within the call that prepares this one */
	struct stub_thread *cloning; /* child of the call that runs, until its clone is done */
	struct ticket ticket;
	struct window windows[CHANNEL_MAX_WINDOWS];
	uint32_t n_windows; /* 0 between calls */
	struct channel_ahead *ahead;
	struct stub_lease *leases[CHANNEL_LEASES];
	uint32_t n_leases, leased_bytes; /* the serving thread's */
};

/* --- channel.c: memory shared with stubs --------------------------------------------------- */

struct channel *channel_create(void); /* NULL: out of memory or descriptors */
struct channel *channel_get(struct channel *c);
void channel_put(struct channel *c);
/* channel_slot_take() - Return: a slot, or -1; @wanted: that one (of an empty channel), or -1. */
int channel_slot_take(struct channel *c, int wanted);
/* channel_slot_leave() - @at_once: nothing can run on it any more. */
void channel_slot_leave(struct channel *c, uint32_t slot, bool at_once);
struct channel_control *channel_control_of(struct channel *c, uint32_t slot);
struct channel_process *channel_process_of(struct channel *c, uint32_t slot);
/* channel_fill_pool() - keep a few ready; runs off the path of any call. */
void channel_fill_pool(void);

/* --- process.c ------------------------------------------------------------------------------ */

struct stub_process *process_new(struct zygote *z, struct channel *c, uint32_t leader_slot);
void process_unref(struct stub_process *p);
struct stub_thread *thread_new(struct stub_process *p, uint32_t slot, void *owner);
/* thread_release() - @t has ended; its slot is free once its host thread has left it. */
void thread_release(struct stub_thread *t);
/* thread_put() - a reference that a parent held. @t may be NULL. */
void thread_put(struct stub_thread *t);
/* process_adopted() - the host process is known: watch its death. @pidfd is taken over. */
void process_adopted(struct stub_process *p, pid_t host_pid, int pidfd);
/*
 * thread_is_leaving() - its last request is a LAST_CALL: it is served though the process may be
 * dead, and before anybody hears of that.
 */
bool thread_is_leaving(struct stub_thread *t);
/* process_died() - called by the housekeeper when the pidfd says so. */
void process_died(struct stub_process *p);

/* --- clone.c --------------------------------------------------------------------------------- */

/* clone_undo() - take back what was prepared. Return: false: the child lives already. */
bool clone_undo(struct stub_thread *child);

/* --- server.c: serving threads --------------------------------------------------------------- */

/* server_assign() - a serving thread for @t, which begins to wait on its channel. */
int server_assign(struct stub_thread *t);
/* server_hold() - that of @t, which has not begun yet, to @cpu, where @t runs. */
void server_hold(struct stub_thread *t, uint32_t cpu);
/* server_stop() - the server of @t leaves it soon, with thread_gone(). */
void server_stop(struct stub_thread *t);
/* server_nudge() - again, for one that a hostile process keeps asleep. */
void server_nudge(struct stub_thread *t);

/* server_request() - serve one request of @kind, whatever the channel holds. */
void server_request(struct stub_thread *t, int kind);

/* thread_wait() - for the next request. Return: its kind, -ESRCH when @t must stop. */
int thread_wait(struct stub_thread *t);
/* thread_answer() - the answer fields are filled in. */
void thread_answer(struct stub_thread *t, enum channel_answer kind);
/*
 * thread_commands() - let the stub make @n host calls that stand in its data area.
 * @fds: put there first (STUB_FD_FIRST and on), kept by the caller.
 * Return: result of the last one or -errno of the first that failed, -ESRCH.
 */
int64_t thread_commands(struct stub_thread *t, uint32_t n, const int *fds, int n_fds);

/* --- window.c -------------------------------------------------------------------------------- */

/* window_open() - take over the windows of a call; what makes no sense is left out. */
void window_open(struct stub_thread *t);
/* window_close() - tell the stub what to copy back. */
void window_close(struct stub_thread *t);
/* window_read(), window_write() - Return: whether a window of @t had all of it. */
bool window_read(struct stub_thread *t, void *to, uint64_t from, size_t len);
/* window_known() - how many bytes from @from on a window holds; 0: none does. */
size_t window_known(struct stub_thread *t, uint64_t from);
bool window_write(struct stub_thread *t, uint64_t to, const void *from, size_t len);

/* --- listener.c ------------------------------------------------------------------------------ */

int listener_start(struct zygote *z);
/* ticket_open(), ticket_close() - after close nobody can use the number. Return: it was unused. */
void ticket_open(struct ticket *k, struct stub_thread *t);
bool ticket_close(struct ticket *k);

/* --- zygote.c -------------------------------------------------------------------------------- */

struct zygote *zygote_get(struct zygote *z);
void zygote_put(struct zygote *z);
/* zygote_order_arrived() - the zygote waits for an order; called by the listener. */
void zygote_order_arrived(struct zygote *z, uint64_t id, pid_t pid);
/* zygote_is_dead() - no process of the container is left; called by the listener. */
void zygote_is_dead(struct zygote *z);
/* stub_discard() - end a stub that nobody serves. */
void stub_discard(struct stub_thread *t);
/* zygote_refill() - order the next spare; called by the housekeeper. */
void zygote_refill(struct zygote *z);

/* --- housekeeper.c: deaths, spares, what can be done later ----------------------------------- */

int housekeeper_start(void);
/* housekeeper_watch() - the pidfd of @p, for its death. */
int housekeeper_watch(int pidfd, struct stub_process *p);
void housekeeper_poke(void);
void housekeeper_want_spare(struct zygote *z);
void housekeeper_add_stopping(struct stub_thread *t);
void housekeeper_remove_stopping(struct stub_thread *t);

/* host_futex_*() - shared ones. */
void host_futex_wait(uint32_t *word, uint32_t value);
void host_futex_wait_ms(uint32_t *word, uint32_t value, int ms);
void host_futex_wake(uint32_t *word);

#endif
