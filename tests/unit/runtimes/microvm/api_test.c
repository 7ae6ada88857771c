/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the VMM's HTTP parser and API table, on a machine that never starts.
 */
#include "runtimes/microvm/api/http.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "runtimes/microvm/api/api.h"
#include "tests/unit/tap.h"

static struct machine machine;
static struct api api = { .machine = &machine, .id = "unit", .metrics_fd = -1 };

static ssize_t parse(const char *text, struct http_request *req)
{
	return http_parse(text, strlen(text), 100, req, NULL);
}

static void test_http(void)
{
	struct http_request r;
	const char *whole = "PUT /a HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET";

	is_int(parse(whole, &r), 40, "a request ends with its body");
	is_str(r.method, "PUT", "method");
	is_str(r.path, "/a", "path");
	ok(r.body_len == 2 && !memcmp(r.body, "{}", 2) && r.keep_alive, "body, kept alive");
	is_int(parse("GET / HTTP/1.0\r\n\r\n", &r), 18, "no body");
	ok(!r.body && !r.keep_alive, "HTTP/1.0 closes");
	is_int(parse("PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}", &r), 0, "more is needed");
	is_int(parse("PUT / HTTP/1.1\r\nContent-Length: 101\r\n\r\n", &r), -E2BIG, "too large");
	is_int(parse("PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", &r),
	       -EINVAL, "two lengths");
	is_int(parse("PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", &r), -EINVAL, "negative");
	is_int(parse("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &r), -EINVAL,
	       "chunks");
	is_int(parse("GET / HTTP/2.0\r\n\r\n", &r), -EINVAL, "another version");
	is_int(parse("GET\r\n\r\n", &r), -EINVAL, "no path");
	is_int(parse("\r\n\r\n", &r), -EINVAL, "nothing");
	is_int(parse("PUT / HTTP/1.1\r\nexpect: 100-Continue\r\ncontent-length: 1\r\n\r\n", &r), 0,
	       "waits for the body");
	ok(r.continues, "and wants to be asked for it");
}

/* call() - @want_status and, in the answer, @want_text. */
static void call(const char *method, const char *path, const char *body, int want_status,
		 const char *want_text)
{
	struct strbuf out cleanup_strbuf = { 0 };
	int status = api_handle(&api, method, path, body, body ? strlen(body) : 0, &out);

	is_int(status, want_status, path);
	ok(!want_text || (out.data && strstr(out.data, want_text)), "%s %s: %s", method,
	   body ? body : "", out.data ? out.data : "(no answer)");
}

static void test_routes(void)
{
	call("GET", "/", NULL, 200, "\"state\":\"Not started\"");
	call("GET", "/version", NULL, 200, "firecracker_version");
	call("GET", "/nothing", NULL, 400, "Invalid request method and/or path: GET nothing.");
	call("POST", "/", NULL, 400, "\"error\"");
	call("GET", "/machine-config", "{}", 400, "GET request cannot have a body.");
	call("PUT", "/machine-config", NULL, 400, "Empty PUT request.");
	call("PUT", "/drives/", "{}", 400, "The ID cannot be empty.");
	call("PUT", "/drives/a-b", "{}", 400, "alphanumeric");
	call("PUT", "/drives/a", "{\"drive_id\":\"b\",\"is_root_device\":true}", 400,
	     "does not match");
	call("PUT", "/drives/a", "{\"drive_id\":\"a\",\"is_root_device\":true}", 400,
	     "path_on_host is missing");
	call("PUT", "/network-interfaces/n",
	     "{\"iface_id\":\"n\",\"host_dev_name\":\"t\",\"guest_mac\":\"06:00:0a:09:00\"}", 400,
	     "invalid MAC address");
	call("PUT", "/network-interfaces/n",
	     "{\"iface_id\":\"n\",\"host_dev_name\":\"t\",\"guest_mac\":\"06:00:0a:09:00:0g\"}",
	     400, "invalid MAC address");
	call("PUT", "/network-interfaces/n",
	     "{\"iface_id\":\"n\",\"host_dev_name\":\"a-name-that-is-too-long\","
	     "\"guest_mac\":\"06:00:0a:09:00:0F\"}",
	     400, "Network config error: Open tap device failed: Invalid interface name");
	call("PATCH", "/vm", "{\"state\":\"Paused\"}", 400, "before starting the microVM.");
	call("PUT", "/actions", "{\"action_type\":\"Dance\"}", 400, "unknown variant `Dance`");
	call("PUT", "/actions", "{\"action_type\":\"InstanceStart\"}", 400,
	     "Start microvm error: Cannot start microvm without kernel configuration.");
	call("PUT", "/boot-source", "{\"kernel_image_path\":\"/nonexistent\"}", 400,
	     "Boot source error: The kernel file cannot be opened: No such file or directory "
	     "(os error 2)");
}

static void test_size(void)
{
	call("PUT", "/machine-config", "{\"vcpu_count\":2,\"mem_size_mib\":256,\"smt\":true}", 204,
	     NULL);
	call("GET", "/machine-config", NULL, 200,
	     "\"vcpu_count\":2,\"mem_size_mib\":256,\"smt\":true");
	call("PATCH", "/machine-config", "{\"vcpu_count\":3}", 400, "number of vCPUs must be");
	call("PATCH", "/machine-config", "{\"vcpu_count\":33,\"smt\":false}", 400, "less than 32");
	call("PATCH", "/machine-config", "{}", 400, "Empty PATCH request.");
	call("PATCH", "/machine-config", "{\"mem_size_mib\":0}", 400, "memory size");
	call("PATCH", "/machine-config", "{\"mem_size_mib\":101,\"huge_pages\":\"2M\"}", 400,
	     "multiple of the configured page size");
	call("PATCH", "/machine-config", "{\"mem_size_mib\":-1}", 400, "memory size");
	call("PUT", "/machine-config", "{\"vcpu_count\":1}", 400, "missing field `mem_size_mib`");
	call("PUT", "/machine-config", "{\"vcpu_count\":1,\"x\":1}", 400, "unknown field `x`");
	call("GET", "/machine-config", NULL, 200, "\"vcpu_count\":2,\"mem_size_mib\":256");
	call("PUT", "/machine-config", "{\"vcpu_count\":1,\"mem_size_mib\":128}", 204, NULL);
	call("GET", "/machine-config", NULL, 200, "\"smt\":false");
}

static void test_drives(void)
{
	char path[] = "/tmp/vmm-drive-XXXXXX";
	char body[256], *line;
	int fd = mkstemp(path);

	snprintf(body, sizeof(body),
		 "{\"drive_id\":\"data\",\"is_root_device\":false,\"path_on_host\":\"%s\"}", path);
	call("PUT", "/drives/data", body, 204, NULL);
	snprintf(body, sizeof(body),
		 "{\"drive_id\":\"root\",\"is_root_device\":true,\"is_read_only\":true,"
		 "\"path_on_host\":\"%s\"}",
		 path);
	call("PUT", "/drives/root", body, 204, NULL);
	is_str(machine.config.drives[0].id, "root", "the root drive stands first");
	is_int(machine.config.n_drives, 2, "two drives");
	memcpy(strstr(body, "root"), "more", 4);
	call("PUT", "/drives/more", body, 400, "A root block device already exists!");
	line = machine_config_command_line(&machine.config);
	ok(strstr(line, " root=/dev/vda ro"), "the kernel is told: %s", line);
	free(line);
	close(fd);
	unlink(path);
}

static void test_devices(void)
{
	char path[64], body[256];

	snprintf(path, sizeof(path), "/tmp/vmm-vsock-%d", getpid());
	snprintf(body, sizeof(body), "{\"guest_cid\":5,\"uds_path\":\"%s\"}", path);
	call("PUT", "/vsock", "{\"guest_cid\":2,\"uds_path\":\"x\"}", 400, "Vsock config error: ");
	call("PUT", "/vsock", "{\"guest_cid\":3,\"uds_path\":\"/nonexistent/x\"}", 400,
	     "Error binding to the host-side Unix socket: No such file");
	call("PUT", "/vsock", body, 204, NULL);
	call("PUT", "/vsock", body, 204, NULL);
	call("GET", "/vm/config", NULL, 200, "\"vsock\":{\"guest_cid\":5,");
	call("PUT", "/entropy", "{\"rate_limiter\":{\"x\":1}}", 400, "unknown field `x`");
	call("PUT", "/entropy", "{\"rate_limiter\":{\"ops\":{\"size\":1}}}", 400,
	     "missing field `refill_time`");
	call("PUT", "/entropy", "{\"rate_limiter\":{\"ops\":{\"size\":-1,\"refill_time\":1}}}", 400,
	     "Entropy config error: rate_limiter: ops: invalid value of field `size`");
	call("PUT", "/entropy",
	     "{\"rate_limiter\":{\"bandwidth\":null,\"ops\":{\"size\":9,\"refill_time\":1}}}", 204,
	     NULL);
	call("GET", "/vm/config", NULL, 200,
	     "\"entropy\":{\"rate_limiter\":{\"bandwidth\":null,\"ops\":{\"size\":9,"
	     "\"one_time_burst\":null,\"refill_time\":1}}}");
	call("GET", "/balloon", NULL, 400, "Balloon config error: No balloon device found.");
	call("PUT", "/balloon", "{\"amount_mib\":129,\"deflate_on_oom\":false}", 400,
	     "Amount of pages requested is too large.");
	call("PUT", "/balloon",
	     "{\"amount_mib\":128,\"deflate_on_oom\":true,\"free_page_reporting\":true}", 204,
	     NULL);
	call("GET", "/balloon", NULL, 200,
	     "{\"amount_mib\":128,\"deflate_on_oom\":true,\"stats_polling_interval_s\":0,"
	     "\"free_page_hinting\":false,\"free_page_reporting\":true}");
	call("PATCH", "/machine-config", "{\"mem_size_mib\":64}", 400,
	     "smaller than the previously set balloon");
	call("PATCH", "/balloon/hinting/start", NULL, 400, "before starting the microVM.");
	call("PATCH", "/drives/root", "{\"drive_id\":\"root\"}", 400, "before starting");
}

int main(void)
{
	machine_init(&machine, NULL, NULL, NULL);
	test_http();
	test_routes();
	test_size();
	test_drives();
	test_devices();
	machine_config_finish(&machine.config);
	return tap_done();
}
