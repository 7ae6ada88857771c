/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errno to gRPC status, and grpc-message encoding.
 */
#include "cri/grpc/status.h"

#include <errno.h>

#include "base/mem.h"
#include "cri/grpc/server.h"
#include "tests/unit/tap.h"

static void test_table(void)
{
	static const struct {
		int errnum;
		enum grpc_status status;
	} rows[] = {
		{ 0, GRPC_OK },
		{ ENOENT, GRPC_NOT_FOUND },
		{ EEXIST, GRPC_ALREADY_EXISTS },
		{ EINVAL, GRPC_INVALID_ARGUMENT },
		{ ETIMEDOUT, GRPC_DEADLINE_EXCEEDED },
		{ ECANCELED, GRPC_CANCELLED },
		{ ENOSYS, GRPC_UNIMPLEMENTED },
		{ EDQUOT, GRPC_RESOURCE_EXHAUSTED },
		{ EBUSY, GRPC_FAILED_PRECONDITION },
		{ EIO, GRPC_UNKNOWN },
		{ ENOMEM, GRPC_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ok(grpc_status_of(rows[i].errnum) == rows[i].status &&
			   grpc_status_of(-rows[i].errnum) == rows[i].status,
		   "errno %d is status %d", rows[i].errnum, rows[i].status);
	}
}

static void check(const char *text, const char *want, const char *what)
{
	char out[256];
	size_t len = grpc_status_encode(text, out, sizeof(out));

	is_str(out, want, what);
	is_int(len, strlen(want), "and its length");
}

static void test_cut(void)
{
	char out[8];

	is_int(grpc_status_encode("abcdefghij", out, sizeof(out)), 7, "plain text is cut");
	is_str(out, "abcdefg", "to what fits");
	is_int(grpc_status_encode("a\xc3\xa9z", out, sizeof(out)), 7, "two bytes fit encoded");
	is_str(out, "a%C3%A9", "and what follows does not");
	is_int(grpc_status_encode("ab\xc3\xa9", out, sizeof(out)), 2, "no character is cut in two");
	is_int(grpc_status_encode("x", out, 1), 0, "room for the NUL only");
}

int main(void)
{
	test_table();
	check("", "", "empty");
	check("pull x: not found", "pull x: not found", "printable ASCII stays");
	check("50%", "50%25", "percent");
	check("a\nb\tc", "a%0Ab%09c", "control characters");
	check("\x7f~ ", "%7F~ ", "edges of printable");
	check("\xe2\x82\xac", "%E2%82%AC", "UTF-8");
	check("\xff\x80", "%FF%80", "not UTF-8");
	test_cut();
	return tap_done();
}
