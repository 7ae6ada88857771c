/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gofer: messages of any bytes, one after the other, on a tree of a few files.
 *
 * Nothing outside of the tree may ever be reached: a file beside it must stay as it was.  The
 * first byte of each message says its length.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "runtimes/gofer/serve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gofer_answer answer;
static char top[] = "/tmp/gofer-fuzz-XXXXXX";
static struct stat beside;

static void set_up(void)
{
	char path[64];
	int fd;

	if (!mkdtemp(top) || chdir(top) < 0 || mkdir("tree", 0700) < 0 || mkdir("tree/d", 0700) < 0)
		abort();
	fd = open("beside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "safe", 4) != 4 || fstat(fd, &beside) < 0)
		abort();
	close(fd);
	if (symlink("../beside", "tree/out") < 0)
		abort();
	handles_add_tree(open("tree", O_PATH | O_DIRECTORY | O_CLOEXEC), false);
	handles_add_tree(open("tree/d", O_PATH | O_DIRECTORY | O_CLOEXEC), true);
	snprintf(path, sizeof(path), "/proc/%d/fd", getpid());
	if (chdir(path) < 0)
		abort();
}

static void check_beside(void)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/beside", top);
	if (stat(path, &st) < 0 || st.st_size != beside.st_size || st.st_mode != beside.st_mode ||
	    st.st_nlink != beside.st_nlink || st.st_mtime != beside.st_mtime)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;

	if (!ready)
		set_up();
	ready = true;
	while (size > 1) {
		size_t len = MIN((size_t)data[0], size - 1);

		if (gofer_serve(data + 1, len, &answer) && answer.fd >= 0)
			close(answer.fd);
		data += 1 + len;
		size -= 1 + len;
	}
	for (uint32_t i = GOFER_TREES_MAX; handles_count() > 2; i++)
		handles_close(i);
	check_beside();
	return 0;
}
