/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer as a process.
 */
#ifndef RUNTIMES_GOFER_GOFER_H
#define RUNTIMES_GOFER_GOFER_H

/*
 * gofer_main() - from its arguments on.  It is in two programs: bulkhead-gofer, and that of the
 * sentry, whose pages both then share.  Return: exit code.
 */
int gofer_main(int argc, char **argv);

#endif
