/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming server with real processes behind it and a SPDY client before it.
 */
#include "cri/stream/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/spawn.h"
#include "tests/unit/cri/stream/client.h"
#include "tests/unit/tap.h"

#define V4 "v5.channel.k8s.io,v4.channel.k8s.io"

/* --- a backend: processes of this host -------------------------------------------------------- */

struct backend {
	pthread_mutex_t lock;
	int finished, killed;
};

struct handle {
	pid_t pid;
	int pidfd;
};

static struct backend toy = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A pair of pipe ends where asked for: ours and the child's. */
static void make_pipe(bool wanted, bool to_child, int *ours, int *theirs)
{
	int p[2];

	*ours = *theirs = -1;
	if (!wanted || pipe2(p, O_CLOEXEC) < 0)
		return;
	*ours = to_child ? p[1] : p[0];
	*theirs = to_child ? p[0] : p[1];
}

static void open_pty(int *ours, int *theirs)
{
	struct termios raw;
	int unlock = 0;

	*ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(*ours, TIOCSPTLCK, &unlock);
	*theirs = ioctl(*ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(*theirs, &raw);
	cfmakeraw(&raw);
	tcsetattr(*theirs, TCSANOW, &raw);
}

static int toy_exec(void *data, const struct stream_request *r, struct stream_session *ret,
		    struct error *err)
{
	struct spawn s = SPAWN_INIT;
	struct handle *h = xnew(struct handle);
	int rc;

	(void)data;
	s.program = r->argv[0];
	s.argv = (const char *const *)r->argv;
	if (r->tty) {
		open_pty(&ret->stdout_fd, &s.stdio[1]);
		s.stdio[0] = s.stdio[1];
		ret->stdin_fd = ret->stdout_fd; /* one descriptor for both, as the header allows */
	} else {
		make_pipe(r->in, true, &ret->stdin_fd, &s.stdio[0]);
		make_pipe(r->out, false, &ret->stdout_fd, &s.stdio[1]);
		make_pipe(r->err, false, &ret->stderr_fd, &s.stdio[2]);
	}
	rc = spawn_start(&s, &h->pid, &h->pidfd, err);
	close_fd(&s.stdio[1]);
	if (!r->tty)
		close_fd(&s.stdio[0]);
	close_fd(&s.stdio[2]);
	if (rc < 0) {
		close_fd(&ret->stdin_fd);
		close_fd(&ret->stdout_fd);
		close_fd(&ret->stderr_fd);
		free(h);
		return error_wrap(err, "exec in container '%s'", r->container_id);
	}
	ret->done_fd = h->pidfd;
	ret->handle = h;
	return 0;
}

static int toy_finish(void *data, struct stream_session *s, int *ret_exit_code, struct error *err)
{
	struct handle *h = s->handle;
	int status, ended = fd_wait(h->pidfd, POLLIN, 0);

	(void)data;
	(void)err;
	if (ended != 1)
		process_kill(h->pid, SIGKILL);
	waitpid(h->pid, &status, 0);
	*ret_exit_code = process_exit_code(status);
	close(h->pidfd);
	free(h);
	pthread_mutex_lock(&toy.lock);
	toy.finished++;
	toy.killed += ended != 1;
	pthread_mutex_unlock(&toy.lock);
	return 0;
}

static void toy_resize(void *data, struct stream_session *s, uint16_t width, uint16_t height)
{
	struct winsize size = { .ws_col = width, .ws_row = height };

	(void)data;
	ioctl(s->stdout_fd, TIOCSWINSZ, &size);
}

static int toy_dial(void *data, const char *sandbox_id, uint16_t port, int *ret_fd,
		    struct error *err)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)data;
	(void)sandbox_id;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return error_errno(err, ECONNREFUSED, "dial port %u", port);
	}
	*ret_fd = fd;
	return 0;
}

static const struct stream_backend backend = {
	.exec = toy_exec,
	.attach = toy_exec,
	.finish = toy_finish,
	.resize = toy_resize,
	.dial = toy_dial,
};

static struct stream_server *server;

static struct stream_server *start_server(unsigned int max_connections)
{
	struct stream_config c = {
		.address = "127.0.0.1",
		.backend = &backend,
		.max_connections = max_connections,
		.idle_timeout_s = 600,
	};
	struct stream_server *s = NULL;
	struct error err = ERROR_INIT;

	if (stream_server_create(&c, &s, &err) < 0)
		printf("Bail out! %s\n", err.text);
	return s;
}

/* --- exec ------------------------------------------------------------------------------------- */

enum { ERR = 1, IN = 3, OUT = 5, ERR_OUT = 7, RESIZE = 9 }; /* stream ids of the tests */

/* Register `sh -c @script` and connect; streams i, o, e, t as @flags has them. */
static void begin(struct client *c, const char *script, const char *flags, const char *protocol)
{
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)script, NULL };
	struct stream_request r = {
		.container_id = (char *)"c1",
		.argv = argv,
		.in = strchr(flags, 'i'),
		.out = strchr(flags, 'o'),
		.err = strchr(flags, 'e'),
		.tty = strchr(flags, 't'),
	};
	char *url cleanup_free = NULL;

	stream_register(server, STREAM_EXEC, &r, &url, NULL);
	if (client_upgrade(c, url, protocol) != 101)
		ok(false, "upgraded");
	client_open(c, ERR, "error", NULL, NULL);
	if (r.in)
		client_open(c, IN, "stdin", NULL, NULL);
	if (r.out)
		client_open(c, OUT, "stdout", NULL, NULL);
	if (r.err)
		client_open(c, ERR_OUT, "stderr", NULL, NULL);
	if (r.tty)
		client_open(c, RESIZE, "resize", NULL, NULL);
}

#define SUCCESS "{\"metadata\":{},\"status\":\"Success\"}"

static void test_exec(void)
{
	struct client c;

	begin(&c, "echo out; echo err >&2; exit 3", "oe", V4);
	client_drain(&c);
	ok(str_has_suffix(c.head.data, "\r\n\r\n") &&
		   strstr(c.head.data, "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"),
	   "v4 was chosen");
	ok(c.replied[ERR] && c.replied[OUT] && c.replied[ERR_OUT], "every stream was replied to");
	is_str(c.in[OUT].data, "out\n", "stdout");
	is_str(c.in[ERR_OUT].data, "err\n", "stderr");
	is_str(c.in[ERR].data,
	       "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
	       "non-zero exit code\",\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":["
	       "{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}",
	       "status with the exit code");
	ok(c.fin[ERR] && c.fin[OUT] && c.fin[ERR_OUT] && c.goaway, "all ended in order");
	client_close(&c);

	begin(&c, "exit 3", "o", "v2.channel.k8s.io");
	client_drain(&c);
	is_str(c.in[ERR].data, "command terminated with exit code 3", "v2 says it in words");
	client_close(&c);
	begin(&c, "exit 0", "o", "v2.channel.k8s.io");
	client_drain(&c);
	ok(c.fin[ERR] && c.in[ERR].len == 0, "and nothing of a success");
	client_close(&c);
}

static void test_exec_fails(void)
{
	char *argv[] = { (char *)"/nonexistent", NULL };
	struct stream_request r = { .container_id = (char *)"c1", .argv = argv, .out = true };
	char *url cleanup_free = NULL;
	struct client c;

	stream_register(server, STREAM_EXEC, &r, &url, NULL);
	client_upgrade(&c, url, V4);
	client_open(&c, ERR, "error", NULL, NULL);
	client_open(&c, OUT, "stdout", NULL, NULL);
	client_drain(&c);
	ok(strstr(c.in[ERR].data, "InternalError") && strstr(c.in[ERR].data, "container 'c1'") &&
		   strstr(c.in[ERR].data, "\"code\":500"),
	   "a command that does not start is an InternalError with its reason");
	client_close(&c);
}

static void test_stdin(void)
{
	struct client c;

	begin(&c, "cat; echo end", "io", V4);
	client_data(&c, IN, "one ", 4, false);
	client_data(&c, IN, "two\n", 4, true);
	client_drain(&c);
	is_str(c.in[OUT].data, "one two\nend\n", "stdin, and its end");
	is_str(c.in[ERR].data, SUCCESS, "success");
	client_close(&c);

	begin(&c, "exec <&-; read x; echo done", "io", V4);
	for (int i = 0; i < 100; i++)
		client_data(&c, IN, "unread", 6, false);
	client_drain(&c);
	is_str(c.in[OUT].data, "done\n", "stdin that nobody reads holds nothing up");
	client_close(&c);
}

/* More than all buffers together, so that only back-pressure can bring it through. */
#define MUCH (24 << 20)

static void *send_much(void *data)
{
	static char block[64 << 10];
	struct client *c = data;

	for (size_t sent = 0; sent < MUCH; sent += sizeof(block))
		client_data(c, IN, block, sizeof(block), sent + sizeof(block) == MUCH);
	return NULL;
}

static void test_much(void)
{
	struct client c;
	pthread_t sender;

	begin(&c, "head -c 25165824 /dev/zero", "o", V4);
	client_drain(&c);
	is_int(c.in[OUT].len, MUCH, "24 MiB of output arrive");
	client_close(&c);

	begin(&c, "sleep 0.2; wc -c", "io", V4);
	pthread_create(&sender, NULL, send_much, &c);
	client_drain(&c);
	pthread_join(sender, NULL);
	is_int(atoi(str_or(c.in[OUT].data, "0")), MUCH, "24 MiB of input arrive");
	client_close(&c);

	begin(&c, "cat", "io", V4);
	pthread_create(&sender, NULL, send_much, &c);
	client_drain(&c);
	pthread_join(sender, NULL);
	is_int(c.in[OUT].len, MUCH, "both at once");
	client_close(&c);
}

static void test_background(void)
{
	struct client c;

	begin(&c, "sleep 100 & echo $!", "o", V4);
	client_drain(&c);
	is_str(c.in[ERR].data, SUCCESS, "a child that keeps stdout open does not keep the exec");
	ok(process_kill(atoi(str_or(c.in[OUT].data, "0")), SIGKILL) == 0, "it lived on");
	client_close(&c);
}

static void test_tty(void)
{
	struct client c;

	begin(&c, "read x; stty size; echo $x", "iot", V4);
	client_data(&c, RESIZE, "{\"Width\":10,\"Height\":20}\n{\"Width\":81,", 37, false);
	client_data(&c, RESIZE, "\"Height\":25}", 12, false);
	client_data(&c, IN, "word\n", 5, false);
	client_drain(&c);
	is_str(c.in[OUT].data, "25 81\nword\n", "a tty has the size last asked for");
	is_str(c.in[ERR].data, SUCCESS, "its end is a success");
	client_close(&c);
}

static void test_ping(void)
{
	struct client c;

	begin(&c, "cat", "io", V4);
	client_control(&c, SPDY_PING, "\0\0\0\x9", 4);
	while (c.pong == 0 && client_read(&c))
		;
	is_int(c.pong, 9, "a ping is answered");
	client_data(&c, IN, "", 0, true);
	client_drain(&c);
	is_str(c.in[ERR].data, SUCCESS, "and the session goes on");
	client_close(&c);
}

/* Wait until the backend has finished @count sessions. */
static void wait_finished(int count)
{
	for (;;) {
		int n;

		pthread_mutex_lock(&toy.lock);
		n = toy.finished;
		pthread_mutex_unlock(&toy.lock);
		if (n >= count)
			return;
		usleep(1000);
	}
}

static void test_leave(void)
{
	struct client c;
	int finished = toy.finished, killed = toy.killed;

	begin(&c, "echo up; sleep 100", "io", V4);
	while (c.in[OUT].len < 3 && client_read(&c))
		;
	client_close(&c);
	wait_finished(finished + 1);
	is_int(toy.killed, killed + 1, "a client that leaves ends the session");

	begin(&c, "echo up; sleep 100", "io", V4);
	while (c.in[OUT].len < 3 && client_read(&c))
		;
	client_control(&c, 77, "", 0);
	client_drain(&c);
	wait_finished(finished + 2);
	is_int(c.in[ERR].len, 0, "so does an unknown frame");
	client_close(&c);
}

static void test_streams_refused(void)
{
	struct client c;

	begin(&c, "cat", "io", V4);
	client_open(&c, 11, "stderr", NULL, NULL);
	client_open(&c, 13, "stdout", NULL, NULL);
	client_open(&c, 15, "nonsense", NULL, NULL);
	client_open(&c, 2, "stdin", NULL, NULL);
	client_open(&c, OUT, "stdin", NULL, NULL);
	client_data(&c, IN, "x", 1, true);
	client_drain(&c);
	ok(c.reset[11], "a stream not asked for is refused");
	ok(c.reset[13], "so is a second one of a kind");
	ok(c.reset[15], "an unknown type");
	ok(c.reset[2], "an even id");
	ok(c.reset[OUT], "an id that is not higher");
	is_str(c.in[OUT].data, "x", "and the session goes on");
	client_close(&c);
}

/* --- the upgrade ------------------------------------------------------------------------------ */

static char *new_url(void)
{
	char *argv[] = { (char *)"/bin/true", NULL };
	struct stream_request r = { .container_id = (char *)"c1", .argv = argv, .out = true };
	char *url = NULL;

	stream_register(server, STREAM_EXEC, &r, &url, NULL);
	return url;
}

static int status_of(const char *url, const char *method, const char *headers, const char *want)
{
	struct client c;
	const char *path = client_connect(&c, url);
	int status = client_request(&c, method, path, headers);

	if (want && (!c.head.data || !strstr(c.head.data, want)))
		status = -1;
	client_close(&c);
	return status;
}

#define UPGRADE	 "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
#define PROTOCOL "X-Stream-Protocol-Version: "

static void test_upgrade(void)
{
	char *url cleanup_free = new_url();
	char *wrong cleanup_free = xasprintf("%sx", url);
	char *attach cleanup_free = NULL;
	const char *token = strrchr(url, '/') + 1;

	ok(str_has_prefix(url, "http://127.0.0.1:") && strstr(url, "/exec/") && strlen(token) == 8,
	   "the URL: %s", url);
	attach = xasprintf("%.*sattach/%s", (int)(strstr(url, "exec/") - url), url, token);
	is_int(status_of(wrong, "POST", UPGRADE PROTOCOL V4 "\r\n", NULL), 404, "a wrong token");
	is_int(status_of(attach, "POST", UPGRADE PROTOCOL V4 "\r\n", NULL), 404, "another kind");
	is_int(status_of(url, "PUT", UPGRADE PROTOCOL V4 "\r\n", NULL), 405, "PUT");
	is_int(status_of(url, "GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n", NULL), 426,
	       "WebSocket is not served");
	is_int(status_of(url, "GET", "Connection: close\r\n", NULL), 400, "no upgrade");
	is_int(status_of(url, "GET", UPGRADE PROTOCOL V4 "\r\n", "\r\nUpgrade: SPDY/3.1\r\n"), 101,
	       "none of these used the token up; GET is served too");
	is_int(status_of(url, "POST", UPGRADE PROTOCOL V4 "\r\n", NULL), 404, "now it is used");
	free(url);
	url = new_url();
	is_int(status_of(url, "POST", UPGRADE, NULL), 400, "no protocol header");
	free(url);
	url = new_url();
	is_int(status_of(url, "POST", UPGRADE PROTOCOL "v9\r\n",
			 "X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io\r\n"),
	       403, "no protocol in common");
	is_int(status_of(url, "nonsense", "\0", NULL), 405, "nonsense");
}

static int try_register(enum stream_kind kind, struct stream_request r)
{
	char *url cleanup_free = NULL;

	return stream_register(server, kind, &r, &url, NULL);
}

static void test_register(void)
{
	char *argv[] = { (char *)"ls", NULL };
	char *id = (char *)"x";

	is_int(try_register(STREAM_EXEC, (struct stream_request){ .container_id = id, .out = 1 }),
	       -EINVAL, "exec of nothing");
	is_int(try_register(STREAM_EXEC,
			    (struct stream_request){ .container_id = id, .argv = argv }),
	       -EINVAL, "no streams");
	is_int(try_register(
		       STREAM_ATTACH,
		       (struct stream_request){ .container_id = id, .out = 1, .err = 1, .tty = 1 }),
	       -EINVAL, "a tty with stderr");
	is_int(try_register(STREAM_PORT_FORWARD, (struct stream_request){ .container_id = id }),
	       -EINVAL, "a port-forward to nowhere");
}

static void test_busy(void)
{
	struct stream_server *before = server;
	char *url cleanup_free = NULL;
	struct client first, c;

	server = start_server(2);
	begin(&first, "cat", "io", V4);
	begin(&c, "echo up; sleep 100", "o", V4);
	while (c.in[OUT].len < 3 && client_read(&c))
		;
	url = new_url();
	is_int(status_of(url, "POST", UPGRADE PROTOCOL V4 "\r\n", NULL), 503,
	       "one connection too many");
	client_data(&first, IN, "", 0, true);
	client_drain(&first);
	is_str(first.in[ERR].data, SUCCESS, "the ones before it go on");
	client_close(&first);
	stream_server_destroy(server);
	client_drain(&c);
	ok(c.eof && c.in[ERR].len == 0, "a server that stops ends its sessions");
	client_close(&c);
	server = before;
}

/* --- port-forward ----------------------------------------------------------------------------- */

/* A service: one connection after the other, each echoed to its end with "bye" after it. */
static void *echo_service(void *data)
{
	int listener = *(int *)data;

	for (;;) {
		char buf[4096];
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		if (fd < 0)
			return NULL;
		while ((n = read(fd, buf, sizeof(buf))) > 0)
			fd_write_all(fd, buf, (size_t)n);
		fd_write_all(fd, "bye", 3);
		close(fd);
	}
}

static int listen_loopback(char port[8])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		abort();
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(port, 8, "%u", ntohs(a.sin_port));
	return fd;
}

static void forward(struct client *c, int32_t allowed)
{
	struct stream_request r = { .sandbox_id = (char *)"p1" };
	char *url cleanup_free = NULL;

	r.ports = &allowed;
	r.n_ports = allowed != 0;
	stream_register(server, STREAM_PORT_FORWARD, &r, &url, NULL);
	is_int(client_upgrade(c, url, "portforward.k8s.io"), 101, "port-forward upgrades");
}

static void test_forward(void)
{
	char port[8], closed[8];
	int listener = listen_loopback(port), other = listen_loopback(closed);
	pthread_t service;
	struct client c;

	close(other);
	pthread_create(&service, NULL, echo_service, &listener);
	forward(&c, 0);
	client_open(&c, 1, "error", port, "0");
	client_open(&c, 3, "data", port, "0");
	client_data(&c, 3, "hello ", 6, false);
	while (c.in[3].len < 6 && client_read(&c))
		;
	is_str(c.in[3].data, "hello ", "bytes go to the pod and back");
	client_open(&c, 5, "error", closed, "1");
	client_open(&c, 7, "data", closed, "1");
	while (!(c.fin[5] && c.fin[7]) && client_read(&c))
		;
	ok(c.in[5].data && strstr(c.in[5].data, "Connection refused") && strstr(c.in[5].data, "p1"),
	   "a refused port is told on its error stream");
	client_data(&c, 3, "again", 5, true);
	while (!(c.fin[1] && c.fin[3]) && client_read(&c))
		;
	is_str(c.in[3].data, "hello againbye", "the other pair goes on, half closed to its end");
	is_int(c.in[1].len, 0, "without an error");
	client_open(&c, 9, "error", port, NULL);
	client_open(&c, 11, "data", port, NULL);
	client_data(&c, 11, "old", 3, true);
	while (!c.fin[11] && client_read(&c))
		;
	is_str(c.in[11].data, "oldbye", "pairs without a request id");
	client_open(&c, 13, "stdin", port, "2");
	client_open(&c, 15, "data", "0", "2");
	client_open(&c, 17, "data", "65536", "2");
	while (!c.reset[17] && client_read(&c))
		;
	ok(c.reset[13] && c.reset[15], "other streams and impossible ports are refused");
	client_close(&c);

	forward(&c, 1);
	client_open(&c, 1, "error", port, "0");
	client_open(&c, 3, "data", port, "0");
	while (!(c.fin[1] && c.fin[3]) && client_read(&c))
		;
	ok(c.in[1].data && strstr(c.in[1].data, "not asked for"), "only the ports asked for");
	client_close(&c);
	shutdown(listener, SHUT_RDWR);
	pthread_join(service, NULL);
	close(listener);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	alarm(120); /* a session that hangs ends the test */
	server = start_server(16);
	test_exec();
	test_exec_fails();
	test_stdin();
	test_much();
	test_background();
	test_tty();
	test_ping();
	test_leave();
	test_streams_refused();
	test_upgrade();
	test_register();
	test_busy();
	test_forward();
	stream_server_destroy(server);
	return tap_done();
}
