/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A paused machine as two files: its state, its memory; and a machine made from them.
 *
 * What the machine is made of stands in the state as JSON, which whoever calls writes and reads;
 * everything else is ours.
 */
#ifndef MICROVM_MACHINE_SNAPSHOT_H
#define MICROVM_MACHINE_SNAPSHOT_H

#include "runtimes/microvm/machine/machine.h"

/*
 * machine_snapshot() - write both files.  @changed: only memory that was written since the last
 * snapshot, over what the memory file may hold already.  Preconditions: it is paused.
 * Return: 0 or -errno; half-written files may stay.
 */
int machine_snapshot(struct machine *m, const struct strbuf *config, const char *state_path,
		     const char *memory_path, bool changed, struct error *err);

/* A state file that has been read and checked as a whole. */
struct snapshot_file {
	struct strbuf bytes;
	struct state_reader next; /* after the configuration */
	const char *config;	  /* JSON, of config_len bytes */
	size_t config_len;
};

/* snapshot_file_open() - Return: 0 or -errno saying why @path is no state that we can load. */
int snapshot_file_open(struct snapshot_file *f, const char *path, struct error *err);
void snapshot_file_finish(struct snapshot_file *f);

/* snapshot_file_version() - the format version of @path.  Return: 0 or -errno. */
int snapshot_file_version(const char *path, unsigned int *ret, struct error *err);

struct restore_options {
	const char *memory_path;
	bool uffd;     /* memory_path is the socket of a process that answers page faults */
	bool realtime; /* the guest's clock goes on as if it had never stood still */
};

/*
 * machine_restore() - @m->config has been made from the file's configuration.
 * Return: 0 with the machine paused, or -errno: nothing runs, and it has not been started.
 */
int machine_restore(struct machine *m, struct snapshot_file *f, const struct restore_options *o,
		    struct error *err);

#endif
