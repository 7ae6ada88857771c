/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata service's network: ARP, IPv4 and as much of TCP as a server needs that answers
 * small requests of one peer over a link without loss.
 *
 * The peer is the guest, which is hostile: at most MMDS_CONNECTIONS with a bounded buffer each, the
 * one that has been quiet longest makes room for a new one.  Segments are taken in order only, and
 * checksums are not looked at (the guest's kernel leaves them to its network device, which we are).
 */
#ifndef MICROVM_MMDS_TCP_H
#define MICROVM_MMDS_TCP_H

#include "runtimes/microvm/mmds/store.h"

#define MMDS_PORT	 80
#define MMDS_CONNECTIONS 30
#define MMDS_RESETS	 32
#define MMDS_REQUEST_MAX 4096

struct mmds_connection {
	bool used, established;
	bool ack_due, peer_done, closing;
	uint32_t peer_ip;
	uint16_t peer_port, mss;
	uint32_t next_in;		      /* sequence number expected of the peer */
	uint32_t first_out, next_out, window; /* unacknowledged from, to be sent next */
	int64_t heard_ns, resend_ns; /* last sign of life; when to send again, 0: nothing */
	struct strbuf out;	     /* from first_out on, behind SYN */
	char in[MMDS_REQUEST_MAX];
	uint32_t in_len;
};

struct mmds_reset {
	uint32_t peer_ip, sequence, acknowledged;
	uint16_t peer_port;
	bool has_ack;
};

struct mmds_net {
	struct mmds_store *store; /* not owned */
	uint32_t ip;		  /* ours, in host order */
	uint8_t peer_mac[6];
	bool arp_due;
	uint8_t arp_mac[6];
	uint32_t arp_ip;
	struct mmds_connection connections[MMDS_CONNECTIONS];
	unsigned int n_resets, next_connection;
	struct mmds_reset resets[MMDS_RESETS];
};

void mmds_net_init(struct mmds_net *n, struct mmds_store *store, uint32_t ip);
void mmds_net_finish(struct mmds_net *n);

/* mmds_net_input() - a frame of the guest.  Return: whether it was for us. */
bool mmds_net_input(struct mmds_net *n, const uint8_t *frame, size_t len, int64_t now_ns);

/* mmds_net_output() - the next frame for the guest.  Return: its length, or 0. */
size_t mmds_net_output(struct mmds_net *n, uint8_t *frame, size_t room, int64_t now_ns);

/* mmds_net_waits() - whether something is to be sent again if the guest stays silent. */
bool mmds_net_waits(const struct mmds_net *n);

/* Between net.c and tcp.c: a segment behind its IP header, at most @room bytes. */
void mmds_tcp_input(struct mmds_net *n, uint32_t peer_ip, const uint8_t *segment, size_t len,
		    int64_t now_ns);
size_t mmds_tcp_output(struct mmds_net *n, uint8_t *segment, size_t room, uint32_t *ret_peer_ip,
		       int64_t now_ns);

/* mmds_checksum() - ones' complement sum of @len bytes, on top of @sum, folded and inverted. */
uint16_t mmds_checksum(uint32_t sum, const uint8_t *bytes, size_t len);

/* Network byte order at any address. */
static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

#endif
