/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes layer archives: whatever they say, nothing is made beside the layer's directory.
 *
 * The first byte of the input picks the compression.  Needs root.  Layers are unpacked by a
 * thread that has its own mounts, root and working directory: a tmpfs with nothing in it but the
 * layer, so that an escape is seen, and does no harm.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/path.h"
#include "image/unpack/unpack.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_len;
static sem_t given, done;

/* libFuzzer's clock is a signal. */
static void await(sem_t *s)
{
	while (sem_wait(s) < 0)
		;
}

static void enter_own_root(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("layer", "/mnt", "tmpfs", MS_NODEV | MS_NOEXEC, "size=64m,mode=755") < 0 ||
	    chroot("/mnt") < 0 || chdir("/") < 0) {
		perror("layer_fuzz: make a root of its own (root is needed)");
		exit(1);
	}
	umask(0); /* of this thread: file system state is not shared any more */
}

static bool layer_is_alone(void)
{
	DIR *root = opendir("/");
	int count = 0;

	while (readdir(root))
		count++;
	closedir(root);
	return count == 3; /* ".", "..", "layer" */
}

/* The digest that makes plain archives succeed. */
static void unpack(const uint8_t *data, size_t size)
{
	static const char *const types[] = {
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
	};
	char diff_id[DIGEST_MAX];
	struct unpack u = { .media_type = types[data[0] % ARRAY_LEN(types)],
			    .diff_id = diff_id,
			    .max_bytes = 4 << 20 };
	struct unpack_result r;
	struct error err = ERROR_INIT;
	int rc;

	digest_of(data + 1, size - 1, diff_id);
	if (mkdir("/layer", 0755) < 0)
		abort();
	u.root_fd = open("/layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	u.in_fd = memfd_create("layer", MFD_CLOEXEC);
	if (u.root_fd < 0 || u.in_fd < 0 || fd_write_all(u.in_fd, data + 1, size - 1) < 0 ||
	    lseek(u.in_fd, 0, SEEK_SET) != 0)
		abort();
	rc = unpack_layer(&u, &r, &err);
	if (rc < 0 && (err.code != rc || err.text[0] == '\0'))
		abort();
	if (!layer_is_alone())
		abort();
	close(u.in_fd);
	close(u.root_fd);
	if (path_remove_tree(AT_FDCWD, "/layer", NULL) < 0)
		abort();
}

static void *worker(void *data)
{
	(void)data;
	enter_own_root();
	for (;;) {
		sem_post(&done);
		await(&given);
		unpack(input, input_len);
	}
	return NULL;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	sem_init(&given, 0, 0);
	sem_init(&done, 0, 0);
	if (pthread_create(&thread, NULL, worker, NULL) != 0)
		abort();
	await(&done);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	input = data;
	input_len = size;
	sem_post(&given);
	await(&done);
	return 0;
}
