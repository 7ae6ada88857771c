/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures writable layers by walking them, as du does.
 *
 * A walk costs time in proportion to files, so a reader never waits for a long one: it walks at
 * most QUICK_ENTRIES itself, and beyond that takes the last figure while a thread walks on.
 * One thread at a time walks for the whole server.
 */
#include "cri/pods/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/path.h"
#include "base/thread.h"

#define QUICK_ENTRIES 64
#define MAX_DEPTH     64
#define FRESH_NS      (10 * INT64_C(1000000000))

struct walk {
	uint64_t bytes, inodes, limit; /* limit: entries left, UINT64_MAX unbounded */
	bool cut;
};

static pthread_mutex_t worker_lock = PTHREAD_MUTEX_INITIALIZER;
static bool worker_busy; /* guarded by worker_lock */

/* walk_dir() - count everything below @fd, which it closes. */
static void walk_dir(struct walk *w, int fd, unsigned int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		close(fd);
		return;
	}
	while (!w->cut && (e = readdir(dir))) {
		struct stat st;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..") ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (w->limit-- == 0) {
			w->cut = true;
			break;
		}
		w->bytes += (uint64_t)st.st_blocks * 512;
		w->inodes++;
		if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
			int sub = openat(dirfd(dir), e->d_name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (sub >= 0)
				walk_dir(w, sub, depth + 1);
		}
	}
	closedir(dir);
}

/* measure() - Return: whether the walk came to its end. */
static bool measure(struct container *c, uint64_t limit)
{
	char *upper cleanup_free = path_join(c->disk, "upper");
	struct walk w = { .limit = limit, .inodes = 1 };
	int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0)
		w.bytes = (uint64_t)st.st_blocks * 512;
	walk_dir(&w, fd, 0);
	if (w.cut)
		return false;
	pods_lock(c->pod->pods);
	c->disk_bytes = w.bytes;
	c->disk_inodes = w.inodes;
	c->disk_measured_ns = clock_monotonic_ns();
	pods_unlock(c->pod->pods);
	return true;
}

static void *worker(void *data)
{
	struct container *c = data;

	measure(c, UINT64_MAX);
	container_put(c);
	pthread_mutex_lock(&worker_lock);
	worker_busy = false;
	pthread_mutex_unlock(&worker_lock);
	return NULL;
}

static void measure_in_background(struct container *c)
{
	bool start;

	pthread_mutex_lock(&worker_lock);
	start = !worker_busy;
	worker_busy = true;
	pthread_mutex_unlock(&worker_lock);
	if (!start)
		return; /* the next reader tries again */
	pods_lock(c->pod->pods);
	c->refs++;
	pods_unlock(c->pod->pods);
	thread_detach(worker, c);
}

void disk_usage(struct container *c, uint64_t *ret_bytes, uint64_t *ret_inodes)
{
	int64_t now_ns = clock_monotonic_ns();
	int64_t measured_ns;

	pods_lock(c->pod->pods);
	measured_ns = c->disk_measured_ns;
	pods_unlock(c->pod->pods);
	if ((measured_ns == 0 || now_ns - measured_ns > FRESH_NS) && !measure(c, QUICK_ENTRIES))
		measure_in_background(c);
	pods_lock(c->pod->pods);
	*ret_bytes = c->disk_bytes;
	*ret_inodes = c->disk_inodes;
	pods_unlock(c->pod->pods);
}
