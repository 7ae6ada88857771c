/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP of the metadata service: passive opens, requests in, answers out (RFC 9293).
 *
 *   SYN --> SYN+ACK --> ACK: established; requests and answers; the peer's FIN, our FIN: gone
 *
 * Sequence numbers are compared by their difference.  We close only after the peer has.
 */
#include <sys/random.h>

#include "base/mem.h"
#include "runtimes/microvm/mmds/tcp.h"

#define HEADER	   20
#define FIN	   1
#define SYN	   2
#define RST	   4
#define PSH	   8
#define ACK	   16
#define MSS_LEAST  536
#define MSS_MOST   1460
#define RESEND_NS  INT64_C(1200000000)
#define SILENCE_NS INT64_C(40000000000) /* after which a connection may make room */
#define GONE_NS	   INT64_C(18000000000) /* of unanswered sending */
#define OUT_MAX	   (64 << 10)		/* of answers that wait: then requests wait, too */

struct segment {
	uint16_t peer_port, window;
	uint32_t sequence, acknowledged;
	uint8_t flags;
	const uint8_t *options, *data;
	size_t n_options, len;
};

static void drop(struct mmds_connection *c)
{
	strbuf_finish(&c->out);
	*c = (struct mmds_connection){ 0 };
}

static struct mmds_connection *find(struct mmds_net *n, uint32_t ip, uint16_t port)
{
	for (size_t i = 0; i < MMDS_CONNECTIONS; i++) {
		struct mmds_connection *c = &n->connections[i];

		if (c->used && c->peer_ip == ip && c->peer_port == port)
			return c;
	}
	return NULL;
}

/* find_room() - a free one, or that of somebody who has been silent for long; may be NULL. */
static struct mmds_connection *find_room(struct mmds_net *n, int64_t now_ns)
{
	struct mmds_connection *oldest = n->connections;

	for (size_t i = 0; i < MMDS_CONNECTIONS; i++) {
		struct mmds_connection *c = &n->connections[i];

		if (!c->used)
			return c;
		if (c->heard_ns < oldest->heard_ns)
			oldest = c;
	}
	if (now_ns - oldest->heard_ns < SILENCE_NS)
		return NULL;
	drop(oldest);
	return oldest;
}

static void say_reset(struct mmds_net *n, uint32_t ip, const struct segment *s)
{
	struct mmds_reset *r = &n->resets[n->n_resets];
	uint32_t extent = (uint32_t)s->len + !!(s->flags & SYN) + !!(s->flags & FIN);

	if ((s->flags & RST) || n->n_resets == MMDS_RESETS)
		return;
	n->n_resets++;
	*r = (struct mmds_reset){ .peer_ip = ip,
				  .peer_port = s->peer_port,
				  .sequence = s->flags & ACK ? s->acknowledged : 0,
				  .acknowledged = s->sequence + extent,
				  .has_ack = !(s->flags & ACK) };
}

/* --- in --------------------------------------------------------------------------------------- */

/* parse() - Return: whether it is a segment for our port. */
static bool parse(const uint8_t *p, size_t len, struct segment *ret)
{
	size_t header = len < HEADER ? 0 : (size_t)(p[12] >> 4) * 4;

	if (len < HEADER || header < HEADER || header > len || get16(p + 2) != MMDS_PORT)
		return false;
	*ret = (struct segment){
		.peer_port = get16(p),
		.sequence = get32(p + 4),
		.acknowledged = get32(p + 8),
		.flags = p[13],
		.window = get16(p + 14),
		.options = p + HEADER,
		.n_options = header - HEADER,
		.data = p + header,
		.len = len - header,
	};
	return true;
}

/* find_mss() - what the peer takes in one segment, within reason. */
static uint16_t find_mss(const struct segment *s)
{
	const uint8_t *o = s->options;
	uint16_t mss = MSS_LEAST;

	for (size_t i = 0; i < s->n_options && o[i];) {
		size_t len = o[i] == 1 ? 1 : i + 1 < s->n_options ? o[i + 1] : 0;

		if (!len || (o[i] != 1 && len < 2) || len > s->n_options - i)
			break;
		if (o[i] == 2 && len == 4)
			mss = get16(o + i + 2);
		i += len;
	}
	return (uint16_t)MIN(MAX(mss, MSS_LEAST), MSS_MOST);
}

static void open_connection(struct mmds_net *n, uint32_t ip, const struct segment *s,
			    int64_t now_ns)
{
	struct mmds_connection *c = find_room(n, now_ns);

	if (!c) {
		say_reset(n, ip, s);
		return;
	}
	*c = (struct mmds_connection){ .used = true,
				       .peer_ip = ip,
				       .peer_port = s->peer_port,
				       .mss = find_mss(s),
				       .next_in = s->sequence + 1,
				       .window = s->window,
				       .heard_ns = now_ns };
	if (getrandom(&c->first_out, sizeof(c->first_out), 0) != sizeof(c->first_out))
		c->first_out = (uint32_t)now_ns;
	c->next_out = c->first_out;
}

/* take_ack() - Return: false when it is for what was never sent. */
static bool take_ack(struct mmds_connection *c, const struct segment *s)
{
	uint32_t news = s->acknowledged - c->first_out, sent = c->next_out - c->first_out;

	if (news > sent)
		return (int32_t)news < 0; /* an old one */
	c->window = s->window;
	if (!news)
		return true;
	if (!c->established) {
		c->established = true;
		c->first_out++;
		news--;
	}
	if (news > c->out.len) { /* our FIN with it */
		c->closing = true;
		news = (uint32_t)c->out.len;
	}
	strbuf_consume(&c->out, news);
	c->first_out += news;
	c->resend_ns = c->next_out == c->first_out ? 0 : c->heard_ns + RESEND_NS;
	return true;
}

/* take_data() - in order; what we have already is left out, what has no room comes again. */
static void take_data(struct mmds_connection *c, const struct segment *s)
{
	uint32_t known = c->next_in - s->sequence;
	size_t len = s->len, room = sizeof(c->in) - c->in_len;

	if (!s->len && !(s->flags & FIN))
		return;
	c->ack_due = true;
	if (known > s->len || c->peer_done)
		return;
	len = MIN(s->len - known, room);
	memcpy(c->in + c->in_len, s->data + known, len);
	c->in_len += (uint32_t)len;
	c->next_in += (uint32_t)len;
	if ((s->flags & FIN) && known + len == s->len) {
		c->next_in++;
		c->peer_done = true;
	}
}

/* answer() - whole requests.  Return: false when no answer will ever come. */
static bool answer(struct mmds_net *n, struct mmds_connection *c)
{
	while (c->in_len && c->out.len < OUT_MAX) {
		ssize_t used = mmds_store_answer(n->store, c->in, c->in_len, &c->out);

		if (used < 0) { /* nobody knows where the next one begins */
			c->in_len = 0;
			return true;
		}
		if (!used)
			return c->in_len < sizeof(c->in);
		c->in_len -= (uint32_t)used;
		memmove(c->in, c->in + used, c->in_len);
		c->ack_due = true; /* there is room again */
	}
	return true;
}

static void take_segment(struct mmds_net *n, struct mmds_connection *c, const struct segment *s,
			 int64_t now_ns)
{
	if (s->flags & RST) {
		if (s->sequence == c->next_in)
			drop(c);
		return;
	}
	c->heard_ns = now_ns;
	if (s->flags & SYN) { /* the same again, or somebody who has forgotten us */
		if (!c->established && s->sequence + 1 == c->next_in)
			c->next_out = c->first_out;
		else
			c->ack_due = true;
		return;
	}
	if (!(s->flags & ACK) || !take_ack(c, s)) {
		say_reset(n, c->peer_ip, s);
		return;
	}
	if (!c->established)
		return;
	take_data(c, s);
	if (!answer(n, c)) {
		say_reset(n, c->peer_ip, s);
		drop(c);
	} else if (c->closing) {
		drop(c);
	}
}

void mmds_tcp_input(struct mmds_net *n, uint32_t peer_ip, const uint8_t *segment, size_t len,
		    int64_t now_ns)
{
	struct mmds_connection *c;
	struct segment s;

	if (!parse(segment, len, &s))
		return;
	c = find(n, peer_ip, s.peer_port);
	if (c)
		take_segment(n, c, &s, now_ns);
	else if ((s.flags & (SYN | ACK | RST | FIN)) == SYN)
		open_connection(n, peer_ip, &s, now_ns);
	else
		say_reset(n, peer_ip, &s);
}

/* --- out -------------------------------------------------------------------------------------- */

static void put_header(uint8_t *p, uint16_t port, uint32_t sequence, uint32_t acknowledged,
		       uint8_t flags, uint32_t window)
{
	memset(p, 0, HEADER);
	put16(p, MMDS_PORT);
	put16(p + 2, port);
	put32(p + 4, sequence);
	put32(p + 8, acknowledged);
	p[12] = HEADER / 4 << 4;
	p[13] = flags;
	put16(p + 14, (uint16_t)MIN(window, 0xffffU));
}

static size_t put_reset(struct mmds_net *n, uint8_t *p, uint32_t *ret_peer_ip)
{
	const struct mmds_reset *r = &n->resets[--n->n_resets];

	put_header(p, r->peer_port, r->sequence, r->has_ack ? r->acknowledged : 0,
		   (uint8_t)(RST | (r->has_ack ? ACK : 0)), 0);
	*ret_peer_ip = r->peer_ip;
	return HEADER;
}

/* sent() - what needs an answer has gone out. */
static void sent(struct mmds_connection *c, uint32_t extent, int64_t now_ns)
{
	c->next_out += extent;
	c->ack_due = false;
	if (extent && !c->resend_ns)
		c->resend_ns = now_ns + RESEND_NS;
}

static size_t put_syn(struct mmds_connection *c, uint8_t *p, int64_t now_ns)
{
	put_header(p, c->peer_port, c->next_out, c->next_in, SYN | ACK, sizeof(c->in));
	p[12] = (HEADER + 4) / 4 << 4;
	p[HEADER] = 2;
	p[HEADER + 1] = 4;
	put16(p + HEADER + 2, MSS_MOST);
	sent(c, 1, now_ns);
	return HEADER + 4;
}

/* put_data() - Return: 0 when there is nothing to say. */
static size_t put_data(struct mmds_connection *c, uint8_t *p, size_t room, int64_t now_ns)
{
	uint32_t done = c->next_out - c->first_out;
	uint32_t left = done < c->out.len ? (uint32_t)c->out.len - done : 0;
	uint32_t allowed = done < c->window ? c->window - done : 0;
	uint32_t len = MIN(MIN(left, allowed), MIN((uint32_t)c->mss, (uint32_t)room - HEADER));
	bool fin = c->peer_done && done + len == c->out.len;

	if (!len && !fin && !c->ack_due)
		return 0;
	put_header(p, c->peer_port, c->next_out, c->next_in,
		   (uint8_t)(ACK | (len ? PSH : 0) | (fin ? FIN : 0)),
		   (uint32_t)sizeof(c->in) - c->in_len);
	if (len)
		memcpy(p + HEADER, c->out.data + done, len);
	sent(c, len + fin, now_ns);
	return HEADER + len;
}

/* next_of() - Return: the length of the next segment of @c, or 0. */
static size_t next_of(struct mmds_connection *c, uint8_t *p, size_t room, int64_t now_ns)
{
	if (c->resend_ns && now_ns >= c->resend_ns) {
		if (now_ns - c->heard_ns > GONE_NS) {
			drop(c);
			return 0;
		}
		c->next_out = c->first_out; /* all of it again */
		c->resend_ns = 0;
	}
	if (!c->established)
		return c->next_out == c->first_out ? put_syn(c, p, now_ns) : 0;
	return put_data(c, p, room, now_ns);
}

size_t mmds_tcp_output(struct mmds_net *n, uint8_t *segment, size_t room, uint32_t *ret_peer_ip,
		       int64_t now_ns)
{
	if (n->n_resets)
		return put_reset(n, segment, ret_peer_ip);
	for (size_t i = 0; i < MMDS_CONNECTIONS; i++) {
		struct mmds_connection *c =
			&n->connections[(n->next_connection + i) % MMDS_CONNECTIONS];
		size_t len = c->used ? next_of(c, segment, room, now_ns) : 0;

		if (!len)
			continue;
		*ret_peer_ip = c->peer_ip;
		n->next_connection = (n->next_connection + (unsigned int)i + 1) % MMDS_CONNECTIONS;
		return len;
	}
	return 0;
}

bool mmds_net_waits(const struct mmds_net *n)
{
	for (size_t i = 0; i < MMDS_CONNECTIONS; i++)
		if (n->connections[i].used && n->connections[i].resend_ns)
			return true;
	return false;
}
