/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gofer gives up before it reads a request.
 */
#ifndef RUNTIMES_GOFER_CONFINE_H
#define RUNTIMES_GOFER_CONFINE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * gofer_confine() - own empty root, no network, five capabilities, a filter; the working directory
 * is /proc/self/fd.  @no_network: the namespace it was started in is empty already.  Return: 0 or
 * -errno, after which the process must end.
 */
int gofer_confine(bool no_network, struct error *err);

#endif
