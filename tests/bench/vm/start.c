/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts a monitor once and measures it: start [OPTIONS] -- COMMAND [ARGUMENTS]
 *
 *   --marker TEXT     what the guest says when it is there (GUEST ready)
 *   --guest MIB       its memory: mappings of about that size are the guest's, the rest is overhead
 *   --socket PATH     of the API: time until it answers; then
 *   --requests FILE   lines "METHOD PATH BODY" that are sent; and after the marker
 *   --after FILE      others
 *
 * Prints "KEY VALUE" lines: api_ms, requests_ms and marker_ms from exec, after_ms of each request
 * there, main_cpu_ms of the first thread until the marker, overhead_kb, guest_kb, threads.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS  600000
#define SETTLE_US 300000
#define OUTPUT	  (1 << 20)

static struct {
	const char *marker, *socket, *requests, *after;
	long guest_kb;
} options = { .marker = "GUEST ready" };

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- the API ---------------------------------------------------------------------------------- */

/* request() - Return: the status of the answer, -1 without one. */
static int request(const char *method, const char *path, const char *body)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = -1;
	char text[8192];
	int len = snprintf(text, sizeof(text),
			   "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
			   method, path, strlen(body), body);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", options.socket);
	if (!connect(s, (struct sockaddr *)&a, sizeof(a)) && write(s, text, (size_t)len) == len) {
		ssize_t n = read(s, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = '\0';
		status = n > 9 ? atoi(text + 9) : -1;
		if (status >= 400)
			fprintf(stderr, "%s %s: %s\n", method, path, text);
	}
	close(s);
	return status;
}

/* send_file() - Return: whether all succeeded; each one's time is printed with @key. */
static bool send_file(const char *file, const char *key)
{
	FILE *f = fopen(file, "r");
	char line[8192], *save;

	while (f && fgets(line, sizeof(line), f)) {
		char *method, *path, *body;
		double start = now_ms();

		line[strcspn(line, "\n")] = '\0';
		method = strtok_r(line, " ", &save);
		path = strtok_r(NULL, " ", &save);
		body = strtok_r(NULL, "", &save);
		if (!path)
			continue;
		if (request(method, path, body ? body : "") / 100 != 2)
			return false;
		if (key)
			printf("%s:%s %.2f\n", key, path, now_ms() - start);
	}
	if (f)
		fclose(f);
	return f != NULL;
}

static bool wait_for_api(pid_t pid, double start)
{
	while (request("GET", "/", "") != 200) {
		if (now_ms() - start > LIMIT_MS || waitpid(pid, NULL, WNOHANG) == pid)
			return false;
		usleep(200);
	}
	printf("api_ms %.2f\n", now_ms() - start);
	return true;
}

/* --- the process ------------------------------------------------------------------------------ */

static bool wait_for_marker(int fd, double start)
{
	static char output[OUTPUT];
	size_t len = 0;

	while (!strstr(output, options.marker)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n =
			poll(&p, 1, LIMIT_MS) == 1 ? read(fd, output + len, OUTPUT - 1 - len) : 0;

		if (n <= 0) {
			fprintf(stderr, "no '%s' in:\n%s\n", options.marker, output);
			return false;
		}
		len += (size_t)n;
	}
	printf("marker_ms %.2f\n", now_ms() - start);
	return true;
}

static void print_cpu(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%llu", &ns) == 1)
		printf("main_cpu_ms %.2f\n", (double)ns / 1e6);
	if (f)
		fclose(f);
}

static void print_memory(pid_t pid)
{
	long size = 0, kb, overhead = 0, guest = 0;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %ld kB", &kb) == 1)
			size = kb;
		else if (sscanf(line, "Rss: %ld kB", &kb) == 1 && options.guest_kb &&
			 size >= options.guest_kb / 8)
			guest += kb;
		else if (sscanf(line, "Rss: %ld kB", &kb) == 1)
			overhead += kb;
	}
	if (f)
		fclose(f);
	printf("overhead_kb %ld\nguest_kb %ld\n", overhead, guest);
}

static void print_threads(pid_t pid)
{
	char path[64], line[512];
	int threads;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &threads) == 1)
			printf("threads %d\n", threads);
	if (f)
		fclose(f);
}

static bool measure(pid_t pid, int output, double start)
{
	double sent;

	if (options.socket && !wait_for_api(pid, start))
		return false;
	sent = now_ms();
	if (options.requests && !send_file(options.requests, NULL))
		return false;
	if (options.requests)
		printf("requests_ms %.2f\n", now_ms() - sent);
	if (!wait_for_marker(output, start))
		return false;
	print_cpu(pid);
	usleep(SETTLE_US);
	print_memory(pid);
	print_threads(pid);
	return !options.after || send_file(options.after, "after_ms");
}

static char **parse(char **argv)
{
	for (argv++; *argv && strcmp(*argv, "--"); argv += 2) {
		if (!argv[1])
			return NULL;
		if (!strcmp(*argv, "--marker"))
			options.marker = argv[1];
		else if (!strcmp(*argv, "--guest"))
			options.guest_kb = atol(argv[1]) << 10;
		else if (!strcmp(*argv, "--socket"))
			options.socket = argv[1];
		else if (!strcmp(*argv, "--requests"))
			options.requests = argv[1];
		else if (!strcmp(*argv, "--after"))
			options.after = argv[1];
		else
			return NULL;
	}
	return *argv && argv[1] ? argv + 1 : NULL;
}

/* By descriptor: it names this child and nothing else. */
static void end(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

int main(int argc, char **argv)
{
	char **command = parse(argv);
	int in[2], out[2];
	double start;
	bool good;
	pid_t pid;

	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	if (!command || pipe2(out, O_CLOEXEC) || pipe2(in, O_CLOEXEC)) {
		fputs("usage: start [OPTIONS] -- COMMAND [ARGUMENTS]\n", stderr);
		return 2;
	}
	if (options.socket)
		unlink(options.socket);
	start = now_ms();
	pid = vfork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execvp(command[0], command);
		_exit(127);
	}
	close(out[1]);
	good = measure(pid, out[0], start);
	end(pid);
	waitpid(pid, NULL, 0);
	return !good;
}
