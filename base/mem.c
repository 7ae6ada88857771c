/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocators that abort when memory is out.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

static void *check(void *p)
{
	static const char text[] = "out of memory\n";

	if (p)
		return p;
	(void)!write(2, text, sizeof(text) - 1);
	abort();
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *ptr, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return check(NULL);
	return check(realloc(ptr, bytes ? bytes : 1));
}

char *xstrdup(const char *s)
{
	return check(strdup(s));
}

char *xstrndup(const char *s, size_t len)
{
	return check(strndup(s, len));
}

void *xmemdup(const void *ptr, size_t len)
{
	void *p = xmalloc(len);

	if (len)
		memcpy(p, ptr, len);
	return p;
}

char *xasprintf(const char *format, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, format);
	n = vasprintf(&s, format, ap);
	va_end(ap);
	return check(n < 0 ? NULL : s);
}
