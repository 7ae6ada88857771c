/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CNI plugins print: addresses of the pod, errors, nonsense.
 */
#include "network/result.h"

#include "tests/unit/tap.h"

static int parse(const char *text, struct strlist *ips, struct error *err)
{
	strlist_finish(ips);
	*ips = (struct strlist){ 0 };
	return result_parse(text, strlen(text), ips, err);
}

static void failed(const char *out, const char *stderr_text, int code, const char *want)
{
	struct strbuf o cleanup_strbuf = { 0 }, e cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;

	strbuf_puts(&o, out);
	strbuf_puts(&e, stderr_text);
	is_int(result_error(&o, &e, 1, &err), code, "code of the error");
	is_str(err.text, want, "its text");
}

int main(void)
{
	struct strlist ips cleanup_strlist = { 0 };
	struct strbuf many cleanup_strbuf = { 0 };
	struct error err = ERROR_INIT;

	is_int(parse("{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"br\"},{\"name\":"
		     "\"eth0\","
		     "\"sandbox\":\"/ns\"}],\"ips\":[{\"address\":\"10.0.0.1/16\",\"interface\":0},"
		     "{\"address\":\"10.0.0.2/16\",\"interface\":1},"
		     "{\"address\":\"fd00::2/64\",\"interface\":1}]}",
		     &ips, &err),
	       0, "dual stack");
	is_int(ips.count, 2, "the bridge's own address is not the pod's");
	is_str(ips.items[0], "10.0.0.2", "primary");
	is_str(ips.items[1], "fd00::2", "second");
	is_int(parse("{\"ips\":[{\"version\":\"4\",\"address\":\"10.1.2.3/24\"}]}", &ips, &err), 0,
	       "0.3.1 without interfaces");
	is_str(ips.items[0], "10.1.2.3", "its address");
	is_int(parse("{}", &ips, &err), 0, "no addresses at all");
	is_int(ips.count, 0, "give none");
	ok(parse("", &ips, &err) < 0, "empty: %s", err.text);
	ok(parse("[]", &ips, &err) < 0, "not an object: %s", err.text);
	ok(parse("{\"ips\":{}}", &ips, &err) < 0, "ips not an array: %s", err.text);
	ok(parse("{\"ips\":[{}]}", &ips, &err) < 0, "no address: %s", err.text);
	ok(parse("{\"ips\":[{\"address\":\"10.0.0.256/8\"}]}", &ips, &err) < 0, "bad: %s",
	   err.text);
	ok(parse("{\"ips\":[{\"address\":\"10.0.0.2", &ips, &err) < 0, "cut off: %s", err.text);
	strbuf_puts(&many, "{\"ips\":[");
	for (int i = 0; i < 17; i++)
		strbuf_printf(&many, "%s{\"address\":\"10.0.0.%d/8\"}", i ? "," : "", i);
	strbuf_puts(&many, "]}");
	ok(parse(many.data, &ips, &err) < 0 && ips.count == 0, "too many: %s", err.text);

	failed("{\"code\":7,\"msg\":\"bad\",\"details\":\"subnet\"}", "noise", -EIO, "bad; subnet");
	failed("{\"code\":11,\"msg\":\"later\"}", "", -EAGAIN, "later");
	failed("panic", "first\nlast words\n\n", -EIO, "last words (exit code 1)");
	failed("", "", -EIO, "exit code 1 and no message");
	failed("{\"msg\":5}", "\n \n", -EIO, "exit code 1 and no message");
	return tap_done();
}
