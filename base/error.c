/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error object.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* A text that did not fit says so by its end. */
static void mark_cut(struct error *err, size_t wanted)
{
	size_t last = strlen(err->text);

	if (wanted >= sizeof(err->text))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	while (last > 0 && err->text[last - 1] == '\n')
		err->text[--last] = '\0';
}

static void set_text(struct error *err, const char *format, va_list ap)
{
	int n = vsnprintf(err->text, sizeof(err->text), format, ap);

	mark_cut(err, n < 0 ? 0 : (size_t)n);
}

int error_set(struct error *err, int errnum, const char *format, ...)
{
	va_list ap;

	if (!err)
		return -errnum;
	va_start(ap, format);
	set_text(err, format, ap);
	va_end(ap);
	err->code = -errnum;
	return -errnum;
}

int error_errno(struct error *err, int errnum, const char *format, ...)
{
	char reason[128];
	size_t len;
	va_list ap;

	if (!err)
		return -errnum;
	va_start(ap, format);
	set_text(err, format, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s",
		 strerror_r(errnum, reason, sizeof(reason)));
	err->code = -errnum;
	return -errnum;
}

int error_wrap(struct error *err, const char *format, ...)
{
	char rest[sizeof(err->text)];
	va_list ap;
	size_t len;
	int n;

	if (!err)
		return -EIO;
	if (err->code == 0)
		err->code = -EIO;
	memcpy(rest, err->text, sizeof(rest));
	va_start(ap, format);
	set_text(err, format, ap);
	va_end(ap);
	len = strlen(err->text);
	n = snprintf(err->text + len, sizeof(err->text) - len, ": %s", rest);
	mark_cut(err, len + (n < 0 ? 0 : (size_t)n));
	return err->code;
}

int error_copy(struct error *to, const struct error *from)
{
	if (to)
		*to = *from;
	return from->code;
}
