/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of one SPDY connection, and its socket.
 *
 * Bytes from the client wait in each stream's @in until the session has written them; while one
 * of these is full the socket is not read, so that TCP slows the client down.  Bytes for the
 * client wait in @out; while that is full the session reads nothing from its processes.
 *
 *   socket -> mux_feed() -> stream.in -> session -> process
 *   socket <- out        <- mux_send()           <- process
 */
#ifndef CRI_STREAM_MUX_H
#define CRI_STREAM_MUX_H

#include "cri/stream/spdy.h"

#define MUX_TEXT_MAX 64

enum mux_kind { MUX_ERROR, MUX_STDIN, MUX_STDOUT, MUX_STDERR, MUX_RESIZE, MUX_DATA };

struct mux_stream {
	uint32_t id;
	enum mux_kind kind;
	uint16_t port;		       /* port-forward */
	char request_id[MUX_TEXT_MAX]; /* port-forward; "" none */
	struct strbuf in;	       /* from the client, not yet taken */
	bool in_fin;		       /* no more will come */
	bool out_fin;		       /* we have said that no more comes */
	bool reset;		       /* by the client: dead both ways */
	bool discard;		       /* what still comes in is of no use */
};

/* A client's new stream.  Return: false to refuse it. */
typedef bool mux_opened_fn(void *data, struct mux_stream *s);

struct mux {
	int fd;	  /* the socket, not blocking; the caller's */
	bool eof; /* the client has gone */
	struct strbuf out;
	struct mux_stream **streams;
	size_t n_streams;
	size_t max_streams;	 /* then REFUSED_STREAM */
	size_t max_stream_bytes; /* of one stream's @in, before the socket is left alone */
	mux_opened_fn *opened;
	void *data;	   /* of @opened */
	int64_t active_ns; /* monotonic: when data last moved */
	/* The frame that is being read. */
	struct spdy_codec codec;
	struct strbuf head; /* of a frame; all of a control frame */
	struct spdy_frame frame;
	uint32_t payload_left; /* of a data frame */
	uint32_t last_id;
};

/* mux_init() - the limits and @opened are set after it. */
int mux_init(struct mux *m, int fd, struct error *err);
void mux_finish(struct mux *m);

/* mux_feed() - bytes from the client.  Return: 0, or what the client did wrong. */
int mux_feed(struct mux *m, const void *data, size_t len, struct error *err);

/* mux_room() - how many bytes of output are welcome now. */
size_t mux_room(const struct mux *m);
/* mux_send() - data for the client; dropped where the stream is NULL, ended or reset. */
void mux_send(struct mux *m, struct mux_stream *s, const void *data, size_t len);
/* mux_send_end() - no more will come on @s. */
void mux_send_end(struct mux *m, struct mux_stream *s);
/* mux_reset() - end @s both ways; it is not freed. */
void mux_reset(struct mux *m, struct mux_stream *s, enum spdy_status status);
/* mux_drop() - forget @s and free it; what its client still sends is ignored. */
void mux_drop(struct mux *m, struct mux_stream *s);

/* mux_is_idle() - no data has moved for @seconds. */
bool mux_is_idle(const struct mux *m, unsigned int seconds);
/* mux_events() - what to poll the socket for. */
short mux_events(const struct mux *m);
/*
 * mux_io() - read and write as poll said.
 * Return: 0 (look at m->eof), or what the client did wrong.
 */
int mux_io(struct mux *m, short revents, struct error *err);
/*
 * mux_close() - send what waits, GOAWAY and the end of the connection, and let the client close
 * first, so that the kernel does not cut off what it has not read.  @stop_fd ends the waiting.
 */
void mux_close(struct mux *m, int stop_fd);

#endif
