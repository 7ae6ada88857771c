/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an OCI runtime keeps of a container whose monitor cannot ask it to delete it.
 *
 * A monitor that was killed, or hangs, leaves the runtime's record of its containers behind.
 * The server then runs the runtime's delete itself, without the pod's mounts, which are gone with
 * the monitor.  Looking costs a directory listing, so that it is done at every end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/spawn.h"
#include "cri/pods/objects.h"
#include "runtimes/oci/oci.h"

#define DELETE_MS 25000

/* Names of files in a runtime's root are its own affair, but they hold the container's id. */
static bool is_remembered(const struct pods *pods, const char *id)
{
	DIR *dir = opendir(pods->runtime_root);
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir)))
		found = strstr(e->d_name, id) != NULL;
	if (dir)
		closedir(dir);
	return found;
}

static int run_delete(const struct handler *handler, const char *root, const char *id,
		      struct error *err)
{
	struct oci oci = {
		.program = handler->runtime,
		.args = (const char *const *)handler->args.items,
		.root = root,
	};
	struct strlist argv cleanup_strlist = { 0 };
	struct spawn s = SPAWN_INIT;
	struct spawn_result result = { 0 };
	int rc;

	oci_argv_delete(&oci, "/dev/null", id, true, &argv);
	s.program = handler->runtime;
	s.argv = (const char *const *)argv.items;
	rc = spawn_run(&s, NULL, 0, DELETE_MS, -1, &result, err);
	if (rc == 0 && result.exit_code != 0)
		rc = error_set(err, EIO, "%s delete ended with code %d: %s", handler->runtime,
			       result.exit_code, str_or(result.err.data, ""));
	spawn_result_finish(&result);
	return rc;
}

void runtime_forget(struct pod *pod, const char *id)
{
	struct pods *pods = pod->pods;
	char *path cleanup_free = path_join(pods->runtime_root, id);
	struct error err = ERROR_INIT;
	const struct handler *handler;
	int rc;

	if (!is_remembered(pods, id))
		return;
	rc = handlers_find(pods->config.handlers, pod->handler_name, &handler, &err);
	if (rc == 0)
		rc = run_delete(handler, pods->runtime_root, id, &err);
	if (rc < 0)
		log_warn("container %s: %s", id, err.text);
	if (path_remove_tree(AT_FDCWD, path, &err) < 0)
		log_warn("container %s: %s", id, err.text);
}
