/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving up rights before the first foreign byte.
 */
#ifndef IMAGE_FETCH_CONFINE_H
#define IMAGE_FETCH_CONFINE_H

#include "base/error.h"

/*
 * confine_enter() - become nobody without capabilities, close the way back, and allow only the
 * system calls that fetching needs.  Call with one thread, libraries initialised.
 */
int confine_enter(struct error *err);

#endif
