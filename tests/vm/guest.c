/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1's scripts cannot do in shell.
 *
 *   guest seed HEX   mix the bytes into the random pool, count them, and reseed now: copies of one
 *                    template would draw the same numbers
 *   guest off        write out what the console holds, and end the machine at once through QEMU's
 *                    isa-debug-exit device
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define EXIT_PORT 0xf4
#define SEED_MAX  64

static int seed(const char *hex)
{
	struct {
		struct rand_pool_info info;
		unsigned char bytes[SEED_MAX];
	} pool = { 0 };
	int fd = open("/dev/urandom", O_WRONLY);
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1 && pool.info.buf_size < SEED_MAX; hex += 2)
		((unsigned char *)pool.info.buf)[pool.info.buf_size++] = (unsigned char)byte;
	pool.info.entropy_count = pool.info.buf_size * 8;
	return fd < 0 || ioctl(fd, RNDADDENTROPY, &pool.info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0;
}

static int off(void)
{
	int console = open("/dev/hvc0", O_WRONLY | O_NOCTTY);

	if (console >= 0)
		tcdrain(console);
	if (ioperm(EXIT_PORT, 4, 1) < 0)
		return 1;
	outl(0, EXIT_PORT);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "seed") == 0)
		return seed(argv[2]);
	if (argc == 2 && strcmp(argv[1], "off") == 0)
		return off();
	fputs("usage: guest seed HEX | guest off\n", stderr);
	return 2;
}
