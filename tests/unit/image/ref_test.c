/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: what Docker and containerd make of a name, and what none of us takes.
 */
#include "base/mem.h"
#include "image/image.h"
#include "image/ref.h"
#include "tests/unit/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_normal(void)
{
	static const char *const names[][2] = {
		{ "nginx", "docker.io/library/nginx:latest" },
		{ "nginx:1.2", "docker.io/library/nginx:1.2" },
		{ "me/app", "docker.io/me/app:latest" },
		{ "docker.io/nginx", "docker.io/library/nginx:latest" },
		{ "index.docker.io/me/app:x", "docker.io/me/app:x" },
		{ "localhost/app", "localhost/app:latest" },
		{ "localhost:5000/app", "localhost:5000/app:latest" },
		{ "reg.example:5000/a/b/c:v1", "reg.example:5000/a/b/c:v1" },
		{ "registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10" },
		{ "Upper/app", "Upper/app:latest" },
		{ "[::1]:5000/app", "[::1]:5000/app:latest" },
		{ "a@sha256:" HEX, "docker.io/library/a@sha256:" HEX },
		{ "a:tag@sha256:" HEX, "docker.io/library/a@sha256:" HEX },
		{ "a__b/c-d.e--f:T_a.g-", "docker.io/a__b/c-d.e--f:T_a.g-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct error err = ERROR_INIT;
		char *got = NULL;

		image_normalize(names[i][0], &got, &err);
		if (!is_str(got, names[i][1], names[i][0]))
			printf("# %s\n", err.text);
		free(got);
	}
}

static void test_refused(void)
{
	static const char *const names[] = {
		"",	     ":tag",	      "a:",	    "UPPER", "a//b",	  "/a",
		"a/",	     "a b",	      "a:b:c",	    "..",    "../../etc", "reg..x/a",
		"reg.x:0/a", "reg.x:99999/a", "reg.x:/a",   "-a",    "a-",	  "a..b",
		"a___b",     "a@sha256:12",   "a@md5:" HEX, "a:\t",  "[::1/a",	  "https://x.y/a",
		"a:-tag",    "x.y/a?b",	      "x.y/a#b",    ".x/a",
	};
	char long_name[400];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct image_ref ref = { 0 };
		struct error err = ERROR_INIT;
		int rc = image_ref_parse(names[i], &ref, &err);

		ok(rc == -EINVAL && err.text[0] && !ref.host, "'%s' is refused", names[i]);
		image_ref_finish(&ref);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	ok(image_ref_parse(long_name, &(struct image_ref){ 0 }, NULL) == -EINVAL,
	   "a long name is refused");
}

static void test_local(void)
{
	ok(image_ref_is_local("localhost"), "localhost is local");
	ok(image_ref_is_local("localhost:5000"), "with a port too");
	ok(image_ref_is_local("127.0.0.1:5000"), "127.0.0.1 is local");
	ok(image_ref_is_local("[::1]:5000"), "::1 is local");
	ok(!image_ref_is_local("localhost.example"), "localhost.example is not");
	ok(!image_ref_is_local("127.0.0.1.example:1"), "127.0.0.1.example is not");
	ok(!image_ref_is_local("docker.io"), "docker.io is not");
}

int main(void)
{
	test_normal();
	test_refused();
	test_local();
	return tap_done();
}
