/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio memory balloon (virtio 1.2, section 5.5).
 *
 * Queue 0: numbers of pages that the guest gives away; queue 1: those that it takes back (they
 * come anew when they are touched, so there is nothing to do).  Then, without gaps and as far as
 * negotiated: statistics (one buffer, which we keep and give back when we want new ones), free
 * page hints (a command's number, then free ranges for as long as it is ours), free page reports.
 *
 * The guest may give away what it likes: it is only its own memory.
 */
#include "runtimes/microvm/virtio/balloon.h"

#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>

#include "base/mem.h"

#define SERVE_BATCH 16	/* chains in one go: each may stand for MiBs */
#define PFN_BATCH   256 /* page numbers that are looked at together */
#define STATS_BYTES 2560
#define MS_PER_S    1000

#define F_STATS	    (1ULL << VIRTIO_BALLOON_F_STATS_VQ)
#define F_HINTING   (1ULL << VIRTIO_BALLOON_F_FREE_PAGE_HINT)
#define F_REPORTING (1ULL << VIRTIO_BALLOON_F_REPORTING)

enum role { INFLATE, DEFLATE, STATS, HINTING, REPORTING, NOTHING };

struct balloon {
	struct virtio_device device;
	uint16_t interval_s;
	struct loop_timer *timer;
	struct balloon_stats stats;
	bool stats_held; /* the guest's buffer for them is here: stats_head */
	uint16_t stats_head;
	struct balloon_hinting hinting;
	uint32_t last_command;
	bool acknowledge;
	struct queue_chain chain;
};

static struct balloon *balloon_of(struct virtio_device *d)
{
	return CONTAINER_OF(d, struct balloon, device);
}

static enum role role_of(const struct balloon *b, unsigned int queue)
{
	static const struct {
		uint64_t feature;
		enum role role;
	} optional[] = { { F_STATS, STATS }, { F_HINTING, HINTING }, { F_REPORTING, REPORTING } };
	unsigned int at = 2;

	if (queue < 2)
		return queue ? DEFLATE : INFLATE;
	for (size_t i = 0; i < ARRAY_LEN(optional); i++)
		if ((b->device.driver_features & optional[i].feature) && at++ == queue)
			return optional[i].role;
	return NOTHING;
}

/* --- pages ------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* give_away() - pages in runs, each with one call.  What lies outside of memory is nothing. */
static void give_away(const struct guest_memory *m, uint32_t *pfns, uint32_t n)
{
	uint32_t end;

	qsort(pfns, n, sizeof(*pfns), compare);
	for (uint32_t i = 0; i < n; i = end) {
		uint64_t len;

		for (end = i + 1; end < n && pfns[end] - pfns[end - 1] <= 1;)
			end++;
		len = (pfns[end - 1] - pfns[i] + 1ULL) * GUEST_PAGE_BYTES;
		guest_memory_mark(m, GPA(pfns[i] * GUEST_PAGE_BYTES), len);
		guest_memory_discard(guest_memory_at(m, GPA(pfns[i] * GUEST_PAGE_BYTES), len), len);
	}
}

static int inflate(struct balloon *b)
{
	const struct guest_memory *m = b->device.queues[INFLATE].memory;
	uint32_t left = b->chain.read_bytes / sizeof(uint32_t), offset = 0;
	uint32_t pfns[PFN_BATCH];

	while (left) {
		uint32_t n = MIN(left, PFN_BATCH);

		if (chain_read(&b->chain, offset, pfns, n * (uint32_t)sizeof(*pfns)))
			return -EBADMSG;
		give_away(m, pfns, n);
		offset += n * (uint32_t)sizeof(*pfns);
		left -= n;
	}
	return 0;
}

/* discard_ranges() - the writable parts of the chain are free pages. */
static void discard_ranges(const struct queue_chain *c)
{
	for (unsigned int i = c->n_read; i < c->n_read + c->n_write; i++)
		guest_memory_discard(c->parts[i].iov_base, c->parts[i].iov_len);
}

/* --- statistics ------------------------------------------------------------------------------- */

static void take_stats(struct balloon *b)
{
	uint32_t bytes = MIN(b->chain.read_bytes, STATS_BYTES);
	struct virtio_balloon_stat s;

	for (uint32_t at = 0; at + sizeof(s) <= bytes; at += sizeof(s)) {
		if (chain_read(&b->chain, at, &s, sizeof(s)) || s.tag >= BALLOON_STATS)
			continue;
		b->stats.known |= 1U << s.tag;
		b->stats.values[s.tag] = s.val;
	}
}

/* return_stats() - the guest's buffer goes back: it will come with new ones. */
static int return_stats(struct balloon *b)
{
	int r = b->stats_held ? virtqueue_push(&b->device.queues[STATS], b->stats_head, 0) : 0;

	b->stats_held = false;
	return r;
}

static void timer_fired(void *data)
{
	struct balloon *b = data;

	pthread_mutex_lock(&b->device.lock);
	if (virtio_running(&b->device)) {
		if (return_stats(b))
			virtio_stop(&b->device, "a malformed queue");
		virtio_interrupt(&b->device, STATS);
	}
	loop_timer_arm(b->timer, b->interval_s * MS_PER_S);
	pthread_mutex_unlock(&b->device.lock);
}

/* --- hints ------------------------------------------------------------------------------------ */

static void set_command(struct balloon *b, uint32_t command)
{
	b->hinting.host_command = command;
	virtio_config_changed(&b->device);
}

static int hint(struct balloon *b)
{
	struct balloon_hinting *h = &b->hinting;
	uint32_t command;

	if (b->chain.read_bytes == sizeof(command)) {
		if (chain_read(&b->chain, 0, &command, sizeof(command)))
			return -EBADMSG;
		h->heard = true;
		h->guest_command = command;
		if (command == VIRTIO_BALLOON_CMD_ID_STOP && b->acknowledge &&
		    h->host_command != VIRTIO_BALLOON_CMD_ID_DONE)
			set_command(b, VIRTIO_BALLOON_CMD_ID_DONE);
	}
	if (h->heard && h->host_command > VIRTIO_BALLOON_CMD_ID_DONE &&
	    h->host_command == h->guest_command)
		discard_ranges(&b->chain);
	return 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

/* serve() - Return: 0 or -EBADMSG; *ret_keep: the chain does not go back yet. */
static int serve(struct balloon *b, enum role role, bool *ret_keep)
{
	*ret_keep = false;
	switch (role) {
	case INFLATE:
		return inflate(b);
	case STATS:
		*ret_keep = true;
		take_stats(b);
		if (return_stats(b))
			return -EBADMSG;
		b->stats_held = true;
		b->stats_head = b->chain.head;
		return 0;
	case HINTING:
		return hint(b);
	case REPORTING:
		discard_ranges(&b->chain);
		return 0;
	default:
		return 0;
	}
}

static int balloon_notify(struct virtio_device *d, unsigned int queue)
{
	struct balloon *b = balloon_of(d);
	struct virtqueue *q = &d->queues[queue];
	enum role role = role_of(b, queue);
	unsigned int served = 0;
	bool keep;
	int r = 0;

	if (role == NOTHING)
		return 0;
	while (!r && served < SERVE_BATCH && (r = virtqueue_pop(q, &b->chain)) > 0) {
		r = serve(b, role, &keep);
		if (!r && !keep)
			r = virtqueue_push(q, b->chain.head, 0);
		served++;
	}
	virtio_interrupt(d, queue);
	if (r)
		return r;
	return served == SERVE_BATCH || virtqueue_ask(q);
}

/* --- the device ------------------------------------------------------------------------------- */

static void balloon_reset(struct virtio_device *d)
{
	struct balloon *b = balloon_of(d);

	b->stats_held = false;
	b->stats.actual_pages = 0;
	b->hinting = (struct balloon_hinting){ 0 };
}

static void balloon_config_read(struct virtio_device *d, uint32_t offset, uint8_t *to, uint32_t len)
{
	const struct balloon *b = balloon_of(d);
	struct virtio_balloon_config config = {
		.num_pages = b->stats.target_pages,
		.actual = b->stats.actual_pages,
		.free_page_hint_cmd_id = b->hinting.host_command,
	};

	if (offset < sizeof(config))
		memcpy(to, (uint8_t *)&config + offset, MIN(len, sizeof(config) - offset));
}

/* The driver tells how many pages it has given; the rest is ours. */
static void balloon_config_write(struct virtio_device *d, uint32_t offset, const uint8_t *from,
				 uint32_t len)
{
	if (offset == offsetof(struct virtio_balloon_config, actual) && len == sizeof(uint32_t))
		memcpy(&balloon_of(d)->stats.actual_pages, from, len);
}

struct balloon_state {
	uint32_t target_pages, actual_pages, host_command, guest_command, last_command;
	uint16_t stats_head;
	uint8_t stats_held, heard;
};

static void balloon_save(struct virtio_device *d, struct strbuf *out)
{
	const struct balloon *b = balloon_of(d);
	struct balloon_state s = { .target_pages = b->stats.target_pages,
				   .actual_pages = b->stats.actual_pages,
				   .host_command = b->hinting.host_command,
				   .guest_command = b->hinting.guest_command,
				   .last_command = b->last_command,
				   .stats_head = b->stats_head,
				   .stats_held = b->stats_held,
				   .heard = b->hinting.heard };

	strbuf_append(out, &s, sizeof(s));
}

static int balloon_load(struct virtio_device *d, const void *data, size_t len, struct error *err)
{
	struct balloon *b = balloon_of(d);
	struct balloon_state s;

	if (len != sizeof(s))
		return error_set(err, EBADMSG, "a balloon of %zu bytes", len);
	memcpy(&s, data, sizeof(s));
	if (s.stats_held && s.stats_head >= QUEUE_SIZE_MAX)
		return error_set(err, EBADMSG, "a balloon that cannot be");
	b->stats.target_pages = s.target_pages;
	b->stats.actual_pages = s.actual_pages;
	b->hinting = (struct balloon_hinting){ s.host_command, s.heard, s.guest_command };
	b->last_command = s.last_command;
	b->stats_held = s.stats_held;
	b->stats_head = s.stats_head;
	return 0;
}

static void balloon_destroy(struct virtio_device *d)
{
	loop_timer_remove(balloon_of(d)->timer);
	free(balloon_of(d));
}

static const struct virtio_ops balloon_ops = {
	.type = VIRTIO_ID_BALLOON,
	.n_queues = 5,
	.notify = balloon_notify,
	.reset = balloon_reset,
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
	.save = balloon_save,
	.load = balloon_load,
	.destroy = balloon_destroy,
};

void balloon_create(struct virtio_device **ret, const struct balloon_backend *backend,
		    struct loop *loop, const struct guest_memory *memory, int irq_fd)
{
	struct balloon *b = xnew(struct balloon);
	uint64_t features =
		(backend->deflate_on_oom ? 1ULL << VIRTIO_BALLOON_F_DEFLATE_ON_OOM : 0) |
		(backend->stats_interval_s ? F_STATS : 0) | (backend->hinting ? F_HINTING : 0) |
		(backend->reporting ? F_REPORTING : 0);

	b->interval_s = backend->stats_interval_s;
	b->stats.target_pages = backend->amount_mib * BALLOON_PAGES_PER_MIB;
	virtio_init(&b->device, &balloon_ops, features, memory, irq_fd);
	b->timer = loop_add_timer(loop, timer_fired, b);
	if (b->interval_s)
		loop_timer_arm(b->timer, b->interval_s * MS_PER_S);
	*ret = &b->device;
}

/* --- the API's side --------------------------------------------------------------------------- */

static int need_driver(const struct balloon *b, struct error *err)
{
	return virtio_running(&b->device) ? 0 : error_set(err, ENODEV, "Device not activated yet.");
}

int balloon_resize(struct virtio_device *d, uint32_t amount_mib, struct error *err)
{
	struct balloon *b = balloon_of(d);
	int r;

	pthread_mutex_lock(&d->lock);
	r = need_driver(b, err);
	if (!r && amount_mib > guest_memory_bytes(d->queues[0].memory) >> 20)
		r = error_set(err, ERANGE, "Requested memory should be less than %uMiB",
			      amount_mib);
	if (!r) {
		b->stats.target_pages = amount_mib * BALLOON_PAGES_PER_MIB;
		virtio_config_changed(d);
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

int balloon_set_interval(struct virtio_device *d, uint16_t interval_s, struct error *err)
{
	struct balloon *b = balloon_of(d);

	if (interval_s == b->interval_s)
		return 0;
	if (!interval_s || !b->interval_s)
		return error_set(err, EOPNOTSUPP,
				 "Statistics cannot be enabled/disabled after activation.");
	b->interval_s = interval_s;
	timer_fired(b);
	return 0;
}

int balloon_get_stats(struct virtio_device *d, struct balloon_stats *ret, struct error *err)
{
	struct balloon *b = balloon_of(d);

	if (!b->interval_s)
		return error_set(err, EOPNOTSUPP, "Received stats query when stats are disabled.");
	pthread_mutex_lock(&d->lock);
	*ret = b->stats;
	pthread_mutex_unlock(&d->lock);
	return 0;
}

static int need_hinting(const struct balloon *b, struct error *err)
{
	if (!(b->device.features & F_HINTING))
		return error_set(err, EOPNOTSUPP, "Attempting to use hinting when not enabled");
	return 0;
}

int balloon_hint_start(struct virtio_device *d, bool acknowledge, struct error *err)
{
	struct balloon *b = balloon_of(d);
	int r = need_hinting(b, err);

	if (r)
		return r;
	pthread_mutex_lock(&d->lock);
	r = need_driver(b, err);
	if (!r) {
		b->last_command = MAX(b->last_command + 1, VIRTIO_BALLOON_CMD_ID_DONE + 1U);
		b->acknowledge = acknowledge;
		set_command(b, b->last_command);
	}
	pthread_mutex_unlock(&d->lock);
	return r;
}

int balloon_hint_stop(struct virtio_device *d, struct error *err)
{
	struct balloon *b = balloon_of(d);
	int r = need_hinting(b, err);

	if (r)
		return r;
	pthread_mutex_lock(&d->lock);
	r = need_driver(b, err);
	if (!r)
		set_command(b, VIRTIO_BALLOON_CMD_ID_DONE);
	pthread_mutex_unlock(&d->lock);
	return r;
}

int balloon_hint_status(struct virtio_device *d, struct balloon_hinting *ret, struct error *err)
{
	struct balloon *b = balloon_of(d);
	int r = need_hinting(b, err);

	if (r)
		return r;
	pthread_mutex_lock(&d->lock);
	*ret = b->hinting;
	pthread_mutex_unlock(&d->lock);
	return 0;
}
