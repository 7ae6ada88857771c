/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ethernet, ARP and IPv4 of the metadata service.
 */
#include "base/mem.h"
#include "runtimes/microvm/mmds/tcp.h"

#define ETHERNET_BYTES 14
#define ARP_BYTES      28
#define IP_BYTES       20
#define TYPE_IP	       0x0800
#define TYPE_ARP       0x0806
#define PROTOCOL_TCP   6

static const uint8_t our_mac[6] = { 0x06, 0x01, 0x23, 0x45, 0x67, 0x01 };

void mmds_net_init(struct mmds_net *n, struct mmds_store *store, uint32_t ip)
{
	memset(n, 0, sizeof(*n));
	n->store = store;
	n->ip = ip;
}

void mmds_net_finish(struct mmds_net *n)
{
	for (size_t i = 0; i < MMDS_CONNECTIONS; i++)
		strbuf_finish(&n->connections[i].out);
}

uint16_t mmds_checksum(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (; len > 1; bytes += 2, len -= 2)
		sum += get16(bytes);
	if (len)
		sum += (uint32_t)*bytes << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* --- in --------------------------------------------------------------------------------------- */

/* An Ethernet ARP request for our address. */
static bool take_arp(struct mmds_net *n, const uint8_t *p, size_t len)
{
	static const uint8_t request[] = { 0, 1, 8, 0, 6, 4, 0, 1 };

	if (len < ARP_BYTES || memcmp(p, request, sizeof(request)) || get32(p + 24) != n->ip)
		return false;
	n->arp_due = true;
	memcpy(n->arp_mac, p + 8, sizeof(n->arp_mac));
	n->arp_ip = get32(p + 14);
	return true;
}

/* What is addressed to us is ours, whether it makes sense or not. */
static bool take_ip(struct mmds_net *n, const uint8_t *frame, size_t len, int64_t now_ns)
{
	const uint8_t *p = frame + ETHERNET_BYTES;
	size_t header, total;

	len -= ETHERNET_BYTES;
	if (len < IP_BYTES || p[0] >> 4 != 4 || get32(p + 16) != n->ip)
		return false;
	header = (size_t)(p[0] & 0xf) * 4;
	total = get16(p + 2);
	if (header < IP_BYTES || total < header || total > len || p[9] != PROTOCOL_TCP ||
	    (get16(p + 6) & 0x3fff)) /* a fragment */
		return true;
	memcpy(n->peer_mac, frame + 6, sizeof(n->peer_mac));
	mmds_tcp_input(n, get32(p + 12), p + header, total - header, now_ns);
	return true;
}

bool mmds_net_input(struct mmds_net *n, const uint8_t *frame, size_t len, int64_t now_ns)
{
	if (len < ETHERNET_BYTES)
		return false;
	switch (get16(frame + 12)) {
	case TYPE_ARP:
		return take_arp(n, frame + ETHERNET_BYTES, len - ETHERNET_BYTES);
	case TYPE_IP:
		return take_ip(n, frame, len, now_ns);
	default:
		return false;
	}
}

/* --- out -------------------------------------------------------------------------------------- */

static void put_ethernet(uint8_t *frame, const uint8_t *to, uint16_t type)
{
	memcpy(frame, to, 6);
	memcpy(frame + 6, our_mac, 6);
	put16(frame + 12, type);
}

static size_t put_arp(struct mmds_net *n, uint8_t *frame)
{
	static const uint8_t reply[] = { 0, 1, 8, 0, 6, 4, 0, 2 };
	uint8_t *p = frame + ETHERNET_BYTES;

	put_ethernet(frame, n->arp_mac, TYPE_ARP);
	memcpy(p, reply, sizeof(reply));
	memcpy(p + 8, our_mac, 6);
	put32(p + 14, n->ip);
	memcpy(p + 18, n->arp_mac, 6);
	put32(p + 24, n->arp_ip);
	n->arp_due = false;
	return ETHERNET_BYTES + ARP_BYTES;
}

static void put_ip(const struct mmds_net *n, uint8_t *p, uint32_t to, size_t len)
{
	memset(p, 0, IP_BYTES);
	p[0] = 0x45;
	put16(p + 2, (uint16_t)(IP_BYTES + len));
	put16(p + 6, 0x4000); /* not to be cut */
	p[8] = 1;	      /* it goes nowhere else */
	p[9] = PROTOCOL_TCP;
	put32(p + 12, n->ip);
	put32(p + 16, to);
	put16(p + 10, mmds_checksum(0, p, IP_BYTES));
}

size_t mmds_net_output(struct mmds_net *n, uint8_t *frame, size_t room, int64_t now_ns)
{
	uint8_t *segment = frame + ETHERNET_BYTES + IP_BYTES;
	uint32_t peer_ip, sum;
	size_t len;

	if (room < ETHERNET_BYTES + IP_BYTES + 64)
		return 0;
	if (n->arp_due)
		return put_arp(n, frame);
	len = mmds_tcp_output(n, segment, room - ETHERNET_BYTES - IP_BYTES, &peer_ip, now_ns);
	if (!len)
		return 0;
	put_ethernet(frame, n->peer_mac, TYPE_IP);
	put_ip(n, frame + ETHERNET_BYTES, peer_ip, len);
	sum = (n->ip >> 16) + (n->ip & 0xffff) + (peer_ip >> 16) + (peer_ip & 0xffff) +
	      PROTOCOL_TCP + (uint32_t)len;
	put16(segment + 16, mmds_checksum(sum, segment, len));
	return ETHERNET_BYTES + IP_BYTES + len;
}
