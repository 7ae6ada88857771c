/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine is to be made of.
 *
 * Texts of errors are Firecracker's: its clients compare them.
 */
#include "runtimes/microvm/machine/config.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "runtimes/microvm/boot/load.h"
#include "runtimes/microvm/virtio/vsock.h"

#define DEFAULT_ARGS                                                                       \
	"reboot=k panic=1 nomodule 8250.nr_uarts=0 i8042.noaux i8042.nomux i8042.dumbkbd " \
	"swiotlb=noforce"

void machine_config_init(struct machine_config *c)
{
	*c = (struct machine_config){
		.kernel_fd = -1,
		.initrd_fd = -1,
		.serial_fd = -1,
		.vcpu_count = 1,
		.memory_mib = 128,
		.vsock = { .listener = -1 },
	};
}

static void vsock_config_finish(struct vsock_config *v)
{
	if (v->path)
		unlink(v->path);
	free(v->path);
	close_fd(&v->listener);
	*v = (struct vsock_config){ .listener = -1 };
}

void machine_config_finish(struct machine_config *c)
{
	for (unsigned int i = 0; i < c->n_drives; i++)
		drive_config_finish(&c->drives[i]);
	for (unsigned int i = 0; i < c->n_nets; i++)
		net_config_finish(&c->nets[i]);
	vsock_config_finish(&c->vsock);
	mmds_store_finish(&c->mmds);
	free(c->kernel_path);
	free(c->initrd_path);
	free(c->boot_args);
	close_fd(&c->kernel_fd);
	close_fd(&c->initrd_fd);
	free(c->serial_path);
	close_fd(&c->serial_fd);
	machine_config_init(c);
}

void drive_config_finish(struct drive_config *drive)
{
	free(drive->path);
	free(drive->partuuid);
	close_fd(&drive->fd);
	*drive = (struct drive_config){ .fd = -1 };
}

int drive_config_open(const char *path, bool read_only, struct error *err)
{
	int fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, errno,
				 "Virtio backend error: Error manipulating the backing file: "
				 "%s (os error %d) %s",
				 strerror(errno), errno, path);
	return fd;
}

int machine_config_set_boot(struct machine_config *c, const char *kernel, const char *initrd,
			    const char *args, struct error *err)
{
	int kernel_fd cleanup_close = open(kernel, O_RDONLY | O_CLOEXEC);
	int initrd_fd cleanup_close = -1;

	if (kernel_fd < 0)
		return error_set(err, errno, "The kernel file cannot be opened: %s (os error %d)",
				 strerror(errno), errno);
	if (initrd)
		initrd_fd = open(initrd, O_RDONLY | O_CLOEXEC);
	if (initrd && initrd_fd < 0)
		return error_set(err, errno,
				 "The initrd file cannot be opened due to invalid path or invalid "
				 "permissions. %s (os error %d)",
				 strerror(errno), errno);
	if (args && strlen(args) >= LOAD_COMMAND_BYTES)
		return error_set(err, EINVAL,
				 "The kernel command line is invalid: "
				 "Command line string is too long.");
	free(c->kernel_path);
	free(c->initrd_path);
	free(c->boot_args);
	close_fd(&c->kernel_fd);
	close_fd(&c->initrd_fd);
	c->kernel_path = xstrdup(kernel);
	c->initrd_path = initrd ? xstrdup(initrd) : NULL;
	c->boot_args = args ? xstrdup(args) : NULL;
	c->kernel_fd = steal_fd(&kernel_fd);
	c->initrd_fd = steal_fd(&initrd_fd);
	return 0;
}

struct drive_config *machine_config_find_drive(struct machine_config *c, const char *id)
{
	for (unsigned int i = 0; i < c->n_drives; i++)
		if (str_eq(c->drives[i].id, id))
			return &c->drives[i];
	return NULL;
}

/* The root drive stands first: the guest names it /dev/vda. */
int machine_config_put_drive(struct machine_config *c, struct drive_config *drive,
			     struct error *err)
{
	struct drive_config *old = machine_config_find_drive(c, drive->id);

	for (unsigned int i = 0; drive->root && i < c->n_drives; i++)
		if (c->drives[i].root && &c->drives[i] != old)
			return error_set(err, EEXIST, "A root block device already exists!");
	if (!old && c->n_drives == CONFIG_DRIVES_MAX)
		return error_set(err, ENOSPC, "more than %d drives", CONFIG_DRIVES_MAX);
	if (!old)
		old = &c->drives[c->n_drives++];
	else
		drive_config_finish(old);
	if (drive->root) {
		memmove(&c->drives[1], &c->drives[0], (size_t)(old - c->drives) * sizeof(*old));
		old = &c->drives[0];
	}
	*old = *drive;
	*drive = (struct drive_config){ .fd = -1 };
	return 0;
}

void net_config_finish(struct net_config *net)
{
	if (net->service)
		mmds_net_finish(net->service);
	free(net->service);
	free(net->device);
	close_fd(&net->tap);
	*net = (struct net_config){ .tap = -1 };
}

struct net_config *machine_config_find_net(struct machine_config *c, const char *id)
{
	for (unsigned int i = 0; i < c->n_nets; i++)
		if (str_eq(c->nets[i].id, id))
			return &c->nets[i];
	return NULL;
}

int machine_config_put_net(struct machine_config *c, struct net_config *net, struct error *err)
{
	struct net_config *old = machine_config_find_net(c, net->id);

	for (unsigned int i = 0; net->has_mac && i < c->n_nets; i++)
		if (&c->nets[i] != old && c->nets[i].has_mac &&
		    !memcmp(c->nets[i].mac, net->mac, sizeof(net->mac)))
			return error_set(err, EEXIST,
					 "The MAC address is already in use: "
					 "%02x:%02x:%02x:%02x:%02x:%02x",
					 net->mac[0], net->mac[1], net->mac[2], net->mac[3],
					 net->mac[4], net->mac[5]);
	if (!old && c->n_nets == CONFIG_NETS_MAX)
		return error_set(err, ENOSPC, "more than %d network interfaces", CONFIG_NETS_MAX);
	if (old)
		net_config_finish(old);
	else
		old = &c->nets[c->n_nets++];
	*old = *net;
	*net = (struct net_config){ .tap = -1 };
	return 0;
}

int machine_config_put_vsock(struct machine_config *c, uint64_t cid, const char *path,
			     struct error *err)
{
	int fd;

	vsock_config_finish(&c->vsock);
	fd = vsock_listen(path, err);
	if (fd < 0)
		return fd;
	c->vsock = (struct vsock_config){ .cid = cid, .path = xstrdup(path), .listener = fd };
	return 0;
}

int machine_config_check_size(const struct machine_config *c, struct error *err)
{
	unsigned int n = c->vcpu_count;

	if (!n || n > CONFIG_VCPUS_MAX || (c->smt && n > 1 && n % 2))
		return error_set(
			err, EINVAL,
			"The number of vCPUs must be greater than 0, less than %d and must "
			"be 1 or an even number if SMT is enabled.",
			CONFIG_VCPUS_MAX);
	if (!c->memory_mib || c->memory_mib > UINT64_MAX >> 20 ||
	    (c->pages != GUEST_PAGES_PLAIN && c->memory_mib % 2))
		return error_set(err, EINVAL,
				 "The memory size (MiB) is either 0, or not a multiple of the "
				 "configured page size.");
	if (c->has_balloon && c->balloon.amount_mib > c->memory_mib)
		return error_set(err, EINVAL,
				 "The memory size (MiB) is smaller than the previously set balloon "
				 "device target size.");
	return 0;
}

char *machine_config_command_line(const struct machine_config *c)
{
	struct strbuf s cleanup_strbuf = { 0 };
	const struct drive_config *root = c->n_drives && c->drives[0].root ? c->drives : NULL;

	strbuf_puts(&s, c->boot_args ? c->boot_args : DEFAULT_ARGS);
	if (root && root->partuuid)
		strbuf_printf(&s, " root=PARTUUID=%s", root->partuuid);
	else if (root)
		strbuf_puts(&s, " root=/dev/vda");
	if (root)
		strbuf_puts(&s, root->read_only ? " ro" : " rw");
	return strbuf_steal(&s);
}
