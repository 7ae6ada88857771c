/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A serial port.
 *
 * Registers as in the data sheet of the PC16550D.  The transmitter is always empty: a byte is
 * written to out_fd at once, or lost and counted when that would block, so that a reader who
 * does not read never stops a vCPU.
 */
#include "runtimes/microvm/devices/serial.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"

enum { REG_DATA, REG_IER, REG_IIR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define IER_RX	 0x01
#define IER_TX	 0x02
#define IIR_NONE 0x01
#define IIR_TX	 0x02
#define IIR_RX	 0x04
#define IIR_FIFO 0xc0
#define LCR_DLAB 0x80
#define MCR_LOOP 0x10
#define LSR_RX	 0x01
#define LSR_TX	 0x60 /* transmitter and its FIFO are empty */
#define MSR_LINE 0xb0 /* carrier, data set ready, clear to send */

void serial_init(struct serial *s, int out_fd, const struct bucket_config *limit, int irq_fd)
{
	*s = (struct serial){ .out_fd = out_fd, .irq_fd = irq_fd, .divisor = { 12, 0 } };
	limiter_update(&s->limiter, &(struct limiter_config){ .bandwidth = *limit },
		       clock_monotonic_ns());
	pthread_mutex_init(&s->lock, NULL);
}

static void interrupt(const struct serial *s)
{
	uint64_t one = 1;

	(void)!write(s->irq_fd, &one, sizeof(one));
}

static bool rx_interrupts(const struct serial *s)
{
	return s->rx_len && (s->ier & IER_RX);
}

static void rx_push(struct serial *s, uint8_t byte)
{
	if (s->rx_len == SERIAL_RX_ROOM)
		return;
	s->rx[(s->rx_head + s->rx_len++) % SERIAL_RX_ROOM] = byte;
}

static uint8_t rx_pop(struct serial *s)
{
	uint8_t byte = 0;

	if (!s->rx_len)
		return byte;
	byte = s->rx[s->rx_head];
	s->rx_head = (s->rx_head + 1) % SERIAL_RX_ROOM;
	s->rx_len--;
	counter_add(&s->read, 1);
	return byte;
}

static void put_byte(struct serial *s, uint8_t byte)
{
	struct pollfd p = { .fd = s->out_fd, .events = POLLOUT };

	if (s->out_fd < 0)
		return;
	if (s->limiter.bandwidth.config.size && limiter_take(&s->limiter, 1, clock_monotonic_ns()))
		counter_add(&s->dropped, 1);
	else if (poll(&p, 1, 0) == 1 && write(s->out_fd, &byte, 1) == 1)
		counter_add(&s->written, 1);
	else
		counter_add(&s->lost, 1);
}

static void transmit(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		rx_push(s, byte);
		if (rx_interrupts(s))
			interrupt(s);
		return;
	}
	put_byte(s, byte);
	if (s->ier & IER_TX) {
		s->tx_pending = true;
		interrupt(s);
	}
}

static void write_register(struct serial *s, unsigned int reg, uint8_t v)
{
	bool latch = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (latch)
			s->divisor[0] = v;
		else
			transmit(s, v);
		break;
	case REG_IER:
		if (latch) {
			s->divisor[1] = v;
			break;
		}
		s->tx_pending = (v & IER_TX) && !(s->ier & IER_TX);
		s->ier = v & 0xf;
		if (s->tx_pending || rx_interrupts(s))
			interrupt(s);
		break;
	case REG_LCR:
		s->lcr = v;
		break;
	case REG_MCR:
		s->mcr = v & 0x1f;
		break;
	case REG_SCRATCH:
		s->scratch = v;
		break;
	default: /* FIFO control: there is nothing to choose */
		break;
	}
}

static uint8_t read_iir(struct serial *s)
{
	if (rx_interrupts(s))
		return IIR_FIFO | IIR_RX;
	if (s->tx_pending) {
		s->tx_pending = false; /* reading it is the acknowledgement */
		return IIR_FIFO | IIR_TX;
	}
	return IIR_FIFO | IIR_NONE;
}

/* In loop-back the modem's outputs come back as its inputs. */
static uint8_t read_msr(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_LINE;
	return (uint8_t)((s->mcr & 1) << 5 | (s->mcr & 2) << 3 | (s->mcr & 4) << 4 |
			 (s->mcr & 8) << 4);
}

static uint8_t read_register(struct serial *s, unsigned int reg)
{
	bool latch = s->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return latch ? s->divisor[0] : rx_pop(s);
	case REG_IER:
		return latch ? s->divisor[1] : s->ier;
	case REG_IIR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return LSR_TX | (s->rx_len ? LSR_RX : 0);
	case REG_MSR:
		return read_msr(s);
	default:
		return s->scratch;
	}
}

static void serial_read(void *device, uint64_t offset, uint8_t *bytes, unsigned int len)
{
	struct serial *s = device;

	memset(bytes, 0, len);
	pthread_mutex_lock(&s->lock);
	bytes[0] = read_register(s, (unsigned int)offset);
	pthread_mutex_unlock(&s->lock);
}

static void serial_write(void *device, uint64_t offset, const uint8_t *bytes, unsigned int len)
{
	struct serial *s = device;

	if (len != 1)
		return;
	pthread_mutex_lock(&s->lock);
	write_register(s, (unsigned int)offset, bytes[0]);
	pthread_mutex_unlock(&s->lock);
}

const struct bus_ops serial_ops = { .read = serial_read, .write = serial_write };

size_t serial_room(struct serial *s)
{
	size_t room;

	pthread_mutex_lock(&s->lock);
	room = SERIAL_RX_ROOM - s->rx_len;
	pthread_mutex_unlock(&s->lock);
	return room;
}

void serial_input(struct serial *s, const uint8_t *bytes, size_t len)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++)
		rx_push(s, bytes[i]);
	if (rx_interrupts(s))
		interrupt(s);
	pthread_mutex_unlock(&s->lock);
}

/* --- state ------------------------------------------------------------------------------------ */

struct serial_state {
	uint8_t ier, lcr, mcr, scratch, divisor[2], tx_pending, rx_len;
	uint8_t rx[SERIAL_RX_ROOM]; /* from the first that waits */
};

void serial_save(const struct serial *s, struct strbuf *out)
{
	struct serial_state state = { .ier = s->ier,
				      .lcr = s->lcr,
				      .mcr = s->mcr,
				      .scratch = s->scratch,
				      .divisor = { s->divisor[0], s->divisor[1] },
				      .tx_pending = s->tx_pending,
				      .rx_len = (uint8_t)s->rx_len };

	for (unsigned int i = 0; i < s->rx_len; i++)
		state.rx[i] = s->rx[(s->rx_head + i) % SERIAL_RX_ROOM];
	state_put(out, STATE_SERIAL, &state, sizeof(state));
}

int serial_load(struct serial *s, struct state_reader *r, struct error *err)
{
	struct serial_state state;
	int rc = state_take(r, STATE_SERIAL, &state, sizeof(state), err);

	if (!rc && (state.rx_len > SERIAL_RX_ROOM || state.tx_pending > 1))
		rc = error_set(err, EBADMSG, "a serial port that cannot be");
	if (rc)
		return rc;
	s->ier = state.ier & 0xf;
	s->lcr = state.lcr;
	s->mcr = state.mcr & 0x1f;
	s->scratch = state.scratch;
	memcpy(s->divisor, state.divisor, sizeof(s->divisor));
	s->tx_pending = state.tx_pending;
	s->rx_head = 0;
	s->rx_len = state.rx_len;
	memcpy(s->rx, state.rx, sizeof(s->rx));
	if (s->tx_pending || rx_interrupts(s))
		interrupt(s); /* one that was on its way is lost; one too many is harmless */
	return 0;
}
