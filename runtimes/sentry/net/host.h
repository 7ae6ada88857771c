/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's stack in the pod's network namespace (`--network=host`, and `none`: a namespace with
 * nothing but loopback).
 */
#ifndef SENTRY_NET_HOST_H
#define SENTRY_NET_HOST_H

#include "runtimes/sentry/net/stack.h"

/* Asks the helper (helper_use()) for its sockets. */
extern const struct stack_ops host_stack;

#endif
