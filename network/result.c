/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses what CNI plugins print.
 *
 *   {"cniVersion": "1.0.0",
 *    "interfaces": [{"name": "cni0"}, {"name": "eth0", "sandbox": "/run/netns/bh-1"}],
 *    "ips": [{"address": "10.0.0.2/16", "gateway": "10.0.0.1", "interface": 1}]}
 *
 *   {"cniVersion": "1.0.0", "code": 7, "msg": "...", "details": "..."}
 */
#include "network/result.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"

#define IPS_MAX	     16
#define MESSAGE_MAX  700
#define TRY_AGAIN    11 /* CNI error code: "Try again later" */
#define CHECK_RESULT "the plugin's result"

/* interface_at() - member @index of "interfaces", or NULL. */
static const struct json *interface_at(const struct json *root, int64_t index)
{
	const struct json *it;

	json_for_each(it, json_get(root, "interfaces"))
		if (index-- == 0)
			return it;
	return NULL;
}

/* An address of no interface, or of one with a sandbox, is the pod's; others are the host's. */
static bool is_of_pod(const struct json *root, const struct json *ip)
{
	const struct json *index = json_get(ip, "interface");
	int64_t i;

	if (!index || json_int(index, &i) < 0)
		return true;
	return *json_get_string(interface_at(root, i), "sandbox", "") != '\0';
}

static int add_ip(const struct json *ip, struct strlist *ret_ips, struct error *err)
{
	const char *address = json_get_string(ip, "address", "");
	unsigned char binary[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN + 1];
	size_t len = strcspn(address, "/");

	snprintf(text, sizeof(text), "%.*s", (int)MIN(len, sizeof(text) - 1), address);
	if (len >= sizeof(text) ||
	    (inet_pton(AF_INET, text, binary) != 1 && inet_pton(AF_INET6, text, binary) != 1))
		return error_set(err, EPROTO, CHECK_RESULT ": '%.64s' is no address", address);
	if (ret_ips->count >= IPS_MAX)
		return error_set(err, EPROTO, CHECK_RESULT ": more than %d addresses", IPS_MAX);
	strlist_add(ret_ips, text);
	return 0;
}

int result_parse(const char *text, size_t len, struct strlist *ret_ips, struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	struct strlist ips cleanup_strlist = { 0 };
	struct json *root, *ip;
	const struct json *list;

	if (json_parse(&arena, text, len, 0, &root, err) < 0)
		return error_wrap(err, CHECK_RESULT);
	if (!root || root->type != JSON_OBJECT)
		return error_set(err, EPROTO, CHECK_RESULT " is not an object");
	list = json_get(root, "ips");
	if (list && list->type != JSON_ARRAY && list->type != JSON_NULL)
		return error_set(err, EPROTO, CHECK_RESULT ": ips is not an array");
	json_for_each(ip, list)
		if (is_of_pod(root, ip) && add_ip(ip, &ips, err) < 0)
			return -EPROTO;
	*ret_ips = ips;
	ips = (struct strlist){ 0 };
	return 0;
}

/* Last line of @text that is not empty, into @line. */
static void last_line(const struct strbuf *text, char line[MESSAGE_MAX])
{
	size_t end = text->len, start;

	while (end > 0 && strchr(" \r\n", text->data[end - 1]))
		end--;
	start = end;
	while (start > 0 && text->data[start - 1] != '\n')
		start--;
	snprintf(line, MESSAGE_MAX, "%.*s", (int)MIN(end - start, (size_t)MESSAGE_MAX - 1),
		 end > start ? text->data + start : "");
}

int result_error(const struct strbuf *out, const struct strbuf *stderr_text, int exit_code,
		 struct error *err)
{
	struct arena arena cleanup_arena = { 0 };
	struct json *root = NULL;
	char line[MESSAGE_MAX];
	const char *msg, *details;

	if (out->len > 0)
		json_parse(&arena, out->data, out->len, 0, &root, NULL);
	msg = json_get_string(root, "msg", "");
	details = json_get_string(root, "details", "");
	if (*msg || *details)
		return error_set(err, json_get_int(root, "code", 0) == TRY_AGAIN ? EAGAIN : EIO,
				 "%s%s%s", msg, *msg && *details ? "; " : "", details);
	last_line(stderr_text, line);
	if (*line)
		return error_set(err, EIO, "%s (exit code %d)", line, exit_code);
	return error_set(err, EIO, "exit code %d and no message", exit_code);
}
