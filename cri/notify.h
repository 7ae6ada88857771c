/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling the service manager (sd_notify(3)'s protocol, without its library).
 */
#ifndef CRI_NOTIFY_H
#define CRI_NOTIFY_H

/* Both do nothing where $NOTIFY_SOCKET is not set. */
void notify_ready(void);
void notify_stopping(void);

#endif
