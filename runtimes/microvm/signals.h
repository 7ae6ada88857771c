/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals that end the VMM: each with a line in the log and an exit status of its own.
 */
#ifndef MICROVM_SIGNALS_H
#define MICROVM_SIGNALS_H

/* Statuses as Firecracker's. */
enum vmm_exit {
	EXIT_BAD_SYSCALL = 148,
	EXIT_SIGBUS = 149,
	EXIT_SIGSEGV = 150,
	EXIT_SIGXFSZ = 151,
	EXIT_BAD_CONFIG = 152,
	EXIT_BAD_ARGUMENTS = 153,
	EXIT_SIGXCPU = 154,
	EXIT_SIGHUP = 156,
	EXIT_SIGILL = 157,
};

/* signals_init() - from now on. */
void signals_init(void);

#endif
