/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-sentry: an OCI runtime, and the kernel that its containers run on.
 */
#include <string.h>

#include "runtimes/gofer/gofer.h"
#include "runtimes/sentry/boot/boot.h"
#include "runtimes/sentry/cli/cli.h"

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "boot") == 0)
		return boot_main(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "gofer") == 0)
		return gofer_main(argc - 1, argv + 1);
	return cli_main(argc, argv);
}
