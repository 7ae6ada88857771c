/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fault injection: the server ends at a named step.
 *
 * With BULKHEAD_FAULT=<step> in the environment the process kills itself there, as SIGKILL from
 * outside would, and tests look at what the next server makes of it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spawn.h"
#include "cri/pods/objects.h"

void fault_point(const char *name)
{
	const char *wanted = getenv("BULKHEAD_FAULT");

	if (!wanted || strcmp(wanted, name) != 0)
		return;
	log_warn("fault injection: ending at step %s", name);
	process_kill(getpid(), SIGKILL);
	pause();
}
