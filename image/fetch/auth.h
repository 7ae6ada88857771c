/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to a registry's 401: Basic, or a token from its token server.
 */
#ifndef IMAGE_FETCH_AUTH_H
#define IMAGE_FETCH_AUTH_H

#include <curl/curl.h>

#include "base/error.h"
#include "image/fetch/request.h"

/*
 * auth_answer() - the Authorization value for @challenge (a WWW-Authenticate header's value).
 * Anonymous tokens are asked for when there are no credentials.
 * Return: 0 with *ret for the caller to free; -EACCES when nothing can be answered.
 */
int auth_answer(CURL *curl, const struct request *r, const struct request_endpoint *endpoint,
		const char *challenge, char **ret, struct error *err);

/* auth_parameter() - value of @name in a challenge, unquoted, or NULL.  Caller frees. */
char *auth_parameter(const char *challenge, const char *name);

#endif
