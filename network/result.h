/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CNI plugins print: results and errors (CNI spec, section 5).
 */
#ifndef NETWORK_RESULT_H
#define NETWORK_RESULT_H

#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/*
 * result_parse() - a result of ADD, versions 0.3.0 to 1.1.0.  ret_ips: the addresses of the pod's
 * own interfaces without their prefix lengths, in the plugin's order.  An address that is none,
 * or more than a pod can have, is an error.
 */
int result_parse(const char *text, size_t len, struct strlist *ret_ips, struct error *err);

/*
 * result_error() - set @err to what a failed plugin said: the msg and details of its error
 * object @out, else the last line of @stderr_text, else its exit code.  Return: err's code;
 * -EAGAIN where the plugin asks for a later try.
 */
int result_error(const struct strbuf *out, const struct strbuf *stderr_text, int exit_code,
		 struct error *err);

#endif
