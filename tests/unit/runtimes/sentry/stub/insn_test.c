/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lengths of instructions, as objdump has them; instructions at another place.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "runtimes/sentry/stub/insn.c"
#include "tests/unit/tap.h"

#define LINE 4096

/* parse() - a line of objdump: address, bytes in hexadecimal, text. Return: number of bytes. */
static size_t parse(char *line, uint8_t code[INSN_MAX])
{
	char *p = strchr(line, ':'), *text = p ? strchr(p + 2, '\t') : NULL;
	size_t n = 0;

	if (!text || p[1] != '\t')
		return 0;
	*text++ = 0;
	for (p += 2; n < INSN_MAX; n++) {
		char *end;

		code[n] = (uint8_t)strtoul(p, &end, 16);
		if (end == p)
			break;
		p = end;
	}
	/* data among code: what objdump does not know, a prefix without an instruction */
	if (strstr(text, "(bad)") || strstr(text, ".byte") || strncmp(text, "rex", 3) == 0)
		return 0;
	return n;
}

/* compare() - all instructions of a program. */
static void compare(const char *path)
{
	char command[256], line[LINE];
	long n = 0, wrong = 0;
	FILE *f;

	if (access(path, R_OK) < 0) {
		skip(path, "not on this machine");
		return;
	}
	snprintf(command, sizeof(command), "objdump -d -z --insn-width=16 %s", path);
	f = popen(command, "r");
	while (f && fgets(line, sizeof(line), f)) {
		uint8_t code[2 * INSN_MAX];
		struct insn i;
		size_t len;

		memset(code, 0x90, sizeof(code));
		len = parse(line, code);
		if (!len)
			continue;
		n++;
		memset(code + len, 0x90, sizeof(code) - len);
		if (insn_decode(code, sizeof(code), &i) == len)
			continue;
		if (wrong++ < 10)
			printf("# %s: got %u, want %zu\n", line, i.len, len);
	}
	ok(f && pclose(f) == 0 && n > 10000, "%ld instructions of %s", n, path);
	is_int(wrong, 0, "have the length that objdump sees");
}

static void lengths(void)
{
	static const char *const programs[] = { "/lib64/ld-linux-x86-64.so.2",
						"/lib/x86_64-linux-gnu/libc.so.6",
						"/usr/local/go/bin/gofmt" };

	if (system("objdump --version >/dev/null 2>&1") != 0) {
		skip("lengths of instructions", "no objdump");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		compare(programs[i]);
}

static void broken(void)
{
	struct insn i;
	uint8_t prefixes[20];

	memset(prefixes, 0x66, sizeof(prefixes));
	is_int(insn_decode(prefixes, sizeof(prefixes), &i), 0, "prefixes without end");
	is_int(insn_decode((const uint8_t *)"\x48\x8b", 2, &i), 0, "half an instruction");
	is_int(insn_decode((const uint8_t *)"\xe8\0\0\0", 4, &i), 0, "a call short of a byte");
	is_int(insn_decode((const uint8_t *)"\x06\0\0\0", 4, &i), 0, "one of other modes");
	is_int(insn_decode((const uint8_t *)"", 0, &i), 0, "nothing");
}

/* moved() - @code of @len at 0x10000, to @to; @want and *its* length. */
static void moved(const char *code, size_t len, uint64_t to, const char *want, size_t want_len,
		  const char *what)
{
	uint8_t bytes[INSN_MAX] = { 0 }, out[INSN_MAX] = { 0 };
	struct insn i;
	uint32_t n;

	memcpy(bytes, code, len);
	is_int(insn_decode(bytes, sizeof(bytes), &i), len, what);
	n = insn_move(&i, bytes, 0x10000, to, out);
	ok(n == want_len && memcmp(out, want, n) == 0, "  is %zu bytes elsewhere", want_len);
}

#define MOVED(code, to, want, what) moved(code, sizeof(code) - 1, to, want, sizeof(want) - 1, what)

static void moves(void)
{
	MOVED("\x48\x3d\x00\xf0\xff\xff", 0x20000, "\x48\x3d\x00\xf0\xff\xff", "cmp");
	MOVED("\x48\x8b\x05\x10\x00\x00\x00", 0x20000, "\x48\x8b\x05\x10\x00\xff\xff",
	      "mov of what lies beside");
	MOVED("\xc7\x05\x10\x00\x00\x00\x01\x02\x03\x04", 0x0ff00,
	      "\xc7\x05\x10\x01\x00\x00\x01\x02\x03\x04", "the same with a number behind it");
	MOVED("\x78\x10", 0x20000, "\x0f\x88\x0c\x00\xff\xff", "a short branch");
	MOVED("\xeb\xfe", 0x10100, "\xe9\xfb\xfe\xff\xff", "a short jump");
	MOVED("\x0f\x84\x00\x00\x00\x00", 0x10010, "\x0f\x84\xf0\xff\xff\xff", "a long branch");
	MOVED("\xe9\x00\x00\x00\x00", 0x200000000, "", "a jump that would be too long");
	MOVED("\x48\x8b\x05\x10\x00\x00\x00", 0x200000000, "", "data too far away");
	MOVED("\xe8\x00\x00\x00\x00", 0x20000, "", "a call");
	MOVED("\xff\xd0", 0x20000, "", "a call of a register");
	MOVED("\xff\xe0", 0x20000, "\xff\xe0", "a jump to a register");
	MOVED("\x0f\x05", 0x20000, "", "another syscall");
	MOVED("\xe2\x00", 0x20000, "", "loop");
	MOVED("\xc7\xf8\x00\x00\x00\x00", 0x20000, "", "xbegin");
	MOVED("\xc3", 0x20000, "\xc3", "ret");
}

int main(void)
{
	lengths();
	broken();
	moves();
	return tap_done();
}
