/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine is to be made of, collected before it starts.
 */
#ifndef MICROVM_MACHINE_CONFIG_H
#define MICROVM_MACHINE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "runtimes/microvm/devices/limiter.h"
#include "runtimes/microvm/kvm/memory.h"
#include "runtimes/microvm/mmds/tcp.h"
#include "runtimes/microvm/virtio/balloon.h"

#define CONFIG_VCPUS_MAX  32
#define CONFIG_DRIVES_MAX 16
#define CONFIG_NETS_MAX	  8
#define CONFIG_ID_MAX	  64

struct drive_config {
	char id[CONFIG_ID_MAX + 1];
	bool root, read_only;
	bool writeback; /* a flush reaches the disk; else it is acknowledged at once */
	char *path;	/* owned */
	char *partuuid; /* owned; NULL unless a root file system is named by it */
	int fd;		/* owned */
	bool async;	/* io_engine Async */
	struct limiter_config limiter;
	struct virtio_device *running; /* once the machine runs; the machine's */
};

struct net_config {
	char id[CONFIG_ID_MAX + 1];
	char *device; /* owned: name of the tap */
	bool has_mac;
	uint8_t mac[6];
	uint16_t mtu; /* 0: not set */
	int tap;      /* owned */
	struct limiter_config rx_limiter, tx_limiter;
	struct virtio_device *running; /* once the machine runs; the machine's */
	bool mmds;		       /* has the metadata service */
	struct mmds_net *service;      /* owned: its end there, once the machine runs */
};

struct vsock_config {
	uint64_t cid;
	char *path;   /* owned; NULL: no such device */
	int listener; /* owned: listens at @path */
};

struct machine_config {
	char *kernel_path, *initrd_path, *boot_args; /* owned; NULL when not set */
	int kernel_fd, initrd_fd;		     /* owned; opened when they were named */
	unsigned int vcpu_count;
	uint64_t memory_mib;
	bool smt, track_dirty, boot_timer;
	enum guest_pages pages;
	char *serial_path; /* owned; NULL: the serial port is standard output */
	int serial_fd;	   /* owned */
	struct bucket_config serial_limit;
	unsigned int n_drives;
	struct drive_config drives[CONFIG_DRIVES_MAX];
	unsigned int n_nets;
	struct net_config nets[CONFIG_NETS_MAX];
	bool entropy;
	struct limiter_config entropy_limiter;
	struct vsock_config vsock;
	struct mmds_store mmds;
	uint32_t mmds_ip; /* 0: not configured */
	bool has_balloon;
	struct balloon_backend balloon;
};

/* machine_config_init() - the defaults: 1 vCPU, 128 MiB, nothing else. */
void machine_config_init(struct machine_config *c);
void machine_config_finish(struct machine_config *c);

/*
 * machine_config_set_boot() - open kernel and initrd (NULL: none) and keep them; @args NULL:
 * default. Return: 0 or -errno with Firecracker's text, then nothing has changed.
 */
int machine_config_set_boot(struct machine_config *c, const char *kernel, const char *initrd,
			    const char *args, struct error *err);

/* machine_config_put_drive() - add @drive, or replace the one with its id.  Takes over what it
 * owns. */
int machine_config_put_drive(struct machine_config *c, struct drive_config *drive,
			     struct error *err);
void drive_config_finish(struct drive_config *drive);

/* drive_config_open() - the file behind a drive.  Return: descriptor or -errno. */
int drive_config_open(const char *path, bool read_only, struct error *err);

/* machine_config_find_drive(), machine_config_find_net() - Return: NULL when there is none. */
struct drive_config *machine_config_find_drive(struct machine_config *c, const char *id);
struct net_config *machine_config_find_net(struct machine_config *c, const char *id);

/* machine_config_put_net() - as machine_config_put_drive(); a MAC address is unique. */
int machine_config_put_net(struct machine_config *c, struct net_config *net, struct error *err);
void net_config_finish(struct net_config *net);

/* machine_config_put_vsock() - listen at @path, instead of at the one before. */
int machine_config_put_vsock(struct machine_config *c, uint64_t cid, const char *path,
			     struct error *err);

/* machine_config_check_size() - vCPUs and memory together.  Return: 0 or -EINVAL. */
int machine_config_check_size(const struct machine_config *c, struct error *err);

/*
 * machine_config_command_line() - the kernel's arguments: the user's (or the default ones), then
 * the root drive.  Return: owned by the caller.
 */
char *machine_config_command_line(const struct machine_config *c);

#endif
