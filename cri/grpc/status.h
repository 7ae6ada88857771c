/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grpc-message header.
 */
#ifndef CRI_GRPC_STATUS_H
#define CRI_GRPC_STATUS_H

#include <stddef.h>

/*
 * grpc_status_encode() - percent-encode @text for grpc-message: what is not printable ASCII,
 * and '%', as %XX.
 * @out: of @size bytes, NUL-terminated; a text that does not fit is cut between characters.
 * Return: length without the NUL.
 */
size_t grpc_status_encode(const char *text, char *out, size_t size);

#endif
