/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error object: a code and a text, by value.
 *
 * A function that can fail takes `struct error *err` last and returns 0 or a negative errno that
 * is also err->code.  err may be NULL where the caller wants only the code.  Texts grow on the
 * way up: error_wrap(err, "pull %s", ref) turns "connection refused" into
 * "pull x: connection refused".  cri/services maps codes to gRPC (see cri/services/status.h).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>

struct error {
	int code;	 /* negative errno, 0 when unset */
	char text[1020]; /* never ends in a newline; cut with "..." when too long */
};

#define ERROR_INIT        \
	{                 \
		.code = 0 \
	}

/* error_set() - set @err to -@errnum with a text.  Return: -@errnum. */
int error_set(struct error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * error_errno() - as error_set(), with ": " and strerror(@errnum) after the text.
 * Return: -@errnum.
 */
int error_errno(struct error *err, int errnum, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* error_wrap() - put "text: " before what @err says.  Return: err->code (-EIO if unset). */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* error_copy() - copy @from to @to.  @to may be NULL.  Return: from->code. */
int error_copy(struct error *to, const struct error *from);

#endif
