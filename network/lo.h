/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loopback interface of a pod.
 */
#ifndef NETWORK_LO_H
#define NETWORK_LO_H

#include "base/error.h"

/* lo_up() - bring up "lo" in the network namespace at @netns; the kernel gives it its addresses. */
int lo_up(const char *netns, struct error *err);

#endif
