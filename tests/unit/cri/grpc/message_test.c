/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of hostile wire bytes, and encoding.
 */
#include "cri/grpc/message.h"

#include "base/mem.h"
#include "cri/proto/api.pb-c.h"
#include "tests/unit/tap.h"

#define VERSION (&runtime__v1__version_request__descriptor)
#define LIST	(&runtime__v1__list_pod_sandbox_response__descriptor)

static int decode(const ProtobufCMessageDescriptor *type, const void *data, size_t len, size_t max)
{
	struct arena arena = { 0 };
	struct error err = ERROR_INIT;
	ProtobufCMessage *m = NULL;
	int rc = grpc_message_decode(type, data, len, max, &arena, &m, &err);

	if (rc < 0)
		printf("# %s\n", err.text);
	arena_finish(&arena);
	return rc;
}

#define TRY(type, bytes) decode(type, bytes, sizeof(bytes) - 1, 1 << 20)

static void test_wire(void)
{
	is_int(TRY(VERSION, ""), 0, "nothing is an empty message");
	is_int(TRY(VERSION, "\x0a\x03"
			    "0.1"),
	       0, "a string");
	is_int(TRY(VERSION, "\x0a\x04"
			    "0.1"),
	       -EBADMSG, "a string longer than the message");
	is_int(TRY(VERSION, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), -EBADMSG,
	       "length 2^64-1");
	is_int(TRY(VERSION, "\x0a"), -EBADMSG, "no length");
	is_int(TRY(VERSION, "\x0a\x02\xff\xfe"), -EBADMSG, "a string that is not UTF-8");
	is_int(TRY(VERSION, "\x0a\x03"
			    "a\0b"),
	       -EBADMSG, "a string with a NUL");
	is_int(TRY(VERSION, "\x00\x00"), -EBADMSG, "field number 0");
	is_int(TRY(VERSION, "\x0b\x0c"), -EBADMSG, "a group");
	is_int(TRY(VERSION, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), -EBADMSG,
	       "an endless tag");
	is_int(TRY(VERSION, "\x78\x01"), 0, "an unknown field");
	is_int(TRY(VERSION, "\x7d\x01\x02"), -EBADMSG, "half a fixed32");
	is_int(TRY(LIST, "\x0a\x04\x0a\x02\xff\xfe"), -EBADMSG,
	       "UTF-8 is checked in inner messages");
}

/* Each two bytes ask for a struct and a pointer. */
static void test_amplification(void)
{
	size_t len = 1 << 20;
	char *data cleanup_free = xmalloc(len);

	for (size_t i = 0; i < len; i += 2)
		memcpy(data + i, "\x0a\x00", 2);
	is_int(decode(LIST, data, len, 1 << 20), -EDQUOT, "half a million messages in 1 MiB");
	is_int(decode(LIST, data, 2048, 1 << 20), 0, "a thousand are fine");
}

/* FileDescriptor-like self-nesting does not exist in the CRI; a descriptor made for it does. */
static void test_depth(void)
{
	static ProtobufCFieldDescriptor field = {
		.name = "inner",
		.id = 1,
		.type = PROTOBUF_C_TYPE_MESSAGE,
		.label = PROTOBUF_C_LABEL_OPTIONAL,
	};
	static const unsigned int by_name[] = { 0 };
	static const ProtobufCIntRange ranges[] = { { 1, 0 }, { 0, 1 } };
	static ProtobufCMessageDescriptor type = {
		.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
		.name = "Nest",
		.sizeof_message = sizeof(ProtobufCMessage) + 16,
		.n_fields = 1,
		.fields = &field,
		.fields_sorted_by_name = by_name,
		.n_field_ranges = 1,
		.field_ranges = ranges,
	};
	unsigned char data[400];
	size_t at = sizeof(data), len = 0;

	field.descriptor = &type;
	field.offset = sizeof(ProtobufCMessage);
	while (len + 3 < 120) { /* one length byte each */
		data[--at] = (unsigned char)len;
		data[--at] = 0x0a;
		len += 2;
	}
	is_int(decode(&type, data + at, len, 1 << 20), -EBADMSG, "58 levels are too deep");
	is_int(decode(&type, data + at + len - 40, 40, 1 << 20), 0, "20 levels are not");
}

static void test_encode(void)
{
	Runtime__V1__VersionRequest m = RUNTIME__V1__VERSION_REQUEST__INIT;
	uint8_t *data cleanup_free = NULL;
	struct error err = ERROR_INIT;
	size_t len = 0;

	m.version = (char *)"0.1";
	is_int(grpc_message_encode(&m.base, 5, &data, &len, &err), 0,
	       "a message of just the limit");
	ok(len == 10 && memcmp(data,
			       "\0\0\0\0\5\x0a\x03"
			       "0.1",
			       10) == 0,
	   "prefix and message");
	is_int(grpc_message_encode(&m.base, 4, &data, &len, &err), -EDQUOT,
	       "one more than the limit");
}

int main(void)
{
	test_wire();
	test_amplification();
	test_depth();
	test_encode();
	return tap_done();
}
