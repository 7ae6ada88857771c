/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio block device over a file (virtio 1.2, section 5.2).
 *
 * A request: a header of 16 bytes to read; data; a status byte to write, the last of the
 * chain.  A request that makes no sense as a request gets status IOERR or UNSUPP; a chain that
 * has not even a header and a status byte stops the device.
 *
 * With io_uring, reads, writes and flushes are under way while others are taken from the queue,
 * each with its own copy of the list of its parts; what io_uring does not take, or leaves half
 * done, is finished at once.  A reset waits for them: their memory is the guest's again then.
 */
#include "runtimes/microvm/virtio/block.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "runtimes/microvm/virtio/block_file.h"
#include "runtimes/microvm/virtio/gate.h"
#include "runtimes/microvm/virtio/uring.h"

#define SECTOR		512ULL
#define SERVE_BATCH	64 /* requests served in one go */
#define DISCARD_SECTORS (1U << 22)
#define DISCARD_ALIGN	8 /* sectors: a page of the file */
#define HELD		1 /* the rate limiter's answer */

struct block {
	struct virtio_device device;
	struct block_backend backend;
	struct gate gate;
	uint8_t id[VIRTIO_BLK_ID_BYTES];
	uint64_t sectors;
	int last_error;	    /* that has been logged */
	struct uring uring; /* fd -1: requests are served at once */
	int done_fd;	    /* eventfd of completions */
	struct loop_fd *done;
	struct queue_chain chain; /* too large for a stack */
};

/* A request under way in io_uring. */
struct request {
	uint16_t head;
	uint8_t *status; /* in the guest's memory */
	uint32_t gets;	 /* bytes that the guest's memory gets */
	bool transfer, write;
	uint32_t len;
	off_t at;
	int n;
	struct iovec parts[];
};

static struct block *block_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct block, device);
}

/* fail() - the guest hears of an I/O error, the log why; once for each reason. */
static uint8_t fail(struct block *b, const char *what, int r)
{
	if (r != b->last_error)
		log_warn("drive %s: %s: %s: the guest gets an I/O error", b->backend.id, what,
			 strerror(-r));
	b->last_error = r;
	return VIRTIO_BLK_S_IOERR;
}

/* --- requests --------------------------------------------------------------------------------- */

/* A read or write that the disk has. */
struct extent {
	bool write;
	uint32_t offset, len; /* in the chain */
	off_t at;	      /* in the file */
};

static uint32_t data_bytes(const struct queue_chain *c, uint32_t type)
{
	if (type == VIRTIO_BLK_T_IN)
		return c->write_bytes - 1;
	if (type == VIRTIO_BLK_T_OUT)
		return c->read_bytes - (uint32_t)sizeof(struct virtio_blk_outhdr);
	return 0;
}

static bool in_disk(const struct block *b, uint64_t sector, uint64_t sectors)
{
	return sector <= b->sectors && sectors <= b->sectors - sector;
}

static bool find_extent(const struct block *b, const struct virtio_blk_outhdr *h,
			struct extent *ret)
{
	ret->write = h->type == VIRTIO_BLK_T_OUT;
	ret->offset = ret->write ? sizeof(*h) : 0;
	ret->len = data_bytes(&b->chain, h->type);
	ret->at = (off_t)(h->sector * SECTOR);
	return ret->len % SECTOR == 0 && in_disk(b, h->sector, ret->len / SECTOR) &&
	       !(ret->write && b->backend.read_only);
}

/* read_write() - Return: the status; *ret_bytes is what the guest's memory got. */
static uint8_t read_write(struct block *b, const struct virtio_blk_outhdr *h, uint32_t *ret_bytes)
{
	struct iovec parts[QUEUE_CHAIN_MAX];
	struct extent e;
	int n, r;

	if (!find_extent(b, h, &e))
		return VIRTIO_BLK_S_IOERR;
	n = chain_parts(&b->chain, !e.write, e.offset, e.len, parts);
	if (n < 0)
		return VIRTIO_BLK_S_IOERR;
	r = block_file_transfer(b->backend.fd, e.write, parts, n, e.at);
	if (r)
		return fail(b, e.write ? "write" : "read", r);
	*ret_bytes = e.write ? 0 : e.len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t flush(struct block *b)
{
	if (b->backend.writeback && fdatasync(b->backend.fd))
		return fail(b, "flush", -errno);
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

/* clear() - discard or write zeros: one range. */
static uint8_t clear(struct block *b, bool discard)
{
	struct virtio_blk_discard_write_zeroes range;
	off_t at, len;
	int r;

	if (b->chain.read_bytes != sizeof(struct virtio_blk_outhdr) + sizeof(range) ||
	    chain_read(&b->chain, sizeof(struct virtio_blk_outhdr), &range, sizeof(range)))
		return VIRTIO_BLK_S_IOERR;
	if (range.flags & (discard ? ~0U : ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (b->backend.read_only || !in_disk(b, range.sector, range.num_sectors) ||
	    range.num_sectors > DISCARD_SECTORS)
		return VIRTIO_BLK_S_IOERR;
	if (!range.num_sectors)
		return VIRTIO_BLK_S_OK;
	at = (off_t)(range.sector * SECTOR);
	len = (off_t)(range.num_sectors * SECTOR);
	r = discard || range.flags ? block_file_punch(b->backend.fd, at, len)
				   : block_file_zero(b->backend.fd, at, len);
	if (r == -EOPNOTSUPP)
		return VIRTIO_BLK_S_UNSUPP;
	return r ? fail(b, discard ? "discard" : "write zeros", r) : VIRTIO_BLK_S_OK;
}

static uint8_t serve(struct block *b, const struct virtio_blk_outhdr *h, uint32_t *ret_bytes)
{
	switch (h->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return read_write(b, h, ret_bytes);
	case VIRTIO_BLK_T_FLUSH:
		return flush(b);
	case VIRTIO_BLK_T_GET_ID:
		return give_id(b, ret_bytes);
	case VIRTIO_BLK_T_DISCARD:
		return clear(b, true);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return clear(b, false);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* --- io_uring --------------------------------------------------------------------------------- */

static uint8_t *status_byte(const struct queue_chain *c)
{
	const struct iovec *last = &c->parts[c->n_read + c->n_write - 1];

	return (uint8_t *)last->iov_base + last->iov_len - 1;
}

static struct request *request_create(const struct block *b, const struct extent *e)
{
	struct iovec parts[QUEUE_CHAIN_MAX];
	int n = chain_parts(&b->chain, !e->write, e->offset, e->len, parts);
	struct request *q;

	if (n < 0)
		return NULL;
	q = xcalloc(1, sizeof(*q) + (size_t)n * sizeof(*parts));
	q->transfer = true;
	q->write = e->write;
	q->gets = e->write ? 0 : e->len;
	q->len = e->len;
	q->at = e->at;
	q->n = n;
	memcpy(q->parts, parts, (size_t)n * sizeof(*parts));
	return q;
}

/* start() - Return: whether the request is under way; if not it is to be served at once. */
static bool start(struct block *b, const struct virtio_blk_outhdr *h)
{
	struct request *q = NULL;
	struct extent e;
	int r;

	if (b->uring.fd < 0)
		return false;
	if (h->type == VIRTIO_BLK_T_FLUSH && b->backend.writeback)
		q = xnew(struct request);
	else if ((h->type == VIRTIO_BLK_T_IN || h->type == VIRTIO_BLK_T_OUT) &&
		 find_extent(b, h, &e) && e.len)
		q = request_create(b, &e);
	if (!q)
		return false;
	q->head = b->chain.head;
	q->status = status_byte(&b->chain);
	r = q->transfer ? uring_transfer(&b->uring, q->write, b->backend.fd, q->parts, q->n,
					 (uint64_t)q->at, q)
			: uring_sync(&b->uring, b->backend.fd, q);
	if (r)
		free(q);
	return !r;
}

/* finish() - Return: 0 or -errno of a request that io_uring has answered with @result. */
static int finish(const struct block *b, struct request *q, int result)
{
	struct iovec *parts = q->parts;
	int n;

	if (result == -EAGAIN || result == -EINTR)
		result = 0;
	if (result < 0 || !q->transfer || (uint32_t)result == q->len)
		return MIN(result, 0);
	n = iovec_skip(&parts, q->n, (size_t)result);
	return block_file_transfer(b->backend.fd, q->write, parts, n, q->at + result);
}

/* reap() - what is done, back to the driver.  Return: 0 or -EBADMSG. */
static int reap(struct block *b)
{
	struct request *q;
	int result, r = 0;

	while ((q = uring_done(&b->uring, &result))) {
		int failure = finish(b, q, result);

		*q->status = failure ? fail(b, q->transfer ? q->write ? "write" : "read" : "flush",
					    failure)
				     : VIRTIO_BLK_S_OK;
		if (!r)
			r = virtqueue_push(&b->device.queues[0], q->head,
					   1 + (failure ? 0 : q->gets));
		free(q);
	}
	virtio_interrupt(&b->device, 0);
	return r;
}

static void requests_done(void *data, uint32_t events)
{
	struct block *b = data;
	uint64_t count;

	(void)events;
	(void)!read(b->done_fd, &count, sizeof(count));
	pthread_mutex_lock(&b->device.lock);
	if (reap(b))
		virtio_stop(&b->device, "a malformed queue");
	pthread_mutex_unlock(&b->device.lock);
}

/* With the lock. */
static void block_drain(struct virtio_device *d)
{
	struct block *b = block_of(d);

	while (b->uring.fd >= 0 && b->uring.in_flight) {
		uring_wait(&b->uring);
		if (reap(b))
			virtio_stop(d, "a malformed queue");
	}
}

int block_check_async(struct error *err)
{
	struct uring u;
	int r = uring_open(&u, 1, -1);

	if (r)
		return error_set(err, -r,
				 "Unable to create the virtio block device: Virtio backend error: "
				 "Error coming from the IO engine: io_uring: %s (os error %d); "
				 "use io_engine Sync",
				 strerror(-r), -r);
	uring_close(&u);
	return 0;
}

/* --- the queue -------------------------------------------------------------------------------- */

/* serve_chain() - Return: 0, HELD or -EBADMSG. */
static int serve_chain(struct block *b, struct virtqueue *q)
{
	struct virtio_blk_outhdr h;
	uint32_t bytes = 0;
	uint8_t status;

	if (chain_read(&b->chain, 0, &h, sizeof(h)) || !b->chain.write_bytes)
		return -EBADMSG;
	if (!gate_pass(&b->gate, data_bytes(&b->chain, h.type))) {
		virtqueue_unpop(q);
		return HELD;
	}
	if (start(b, &h))
		return 0;
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
		return MIN(r, 0); /* held: the gate notifies again */
	return served == SERVE_BATCH || virtqueue_ask(q);
}

/* --- the device ------------------------------------------------------------------------------- */

static void block_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	struct virtio_blk_config config = {
		.capacity = block_of(d)->sectors,
		.seg_max = QUEUE_CHAIN_MAX - 2, /* beside header and status */
		.max_discard_sectors = DISCARD_SECTORS,
		.max_discard_seg = 1,
		.discard_sector_alignment = DISCARD_ALIGN,
		.max_write_zeroes_sectors = DISCARD_SECTORS,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};

	if (offset < sizeof(config))
		memcpy(to, (uint8_t *)&config + offset, MIN(len, sizeof(config) - offset));
}

static void block_destroy(struct virtio_device *d)
{
	struct block *b = block_of(d);

	block_drain(d);
	loop_fd_remove(b->done);
	uring_close(&b->uring);
	close_fd(&b->done_fd);
	gate_finish(&b->gate);
	free(b);
}

static const struct virtio_ops block_ops = {
	.type = VIRTIO_ID_BLOCK,
	.n_queues = 1,
	.notify = block_notify,
	.reset = block_drain,
	.drain = block_drain,
	.config_read = block_config_read,
	.destroy = block_destroy,
};

static int measure(int fd, const char *id, uint64_t *ret_sectors, struct error *err)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < 0)
		return error_errno(err, errno, "size of drive %s", id);
	*ret_sectors = (uint64_t)end / SECTOR;
	return 0;
}

static int open_engine(struct block *b, struct loop *loop, struct error *err)
{
	int r;

	if (!b->backend.async)
		return 0;
	b->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = b->done_fd < 0 ? -errno : uring_open(&b->uring, QUEUE_SIZE_MAX, b->done_fd);
	if (r)
		return error_errno(err, -r, "io_uring for drive %s", b->backend.id);
	b->done = loop_add_fd(loop, b->done_fd, EPOLLIN, requests_done, b);
	return 0;
}

int block_create(struct virtio_device **ret, const struct block_backend *backend, struct loop *loop,
		 const struct guest_memory *memory, int irq_fd, struct error *err)
{
	uint64_t features = 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_SEG_MAX;
	struct block *b = xnew(struct block);
	int r;

	if (backend->read_only)
		features |= 1ULL << VIRTIO_BLK_F_RO;
	else
		features |= 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	b->backend = *backend;
	b->uring = (struct uring)URING_INIT;
	b->done_fd = -1;
	memcpy(b->id, backend->id, MIN(strlen(backend->id), sizeof(b->id)));
	virtio_init(&b->device, &block_ops, features, memory, irq_fd);
	gate_init(&b->gate, &backend->limiter, loop, &b->device, 0);
	r = measure(backend->fd, backend->id, &b->sectors, err);
	if (!r)
		r = open_engine(b, loop, err);
	if (r)
		block_destroy(&b->device);
	else
		*ret = &b->device;
	return r;
}

int block_set_file(struct virtio_device *d, int fd, struct error *err)
{
	struct block *b = block_of(d);
	uint64_t sectors;
	int r = measure(fd, b->backend.id, &sectors, err);

	if (r)
		return r;
	pthread_mutex_lock(&d->lock);
	block_drain(d);
	b->backend.fd = fd;
	b->sectors = sectors;
	b->last_error = 0;
	virtio_config_changed(d);
	pthread_mutex_unlock(&d->lock);
	return 0;
}

void block_set_limiter(struct virtio_device *d, const struct limiter_config *c)
{
	gate_update(&block_of(d)->gate, c);
}
