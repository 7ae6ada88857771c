/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of thread of the VMM may call.
 */
#ifndef MICROVM_JAIL_CONFINE_H
#define MICROVM_JAIL_CONFINE_H

#include "base/error.h"

/* The main thread (API and devices; threads that it starts have its filter too), and vCPUs. */
enum confine_kind { CONFINE_VMM, CONFINE_VCPU, CONFINE_KINDS };

/*
 * confine_thread() - the calling thread may only do what its kind does; anything else raises
 * SIGSYS.  Return: 0 or -errno.
 */
int confine_thread(enum confine_kind kind, struct error *err);

#endif
