/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Character devices: the table from numbers to what opens them.
 */
#include "runtimes/sentry/vfs/device.h"

#include <errno.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "runtimes/sentry/fs/memdev.h"
#include "runtimes/sentry/fs/tty.h"

#define ANY UINT32_MAX /* minor numbers */

static const struct device {
	unsigned int major, minor;
	int (*open)(struct inode *i, struct file *f);
} devices[] = {
	{ 1, 3, memdev_open },	    /* null */
	{ 1, 5, memdev_open },	    /* zero */
	{ 1, 7, memdev_open },	    /* full */
	{ 1, 8, memdev_open },	    /* random */
	{ 1, 9, memdev_open },	    /* urandom */
	{ 5, 0, tty_open_current }, /* tty */
	{ 5, 2, ptmx_open },	    /* ptmx */
	{ 136, ANY, pts_open },	    /* pts/N */
};

int device_open(struct inode *i, struct file *f)
{
	dev_t dev = i->attr.rdev;

	for (size_t n = 0; n < ARRAY_LEN(devices); n++)
		if (devices[n].major == major(dev) &&
		    (devices[n].minor == minor(dev) || devices[n].minor == ANY))
			return devices[n].open(i, f);
	return -ENXIO;
}
