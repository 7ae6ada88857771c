/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots: sections in the order
 *	configuration, memory's size, controllers, clock, serial port, keyboard,
 *	virtio devices in the order of their slots, vCPUs in the order of their numbers.
 *
 * Devices have been quiet since the machine was paused: they run on the thread that is here.
 */
#include "runtimes/microvm/machine/snapshot.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/virtio_ids.h>

#include "base/fd.h"
#include "base/mem.h"
#include "runtimes/microvm/kvm/memory_file.h"
#include "runtimes/microvm/machine/devices.h"
#include "runtimes/microvm/machine/page_faults.h"
#include "runtimes/microvm/virtio/persist.h"
#include "runtimes/microvm/virtio/vsock.h"

/* --- writing ---------------------------------------------------------------------------------- */

static int save_vcpus(struct machine *m, struct strbuf *out, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->n_vcpus && !r; i++)
		r = vcpu_save(&m->vcpus[i].vcpu, &m->vm, out, err);
	return r;
}

static int save_state(struct machine *m, const struct strbuf *config, struct strbuf *ret,
		      struct error *err)
{
	struct strbuf out cleanup_strbuf = { 0 };
	uint64_t bytes = guest_memory_bytes(&m->memory);
	int r;

	state_put(&out, STATE_CONFIG, config->data, config->len);
	state_put(&out, STATE_MEMORY, &bytes, sizeof(bytes));
	r = vm_save(&m->vm, &out, err);
	if (r)
		return r;
	serial_save(&m->serial, &out);
	keyboard_save(&m->keyboard, &out);
	for (unsigned int i = 0; i < m->n_virtio; i++)
		virtio_save(m->virtio[i].device, &out);
	r = save_vcpus(m, &out, err);
	if (!r)
		state_seal(&out, ret);
	return r;
}

static int write_state(const char *path, const struct strbuf *file, struct error *err)
{
	int fd cleanup_close = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return error_errno(err, errno, "open %s", path);
	r = fd_write_all(fd, file->data, file->len);
	if (!r && fsync(fd))
		r = -errno;
	return r ? error_errno(err, -r, "write %s", path) : 0;
}

static int write_memory(struct machine *m, const char *path, bool changed, struct error *err)
{
	int fd cleanup_close = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), r;

	if (fd < 0)
		return error_errno(err, errno, "open %s", path);
	if (guest_memory_is_file(&m->memory, fd))
		return error_set(err, EBUSY, "%s is the file that this machine runs from", path);
	if (!changed && ftruncate(fd, 0))
		return error_errno(err, errno, "empty %s", path);
	r = changed ? guest_memory_dump_changed(&m->memory, &m->vm, fd, err)
		    : guest_memory_dump(&m->memory, fd, err);
	return r ? error_wrap(err, "%s", path) : 0;
}

int machine_snapshot(struct machine *m, const struct strbuf *config, const char *state_path,
		     const char *memory_path, bool changed, struct error *err)
{
	struct strbuf file cleanup_strbuf = { 0 };
	int r;

	machine_drain_devices(m);
	r = save_state(m, config, &file, err);
	if (!r)
		r = write_state(state_path, &file, err);
	if (!r)
		r = write_memory(m, memory_path, changed, err);
	return r ? r : memory_changes_reset(&m->memory, &m->vm, err);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int open_file(struct snapshot_file *f, const char *path, unsigned int *ret_version,
		     struct error *err)
{
	int r = fd_read_file(AT_FDCWD, path, STATE_BYTES_MAX, &f->bytes, err);

	if (!r) {
		r = state_open(f->bytes.data, f->bytes.len, &f->next, ret_version, err);
		if (r)
			error_wrap(err, "%s", path);
	}
	return r;
}

int snapshot_file_open(struct snapshot_file *f, const char *path, struct error *err)
{
	int r;

	*f = (struct snapshot_file){ 0 };
	r = open_file(f, path, NULL, err);
	if (!r)
		r = state_next(&f->next, STATE_CONFIG, (const void **)&f->config, &f->config_len,
			       err);
	return r;
}

int snapshot_file_version(const char *path, unsigned int *ret, struct error *err)
{
	struct snapshot_file f cleanup(snapshot_file_finish) = { 0 };
	int r = open_file(&f, path, ret, err);

	return r == -ENOTSUP ? 0 : r; /* another version: that is the answer */
}

void snapshot_file_finish(struct snapshot_file *f)
{
	strbuf_finish(&f->bytes);
}

static int load_memory(struct machine *m, struct state_reader *r, const struct restore_options *o,
		       struct error *err)
{
	uint64_t bytes, want = m->config.memory_mib << 20;
	int fd cleanup_close = -1;
	int rc = state_take(r, STATE_MEMORY, &bytes, sizeof(bytes), err);

	if (!rc && bytes != want)
		rc = error_set(err, EBADMSG, "memory of %llu bytes where %llu are configured",
			       (unsigned long long)bytes, (unsigned long long)want);
	if (rc)
		return rc;
	if (o->uffd) {
		rc = guest_memory_create(&m->memory, bytes, m->config.pages, err);
		return rc ? rc
			  : page_faults_delegate(&m->memory, m->config.pages, o->memory_path,
						 &m->uffd, err);
	}
	if (m->config.pages == GUEST_PAGES_2M)
		return error_set(err, ENOTSUP,
				 "Cannot restore hugetlbfs backed snapshot by mapping the memory "
				 "file. Please use uffd.");
	fd = open(o->memory_path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "open %s", o->memory_path);
	rc = guest_memory_map(&m->memory, bytes, fd, err);
	return rc ? error_wrap(err, "%s", o->memory_path) : 0;
}

static int load_devices(struct machine *m, struct state_reader *r, struct error *err)
{
	int rc = serial_load(&m->serial, r, err);

	if (!rc)
		rc = keyboard_load(&m->keyboard, r, err);
	for (unsigned int i = 0; i < m->n_virtio && !rc; i++) {
		struct virtio_device *d = m->virtio[i].device;

		rc = virtio_load(d, r, err);
		if (!rc && d->ops->type == VIRTIO_ID_VSOCK)
			vsock_transport_reset(d); /* streams of the other machine are gone */
	}
	return rc;
}

static int load_vcpus(struct machine *m, struct state_reader *r, struct error *err)
{
	int rc = 0;

	for (unsigned int i = 0; i < m->n_vcpus && !rc; i++)
		rc = vcpu_load(&m->vcpus[i].vcpu, &m->vm, r, err);
	if (!rc && r->left)
		rc = error_set(err, EBADMSG, "%zu bytes more than the machine has", r->left);
	return rc;
}

/* load_all() - devices last but vCPUs: their interrupts go to controllers that are loaded. */
static int load_all(struct machine *m, struct state_reader *r, const struct restore_options *o,
		    struct error *err)
{
	struct kvm_clock_data clock;
	int rc = load_memory(m, r, o, err);

	if (!rc)
		rc = machine_build(m, err);
	if (!rc)
		rc = vm_load(&m->vm, r, &clock, err);
	if (!rc)
		rc = load_devices(m, r, err);
	if (!rc)
		rc = load_vcpus(m, r, err);
	if (!rc)
		rc = vm_set_clock(&m->vm, &clock, o->realtime, err);
	return rc ? rc : machine_renew_generation(m, true, err);
}

int machine_restore(struct machine *m, struct snapshot_file *f, const struct restore_options *o,
		    struct error *err)
{
	int r;

	boot_timer_start(&m->boot_timer);
	r = load_all(m, &f->next, o, err);
	if (r) {
		machine_undo(m);
		return r;
	}
	return machine_run(m, true, err);
}
