/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records: put, delete, transactions, many writers, the lock, old and new schemas.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/spawn.h"
#include "base/str.h"
#include "storage/db.h"
#include "tests/unit/tap.h"

#define THREADS 16
#define ROUNDS	20

static char root[] = "/tmp/db-test-XXXXXX";

static int list_one(void *data, const char *id, const char *text, bool same_boot)
{
	strbuf_printf(data, "%s=%s%s ", id, text, same_boot ? "" : "(old)");
	return 0;
}

/* listed() - all records of @kind as "id=text id=text "; valid until the next call. */
static const char *listed(struct db *db, const char *kind)
{
	static struct strbuf text;
	struct error err = ERROR_INIT;

	strbuf_reset(&text);
	strbuf_puts(&text, "");
	if (db_each(db, kind, list_one, &text, &err) < 0)
		strbuf_puts(&text, err.text);
	return text.data;
}

static struct db *open_db(void)
{
	struct error err = ERROR_INIT;
	struct db *db = NULL;

	if (!ok(db_open(root, &db, &err) == 0, "open"))
		printf("# %s\n", err.text);
	return db;
}

static void sql(const char *text)
{
	char *path cleanup_free = path_join(root, "state.db");
	sqlite3 *s;

	if (sqlite3_open(path, &s) != SQLITE_OK ||
	    sqlite3_exec(s, text, NULL, NULL, NULL) != SQLITE_OK)
		printf("# %s: %s\n", text, sqlite3_errmsg(s));
	sqlite3_close(s);
}

static void test_records(struct db *db)
{
	const struct db_change changes[] = { { "pod", "c", "3" },
					     { "pod", "a", NULL },
					     { "container", "a", "{}" } };
	const struct db_change bad[] = { { "pod", "d", "4" }, { "pod", "", "5" } };
	struct error err = ERROR_INIT;

	is_str(listed(db, "pod"), "", "no record at first");
	is_int(db_put(db, "pod", "b", "{\"x\":1}", 0, &err), 0, "put");
	is_int(db_put(db, "pod", "a", "1", DB_SYNC, &err), 0, "put, synced");
	is_int(db_put(db, "pod", "a", "2", 0, &err), 0, "put again");
	is_str(listed(db, "pod"), "a=2 b={\"x\":1} ", "the newest text of each");
	is_int(db_apply(db, changes, 3, 0, &err), 0, "several changes");
	is_str(listed(db, "pod"), "b={\"x\":1} c=3 ", "all were made");
	is_str(listed(db, "container"), "a={} ", "kinds are apart");
	is_int(db_apply(db, bad, 2, 0, &err), -EINVAL, "a change without an id");
	is_str(listed(db, "pod"), "b={\"x\":1} c=3 ", "nothing of its transaction was made");
	is_int(db_delete(db, "pod", "nobody", 0, &err), 0, "deleting what is not there");
	is_int(db_put(db, "pod", "x", NULL, 0, &err), -EINVAL, "put of no text");
	is_int(db_apply(db, NULL, 0, 0, &err), 0, "no change at all");
}

static int stop_walk(void *data, const char *id, const char *text, bool same_boot)
{
	struct db *db = data;

	(void)text;
	(void)same_boot;
	return db_delete(db, "walk", id, 0, NULL) < 0 ? -EIO : -ECANCELED;
}

static void test_walk(struct db *db)
{
	struct error err = ERROR_INIT;

	db_put(db, "walk", "1", "x", 0, NULL);
	db_put(db, "walk", "2", "x", 0, NULL);
	is_int(db_each(db, "walk", stop_walk, db, &err), -ECANCELED, "a callback ends the walk");
	is_str(listed(db, "walk"), "2=x ", "and may change records");
}

static void *hammer(void *data)
{
	struct db *db = data;
	char id[32];
	intptr_t failed = 0;

	for (int i = 0; i < ROUNDS; i++) {
		snprintf(id, sizeof(id), "%lx-%d", (unsigned long)pthread_self(), i);
		failed += db_put(db, "many", id, "text", i == 7 ? DB_SYNC : 0, NULL) < 0;
	}
	return (void *)failed;
}

static int count_one(void *data, const char *id, const char *text, bool same_boot)
{
	(void)id;
	*(int *)data += str_eq(text, "text") && same_boot;
	return 0;
}

static void test_threads(struct db *db)
{
	pthread_t threads[THREADS];
	intptr_t failed = 0;
	int count = 0;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, hammer, db) != 0)
			abort();
	for (int i = 0; i < THREADS; i++) {
		void *ret;

		pthread_join(threads[i], &ret);
		failed += (intptr_t)ret;
	}
	is_int(failed, 0, "threads write at once");
	is_int(db_each(db, "many", count_one, &count, NULL), 0, "walk");
	is_int(count, THREADS * ROUNDS, "no record is lost");
}

static void test_lock(struct db *db)
{
	struct error err = ERROR_INIT;
	struct db *other = NULL;

	is_int(db_open(root, &other, &err), -EBUSY, "a second server is refused");
	ok(strstr(err.text, root), "and told where: %s", err.text);
	is_str(listed(db, "container"), "a={} ", "the first works on");
}

static void test_versions(void)
{
	struct error err = ERROR_INIT;
	struct db *db = NULL;

	sql("PRAGMA user_version=99");
	is_int(db_open(root, &db, &err), -EPROTO, "a newer schema is refused");
	ok(strstr(err.text, "schema 99"), "by its number: %s", err.text);
	sql("PRAGMA user_version=1");
	sql("UPDATE record SET boot='another' WHERE kind='container'");
	db = open_db();
	is_str(listed(db, "container"), "a={}(old) ", "records of an earlier boot are told apart");
	db_close(db);
}

/* test_killed() - what was applied is there after a kill in the middle of writing. */
static void test_killed(void)
{
	struct db *db;
	int fds[2], status;
	char last[32] = "", *text;
	pid_t pid;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		if (db_open(root, &db, NULL) < 0)
			_exit(1);
		for (int i = 0;; i++) {
			char id[32];

			snprintf(id, sizeof(id), "%09d", i);
			if (db_put(db, "killed", id, "", 0, NULL) < 0 ||
			    write(fds[1], id, sizeof(id)) < 0)
				_exit(1);
		}
	}
	close(fds[1]);
	for (int i = 0; i < 50; i++)
		if (read(fds[0], last, sizeof(last)) != sizeof(last))
			break;
	is_int(process_kill(pid, 9), 0, "kill the writer");
	waitpid(pid, &status, 0);
	while (read(fds[0], last, sizeof(last)) == sizeof(last))
		continue;
	close(fds[0]);
	db = open_db();
	text = xasprintf("%s= ", last);
	ok(last[0] && strstr(listed(db, "killed"), text), "record %s was applied and is there",
	   last);
	free(text);
	db_close(db);
}

static void test_damage(void)
{
	struct error err = ERROR_INIT;
	struct db *db = NULL;
	char *path cleanup_free = path_join(root, "state.db");
	char *log cleanup_free = path_join(root, "state.db-wal");
	int fd = open(path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, "this is not a database, it is a longer text", 43) != 43)
		abort();
	close(fd);
	unlink(log); /* from which all would come back */
	is_int(db_open(root, &db, &err), -EUCLEAN, "a file that is no database");
	ok(strstr(err.text, "state.db"), "is named: %s", err.text);
	ok(db_open("/proc/nowhere", &db, &err) < 0, "a root that cannot be made");
	ok(strstr(err.text, "/proc/nowhere"), "is named: %s", err.text);
}

int main(void)
{
	struct db *db;
	struct stat st;
	char *path;

	if (!mkdtemp(root))
		return 1;
	db = open_db();
	if (!db)
		return tap_done();
	test_records(db);
	test_walk(db);
	test_threads(db);
	test_lock(db);
	path = path_join(root, "state.db");
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "readable by root alone");
	free(path);
	db_close(db);
	db_close(NULL);
	test_versions();
	test_killed();
	test_damage();
	path_remove_tree(AT_FDCWD, root, NULL);
	return tap_done();
}
