/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records in SQLite, with group commit.
 *
 * Theory of operation.  Callers queue a request that lies on their own stack and sleep.  One
 * writer thread takes the whole queue, runs it as one transaction (a savepoint a request, so
 * that a bad one fails alone) and wakes everybody: fifty pods that start at once cost a few
 * commits, not fifty.  A batch is written with synchronous=FULL when any of its requests asks
 * for DB_SYNC; the write-ahead log is one file in order, so that syncs what came before as well.
 * Walks use a connection of their own, opened for the walk: they are rare (start-up, tools), see
 * one consistent state, and may be followed by db_apply() from inside the callback.
 *
 * Pods must end and go on a full disk too, so the files hold a reserve: free pages in the
 * database, and a log that is never shortened.  What no longer fits at the log's end is written
 * from its beginning, once a checkpoint has made that free.
 */
#include "storage/db.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

#define TEXT_MAX_BYTES	(16 << 20)
#define BUSY_TIMEOUT_MS 10000 /* somebody looks into the file by hand */
#define RESERVE_BYTES	(256 << 10)
#define RESERVE_PAGES	48 /* fewer free ones: make the reserve anew */

/* migrations[n] leads from schema n to n + 1; never edit one that was released. */
static const char *const migrations[] = {
	"CREATE TABLE record (kind TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL,"
	" boot TEXT NOT NULL, PRIMARY KEY (kind, id))",
};

struct request {
	const struct db_change *changes;
	size_t count;
	int flags;
	int rc;
	struct error *err;
	bool done;
	struct request *next;
};

struct db {
	sqlite3 *sql; /* the writer's; others use it only in open and close */
	sqlite3_stmt *put, *del;
	char *path;
	char boot_id[40];
	int lock_fd;
	pthread_t writer;
	bool started;

	pthread_mutex_t lock; /* guards what follows and the requests */
	pthread_cond_t work, done;
	struct request *first, **last;
	bool stop;
};

/* --- SQLite ----------------------------------------------------------------------------------- */

static int sql_error(sqlite3 *sql, int code, const char *path, struct error *err)
{
	static const struct {
		int sqlite, errnum;
	} codes[] = {
		{ SQLITE_FULL, ENOSPC },  { SQLITE_READONLY, EROFS },  { SQLITE_BUSY, EBUSY },
		{ SQLITE_LOCKED, EBUSY }, { SQLITE_CORRUPT, EUCLEAN }, { SQLITE_NOTADB, EUCLEAN },
		{ SQLITE_NOMEM, ENOMEM }, { SQLITE_CANTOPEN, EACCES },
	};
	int errnum = EIO;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if ((code & 0xff) == codes[i].sqlite)
			errnum = codes[i].errnum;
	return error_set(err, errnum, "%s: %s", path, sql ? sqlite3_errmsg(sql) : "out of memory");
}

static int run(sqlite3 *sql, const char *path, const char *text, struct error *err)
{
	int code = sqlite3_exec(sql, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? 0 : sql_error(sql, code, path, err);
}

/* connect_file() - a connection that holds little memory. */
static int connect_file(const char *path, int flags, sqlite3 **ret, struct error *err)
{
	sqlite3 *sql = NULL;
	int code = sqlite3_open_v2(path, &sql, flags | SQLITE_OPEN_NOMUTEX, NULL);
	int rc = 0;

	if (code != SQLITE_OK)
		rc = sql_error(sql, code, path, err);
	if (rc == 0) {
		sqlite3_busy_timeout(sql, BUSY_TIMEOUT_MS);
		rc = run(sql, path, "PRAGMA cache_size=-128; PRAGMA mmap_size=0", err);
	}
	if (rc < 0)
		sqlite3_close(sql);
	else
		*ret = sql;
	return rc;
}

static int schema_version(sqlite3 *sql, const char *path, int *ret, struct error *err)
{
	sqlite3_stmt *stmt;
	int code = sqlite3_prepare_v2(sql, "PRAGMA user_version", -1, &stmt, NULL);
	int rc = 0;

	if (code == SQLITE_OK)
		code = sqlite3_step(stmt);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int(stmt, 0);
	else
		rc = sql_error(sql, code, path, err);
	sqlite3_finalize(stmt);
	return rc;
}

static int migrate(struct db *db, struct error *err)
{
	const int newest = (int)ARRAY_LEN(migrations);
	int version = 0;
	int rc = schema_version(db->sql, db->path, &version, err);

	if (rc < 0)
		return rc;
	if (version > newest)
		return error_set(err, EPROTO,
				 "%s has schema %d, this version knows %d: start the newer "
				 "version again, or move the file away",
				 db->path, version, newest);
	for (; version < newest && rc == 0; version++) {
		char *text cleanup_free = xasprintf("BEGIN; %s; PRAGMA user_version=%d; COMMIT",
						    migrations[version], version + 1);

		rc = run(db->sql, db->path, text, err);
	}
	return rc;
}

static int prepare(struct db *db, const char *text, sqlite3_stmt **ret, struct error *err)
{
	int code = sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return code == SQLITE_OK ? 0 : sql_error(db->sql, code, db->path, err);
}

/* --- the writer ------------------------------------------------------------------------------- */

static int write_change(struct db *db, const struct db_change *c, struct error *err)
{
	sqlite3_stmt *stmt = c->text ? db->put : db->del;
	int code;

	sqlite3_bind_text(stmt, 1, c->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, c->id, -1, SQLITE_STATIC);
	if (c->text) {
		sqlite3_bind_text(stmt, 3, c->text, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 4, db->boot_id, -1, SQLITE_STATIC);
	}
	sqlite3_step(stmt);
	code = sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	if (code == SQLITE_OK)
		return 0;
	sql_error(db->sql, code, db->path, err);
	return error_wrap(err, "record %s %s", c->kind, c->id);
}

static int write_request(struct db *db, struct request *r)
{
	int rc = run(db->sql, db->path, "SAVEPOINT request", r->err);

	for (size_t i = 0; i < r->count && rc == 0; i++)
		rc = write_change(db, &r->changes[i], r->err);
	if (rc < 0)
		run(db->sql, db->path, "ROLLBACK TO request", NULL);
	run(db->sql, db->path, "RELEASE request", NULL);
	return rc;
}

/* Return: whether something of it failed for want of room. */
static bool write_once(struct db *db, struct request *batch)
{
	struct error why = ERROR_INIT;
	bool sync = false, full = false;
	int rc;

	for (struct request *r = batch; r; r = r->next)
		sync |= r->flags & DB_SYNC;
	rc = run(db->sql, db->path,
		 sync ? "PRAGMA synchronous=FULL; BEGIN IMMEDIATE"
		      : "PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE",
		 &why);
	for (struct request *r = batch; r && rc == 0; r = r->next) {
		r->rc = write_request(db, r);
		full |= r->rc == -ENOSPC;
		if (sqlite3_get_autocommit(db->sql)) /* a full disk ends the whole transaction */
			rc = error_set(&why, EIO, "%s: the transaction was rolled back", db->path);
	}
	if (rc == 0)
		rc = run(db->sql, db->path, "COMMIT", &why);
	if (rc == 0)
		return full;
	if (!sqlite3_get_autocommit(db->sql))
		run(db->sql, db->path, "ROLLBACK", NULL);
	for (struct request *r = batch; r; r = r->next)
		if (r->rc == 0)
			r->rc = error_copy(r->err, &why);
	return full || rc == -ENOSPC;
}

static void write_batch(struct db *db, struct request *batch)
{
	if (!write_once(db, batch) ||
	    run(db->sql, db->path, "PRAGMA wal_checkpoint(RESTART)", NULL) < 0)
		return;
	for (struct request *r = batch; r; r = r->next) {
		r->rc = 0;
		if (r->err)
			*r->err = (struct error)ERROR_INIT;
	}
	write_once(db, batch);
}

static int count_free_pages(struct db *db)
{
	sqlite3_stmt *stmt;
	int n = 0;

	if (sqlite3_prepare_v2(db->sql, "PRAGMA freelist_count", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* make_reserve() - a large record comes and goes; without room there is none, and that is all. */
static void make_reserve(struct db *db)
{
	char *log cleanup_free = xasprintf("%s-wal", db->path);
	char *text cleanup_free =
		xasprintf("INSERT OR REPLACE INTO record VALUES ('reserve', '-', zeroblob(%d), '');"
			  "DELETE FROM record WHERE kind='reserve';"
			  "PRAGMA wal_checkpoint(RESTART)",
			  RESERVE_BYTES);
	struct stat st;

	if (stat(log, &st) == 0 && st.st_size >= RESERVE_BYTES &&
	    count_free_pages(db) >= RESERVE_PAGES)
		return;
	if (run(db->sql, db->path, text, NULL) < 0)
		run(db->sql, db->path, "DELETE FROM record WHERE kind='reserve'", NULL);
}

static void *write_loop(void *data)
{
	struct db *db = data;

	make_reserve(db);
	pthread_mutex_lock(&db->lock);
	while (db->first || !db->stop) {
		struct request *batch = db->first, *next;

		if (!batch) {
			pthread_cond_wait(&db->work, &db->lock);
			continue;
		}
		db->first = NULL;
		db->last = &db->first;
		pthread_mutex_unlock(&db->lock);
		write_batch(db, batch);
		pthread_mutex_lock(&db->lock);
		for (struct request *r = batch; r; r = next) {
			next = r->next; /* r is the waiter's again once the lock is free */
			r->done = true;
		}
		pthread_cond_broadcast(&db->done);
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

/* start_writer() - with all signals blocked: they are for the main loop. */
static int start_writer(struct db *db, struct error *err)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int rc;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&db->writer, &attr, write_loop, db);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		return error_errno(err, rc, "start the database's writer thread");
	db->started = true;
	return 0;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int take_lock(struct db *db, const char *root, struct error *err)
{
	char *path cleanup_free = path_join(root, "lock");

	db->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (db->lock_fd < 0)
		return error_errno(err, errno, "open %s", path);
	if (flock(db->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, errno, "lock %s", path);
	return error_set(err, EBUSY, "another server uses %s: stop it, or choose another root",
			 root);
}

static int read_boot_id(struct db *db, struct error *err)
{
	struct strbuf text cleanup_strbuf = { 0 };
	int rc = fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, err);

	if (rc < 0)
		return rc;
	snprintf(db->boot_id, sizeof(db->boot_id), "%.*s", (int)strcspn(text.data, "\n"),
		 text.data);
	return 0;
}

static int open_file(struct db *db, struct error *err)
{
	int fd cleanup_close = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0) /* SQLite would have made it readable for all */
		return error_errno(err, errno, "open %s", db->path);
	rc = connect_file(db->path, SQLITE_OPEN_READWRITE, &db->sql, err);
	if (rc == 0)
		rc = run(db->sql, db->path,
			 "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=256", err);
	if (rc == 0)
		sqlite3_file_control(db->sql, NULL, SQLITE_FCNTL_PERSIST_WAL, &(int){ 1 });
	if (rc == 0)
		rc = migrate(db, err);
	if (rc == 0)
		rc = prepare(db, "INSERT OR REPLACE INTO record VALUES (?1, ?2, ?3, ?4)", &db->put,
			     err);
	if (rc == 0)
		rc = prepare(db, "DELETE FROM record WHERE kind=?1 AND id=?2", &db->del, err);
	return rc;
}

int db_open(const char *root, struct db **ret_db, struct error *err)
{
	struct db *db = xnew(struct db);
	int rc;

	db->lock_fd = -1;
	db->last = &db->first;
	db->path = path_join(root, "state.db");
	pthread_mutex_init(&db->lock, NULL);
	pthread_cond_init(&db->work, NULL);
	pthread_cond_init(&db->done, NULL);

	rc = path_mkdirs(root, 0711, err);
	if (rc == 0)
		rc = take_lock(db, root, err);
	if (rc == 0)
		rc = read_boot_id(db, err);
	if (rc == 0)
		rc = open_file(db, err);
	if (rc == 0)
		rc = start_writer(db, err);
	if (rc < 0)
		db_close(db);
	else
		*ret_db = db;
	return rc;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	if (db->started) {
		pthread_mutex_lock(&db->lock);
		db->stop = true;
		pthread_cond_signal(&db->work);
		pthread_mutex_unlock(&db->lock);
		pthread_join(db->writer, NULL);
	}
	sqlite3_finalize(db->put);
	sqlite3_finalize(db->del);
	sqlite3_close(db->sql);
	close_fd(&db->lock_fd);
	pthread_cond_destroy(&db->work);
	pthread_cond_destroy(&db->done);
	pthread_mutex_destroy(&db->lock);
	free(db->path);
	free(db);
}

/* --- changes and walks ------------------------------------------------------------------------ */

static int check_change(const struct db_change *c, struct error *err)
{
	if (str_empty(c->kind) || str_empty(c->id))
		return error_set(err, EINVAL, "a record needs a kind and an id");
	if (c->text && strlen(c->text) > TEXT_MAX_BYTES)
		return error_set(err, E2BIG, "record %s %s has %zu bytes, more than %d", c->kind,
				 c->id, strlen(c->text), TEXT_MAX_BYTES);
	return 0;
}

int db_apply(struct db *db, const struct db_change *changes, size_t count, int flags,
	     struct error *err)
{
	struct request r = { .changes = changes, .count = count, .flags = flags, .err = err };

	for (size_t i = 0; i < count; i++) {
		int rc = check_change(&changes[i], err);

		if (rc < 0)
			return rc;
	}
	if (count == 0)
		return 0;
	pthread_mutex_lock(&db->lock);
	*db->last = &r;
	db->last = &r.next;
	pthread_cond_signal(&db->work);
	while (!r.done)
		pthread_cond_wait(&db->done, &db->lock);
	pthread_mutex_unlock(&db->lock);
	return r.rc;
}

int db_put(struct db *db, const char *kind, const char *id, const char *text, int flags,
	   struct error *err)
{
	struct db_change change = { .kind = kind, .id = id, .text = text };

	if (!text)
		return error_set(err, EINVAL, "record %s %s without a text", str_or(kind, "?"),
				 str_or(id, "?"));
	return db_apply(db, &change, 1, flags, err);
}

int db_delete(struct db *db, const char *kind, const char *id, int flags, struct error *err)
{
	struct db_change change = { .kind = kind, .id = id };

	return db_apply(db, &change, 1, flags, err);
}

static int walk(struct db *db, sqlite3_stmt *stmt, db_each_fn *fn, void *data, int *ret_code)
{
	int rc = 0;

	while (rc >= 0 && (*ret_code = sqlite3_step(stmt)) == SQLITE_ROW)
		rc = fn(data, (const char *)sqlite3_column_text(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 1),
			str_eq((const char *)sqlite3_column_text(stmt, 2), db->boot_id));
	return MIN(rc, 0);
}

int db_each(struct db *db, const char *kind, db_each_fn *fn, void *data, struct error *err)
{
	static const char query[] = "SELECT id, text, boot FROM record WHERE kind=?1 ORDER BY id";
	sqlite3 *sql;
	sqlite3_stmt *stmt = NULL;
	int rc = connect_file(db->path, SQLITE_OPEN_READWRITE, &sql, err), code;

	if (rc < 0)
		return rc;
	code = sqlite3_prepare_v2(sql, query, -1, &stmt, NULL);
	if (code == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, kind, -1, SQLITE_STATIC);
		rc = walk(db, stmt, fn, data, &code);
	}
	if (rc == 0 && code != SQLITE_DONE)
		rc = sql_error(sql, code, db->path, err);
	sqlite3_finalize(stmt);
	sqlite3_close(sql);
	return rc;
}
