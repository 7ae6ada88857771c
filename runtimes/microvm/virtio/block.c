/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device over a file (virtio 1.2, section 5.2).
 *
 * A request: a header of 16 bytes to read; data; a status byte to write, the last of the
 * chain.  A request that makes no sense as a request gets status IOERR or UNSUPP; a chain that
 * has not even a header and a status byte stops the device.
 */
#include "runtimes/microvm/virtio/block.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define SECTOR	    512ULL
#define SERVE_BATCH 64 /* requests served in one go */

struct block {
	struct virtio_device device;
	struct block_backend backend;
	uint8_t id[VIRTIO_BLK_ID_BYTES];
	uint64_t sectors;
	struct queue_chain chain; /* too large for a stack */
};

static struct block *block_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct block, device);
}

/* --- requests --------------------------------------------------------------------------------- */

/* transfer() - all of it, over short reads and writes.  Return: 0 or -errno. */
static int transfer(const struct block *b, bool to_guest, struct iovec *parts, int n, off_t at)
{
	while (n) {
		ssize_t done = to_guest ? preadv(b->backend.fd, parts, n, at)
					: pwritev(b->backend.fd, parts, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		at += done;
		while (n && (size_t)done >= parts->iov_len) {
			done -= (ssize_t)parts->iov_len;
			parts++, n--;
		}
		if (n) {
			parts->iov_base = (uint8_t *)parts->iov_base + done;
			parts->iov_len -= (size_t)done;
		}
	}
	return 0;
}

/* read_write() - Return: the status; *ret_bytes is what the guest's memory got. */
static uint8_t read_write(struct block *b, bool to_guest, uint64_t sector, uint32_t *ret_bytes)
{
	struct queue_chain *c = &b->chain;
	uint32_t offset = to_guest ? 0 : sizeof(struct virtio_blk_outhdr);
	uint32_t len = to_guest ? c->write_bytes - 1 : c->read_bytes - offset;
	struct iovec parts[QUEUE_CHAIN_MAX];
	int n;

	if (len % SECTOR || sector > b->sectors || len / SECTOR > b->sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	if (!to_guest && b->backend.read_only)
		return VIRTIO_BLK_S_IOERR;
	n = chain_parts(c, to_guest, offset, len, parts);
	if (n < 0 || transfer(b, to_guest, parts, n, (off_t)(sector * SECTOR)))
		return VIRTIO_BLK_S_IOERR;
	*ret_bytes = to_guest ? len : 0;
	return VIRTIO_BLK_S_OK;
}

static uint8_t flush(const struct block *b)
{
	if (b->backend.writeback && fdatasync(b->backend.fd))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static uint8_t give_id(struct block *b, uint32_t *ret_bytes)
{
	if (b->chain.write_bytes - 1 < sizeof(b->id) ||
	    chain_write(&b->chain, 0, b->id, sizeof(b->id)))
		return VIRTIO_BLK_S_IOERR;
	*ret_bytes = sizeof(b->id);
	return VIRTIO_BLK_S_OK;
}

static uint8_t serve(struct block *b, const struct virtio_blk_outhdr *h, uint32_t *ret_bytes)
{
	switch (h->type) {
	case VIRTIO_BLK_T_IN:
		return read_write(b, true, h->sector, ret_bytes);
	case VIRTIO_BLK_T_OUT:
		return read_write(b, false, h->sector, ret_bytes);
	case VIRTIO_BLK_T_FLUSH:
		return flush(b);
	case VIRTIO_BLK_T_GET_ID:
		return give_id(b, ret_bytes);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static int serve_chain(struct block *b, struct virtqueue *q)
{
	struct virtio_blk_outhdr h;
	uint32_t bytes = 0;
	uint8_t status;

	if (chain_read(&b->chain, 0, &h, sizeof(h)) || !b->chain.write_bytes)
		return -EBADMSG;
	status = serve(b, &h, &bytes);
	if (chain_write(&b->chain, b->chain.write_bytes - 1, &status, 1))
		return -EBADMSG;
	return virtqueue_push(q, b->chain.head, bytes + 1);
}

static int block_notify(struct virtio_device *d, unsigned int queue)
{
	struct block *b = block_of(d);
	struct virtqueue *q = &d->queues[queue];
	unsigned int served = 0;
	int r = 0;

	while (!r && served < SERVE_BATCH && (r = virtqueue_pop(q, &b->chain)) > 0) {
		r = serve_chain(b, q);
		served++;
	}
	virtio_interrupt(d, queue);
	if (r)
		return r;
	return served == SERVE_BATCH || virtqueue_ask(q);
}

/* --- the device ------------------------------------------------------------------------------- */

static void block_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	struct virtio_blk_config config = { .capacity = block_of(d)->sectors };

	if (offset < sizeof(config))
		memcpy(to, (uint8_t *)&config + offset, MIN(len, sizeof(config) - offset));
}

static void block_destroy(struct virtio_device *d)
{
	free(block_of(d));
}

static const struct virtio_ops block_ops = {
	.type = VIRTIO_ID_BLOCK,
	.n_queues = 1,
	.notify = block_notify,
	.config_read = block_config_read,
	.destroy = block_destroy,
};

int block_create(struct virtio_device **ret, const struct block_backend *backend,
		 const struct guest_memory *memory, int irq_fd, struct error *err)
{
	uint64_t features = 1ULL << VIRTIO_BLK_F_FLUSH;
	off_t end = lseek(backend->fd, 0, SEEK_END);
	struct block *b;

	if (end < 0)
		return error_errno(err, errno, "size of drive %s", backend->id);
	if (backend->read_only)
		features |= 1ULL << VIRTIO_BLK_F_RO;
	b = xnew(struct block);
	b->backend = *backend;
	b->sectors = (uint64_t)end / SECTOR;
	memcpy(b->id, backend->id, MIN(strlen(backend->id), sizeof(b->id)));
	virtio_init(&b->device, &block_ops, features, memory, irq_fd);
	*ret = &b->device;
	return 0;
}
