/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A toy service over a real socket: what callers hear, whatever they send.
 *
 * The server's loop runs on a thread of its own; the client is in client.h.
 */
#include "cri/grpc/server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "cri/proto/api.pb-c.h"
#include "tests/unit/cri/grpc/client.h"
#include "tests/unit/tap.h"

#define MAX_BYTES (16 << 20)
#define MAX_JOBS  512
#define P	  "/toy.Toy/"
#define EMPTY	  "\0\0\0\0", 5 /* with the literal's own NUL */

/* What the methods saw; read by the test after the call was answered or polled for. */
static int echoes, waits_started, waits_cancelled, observed, observed_detached;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_open = PTHREAD_COND_INITIALIZER;
static bool open_gate;

#define COUNT(counter) __atomic_load_n(&(counter), __ATOMIC_SEQ_CST)
#define BUMP(counter)  __atomic_fetch_add(&(counter), 1, __ATOMIC_SEQ_CST)

static int echo(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__VersionRequest *request = request_;
	Runtime__V1__VersionResponse *reply = reply_;

	BUMP(echoes);
	if (strcmp(request->version, "fail") == 0)
		return error_set(err, ENOENT, "no such thing: 100%%\t\xc3\xa9");
	reply->runtime_name = arena_strdup(&call->arena, request->version);
	reply->version = (char *)call->method;
	return 0;
}

/* A reply of as many bytes as the request says. */
static int big(struct grpc_call *call, const void *request_, void *reply_, struct error *err)
{
	const Runtime__V1__VersionRequest *request = request_;
	Runtime__V1__VersionResponse *reply = reply_;
	size_t n = (size_t)atol(request->version);

	(void)err;
	reply->version = arena_alloc(&call->arena, n + 1);
	memset(reply->version, 'x', n);
	return 0;
}

/* Ends when the caller leaves. */
static int wait_cancel(struct grpc_call *call, const void *request, void *reply, struct error *err)
{
	(void)request;
	(void)reply;
	BUMP(waits_started);
	if (fd_wait(call->cancel_fd, POLLIN, 30000) != 1)
		return error_set(err, EIO, "nobody cancelled");
	BUMP(waits_cancelled);
	return error_set(err, ECANCELED, "cancelled");
}

/* Ends when the test opens the gate. */
static int wait_gate(struct grpc_call *call, const void *request, void *reply, struct error *err)
{
	(void)call;
	(void)request;
	(void)reply;
	(void)err;
	BUMP(waits_started);
	pthread_mutex_lock(&gate);
	while (!open_gate)
		pthread_cond_wait(&gate_open, &gate);
	pthread_mutex_unlock(&gate);
	return 0;
}

#define TYPES &runtime__v1__version_request__descriptor, &runtime__v1__version_response__descriptor

static const struct grpc_method methods[] = {
	{ "Echo", TYPES, echo, true, false },	    { "EchoJob", TYPES, echo, false, false },
	{ "Big", TYPES, big, false, false },	    { "Wait", TYPES, wait_cancel, false, false },
	{ "Gate", TYPES, wait_gate, false, false }, { "Later", TYPES, NULL, true, true },
};
static const struct grpc_service service = { "toy.Toy", methods, ARRAY_LEN(methods), NULL };

static void observe(void *data, const char *method, enum grpc_status status, int64_t ns,
		    const struct error *err)
{
	(void)data;
	(void)method;
	(void)ns;
	BUMP(observed);
	if (status != GRPC_OK && err && strstr(err->text, "the call ended later"))
		BUMP(observed_detached);
}

/* --- the server ------------------------------------------------------------------------------- */

static char socket_path[64];
static struct loop *loop;
static struct grpc_server *server;
static pthread_t loop_thread;

static void *run_loop(void *data)
{
	loop_run(data);
	return NULL;
}

static void server_start(void)
{
	struct grpc_config config = {
		.listen = socket_path,
		.mode = 0660,
		.max_message_bytes = MAX_BYTES,
		.max_jobs = MAX_JOBS,
		.services = &service,
		.n_services = 1,
		.observe = observe,
	};
	struct grpc_server *second = NULL;
	struct error err = ERROR_INIT;
	struct stat st;

	loop_create(&loop, &err);
	is_int(grpc_server_create(loop, &config, &server, &err), 0, "the server starts");
	ok(stat(socket_path, &st) == 0 && (st.st_mode & 07777) == 0660, "its socket has its mode");
	is_int(grpc_server_create(loop, &config, &second, &err), -EADDRINUSE,
	       "a second one on the same socket does not");
	pthread_create(&loop_thread, NULL, run_loop, loop);
}

static void stop(void *data)
{
	loop_stop(data);
}

static void drain(void *data)
{
	grpc_server_drain(data, stop, loop);
}

/* Poll for a counter that a thread of the server's moves. */
static bool reaches(int *counter, int want)
{
	for (int i = 0; i < 2000 && COUNT(*counter) < want; i++)
		usleep(5000);
	return COUNT(*counter) == want;
}

/* --- one call at a time ----------------------------------------------------------------------- */

static void rpc_finish(struct rpc *r)
{
	strbuf_finish(&r->reply);
}
#define RPC struct rpc cleanup(rpc_finish)

static void test_echo(struct client *c, const char *path)
{
	RPC r = { 0 };

	start(c, &r, path, "traceparent", "00-ab-cd-01", "\0\0\0\0\4\x0a\2hi", 9);
	ok(wait_for(c, &r) && r.http == 200 && r.status == 0, "%s answers OK", path);
	ok(r.reply.len > 9 && memcmp(r.reply.data, "\0\0\0\0", 4) == 0 &&
		   memmem(r.reply.data, r.reply.len, "hi", 2),
	   "with its reply");
}

static void test_errors(struct client *c)
{
	RPC r = { 0 };
	RPC later = { 0 };
	RPC unknown = { 0 };

	start(c, &r, P "Echo", NULL, NULL, "\0\0\0\0\6\x0a\4fail", 11);
	ok(wait_for(c, &r) && r.status == GRPC_NOT_FOUND && r.http == 200, "ENOENT is NOT_FOUND");
	is_str(r.message, "no such thing: 100%25%09%C3%A9", "with the text encoded");
	is_int(r.reply.len, 0, "and no message");
	start(c, &later, P "Later", NULL, NULL, EMPTY);
	ok(wait_for(c, &later) && later.status == GRPC_UNIMPLEMENTED, "no function: UNIMPLEMENTED");
	start(c, &unknown, "/runtime.v1alpha2.RuntimeService/Version", NULL, NULL, EMPTY);
	ok(wait_for(c, &unknown) && unknown.status == GRPC_UNIMPLEMENTED, "unknown: UNIMPLEMENTED");
	ok(strstr(unknown.message, "v1alpha2") != NULL, "the text names it");
}

/* What is wrong with a request, and what its caller hears. */
static void test_requests(struct client *c)
{
	static const struct {
		const char *what, *header, *value, *body;
		size_t len;
		int http, status;
	} rows[] = {
		{ "an empty message", NULL, NULL, "\0\0\0\0\0", 5, 200, 0 },
		{ "no message", NULL, NULL, "", 0, 200, GRPC_INTERNAL },
		{ "half a prefix", NULL, NULL, "\0\0\0", 3, 200, GRPC_INTERNAL },
		{ "half a message", NULL, NULL, "\0\0\0\0\4\x0a", 6, 200, GRPC_INTERNAL },
		{ "two messages", NULL, NULL, "\0\0\0\0\0\0\0\0\0\0", 10, 200, GRPC_INTERNAL },
		{ "broken protobuf", NULL, NULL, "\0\0\0\0\2\x0a\x05", 7, 200, GRPC_INTERNAL },
		{ "bad UTF-8", NULL, NULL, "\0\0\0\0\3\x0a\x01\xff", 8, 200, GRPC_INTERNAL },
		{ "flags 2", NULL, NULL, "\2\0\0\0\0", 5, 200, GRPC_INTERNAL },
		{ "compressed flag", NULL, NULL, "\1\0\0\0\0", 5, 200, GRPC_UNIMPLEMENTED },
		{ "gzip", "grpc-encoding", "gzip", "\1\0\0\0\0", 5, 200, GRPC_UNIMPLEMENTED },
		{ "identity", "grpc-encoding", "identity", "\0\0\0\0\0", 5, 200, 0 },
		{ "over 16 MiB", NULL, NULL, "\0\1\0\0\1", 5, 200, GRPC_RESOURCE_EXHAUSTED },
		{ "4 GiB", NULL, NULL, "\0\xff\xff\xff\xff", 5, 200, GRPC_RESOURCE_EXHAUSTED },
		{ "bad timeout", "grpc-timeout", "1s", "\0\0\0\0\0", 5, 200, GRPC_INTERNAL },
		{ "timeout 0", "grpc-timeout", "0m", "\0\0\0\0\0", 5, 200, GRPC_DEADLINE_EXCEEDED },
		{ "huge timeout", "grpc-timeout", "99999999H", "\0\0\0\0\0", 5, 200, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RPC r = { 0 };

		start(c, &r, P "Echo", rows[i].header, rows[i].value, rows[i].body, rows[i].len);
		wait_for(c, &r);
		ok(r.closed && r.http == rows[i].http && r.status == rows[i].status,
		   "%s: http %d status %d", rows[i].what, r.http, r.status);
		if (rows[i].status == GRPC_UNIMPLEMENTED)
			is_str(r.accept_encoding, "identity", "and what is supported");
	}
}

static void test_headers(struct client *c)
{
#define BASE NV(":method", "POST"), NV(":scheme", "http"), NV(":path", P "Echo")
#define GRPC NV("content-type", "application/grpc")
	const nghttp2_nv json[] = { BASE, NV("content-type", "application/json") };
	const nghttp2_nv none[] = { BASE };
	const nghttp2_nv proto[] = { BASE, NV("content-type", "application/grpc+proto") };
	const nghttp2_nv get[] = { NV(":method", "GET"), NV(":scheme", "http"),
				   NV(":path", P "Echo"), GRPC };
	const nghttp2_nv no_path[] = { NV(":method", "POST"), NV(":scheme", "http"), GRPC };
	const nghttp2_nv twice[] = { BASE, NV(":path", P "Big"), GRPC };
	const nghttp2_nv late[] = { NV(":method", "POST"), NV(":scheme", "http"), GRPC,
				    NV(":path", P "Echo") };
	const nghttp2_nv odd[] = { BASE, NV(":odd", "x"), GRPC };
	const nghttp2_nv space[] = { BASE, GRPC, NV("x y", "x") };
	const struct {
		const char *what;
		const nghttp2_nv *nv;
		size_t n;
		int http, status;
		uint32_t reset;
	} rows[] = {
		{ "JSON is 415", json, ARRAY_LEN(json), 415, GRPC_INVALID_ARGUMENT, 0 },
		{ "no content-type is 415", none, ARRAY_LEN(none), 415, GRPC_INVALID_ARGUMENT, 0 },
		{ "+proto is fine", proto, ARRAY_LEN(proto), 200, 0, 0 },
		{ "GET is 405", get, ARRAY_LEN(get), 405, GRPC_INTERNAL, 0 },
		{ "no path is reset", no_path, ARRAY_LEN(no_path), -1, -1, NGHTTP2_PROTOCOL_ERROR },
		{ "two paths are reset", twice, ARRAY_LEN(twice), -1, -1, NGHTTP2_PROTOCOL_ERROR },
		{ "late pseudo is reset", late, ARRAY_LEN(late), -1, -1, NGHTTP2_PROTOCOL_ERROR },
		{ "unknown pseudo is reset", odd, ARRAY_LEN(odd), -1, -1, NGHTTP2_PROTOCOL_ERROR },
		{ "a name with a space is reset", space, ARRAY_LEN(space), -1, -1,
		  NGHTTP2_PROTOCOL_ERROR },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		RPC r = { 0 };

		start_raw(c, &r, rows[i].nv, rows[i].n, EMPTY);
		wait_for(c, &r);
		ok(r.closed && r.http == rows[i].http && r.status == rows[i].status &&
			   r.reset == rows[i].reset,
		   "%s (http %d, status %d, reset %u)", rows[i].what, r.http, r.status, r.reset);
	}
	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, (const uint8_t *)"12345678");
	for (int i = 0; i < 100 && !c->pings; i++)
		client_turn(c, 100);
	is_int(c->pings, 1, "PING is answered");
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void test_sizes(struct client *c)
{
	size_t len = MAX_BYTES;
	uint8_t *body cleanup_free = xmalloc(5 + len);
	RPC full = { 0 };
	RPC large = { 0 };
	RPC over = { 0 };

	/* a string field of 16 MiB in all: tag, 4 bytes of length, text */
	memcpy(body, "\0\1\0\0\0\x0a\xfb\xff\xff\x07", 10);
	memset(body + 10, 'a', len - 5);
	start(c, &full, P "EchoJob", NULL, NULL, body, 5 + len);
	ok(wait_for(c, &full), "a request of 16 MiB is answered");
	is_int(full.status, GRPC_RESOURCE_EXHAUSTED, "its echo has a byte too many");
	start(c, &large, P "Big", NULL, NULL,
	      "\0\0\0\0\x0a\x0a\x08"
	      "16000000",
	      15);
	ok(wait_for(c, &large) && large.status == 0, "a reply of 16 MB comes through");
	is_int(large.reply.len, 16000000 + 5 + 5, "whole");
	start(c, &over, P "Big", NULL, NULL,
	      "\0\0\0\0\x0a\x0a\x08"
	      "17000000",
	      15);
	ok(wait_for(c, &over) && over.status == GRPC_RESOURCE_EXHAUSTED, "one of 17 MB does not");
}

/* Replies that nobody reads are bounded, and nobody else waits for their reader. */
static void test_slow_reader(struct client *other)
{
	struct rpc r[8] = { 0 };
	RPC quick = { 0 };
	struct client c;
	int done = 0, exhausted = 0, before = COUNT(observed);

	client_open(&c, socket_path);
	for (int i = 0; i < 8; i++)
		start(&c, &r[i], P "Big", NULL, NULL,
		      "\0\0\0\0\x0a\x0a\x08"
		      "16000000",
		      15);
	client_turn(&c, 0);
	ok(reaches(&observed, before + 8), "eight replies are made");
	start(other, &quick, P "Echo", NULL, NULL, EMPTY);
	ok(wait_for(other, &quick) && quick.status == 0, "others are served meanwhile");
	for (int i = 0; i < 8; i++) {
		wait_for(&c, &r[i]);
		done += r[i].status == 0 && r[i].reply.len == 16000010;
		exhausted += r[i].status == GRPC_RESOURCE_EXHAUSTED;
	}
	ok(done >= 4 && exhausted >= 3 && done + exhausted == 8,
	   "64 MB of replies are held, not more (%d, %d)", done, exhausted);
	client_finish(&c);
	for (int i = 0; i < 8; i++)
		rpc_finish(&r[i]);
}

/* Unfinished requests are bounded too. */
static void test_slow_writer(void)
{
	size_t len = 15 << 20;
	uint8_t *body cleanup_free = xcalloc(1, len);
	struct rpc r[4] = { 0 };
	struct client c;
	int refused = 0;

	client_open(&c, socket_path);
	memcpy(body, "\0\1\0\0\0", 5);
	for (int i = 0; i < 4; i++) {
		r[i].open_ended = true;
		start(&c, &r[i], P "Echo", NULL, NULL, body, len);
	}
	for (int i = 0; i < 100 && refused < 2; i++) {
		client_turn(&c, 100);
		refused = 0;
		for (int k = 0; k < 4; k++)
			refused += r[k].status == GRPC_RESOURCE_EXHAUSTED;
	}
	ok(refused >= 2 && refused < 4, "32 MiB of unfinished requests are held (%d refused)",
	   refused);
	client_finish(&c);
}

/* --- deadlines and cancels -------------------------------------------------------------------- */

static void test_deadline(struct client *c)
{
	int started = COUNT(waits_started), cancelled = COUNT(waits_cancelled);
	int detached = COUNT(observed_detached);
	RPC r = { 0 };
	RPC longer = { 0 };
	RPC stalled = { 0 };

	start(c, &r, P "Wait", "grpc-timeout", "1m", EMPTY);
	ok(wait_for(c, &r) && r.status == GRPC_DEADLINE_EXCEEDED, "a deadline of 1 ms is told");
	/* whether it was run at all depends on who was faster */
	start(c, &longer, P "Wait", "grpc-timeout", "500m", EMPTY);
	ok(wait_for(c, &longer) && longer.status == GRPC_DEADLINE_EXCEEDED, "one of 500 ms too");
	started = COUNT(waits_started) - started;
	ok(started >= 1 && reaches(&waits_cancelled, cancelled + started), "its job hears of it");
	ok(reaches(&observed_detached, detached + started), "its end is observed");
	stalled.open_ended = true;
	start(c, &stalled, P "Echo", "grpc-timeout", "50m", "\0\0", 2);
	ok(wait_for(c, &stalled) && stalled.status == GRPC_DEADLINE_EXCEEDED,
	   "a request that never ends as well");
}

static void test_cancel(struct client *c)
{
	int started = COUNT(waits_started), cancelled = COUNT(waits_cancelled);
	RPC r = { 0 };
	RPC alive = { 0 };
	RPC gone = { 0 };
	struct client other;

	start(c, &r, P "Wait", NULL, NULL, EMPTY);
	client_turn(c, 0);
	reaches(&waits_started, started + 1);
	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, r.id, NGHTTP2_CANCEL);
	wait_for(c, &r);
	ok(reaches(&waits_cancelled, cancelled + 1), "RST_STREAM cancels the job");
	start(c, &alive, P "Echo", NULL, NULL, EMPTY);
	ok(wait_for(c, &alive) && alive.status == 0, "the connection lives on");
	client_open(&other, socket_path);
	start(&other, &gone, P "Wait", NULL, NULL, EMPTY);
	client_turn(&other, 0);
	reaches(&waits_started, started + 2);
	client_finish(&other);
	ok(reaches(&waits_cancelled, cancelled + 2), "so does the end of the connection");
}

/* --- many ------------------------------------------------------------------------------------- */

static void set_gate(bool open)
{
	pthread_mutex_lock(&gate);
	open_gate = open;
	pthread_cond_broadcast(&gate_open);
	pthread_mutex_unlock(&gate);
}

static void test_many(struct client *c)
{
	struct rpc *r = xcalloc(MAX_JOBS + 8, sizeof(*r));
	RPC quick = { 0 };
	RPC job = { 0 };
	int good = 0, refused = 0, started = COUNT(waits_started);

	set_gate(false);
	for (int i = 0; i < MAX_JOBS + 8; i++) {
		start(c, &r[i], P "Gate", NULL, NULL, EMPTY);
		client_turn(c, 0);
	}
	for (int i = 0; i < 100 && refused < 8; i++) {
		client_turn(c, 100);
		refused = 0;
		for (int k = 0; k < MAX_JOBS + 8; k++)
			refused += r[k].status == GRPC_RESOURCE_EXHAUSTED;
	}
	is_int(refused, 8, "512 jobs run, eight more are refused");
	ok(reaches(&waits_started, started + MAX_JOBS), "each on its thread");
	start(c, &quick, P "Echo", NULL, NULL, EMPTY);
	ok(wait_for(c, &quick) && quick.status == 0, "inline calls go on meanwhile");
	start(c, &job, P "EchoJob", NULL, NULL, EMPTY);
	ok(wait_for(c, &job) && job.status == 0, "and so do jobs of other methods");
	set_gate(true);
	for (int i = 0; i < MAX_JOBS + 8; i++) {
		wait_for(c, &r[i]);
		good += r[i].status == 0;
		rpc_finish(&r[i]);
	}
	is_int(good, MAX_JOBS, "all 512 end well");
	free(r);
}

static void test_streams(struct client *c)
{
	enum { N = 3000 };
	struct rpc *r = xcalloc(N, sizeof(*r));
	int good = 0, before = COUNT(echoes);

	for (int i = 0; i < N; i++)
		start(c, &r[i], P "Echo", NULL, NULL, EMPTY);
	for (int i = 0; i < N; i++) {
		wait_for(c, &r[i]);
		good += r[i].status == 0;
		rpc_finish(&r[i]);
	}
	ok(good == N && COUNT(echoes) == before + N, "3000 calls at once are queued and answered");
	free(r);
}

/* Raw bytes: the connection ends, the server does not. */
static void test_garbage(struct client *c)
{
#define MAGIC "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	static const struct {
		const char *what, *bytes;
		size_t len;
	} rows[] = {
		{ "HTTP/1.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "no settings", MAGIC "\0\0\0\6\0\0\0\0\0", 33 },
		{ "a frame too large", MAGIC "\0\0\0\4\0\0\0\0\0\xff\xff\xff\0\0\0\0\0\1", 42 },
		{ "broken HPACK", MAGIC "\0\0\0\4\0\0\0\0\0\0\0\4\1\5\0\0\0\1\xff\xff\xff\xff",
		  46 },
		{ "an even stream", MAGIC "\0\0\0\4\0\0\0\0\0\0\0\1\1\5\0\0\0\2\x82", 43 },
		{ "data on stream 0", MAGIC "\0\0\0\4\0\0\0\0\0\0\0\1\0\0\0\0\0\0\x82", 43 },
		{ "window of 0", MAGIC "\0\0\0\4\0\0\0\0\0\0\0\4\x8\0\0\0\0\0\0\0\0\0", 46 },
	};
	RPC r = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd cleanup_close = fd_connect_unix(socket_path, SOCK_STREAM, NULL);
		char buf[4096];
		ssize_t n = 1;

		(void)!write(fd, rows[i].bytes, rows[i].len);
		while (fd_wait(fd, POLLIN, 5000) == 1 && (n = read(fd, buf, sizeof(buf))) > 0)
			;
		ok(n <= 0, "%s ends the connection", rows[i].what);
	}
	start(c, &r, P "Echo", NULL, NULL, EMPTY);
	ok(wait_for(c, &r) && r.status == 0, "other connections live on");
}

/* --- the end ---------------------------------------------------------------------------------- */

static void test_drain(struct client *c)
{
	int started = COUNT(waits_started);
	RPC running = { 0 };
	struct stat st;

	set_gate(false);
	start(c, &running, P "Gate", NULL, NULL, EMPTY);
	client_turn(c, 0);
	reaches(&waits_started, started + 1);
	loop_post(loop, drain, server);
	for (int i = 0; i < 100 && !c->goaways; i++)
		client_turn(c, 100);
	is_int(c->goaways, 1, "draining says GOAWAY");
	ok(!running.closed, "what runs goes on");
	ok(stat(socket_path, &st) < 0, "the socket is gone");
	set_gate(true);
	ok(wait_for(c, &running) && running.status == 0, "and is answered");
	pthread_join(loop_thread, NULL);
	ok(true, "then it is done");
	grpc_server_destroy(server);
	loop_destroy(loop);
}

int main(void)
{
	char dir[] = "/tmp/grpc-test-XXXXXX";
	struct client c;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/s", dir);
	server_start();
	client_open(&c, socket_path);
	test_echo(&c, P "Echo");
	test_echo(&c, P "EchoJob");
	test_errors(&c);
	test_requests(&c);
	test_headers(&c);
	test_sizes(&c);
	test_slow_reader(&c);
	test_slow_writer();
	test_deadline(&c);
	test_cancel(&c);
	test_many(&c);
	test_streams(&c);
	test_garbage(&c);
	test_drain(&c);
	client_finish(&c);
	rmdir(dir);
	return tap_done();
}
