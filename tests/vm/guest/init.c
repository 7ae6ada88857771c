/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Init of a test guest: alone in its initramfs or root file system, it does what the kernel's
 * command line, or else the file /guest.arguments, names.
 *
 *   guest.hostile=N     first of all: malformed rings for N virtio devices, see hostile.c
 *   guest.modules=A,B   load /A.ko, /B.ko, in this order
 *   guest.disk=DEVICE   write a pattern to it past the first MiB, flush, read it back; print a
 *                       sum of the first MiB
 *   guest.read=DEVICE   only the sum
 *   guest.net=A,B       eth0 has address A; 4 MiB go to port 5000 of B over TCP, what port 5001
 *                       sends is summed up
 *   guest.random=N      N bytes of /dev/hwrng; print how many of them are zero
 *   guest.mmds=A        eth0 has address A; a token and /a of the metadata service with it
 *   guest.touch=N       write to N MiB, and give them back
 *   guest.vsock         serve and use AF_VSOCK, see vsock.c
 *   guest.count=DEVICE  number after number for ever, each with a sum of the device's first MiB
 *   guest.tick          a line every 5 ms for ever
 *   guest.flood=N       N KiB to the console, last of all
 *   guest.echo          repeat lines of the console
 *   guest.discard=DEVICE   discard its second MiB, make its third zero
 *   guest.more          then read lines of the console, each as another command line
 *   guest.off           restart (which ends the machine) when all is done
 *
 * It says "GUEST ready" first, after a byte 123 to the boot timer, and "GUEST done" last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/fs.h>

#include "tests/vm/guest/init.h"

#define BOOT_TIMER 0xc0000000
#define MIB	   (1 << 20)
#define BLOCK	   (128 << 10)

static char command_line[4096];

/* argument() - value of @name ("" without one), or NULL.  In a buffer of its own. */
static char *argument(const char *name)
{
	char *copy = strdup(command_line), *save, *word;
	size_t len = strlen(name);

	for (word = strtok_r(copy, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (strncmp(word, name, len))
			continue;
		if (!word[len] || word[len] == '=')
			return word + len + (word[len] == '=');
	}
	return NULL;
}

static void say_booted(void)
{
	int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
	volatile uint8_t *p =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, BOOT_TIMER);

	if (p != MAP_FAILED)
		*p = 123;
}

static void set_up(void)
{
	int fd;

	mkdir("/dev", 0755);
	mkdir("/proc", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	say_booted();
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = open("/guest.arguments", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, command_line, sizeof(command_line) - 1) < 0)
		puts("GUEST has no command line");
}

static void load_modules(char *names)
{
	char *save, *name, path[300];

	for (name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		int fd;

		snprintf(path, sizeof(path), "/%s.ko", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			printf("GUEST module %s: %s\n", name, strerror(errno));
		close(fd);
	}
}

/* open_device() - devices are found in the background: wait a little. */
static int open_device(const char *path, int flags)
{
	int fd = -1;

	for (int i = 0; i < 200 && fd < 0; i++) {
		fd = open(path, flags | O_CLOEXEC);
		if (fd < 0)
			usleep(20000);
	}
	return fd;
}

static void sum(int fd, uint8_t *buffer)
{
	uint64_t bytes = 0, total = 0;

	ioctl(fd, BLKGETSIZE64, &bytes);
	for (off_t at = 0; at < MIB; at += BLOCK) {
		if (pread(fd, buffer, BLOCK, at) != BLOCK) {
			printf("GUEST read at %lld: %s\n", (long long)at, strerror(errno));
			return;
		}
		for (int i = 0; i < BLOCK; i++)
			total += buffer[i];
	}
	printf("GUEST disk of %llu bytes, sum %llu\n", (unsigned long long)bytes,
	       (unsigned long long)total);
}

static void count(const char *path)
{
	int fd = open_device(path, O_DIRECT | O_RDONLY);
	uint8_t *buffer = aligned_alloc(4096, BLOCK);

	for (unsigned int n = 1;; n++) {
		uint64_t total = 0;

		for (off_t at = 0; at < MIB && pread(fd, buffer, BLOCK, at) == BLOCK; at += BLOCK)
			for (int i = 0; i < BLOCK; i++)
				total += buffer[i];
		printf("GUEST count %u sum %llu\n", n, (unsigned long long)total);
		usleep(20000);
	}
}

static bool write_pattern(int fd, uint8_t *buffer)
{
	for (off_t at = MIB; at < 2 * MIB; at += BLOCK) {
		memset(buffer, (int)(at / BLOCK), BLOCK);
		if (pwrite(fd, buffer, BLOCK, at) != BLOCK)
			return false;
	}
	return fsync(fd) == 0;
}

static bool pattern_is_there(int fd, uint8_t *buffer)
{
	for (off_t at = MIB; at < 2 * MIB; at += BLOCK) {
		if (pread(fd, buffer, BLOCK, at) != BLOCK)
			return false;
		for (int i = 0; i < BLOCK; i++)
			if (buffer[i] != (uint8_t)(at / BLOCK))
				return false;
	}
	return true;
}

static void disk(const char *path, bool write)
{
	int fd = open_device(path, O_DIRECT | (write ? O_RDWR : O_RDONLY));
	uint8_t *buffer = aligned_alloc(4096, BLOCK);

	if (fd < 0) {
		printf("GUEST disk %s: %s\n", path, strerror(errno));
		return;
	}
	sum(fd, buffer);
	if (write && !write_pattern(fd, buffer))
		printf("GUEST write: %s\n", strerror(errno));
	else if (write)
		printf("GUEST pattern %s\n", pattern_is_there(fd, buffer) ? "good" : "bad");
	close(fd);
	free(buffer);
}

static void discard(const char *path)
{
	uint64_t second[2] = { MIB, MIB }, third[2] = { 2 * MIB, MIB };
	int fd = open_device(path, O_RDWR);

	printf("GUEST discard %s", ioctl(fd, BLKDISCARD, second) ? strerror(errno) : "good");
	printf(", zero %s\n", ioctl(fd, BLKZEROOUT, third) ? strerror(errno) : "good");
	close(fd);
}

static bool set_address(const char *address)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = -1;
	struct ifreq ifr = { .ifr_name = "eth0" };
	struct sockaddr_in a = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &a.sin_addr);
	memcpy(&ifr.ifr_addr, &a, sizeof(a));
	for (int i = 0; i < 200 && r; i++) { /* found in the background */
		r = ioctl(sock, SIOCSIFADDR, &ifr);
		if (r)
			usleep(20000);
	}
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	r = r ? r : ioctl(sock, SIOCSIFFLAGS, &ifr);
	close(sock);
	return r == 0;
}

static int dial(const char *host, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, host, &a.sin_addr);
	for (int i = 0; i < 50; i++) {
		int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (!connect(sock, (struct sockaddr *)&a, sizeof(a)))
			return sock;
		close(sock);
		usleep(100000);
	}
	return -1;
}

static void net(char *addresses)
{
	char *peer = strchr(addresses, ',');
	unsigned long long sent = 0, got = 0, total = 0;
	uint8_t *buffer = malloc(BLOCK);
	ssize_t n;
	int sock;

	*peer++ = '\0';
	if (!set_address(addresses)) {
		printf("GUEST eth0: %s\n", strerror(errno));
		return;
	}
	memset(buffer, 'x', BLOCK);
	sock = dial(peer, 5000);
	while (sent < 4 * MIB && (n = write(sock, buffer, BLOCK)) > 0)
		sent += (unsigned long long)n;
	close(sock);
	sock = dial(peer, 5001);
	while ((n = read(sock, buffer, BLOCK)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			total += buffer[i];
		got += (unsigned long long)n;
	}
	close(sock);
	printf("GUEST sent %llu, received %llu, sum %llu\n", sent, got, total);
	free(buffer);
}

/* exchange() - one HTTP request; what follows the answer's head is the result. */
static char *exchange(int sock, const char *request, char answer[2048])
{
	size_t len = 0;
	char *body = NULL, *length;
	ssize_t n;

	answer[0] = '\0';
	if (write(sock, request, strlen(request)) < 0)
		return answer;
	while (len < 2047 && (n = read(sock, answer + len, 2047 - len)) > 0) {
		answer[len += (size_t)n] = '\0';
		body = strstr(answer, "\r\n\r\n");
		length = strstr(answer, "Content-Length: ");
		if (body && length && strlen(body + 4) >= (size_t)atoi(length + 16))
			return body + 4;
	}
	return answer;
}

static void mmds(const char *address)
{
	char answer[2048], request[600];
	int sock;

	if (!set_address(address)) {
		printf("GUEST eth0: %s\n", strerror(errno));
		return;
	}
	sock = dial("169.254.169.254", 80);
	printf("GUEST mmds without: %s\n", exchange(sock, "GET /a HTTP/1.1\r\n\r\n", answer));
	snprintf(request, sizeof(request),
		 "GET /a HTTP/1.1\r\nAccept: application/json\r\nX-metadata-token: %s\r\n\r\n",
		 exchange(sock,
			  "PUT /latest/api/token HTTP/1.1\r\n"
			  "X-metadata-token-ttl-seconds: 600\r\n\r\n",
			  answer));
	printf("GUEST mmds with: %s\n", exchange(sock, request, answer));
	close(sock);
}

static void flood(int kib)
{
	static char line[1024];

	memset(line, '#', sizeof(line));
	line[1023] = '\n';
	while (kib--)
		fwrite(line, 1, sizeof(line), stdout);
}

static void touch(int mib)
{
	char *p = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	memset(p, 'x', (size_t)mib * MIB);
	printf("GUEST touched %d MiB\n", mib);
	munmap(p, (size_t)mib * MIB);
}

static void random_bytes(int want)
{
	int fd = open_device("/dev/hwrng", O_RDONLY), got = 0, zero = 0;
	uint8_t byte;

	while (got < want && read(fd, &byte, 1) == 1) {
		got++;
		zero += byte == 0;
	}
	printf("GUEST random: %d bytes, %d zero\n", got, zero);
	close(fd);
}

static void echo(void)
{
	char line[256];

	while (fgets(line, sizeof(line), stdin))
		printf("GUEST heard %s", line);
}

/* work() - all that the command line names. */
static void work(void)
{
	char *value;

	if ((value = argument("guest.hostile")))
		guest_hostile(atoi(value));
	if ((value = argument("guest.modules")))
		load_modules(value);
	if ((value = argument("guest.disk")))
		disk(value, true);
	if ((value = argument("guest.read")))
		disk(value, false);
	if ((value = argument("guest.discard")))
		discard(value);
	if ((value = argument("guest.net")))
		net(value);
	if ((value = argument("guest.random")))
		random_bytes(atoi(value));
	if ((value = argument("guest.mmds")))
		mmds(value);
	if ((value = argument("guest.touch")))
		touch(atoi(value));
	if (argument("guest.vsock"))
		guest_vsock();
	if ((value = argument("guest.count")))
		count(value);
	if (argument("guest.echo"))
		echo();
	while (argument("guest.tick")) {
		puts("GUEST tick");
		usleep(5000);
	}
	if ((value = argument("guest.flood")))
		flood(atoi(value));
	puts("GUEST done");
	if (argument("guest.off"))
		reboot(RB_AUTOBOOT);
}

int main(void)
{
	bool more;

	set_up();
	puts("GUEST ready");
	more = argument("guest.more");
	work();
	while (more && fgets(command_line, sizeof(command_line), stdin))
		work();
	for (;;)
		pause();
}
