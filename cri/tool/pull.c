/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `bulkhead pull`: a pull, and how far it is.
 *
 * The pull's answer comes at its end, so a thread waits for it while this one asks the server a few
 * times a second.  On a terminal each layer has a line, drawn again in its place; otherwise each is
 * told of once, when it is done.  All of that goes to standard error: the output is the id.
 */
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "cri/proto/admin.pb-c.h"
#include "cri/proto/api.pb-c.h"
#include "cri/tool/client.h"
#include "cri/tool/commands.h"
#include "cri/tool/table.h"

#define TIMEOUT_MS  10000
#define INTERVAL_MS 200
#define BAR	    30

struct pull {
	const char *socket;
	char *name;
	int done_fd; /* eventfd: reply or err is set */
	ProtobufCMessage *reply;
	struct error err;
	int rc;
};

static void *pull_thread(void *data)
{
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__PullImageRequest request = RUNTIME__V1__PULL_IMAGE_REQUEST__INIT;
	const uint64_t one = 1;
	struct pull *p = data;

	spec.image = p->name;
	request.image = &spec;
	p->rc = client_call(p->socket, "/runtime.v1.ImageService/PullImage", &request.base,
			    &runtime__v1__pull_image_response__descriptor, &p->reply, -1, &p->err);
	(void)!write(p->done_fd, &one, sizeof(one));
	return NULL;
}

/* --- what is shown ---------------------------------------------------------------------------- */

struct display {
	bool terminal;
	size_t lines; /* drawn, the cursor is below them */
	bool *told;   /* of each layer */
	size_t n_told;
};

/* "sha256:be680fb0..." -> its first twelve digits. */
static void print_digest(const char *digest)
{
	const char *hex = str_after(digest, "sha256:");

	fprintf(stderr, "%.12s", hex ? hex : digest);
}

static void print_size(uint64_t bytes)
{
	char text[TABLE_SIZE_MAX];

	table_format_size(bytes, text);
	fputs(text, stderr);
}

static void draw_layer(const Bulkhead__V1__LayerProgress *l)
{
	size_t full = l->size ? (size_t)((double)l->bytes / (double)l->size * BAR) : BAR;

	fputs("\033[2K", stderr);
	print_digest(l->digest);
	fputs(" [", stderr);
	for (size_t i = 0; i < BAR; i++)
		fputc(i < full ? '=' : ' ', stderr);
	fputs("] ", stderr);
	if (l->done) {
		print_size(l->size);
	} else if (l->bytes > 0) {
		print_size(l->bytes);
		fputs(" of ", stderr);
		print_size(l->size);
	} else {
		fputs("waiting", stderr);
	}
	fputc('\n', stderr);
}

/* As many lines as the terminal has: what scrolls away can't be drawn again. */
static size_t terminal_lines(size_t wanted)
{
	struct winsize w = { 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row < 2)
		return MIN(wanted, (size_t)20);
	return MIN(wanted, (size_t)w.ws_row - 1);
}

static void draw(struct display *d, const Bulkhead__V1__PullProgressResponse *r)
{
	size_t n = terminal_lines(r->n_layers);

	if (d->lines > 0)
		fprintf(stderr, "\033[%zuA", d->lines);
	for (size_t i = 0; i < n; i++)
		draw_layer(r->layers[i]);
	d->lines = MAX(d->lines, n);
}

static void tell(struct display *d, const Bulkhead__V1__PullProgressResponse *r)
{
	if (r->n_layers > d->n_told) {
		d->told = xrealloc(d->told, r->n_layers, sizeof(*d->told));
		memset(d->told + d->n_told, 0, (r->n_layers - d->n_told) * sizeof(*d->told));
		d->n_told = r->n_layers;
	}
	for (size_t i = 0; i < r->n_layers; i++) {
		if (!r->layers[i]->done || d->told[i])
			continue;
		d->told[i] = true;
		fputs("layer ", stderr);
		print_digest(r->layers[i]->digest);
		fputs(": ", stderr);
		print_size(r->layers[i]->size);
		fputc('\n', stderr);
	}
}

/* An older server, or one that is busy, shows nothing: the pull itself tells what is wrong. */
static void show(struct display *d, const struct pull *p)
{
	Bulkhead__V1__PullProgressRequest request = BULKHEAD__V1__PULL_PROGRESS_REQUEST__INIT;
	ProtobufCMessage *reply;

	request.image = p->name;
	if (client_call(p->socket, "/bulkhead.v1.Admin/PullProgress", &request.base,
			&bulkhead__v1__pull_progress_response__descriptor, &reply, TIMEOUT_MS,
			NULL) < 0)
		return;
	if (d->terminal)
		draw(d, (void *)reply);
	else
		tell(d, (void *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
}

static int wait_for(struct pull *p, struct error *err)
{
	struct display d = { .terminal = isatty(STDERR_FILENO) };
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, pull_thread, p);

	if (rc != 0)
		return error_errno(err, rc, "start a thread");
	while (fd_wait(p->done_fd, POLLIN, INTERVAL_MS) == 0)
		show(&d, p);
	pthread_join(thread, NULL);
	if (d.terminal && d.lines > 0 && p->rc == 0)
		fprintf(stderr, "\033[%zuA\033[J", d.lines); /* what is done needs no bars */
	free(d.told);
	return p->rc < 0 ? error_copy(err, &p->err) : 0;
}

int command_pull(const char *socket, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct pull p = { .socket = socket };
	struct error err = ERROR_INIT;
	int c = getopt_long(argc, argv, "", longs, NULL);

	if (c != -1 || argc - optind != 1) {
		fputs("usage: bulkhead pull REF\n\n"
		      "Pull an image and print what it is stored as.  On a terminal each layer has "
		      "a "
		      "bar.\n",
		      c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	p.name = argv[optind];
	p.done_fd = eventfd(0, EFD_CLOEXEC);
	if (p.done_fd < 0 || wait_for(&p, &err) < 0) {
		fprintf(stderr, "bulkhead pull: %s\n", err.text);
		return 1;
	}
	puts(((Runtime__V1__PullImageResponse *)p.reply)->image_ref);
	protobuf_c_message_free_unpacked(p.reply, NULL);
	close(p.done_fd);
	return 0;
}
