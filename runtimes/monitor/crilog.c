/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a container's log.
 *
 * A chunk of output becomes one writev(2): headers in a small array, the text straight from the
 * chunk.  Only a line whose end has not come yet is copied, until its newline, its 16384th byte
 * or the container's end (which makes it a partial line: readers add a newline to full ones).  A
 * full disk must not stop the container: its bytes are dropped and counted, and the next line that
 * fits begins on a line of its own.
 */
#include "runtimes/monitor/crilog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/path.h"

#define BATCH_LINES  32
#define LINE_PARTS   4 /* header, kept beginning, text, newline */
#define HEADER_BYTES 48
#define TIME_BYTES   36

struct batch {
	struct crilog *log;
	enum crilog_stream stream;
	char time[TIME_BYTES];
	char headers[BATCH_LINES][HEADER_BYTES];
	struct iovec parts[BATCH_LINES * LINE_PARTS + 1];
	int n_lines, n_parts;
};

/* --- the file --------------------------------------------------------------------------------- */

/* Not through a symlink: a pod that may write into the logs' directory would choose the file. */
static int open_file(const char *path, struct error *err)
{
	char *dir cleanup_free = xstrdup(path);
	char *slash = strrchr(dir, '/');
	int fd;

	if (slash && slash != dir) {
		*slash = '\0';
		if (path_mkdirs(dir, 0755, err) < 0)
			return err ? err->code : -EIO;
	}
	fd = open(path,
		  O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		  0640);
	return fd < 0 ? error_errno(err, errno, "open log %s", path) : fd;
}

int crilog_open(struct crilog *log, const char *path, struct error *err)
{
	int fd = open_file(path, err);

	*log = (struct crilog){ .fd = fd < 0 ? -1 : fd };
	if (fd < 0)
		return fd;
	log->path = xstrdup(path);
	return 0;
}

int crilog_reopen(struct crilog *log, struct error *err)
{
	int fd;

	if (!log->path)
		return 0;
	fd = open_file(log->path, err);
	if (fd < 0)
		return fd;
	close_fd(&log->fd);
	log->fd = fd;
	log->mid_line = false;
	return 0;
}

/* refuse() - @lost bytes were not taken; @some of their batch were. */
static void refuse(struct crilog *log, size_t lost, bool some, int errnum)
{
	if (log->dropped == 0)
		log_warn("log %s: %s: output is dropped until it works again", log->path,
			 strerror(errnum));
	log->dropped += lost;
	log->mid_line |= some;
}

/* put_parts() - all of them, or as much as the disk takes. */
static void put_parts(struct crilog *log, struct iovec *v, int n)
{
	size_t left = 0;
	bool some = false;

	for (int i = 0; i < n; i++)
		left += v[i].iov_len;
	while (left > 0) {
		ssize_t took = writev(log->fd, v, n);

		if (took < 0 && errno == EINTR)
			continue;
		if (took <= 0) {
			refuse(log, left, some, took < 0 ? errno : ENOSPC);
			return;
		}
		left -= (size_t)took;
		some = true;
		for (; n > 0 && (size_t)took >= v->iov_len; v++, n--)
			took -= (ssize_t)v->iov_len;
		if (n > 0) {
			v->iov_base = (char *)v->iov_base + took;
			v->iov_len -= (size_t)took;
		}
	}
	log->mid_line = false;
	if (log->dropped > 0)
		log_warn("log %s: works again; %llu bytes were lost", log->path,
			 (unsigned long long)log->dropped);
	log->dropped = 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void add_part(struct batch *b, const void *data, size_t len)
{
	if (len > 0)
		b->parts[b->n_parts++] = (struct iovec){ (void *)data, len };
}

static void batch_begin(struct batch *b, struct crilog *log, enum crilog_stream stream)
{
	b->log = log;
	b->stream = stream;
	b->n_lines = b->n_parts = 0;
	str_rfc3339(clock_wall_ns(), b->time);
}

/* The kept beginning of a line stands in the batch by reference: it is free only after this. */
static void batch_flush(struct batch *b)
{
	if (b->n_lines > 0)
		put_parts(b->log, b->parts, b->n_parts);
	strbuf_finish(&b->log->partial[b->stream]);
	b->n_lines = b->n_parts = 0;
}

static void add_line(struct batch *b, char tag, const char *text, size_t len)
{
	struct strbuf *kept = &b->log->partial[b->stream];
	char *p = b->headers[b->n_lines];
	size_t n = strlen(b->time);

	if (b->n_lines == 0 && b->log->mid_line)
		add_part(b, "\n", 1);
	memcpy(p, b->time, n);
	memcpy(p + n, b->stream == CRILOG_STDOUT ? " stdout " : " stderr ", 8);
	p[n + 8] = tag;
	p[n + 9] = ' ';
	add_part(b, p, n + 10);
	if (b->n_lines == 0)
		add_part(b, kept->data, kept->len);
	add_part(b, text, len);
	add_part(b, "\n", 1);
	if (++b->n_lines == BATCH_LINES)
		batch_flush(b);
}

void crilog_write(struct crilog *log, enum crilog_stream stream, const char *data, size_t len)
{
	struct batch b __attribute__((uninitialized));

	if (log->fd < 0)
		return;
	batch_begin(&b, log, stream);
	while (len > 0) {
		/* the kept text belongs to the first line of the batch */
		size_t kept = b.n_lines == 0 ? log->partial[stream].len : 0;
		size_t room = CRILOG_LINE_MAX - kept;
		const char *newline = memchr(data, '\n', MIN(len, room + 1));
		size_t n = newline ? (size_t)(newline - data) : MIN(len, room);

		if (!newline && len <= room) {
			if (b.n_lines > 0)
				batch_flush(&b);
			strbuf_append(&log->partial[stream], data, len);
			return;
		}
		add_line(&b, newline ? 'F' : 'P', data, n);
		n += newline != NULL;
		data += n;
		len -= n;
	}
	batch_flush(&b);
}

void crilog_close(struct crilog *log)
{
	for (int i = 0; i < 2; i++) {
		struct batch b __attribute__((uninitialized));

		if (log->fd >= 0 && log->partial[i].len > 0) {
			batch_begin(&b, log, (enum crilog_stream)i);
			add_line(&b, 'P', NULL, 0); /* F would claim a newline */
			batch_flush(&b);
		}
		strbuf_finish(&log->partial[i]);
	}
	close_fd(&log->fd);
	cleanup_free_fn(&log->path);
	log->path = NULL;
}
