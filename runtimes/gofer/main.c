/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead-gofer: opens and changes files for the kernel of a pod.
 */
#include "runtimes/gofer/gofer.h"

int main(int argc, char **argv)
{
	return gofer_main(argc, argv);
}
