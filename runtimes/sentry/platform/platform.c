/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start of the platform.
 */
#include "runtimes/sentry/platform/internal.h"

const struct platform_ops *platform_ops;

int platform_init(const struct platform_ops *ops)
{
	platform_ops = ops;
	return housekeeper_start();
}
