/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A layer's uncompressed bytes, made ahead by a thread.
 *
 * Inflating and hashing take as long as making the files, so they have a thread of their own.
 *
 *     thread: inflate, hash  -->  [slot][slot][slot][slot]  -->  feed_next()
 *                                 freed ^          ^ made
 *
 * made and freed only grow.  Slots freed <= i < made are full, the first of them is the reader's
 * until it asks for the next; the thread fills slot made while that leaves made - freed <= SLOTS.
 */
#include "image/unpack/feed.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/thread.h"
#include "image/unpack/inflate.h"

#define SLOTS	   4
#define SLOT_BYTES (256 << 10)

struct slot {
	size_t len; /* 0: the end, or what went wrong */
	unsigned char data[SLOT_BYTES];
};

struct feed {
	struct inflate *in;
	struct digest digest; /* the thread's until the end */
	uint64_t max_bytes;
	bool reading; /* the reader's: it has a slot */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock: */
	uint64_t made, freed;
	bool stop;
	struct error err;
	struct slot slots[SLOTS];
};

/* fill_slot() - as full as it gets.  Return: 0, at the end too, or -errno. */
static int fill_slot(struct feed *f, struct slot *s, uint64_t *total, struct error *err)
{
	s->len = 0;
	while (s->len < SLOT_BYTES) {
		ssize_t n = inflate_read(f->in, s->data + s->len, SLOT_BYTES - s->len, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		s->len += (size_t)n;
	}
	*total += s->len;
	if (*total > f->max_bytes)
		return error_set(err, EFBIG, "the layer is larger than %llu bytes",
				 (unsigned long long)f->max_bytes);
	digest_update(&f->digest, s->data, s->len);
	return 0;
}

/* begin_slot() - wait until one is free.  Return: NULL when nobody wants more. */
static struct slot *begin_slot(struct feed *f)
{
	struct slot *s = NULL;

	pthread_mutex_lock(&f->lock);
	while (!f->stop && f->made - f->freed == SLOTS)
		pthread_cond_wait(&f->changed, &f->lock);
	if (!f->stop)
		s = &f->slots[f->made % SLOTS];
	pthread_mutex_unlock(&f->lock);
	return s;
}

static void *run(void *data)
{
	struct feed *f = data;
	uint64_t total = 0;
	struct slot *s;
	bool more = true;

	while (more && (s = begin_slot(f))) {
		struct error err = ERROR_INIT;
		int rc = fill_slot(f, s, &total, &err);

		more = rc == 0 && s->len > 0;
		if (rc < 0)
			s->len = 0;
		pthread_mutex_lock(&f->lock);
		if (rc < 0)
			f->err = err;
		f->made++;
		pthread_cond_signal(&f->changed);
		pthread_mutex_unlock(&f->lock);
	}
	return NULL;
}

static void destroy(struct feed *f)
{
	inflate_close(f->in);
	digest_finish(&f->digest);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

int feed_open(int fd, const char *media_type, uint64_t max_bytes, struct feed **ret,
	      struct error *err)
{
	struct feed *f = xnew(struct feed);
	int rc;

	f->max_bytes = max_bytes;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	rc = inflate_open(fd, media_type, &f->in, err);
	if (rc == 0)
		rc = digest_start(&f->digest, "sha256", err);
	if (rc == 0) {
		rc = thread_start_joinable(&f->thread, run, f);
		if (rc < 0)
			error_errno(err, -rc, "start a thread");
	}
	if (rc < 0)
		destroy(f);
	else
		*ret = f;
	return rc;
}

ssize_t feed_next(struct feed *f, const void **ret_data, struct error *err)
{
	const struct slot *s;
	ssize_t n;

	pthread_mutex_lock(&f->lock);
	if (f->reading) {
		f->freed++;
		pthread_cond_signal(&f->changed);
	}
	while (f->made == f->freed)
		pthread_cond_wait(&f->changed, &f->lock);
	s = &f->slots[f->freed % SLOTS];
	f->reading = s->len > 0; /* the last one stays, for whoever asks again */
	*ret_data = s->data;
	n = (ssize_t)s->len;
	if (n == 0 && f->err.code)
		n = error_copy(err, &f->err);
	pthread_mutex_unlock(&f->lock);
	return n;
}

void feed_digest(struct feed *f, char out[DIGEST_MAX])
{
	digest_text(&f->digest, out);
}

void feed_close(struct feed *f)
{
	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_signal(&f->changed);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	destroy(f);
}
