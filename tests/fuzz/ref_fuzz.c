/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references: what is taken normalises to itself, and is safe as URL and path.
 */
#include <stdint.h>

#include "base/mem.h"
#include "base/str.h"
#include "image/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name cleanup_free = xstrndup((const char *)data, size);
	char *once cleanup_free = NULL, *twice cleanup_free = NULL;
	struct image_ref ref cleanup_image_ref = { 0 };
	struct image_ref again cleanup_image_ref = { 0 };
	struct error err = ERROR_INIT;

	if (image_ref_parse(name, &ref, &err) < 0)
		return 0;
	once = image_ref_format(&ref);
	if (image_ref_parse(once, &again, &err) < 0)
		abort();
	twice = image_ref_format(&again);
	if (strcmp(once, twice) != 0)
		abort();
	if (strpbrk(ref.host, "/%?# \n") || strstr(ref.path, "..") || strpbrk(ref.path, "%?# \n"))
		abort();
	return 0;
}
