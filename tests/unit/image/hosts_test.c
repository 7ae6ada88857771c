/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hosts.toml: what containerd's documentation shows, and broken files.
 */
#include "base/mem.h"
#include "image/hosts.h"
#include "tests/unit/tap.h"

static int parse(const char *text, const char *host, struct hosts *h, struct error *err)
{
	*h = (struct hosts){ 0 };
	*err = (struct error)ERROR_INIT;
	return hosts_parse(text, strlen(text), "/nonexistent", host, h, err);
}

static void is_urls(const char *text, const char *host, const char *want, const char *what)
{
	struct strbuf got cleanup_strbuf = { 0 };
	struct hosts h;
	struct error err;
	int rc = parse(text, host, &h, &err);

	for (size_t i = 0; i < h.count; i++)
		strbuf_printf(&got, "%s%s%s", i ? " " : "", h.list[i].url,
			      h.list[i].proxy ? "*" : "");
	is_str(rc < 0 ? err.text : got.data, want, what);
	hosts_finish(&h);
}

static void test_lists(void)
{
	is_urls("", "docker.io", "https://registry-1.docker.io/v2", "the hub by default");
	is_urls("", "reg.example:5000", "https://reg.example:5000/v2", "any registry by HTTPS");
	is_urls("", "localhost:5000", "https://localhost:5000/v2 http://localhost:5000/v2",
		"this machine by plain HTTP too");
	is_urls("server = \"http://reg.example\"", "reg.example", "http://reg.example/v2",
		"a server");
	is_urls("# two\n[host.\"https://one\"]\n[host.'http://two/p/']\n", "reg.example",
		"https://one/v2* http://two/p/v2* https://reg.example/v2", "mirrors in order");
	is_urls("[host.\"https://one/own\"]\n override_path = true\n", "reg.example",
		"https://one/own* https://reg.example/v2", "override_path");
	is_urls("[host.\"https://one/v2\"]\r\n", "reg.example",
		"https://one/v2* https://reg.example/v2", "/v2 is not doubled");
}

static void test_keys(void)
{
	static const char text[] = "server = \"https://reg.example\"\n"
				   "[host.\"https://m\"]\n"
				   "  capabilities = [ \"pull\",  # no resolve\n \"push\", ]\n"
				   "  skip_verify = true\n  dial_timeout = \"3s\"\n"
				   "[host.\"https://m\".header]\n"
				   "  x-one = \"1\"\n  \"x-two\" = [\"2\", \"3\"]\n";
	struct hosts h;
	struct error err;

	if (!ok(parse(text, "reg.example", &h, &err) == 0, "a full file"))
		printf("# %s\n", err.text);
	is_int(h.count, 2, "mirror and server");
	if (h.count != 2)
		return;
	ok(h.list[0].pull && !h.list[0].resolve, "capabilities");
	ok(h.list[0].skip_verify && !h.list[1].skip_verify, "skip_verify");
	is_int(h.list[0].headers.count, 3, "headers");
	is_str(h.list[0].headers.items[2], "x-two: 3", "the last of them");
	ok(h.list[1].pull && h.list[1].resolve && !h.list[1].proxy, "the server may do all");
	hosts_finish(&h);
}

static void fails(const char *text, const char *says)
{
	struct hosts h;
	struct error err;
	int rc = parse(text, "reg.example", &h, &err);

	if (!ok(rc < 0 && strstr(err.text, says), "refused: %s", says))
		printf("# said %d %s\n", rc, err.text);
	hosts_finish(&h);
}

static void test_refused(void)
{
	struct strbuf many cleanup_strbuf = { 0 };

	fails("server = 'reg'", "line 1: 'reg' is not a plain http");
	fails("server = 'https://u:p@reg'", "is not a plain http");
	fails("\n\nserver", "line 3: '=' was expected");
	fails("server = \"x", "does not end on its line");
	fails("[host.\"https://m\"\n", "']' was expected");
	fails("[host.\"https://m\"]\nskip_verify = 'yes'", "skip_verify is not true or false");
	fails("[host.\"https://m\"]\nca = 'none.pem'", "/nonexistent/none.pem");
	fails("[host.\"https://m\"]\ncapabilities = [[[[['x']]]]]", "nest too deeply");
	fails("[host.\"https://m\".header]\nx = \"a\\r\\nb\"", "not a line of text");
	fails("a = {}", "was expected");
	fails("a = 1 2", "something follows");
	for (int i = 0; i < 20; i++)
		strbuf_printf(&many, "[host.\"https://m%d\"]\n", i);
	fails(many.data, "more than 14 hosts");
}

int main(void)
{
	test_lists();
	test_keys();
	test_refused();
	return tap_done();
}
