/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulls and those who wait for them.
 *
 *   image_pull() --joins or makes--> struct pull --thread--> pull_run()
 *
 * Pulls of the same name with the same credentials are one.  A waiter leaves when its cancel_fd
 * becomes readable; when the last has left, the pull can't be joined any more and is cancelled.
 * Credentials are part of what makes pulls equal: else one pod could ride on another's secret.
 */
#include "image/pull.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/thread.h"

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void store_wake_pulls(struct image_store *s)
{
	struct pull *p;

	list_for_each(p, &s->pulls, link)
		signal_fd(p->wake_fd);
}

void pulls_stop(struct image_store *s)
{
	struct pull *p;

	list_for_each(p, &s->pulls, link)
		signal_fd(p->cancel_fd);
}

/* --- credentials
 * ---------------------------------------------------------------------------------- */

static void free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void auth_finish(struct pull_auth *a)
{
	free_secret(a->username);
	free_secret(a->password);
	free_secret(a->identity_token);
	free_secret(a->registry_token);
}

static char *dup_or_null(const char *s)
{
	return str_empty(s) ? NULL : xstrdup(s);
}

/* "https://index.docker.io/v1/" -> "docker.io" */
static bool address_is_of(const char *address, const char *host)
{
	static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };
	const char *at = strstr(address, "://");
	char *name cleanup_free = NULL;
	bool is_hub = false;

	at = at ? at + 3 : address;
	name = xstrndup(at, strcspn(at, "/"));
	for (size_t i = 0; i < ARRAY_LEN(hub); i++)
		is_hub |= strcmp(name, hub[i]) == 0;
	return strcmp(is_hub ? IMAGE_REF_HUB : name, host) == 0;
}

/* "user:password" in base64, sometimes with NULs at its end. */
static int decode_pair(const char *auth, struct pull_auth *ret, struct error *err)
{
	struct strbuf pair cleanup_strbuf = { 0 };
	char *colon;

	if (str_base64_decode(auth, strlen(auth), &pair) < 0 || !pair.data)
		return error_set(err, EINVAL, "the credentials' auth field is not base64");
	colon = strchr(pair.data, ':');
	if (!colon) {
		explicit_bzero(pair.data, pair.len);
		return error_set(err, EINVAL, "the credentials' auth field is not user:password");
	}
	ret->username = xstrndup(pair.data, (size_t)(colon - pair.data));
	ret->password = xstrdup(colon + 1);
	explicit_bzero(pair.data, pair.len);
	return 0;
}

static int take_auth(const struct image_auth *a, const char *host, struct pull_auth *ret,
		     struct error *err)
{
	if (!a || (!str_empty(a->server_address) && !address_is_of(a->server_address, host)))
		return 0;
	ret->identity_token = dup_or_null(a->identity_token);
	ret->registry_token = dup_or_null(a->registry_token);
	if (str_empty(a->username) && !str_empty(a->auth))
		return decode_pair(a->auth, ret, err);
	ret->username = dup_or_null(a->username);
	ret->password = dup_or_null(a->password);
	return 0;
}

static void auth_digest(const struct pull_auth *a, char out[DIGEST_MAX])
{
	const char *parts[] = { a->username, a->password, a->identity_token, a->registry_token };
	struct digest d = { 0 };

	if (digest_start(&d, "sha256", NULL) < 0)
		abort();
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		digest_update(&d, str_or(parts[i], ""), strlen(str_or(parts[i], "")) + 1);
	digest_text(&d, out);
	digest_finish(&d);
}

/* --- the shared object
 * ---------------------------------------------------------------------------- */

static void pull_destroy(struct pull *p)
{
	close_fd(&p->cancel_fd);
	close_fd(&p->wake_fd);
	close_fd(&p->done_fd);
	auth_finish(&p->auth);
	image_ref_finish(&p->ref);
	image_put(p->result);
	free(p->layers);
	free(p->name);
	free(p);
}

static int pull_create(struct image_store *s, const char *name, const struct image_auth *auth,
		       struct pull **ret, struct error *err)
{
	struct pull *p = xnew(struct pull);
	int rc;

	p->store = s;
	p->archive_fd = -1;
	p->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->cancel_fd < 0 || p->wake_fd < 0 || p->done_fd < 0)
		rc = error_errno(err, errno, "eventfd");
	else
		rc = image_ref_parse(name, &p->ref, err);
	if (rc == 0)
		rc = take_auth(auth, p->ref.host, &p->auth, err);
	if (rc < 0) {
		pull_destroy(p);
		return rc;
	}
	p->name = image_ref_format(&p->ref);
	auth_digest(&p->auth, p->auth_key);
	*ret = p;
	return 0;
}

/* Preconditions: holds lock. */
static bool unref(struct pull *p)
{
	return --p->refs == 0;
}

static void *pull_thread(void *data)
{
	struct pull *p = data;
	struct image_store *s = p->store;
	struct error err = ERROR_INIT;
	struct image *result = NULL;
	bool last;

	if (pull_run(p, &result, &err) < 0 && err.code == 0)
		err.code = -EIO;
	pthread_mutex_lock(&s->lock);
	p->result = result;
	p->err = err;
	p->done = true;
	list_remove(&p->link);
	signal_fd(p->done_fd);
	last = unref(p);
	pthread_mutex_unlock(&s->lock);
	if (last)
		pull_destroy(p);
	pthread_mutex_lock(&s->lock);
	s->threads--;
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* A pull equal to @p, joined; or @p itself, entered.  Preconditions: holds lock. */
static struct pull *join(struct image_store *s, struct pull *p)
{
	struct pull *other;

	list_for_each(other, &s->pulls, link) {
		if (other->waiters == 0 || strcmp(other->name, p->name) != 0 ||
		    strcmp(other->auth_key, p->auth_key) != 0)
			continue;
		other->waiters++;
		other->refs++;
		return other;
	}
	p->waiters = 1;
	p->refs = 2; /* this waiter's and the thread's */
	list_add(&s->pulls, &p->link);
	s->threads++;
	return p;
}

static int wait_for(struct pull *p, int cancel_fd)
{
	struct pollfd fds[2] = {
		{ .fd = p->done_fd, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			return 0;
		if (fds[1].revents)
			return -ECANCELED;
	}
}

/* Take the result, or leave. */
static int leave(struct pull *p, int wait_rc, struct image **ret, struct error *err)
{
	struct image_store *s = p->store;
	bool last;
	int rc;

	pthread_mutex_lock(&s->lock);
	p->waiters--;
	if (p->done && p->result) {
		__atomic_add_fetch(&p->result->refs, 1, __ATOMIC_RELAXED);
		*ret = p->result;
		rc = 0;
	} else if (p->done) {
		rc = error_copy(err, &p->err);
	} else {
		rc = error_set(err, wait_rc < 0 ? -wait_rc : EIO, "pull %s: cancelled", p->name);
		if (p->waiters == 0)
			signal_fd(p->cancel_fd);
	}
	last = unref(p);
	pthread_mutex_unlock(&s->lock);
	if (last)
		pull_destroy(p);
	return rc;
}

int image_pull(struct image_store *s, const char *name, const struct image_auth *auth,
	       int cancel_fd, struct image **ret, struct error *err)
{
	struct pull *made, *p;
	int rc = pull_create(s, name, auth, &made, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	p = s->closing ? NULL : join(s, made);
	pthread_mutex_unlock(&s->lock);
	if (p != made)
		pull_destroy(made);
	if (!p)
		return error_set(err, ESHUTDOWN, "pull %s: the server is stopping", name);
	if (p == made)
		thread_detach(pull_thread, p);
	rc = wait_for(p, cancel_fd);
	return leave(p, rc, ret, err);
}

/* --- progress --------------------------------------------------------------------------------- */

void pull_progress_add(struct pull *p, const char *digest, uint64_t size)
{
	struct image_progress *l;

	pthread_mutex_lock(&p->store->lock);
	p->layers = xrealloc(p->layers, p->n_layers + 1, sizeof(*p->layers));
	l = &p->layers[p->n_layers++];
	*l = (struct image_progress){ .size = size };
	snprintf(l->digest, sizeof(l->digest), "%s", digest);
	pthread_mutex_unlock(&p->store->lock);
}

void pull_progress_set(struct pull *p, size_t index, uint64_t bytes, bool done)
{
	struct image_progress *l;

	pthread_mutex_lock(&p->store->lock);
	l = &p->layers[index];
	l->bytes = done ? l->size : MIN(bytes, l->size);
	l->done = done;
	pthread_mutex_unlock(&p->store->lock);
}

size_t image_pull_progress(struct image_store *s, const char *name, struct image_progress **ret)
{
	char *full cleanup_free = NULL;
	struct pull *p;
	size_t n = 0;

	*ret = NULL;
	if (image_normalize(name, &full, NULL) < 0)
		return 0;
	pthread_mutex_lock(&s->lock);
	list_for_each(p, &s->pulls, link) {
		if (p->n_layers == 0 || strcmp(p->name, full) != 0)
			continue;
		n = p->n_layers;
		*ret = xmemdup(p->layers, n * sizeof(**ret));
		break;
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- imports ---------------------------------------------------------------------------------- */

/* Enter @p among the pulls, so that it hears of layers; nobody joins what has no waiters. */
static bool enter(struct image_store *s, struct pull *p)
{
	bool entered;

	pthread_mutex_lock(&s->lock);
	entered = !s->closing;
	if (entered) {
		list_add(&s->pulls, &p->link);
		s->threads++;
	}
	pthread_mutex_unlock(&s->lock);
	return entered;
}

static void leave_import(struct image_store *s, struct pull *p)
{
	pthread_mutex_lock(&s->lock);
	list_remove(&p->link);
	s->threads--;
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

static int import_one(struct image_store *s, struct pull *p, struct strlist *ret_ids,
		      struct error *err)
{
	struct image *image;
	int rc;

	if (!enter(s, p))
		return error_set(err, ESHUTDOWN, "import %s: the server is stopping", p->name);
	rc = pull_run(p, &image, err);
	leave_import(s, p);
	if (rc == 0) {
		strlist_add(ret_ids, image->id);
		image_put(image);
	}
	return rc;
}

int image_import(struct image_store *s, int fd, const char *name, int cancel_fd,
		 struct strlist *ret_ids, struct error *err)
{
	struct pull p = {
		.store = s,
		.name = (char *)name,
		.archive_fd = fd,
		.cancel_fd = fcntl(cancel_fd, F_DUPFD_CLOEXEC, 3),
		.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	int rc = 0;

	if (p.cancel_fd < 0 || p.wake_fd < 0)
		rc = error_errno(err, errno, "import %s: eventfd", name);
	do {
		p.archive_more = false;
		p.n_layers = 0;
		if (rc == 0)
			rc = import_one(s, &p, ret_ids, err);
		p.archive_index++;
	} while (rc == 0 && p.archive_more);
	close_fd(&p.cancel_fd);
	close_fd(&p.wake_fd);
	free(p.layers);
	return rc;
}
