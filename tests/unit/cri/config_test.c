/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: the sample says the defaults, mistakes are named with their line.
 */
#include "cri/config.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/tap.h"

#define SAMPLE "manifests/config.json"

static void test_sample(void)
{
	struct config sample, defaults;
	struct error err = ERROR_INIT;
	char *got cleanup_free = NULL, *want cleanup_free = NULL;

	config_init(&defaults);
	if (!ok(config_load(SAMPLE, &sample, &err) == 0, "the sample is valid: %s", err.text)) {
		config_finish(&defaults);
		return;
	}
	got = config_json(&sample);
	want = config_json(&defaults);
	is_str(got, want, "and says the defaults");
	is_str(sample.stream_address, defaults.stream_address, "stream.address too");
	is_int(sample.stream_port, defaults.stream_port, "stream.port too");
	is_int(sample.log_level, defaults.log_level, "log_level too");
	is_int(sample.privileged_without_host_devices, defaults.privileged_without_host_devices,
	       "privileged_without_host_devices too");
	config_finish(&sample);
	config_finish(&defaults);
}

/* Load @text; Return: the error's text, or "" for none. */
static const char *load(const char *text)
{
	static struct error err;
	char path[] = "/tmp/bulkhead-config-XXXXXX";
	int fd cleanup_close = mkstemp(path);
	struct config c;

	err = (struct error)ERROR_INIT;
	fd_write_all(fd, text, strlen(text));
	if (config_load(path, &c, &err) == 0)
		config_finish(&c);
	unlink(path);
	return err.text;
}

static void test_mistakes(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "{\n \"lisen\": \"/x\"}", ":2: unknown key 'lisen' (did you mean 'listen'?)" },
		{ "{\"cni\": {\"conf_dirs\": \"/x\"}}", "did you mean 'conf_dir'" },
		{ "{\"root\": \"var\"}", "'root' must be an absolute path" },
		{ "{\"log_level\": \"loud\"}", "error, warn, info, debug" },
		{ "{\"cgroup_driver\": \"systemd\"}", "use 'cgroupfs'" },
		{ "{\"stream\": {\"port\": 65536}}", "a port number" },
		{ "{\"handlers\": {}}", "1 to 32 handlers" },
		{ "{\"handlers\": {\"x\": {\"runtime\": \"runc\"}}}", "default_handler 'runc'" },
		{ "{\"default_handler\": \"y\"}", "default_handler 'y'" },
		{ "[]", "must be an object" },
		{ "{", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = load(cases[i].text);

		ok(*text && strstr(text, cases[i].want), "mistake %zu is named", i);
	}
	is_str(load("/* all */ {} // defaults"), "", "comments are none");
}

int main(void)
{
	test_sample();
	test_mistakes();
	return tap_done();
}
