/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of pods: which configuration, who is attached, what is left to undo.
 *
 * Every attachment is an entry of the map from the moment its journal text is written until its
 * DEL has succeeded.  A busy entry has one thread running plugins for it; others wait for it
 * (network_del) or pass it by (network_retry).  Plugins run without the lock.
 */
#include "network/pod.h"

#include <fcntl.h>
#include <pthread.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "network/attachment.h"
#include "network/lo.h"

#define ADD_TIMEOUT_MS 120000 /* a plugin */
#define DEL_TIMEOUT_MS 60000

struct entry {
	struct attachment *a;
	bool busy; /* guarded by network.lock, as the rest while not busy */
};

struct network {
	struct strlist bin_dirs;
	char *conf_dir, *cache_dir;
	int (*journal)(void *data, const char *id, const char *text, struct error *err);
	void *journal_data;

	pthread_mutex_t lock; /* of all below; nothing else is taken under it */
	pthread_cond_t idle;  /* an entry stopped being busy */
	struct map entries;   /* by pod id */
	char *conf_path;      /* NULL: none found */
	struct conf *conf;    /* NULL: not usable, see conf_error */
	struct error conf_error;
	struct conf_stamp stamp;
};

int network_create(const struct network_config *config, struct network **ret, struct error *err)
{
	struct network *n;

	if (path_mkdirs(config->cache_dir, 0700, err) < 0)
		return err ? err->code : -EIO;
	n = xnew(struct network);
	for (size_t i = 0; i < config->n_bin_dirs; i++)
		strlist_add(&n->bin_dirs, config->bin_dirs[i]);
	n->conf_dir = xstrdup(config->conf_dir);
	n->cache_dir = xstrdup(config->cache_dir);
	n->journal = config->journal;
	n->journal_data = config->journal_data;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->idle, NULL);
	*ret = n;
	return 0;
}

static void entry_free(struct entry *e)
{
	attachment_destroy(e->a);
	free(e);
}

void network_destroy(struct network *n)
{
	struct map_entry *it;

	if (!n)
		return;
	for (size_t i = 0; (it = map_at(&n->entries, &i));)
		entry_free(it->value);
	map_finish(&n->entries);
	conf_destroy(n->conf);
	free(n->conf_path);
	pthread_cond_destroy(&n->idle);
	pthread_mutex_destroy(&n->lock);
	strlist_finish(&n->bin_dirs);
	free(n->conf_dir);
	free(n->cache_dir);
	free(n);
}

static struct plugin_setting setting(const struct network *n, int timeout_ms)
{
	return (struct plugin_setting){ n->bin_dirs.items, n->bin_dirs.count, n->cache_dir,
					timeout_ms };
}

/* --- configuration ---------------------------------------------------------------------------- */

/* refresh() - load the configuration again if it changed.  Preconditions: holds n->lock. */
static void refresh(struct network *n)
{
	struct conf_stamp now = conf_stamp(n->conf_dir, n->conf_path);

	if (conf_stamp_same(&n->stamp, &now))
		return;
	conf_destroy(steal_ptr(n->conf));
	free(steal_ptr(n->conf_path));
	n->conf_error = (struct error)ERROR_INIT;
	if (conf_find(n->conf_dir, &n->conf_path, &n->conf_error) == 0) {
		now = conf_stamp(n->conf_dir, n->conf_path);
		conf_load(n->conf_path, &n->conf, &n->conf_error);
	}
	n->stamp = now;
}

/* usable() - the configuration and all its programs are there. Preconditions: holds n->lock. */
static int usable(struct network *n, struct error *err)
{
	struct plugin_setting s = setting(n, 0);

	refresh(n);
	if (!n->conf)
		return error_copy(err, &n->conf_error);
	for (size_t i = 0; i < n->conf->n_plugins; i++) {
		char *program cleanup_free = NULL;
		int rc = attachment_program(&s, n->conf->types[i], &program, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool network_ready(struct network *n, struct error *ret_reason)
{
	struct error why = ERROR_INIT;
	int rc;

	pthread_mutex_lock(&n->lock);
	rc = usable(n, &why);
	pthread_mutex_unlock(&n->lock);
	if (rc == 0)
		return true;
	error_copy(ret_reason, &why);
	error_wrap(ret_reason, "cni plugin not initialized");
	return false;
}

char *network_status_json(struct network *n)
{
	struct strbuf out cleanup_strbuf = { 0 };
	struct json_writer w = { .out = &out };

	pthread_mutex_lock(&n->lock);
	refresh(n);
	json_begin_object(&w);
	json_put_strings(&w, "binDirs", n->bin_dirs.items, n->bin_dirs.count);
	json_put_string(&w, "confDir", n->conf_dir);
	json_put_string(&w, "file", n->conf_path);
	json_put_u64(&w, "attachments", n->entries.count);
	if (!n->conf)
		json_put_string(&w, "error", n->conf_error.text);
	json_key(&w, "conf");
	if (n->conf)
		conf_json(n->conf, &w);
	else
		json_null(&w);
	json_end_object(&w);
	pthread_mutex_unlock(&n->lock);
	return strbuf_steal(&out);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* begin() - a busy entry for @pod in the current network, journaled. */
static int begin(struct network *n, const struct network_pod *pod, struct entry **ret,
		 struct error *err)
{
	struct attachment *a = NULL;
	char *text cleanup_free = NULL;
	struct entry *e;
	int rc;

	pthread_mutex_lock(&n->lock);
	rc = usable(n, err);
	if (rc < 0)
		rc = error_wrap(err, "cni plugin not initialized");
	else if (map_get(&n->entries, pod->id))
		rc = error_set(err, EEXIST, "pod %s has a network already", pod->id);
	if (rc == 0)
		rc = attachment_text(pod, n->conf, &text, err);
	if (rc == 0)
		rc = attachment_parse(text, &a, err);
	if (rc == 0) {
		e = xnew(struct entry);
		e->a = a;
		e->busy = true;
		map_put(&n->entries, pod->id, e);
		*ret = e;
	}
	pthread_mutex_unlock(&n->lock);
	if (rc < 0)
		return rc;
	rc = n->journal(n->journal_data, pod->id, text, err);
	if (rc < 0) {
		pthread_mutex_lock(&n->lock);
		map_remove(&n->entries, pod->id);
		pthread_cond_broadcast(&n->idle);
		pthread_mutex_unlock(&n->lock);
		entry_free(*ret);
		return error_wrap(err, "journal the network of pod %s", pod->id);
	}
	return 0;
}

static void set_idle(struct network *n, struct entry *e)
{
	pthread_mutex_lock(&n->lock);
	e->busy = false;
	pthread_cond_broadcast(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

/* claim() - the entry of @id, made busy; NULL when there is none or, unless @wait, it is busy. */
static struct entry *claim(struct network *n, const char *id, bool wait)
{
	struct entry *e;

	pthread_mutex_lock(&n->lock);
	while ((e = map_get(&n->entries, id)) && e->busy && wait)
		pthread_cond_wait(&n->idle, &n->lock);
	if (e && e->busy)
		e = NULL;
	if (e)
		e->busy = true;
	pthread_mutex_unlock(&n->lock);
	return e;
}

/* end() - DEL of the busy entry @e; on success entry and journal text go, else it is idle again. */
static int end(struct network *n, struct entry *e, struct error *err)
{
	struct plugin_setting s = setting(n, DEL_TIMEOUT_MS);
	int rc = attachment_del(e->a, &s, err);

	if (rc == 0)
		rc = n->journal(n->journal_data, e->a->id, NULL, err);
	if (rc < 0) {
		set_idle(n, e);
		return rc;
	}
	pthread_mutex_lock(&n->lock);
	map_remove(&n->entries, e->a->id);
	pthread_cond_broadcast(&n->idle);
	pthread_mutex_unlock(&n->lock);
	entry_free(e);
	return 0;
}

/* --- ADD and DEL ------------------------------------------------------------------------------ */

int network_add(struct network *n, const struct network_pod *pod, int cancel_fd,
		struct strlist *ret_ips, struct error *err)
{
	struct plugin_setting s = setting(n, ADD_TIMEOUT_MS);
	struct error own = ERROR_INIT, later = ERROR_INIT;
	struct entry *e;
	int rc;

	if (!err)
		err = &own;
	if (!pod->netns)
		return error_set(err, EINVAL, "pod %s has no network namespace", pod->id);
	rc = begin(n, pod, &e, err);
	if (rc < 0)
		return rc;
	rc = lo_up(pod->netns, err);
	if (rc == 0)
		rc = attachment_add(e->a, &s, cancel_fd, ret_ips, err);
	if (rc == 0) {
		set_idle(n, e);
		return 0;
	}
	if (end(n, e, &later) < 0)
		log_debug("pod %s: DEL after failed ADD, to be tried again: %s", pod->id,
			  later.text);
	return rc;
}

int network_del(struct network *n, const struct network_pod *pod, struct error *err)
{
	struct entry *e = claim(n, pod->id, true);

	if (!e)
		return 0;
	if (!pod->netns)
		e->a->netns = "";
	return end(n, e, err);
}

/* --- after a restart -------------------------------------------------------------------------- */

int network_restore(struct network *n, const char *id, const char *text, struct error *err)
{
	struct attachment *a;
	struct entry *e;
	int rc = attachment_parse(text, &a, err);

	if (rc < 0)
		return rc;
	if (!str_eq(a->id, id)) {
		attachment_destroy(a);
		return error_set(err, EPROTO, "network journal: entry of another pod");
	}
	e = xnew(struct entry);
	e->a = a;
	pthread_mutex_lock(&n->lock);
	e = map_put(&n->entries, id, e);
	pthread_mutex_unlock(&n->lock);
	if (e)
		entry_free(e);
	return 0;
}

/* @keep is asked without our lock: it takes the pods'. */
void network_retry(struct network *n, bool (*keep)(void *data, const char *id), void *data)
{
	struct strlist ids cleanup_strlist = { 0 };
	struct map_entry *it;

	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; (it = map_at(&n->entries, &i));)
		if (!((struct entry *)it->value)->busy)
			strlist_add(&ids, it->key);
	pthread_mutex_unlock(&n->lock);
	for (size_t i = 0; i < ids.count; i++) {
		struct error err = ERROR_INIT;
		struct entry *e = keep(data, ids.items[i]) ? NULL : claim(n, ids.items[i], false);

		if (e && end(n, e, &err) < 0)
			log_debug("pod %s: DEL, to be tried again: %s", ids.items[i], err.text);
	}
}
