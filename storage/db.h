/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State records: one SQLite file, inspectable by hand.
 *
 * A record is {kind, id, JSON text}: kinds are "pod", "container", "image", "layer", "cni".
 * WAL with synchronous=NORMAL: a change survives a killed process at once, and a power cut when
 * it was written with DB_SYNC.  Each record carries the boot id it was written under.
 * Thread-safe; writes are grouped by one writer thread.
 */
#ifndef STORAGE_DB_H
#define STORAGE_DB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct db;

enum { DB_SYNC = 1 }; /* wait for the disk */

struct db_change {
	const char *kind, *id;
	const char *text; /* JSON; NULL deletes the record */
};

/*
 * db_open() - open or make @root/state.db, holding a lock on @root/lock.
 * Errors: -EBUSY another server has @root; -EPROTO the schema is newer than ours.
 */
int db_open(const char *root, struct db **ret_db, struct error *err);
void db_close(struct db *db);

/* db_apply() - all @changes in one transaction, committed on return. */
int db_apply(struct db *db, const struct db_change *changes, size_t count, int flags,
	     struct error *err);
int db_put(struct db *db, const char *kind, const char *id, const char *text, int flags,
	   struct error *err);
int db_delete(struct db *db, const char *kind, const char *id, int flags, struct error *err);

/* @same_boot: the record was written since the machine started.  Return < 0 ends the walk. */
typedef int db_each_fn(void *data, const char *id, const char *text, bool same_boot);
int db_each(struct db *db, const char *kind, db_each_fn *fn, void *data, struct error *err);

#endif
