/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text helpers of str.h: numbers, UTF-8, base64, spelling, random ids, times.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"
#include "base/str.h"

#define NEAREST_MAX_LEN 40
#define NEAREST_MAX	3 /* edits */

int str_parse_u64(const char *s, uint64_t *ret)
{
	uint64_t value = 0;

	if (str_empty(s))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int str_parse_i64(const char *s, int64_t *ret)
{
	bool negative = s && *s == '-';
	uint64_t value;
	int rc = str_parse_u64(negative ? s + 1 : s, &value);

	if (rc < 0)
		return rc;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

/* Well-formed byte sequences as in the Unicode standard, table 3-7. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (n > left || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool str_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length((const unsigned char *)s + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

/* --- base64 (RFC 4648) ------------------------------------------------------------------------ */

char *str_base64_encode(const void *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = data;
	char *out = xmalloc(len / 3 * 4 + 5);
	char *p = out;

	for (size_t i = 0; i < len; i += 3) {
		unsigned int left = (unsigned int)MIN(len - i, 3);
		unsigned int bits = (unsigned int)in[i] << 16;

		if (left > 1)
			bits |= (unsigned int)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		*p++ = digits[bits >> 18];
		*p++ = digits[bits >> 12 & 63];
		*p++ = left > 1 ? digits[bits >> 6 & 63] : '=';
		*p++ = left > 2 ? digits[bits & 63] : '=';
	}
	*p = '\0';
	return out;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

int str_base64_decode(const char *text, size_t len, struct strbuf *ret)
{
	unsigned int bits = 0, have = 0;

	while (len > 0 && text[len - 1] == '=')
		len--;
	if (len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (unsigned int)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			strbuf_putc(ret, (char)(bits >> have));
		}
	}
	return 0;
}

/* --- spelling --------------------------------------------------------------------------------- */

/* Levenshtein distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_MAX_LEN + 1];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const char *str_nearest(const char *s, const char *const *candidates, size_t count)
{
	const char *best = NULL;
	size_t least = NEAREST_MAX + 1;

	if (strlen(s) > NEAREST_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t d;

		if (strlen(candidates[i]) > NEAREST_MAX_LEN)
			continue;
		d = distance(s, candidates[i]);
		if (d < least && d < strlen(candidates[i])) {
			least = d;
			best = candidates[i];
		}
	}
	return best;
}

/* --- ids and times ---------------------------------------------------------------------------- */

void str_random_hex(char *out, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[64];

	for (size_t done = 0; done < bytes;) {
		size_t n = MIN(bytes - done, sizeof(raw));

		if (getrandom(raw, n, 0) != (ssize_t)n)
			abort();
		for (size_t i = 0; i < n; i++) {
			*out++ = digits[raw[i] >> 4];
			*out++ = digits[raw[i] & 15];
		}
		done += n;
	}
	*out = '\0';
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* find_date() - of the @day-th day after 1970-01-01. */
static void find_date(int64_t day, int *ret_year, int *ret_month, int *ret_day)
{
	static const int months[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = 1970 + (int)(day / 146097) * 400, month = 0, length; /* 400 years are alike */

	for (day %= 146097; day >= 365 + is_leap(year); year++)
		day -= 365 + is_leap(year);
	while (day >= (length = months[month] + (month == 1 && is_leap(year)))) {
		day -= length;
		month++;
	}
	*ret_year = year;
	*ret_month = month + 1;
	*ret_day = (int)day + 1;
}

void str_utc(int64_t seconds, char out[20])
{
	int second = (int)(seconds % 86400), year, month, day;

	find_date(seconds / 86400, &year, &month, &day);
	snprintf(out, 20, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned int)year % 10000,
		 (unsigned int)month % 100, (unsigned int)day % 100,
		 (unsigned int)second / 3600 % 100, (unsigned int)second / 60 % 60,
		 (unsigned int)second % 60);
}

void str_rfc3339(int64_t ns, char out[36])
{
	str_utc(ns / 1000000000, out);
	snprintf(out + 19, 36 - 19, ".%09dZ", (int)(ns % 1000000000));
}
