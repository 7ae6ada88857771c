/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing of guest calls, as strace prints them.
 *
 * Letters of sys_entry.args, one an argument:
 *	d int      u unsigned   x hexadecimal   o octal   f descriptor   p pointer
 *	s string   P pid        S signal        c clock   - not shown
 */
#ifndef SENTRY_SYS_TRACE_H
#define SENTRY_SYS_TRACE_H

#include "runtimes/sentry/sys/sys.h"

/* sys_trace_to() - lines go to @fd from now on; -1: no tracing. Any thread, any time. */
void sys_trace_to(int fd);
bool sys_trace_on(void);
/* sys_trace_begin() - a call that may not return (exit, execve) is printed when it begins,
 * and with it how the process came to its calls. */
void sys_trace_begin(struct task *t, const struct stub_call *c);
/* sys_trace_passed() - a call that the stub may serve now. */
void sys_trace_passed(struct task *t, const struct stub_call *c);
/* sys_trace_end() - a line "[pid/tid] name call(arguments) = result". */
void sys_trace_end(struct task *t, const struct stub_call *c, long result);

#endif
