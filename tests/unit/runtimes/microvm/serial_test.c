/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the serial port: a guest that floods its console is bounded, by its limit and by
 * a reader who does not read.
 */
#include "runtimes/microvm/devices/serial.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static struct serial port;

static void flood(unsigned int bytes)
{
	uint8_t byte = 'f';

	while (bytes--)
		serial_ops.write(&port, 0, &byte, 1);
}

static void test_limit(int irq)
{
	struct bucket_config limit = { true, 100, 50, 3600000 };
	static char got[1000];
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	serial_init(&port, ends[1], &limit, irq);
	flood(1000);
	is_int(read(ends[0], got, sizeof(got)), 150, "a full bucket and its burst");
	is_int((long)port.written.now, 150, "are counted");
	is_int((long)port.dropped.now, 850, "so is what was dropped");
	close(ends[0]);
	close(ends[1]);
}

static void test_reader(int irq)
{
	struct bucket_config none = { 0 };
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return;
	serial_init(&port, ends[1], &none, irq);
	flood(200000);
	ok(port.written.now > 1000 && port.written.now + port.lost.now == 200000,
	   "nobody reads: the rest is lost, nobody waits");
	close(ends[0]);
	close(ends[1]);
	serial_init(&port, -1, &none, irq);
	flood(10);
	is_int((long)(port.written.now + port.lost.now), 0, "nowhere to go");
}

int main(void)
{
	int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	test_limit(irq);
	test_reader(irq);
	close(irq);
	return tap_done();
}
