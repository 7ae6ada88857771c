/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stop signals: the CRI's numbers, names of images, numbers of this host.
 */
#include <signal.h>
#include <strings.h>

#include "cri/pods/spec.h"

/* A name as images write it without "SIG", the CRI's number, ours. */
static const struct signal_name {
	const char *name;
	Runtime__V1__Signal cri;
	int signo;
} names[] = {
#define S(x)                                            \
	{                                               \
#x, RUNTIME__V1__SIGNAL__SIG##x, SIG##x \
	}
	S(ABRT), S(ALRM),   S(BUS),  S(CHLD),	S(CLD),	  S(CONT), S(FPE),  S(HUP),  S(ILL),
	S(INT),	 S(IO),	    S(IOT),  S(KILL),	S(PIPE),  S(POLL), S(PROF), S(PWR),  S(QUIT),
	S(SEGV), S(STKFLT), S(STOP), S(SYS),	S(TERM),  S(TRAP), S(TSTP), S(TTIN), S(TTOU),
	S(URG),	 S(USR1),   S(USR2), S(VTALRM), S(WINCH), S(XCPU), S(XFSZ),
#undef S
};

/* Linux's real-time signals as the CRI has them: 34 + n (C libraries keep 32 and 33). */
enum { RTMIN = 34, RTMAX = 64 };

Runtime__V1__Signal spec_cri_signal(int signo)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].signo == signo)
			return names[i].cri;
	if (signo >= RTMIN && signo <= RTMAX)
		return (Runtime__V1__Signal)(RUNTIME__V1__SIGNAL__SIGRTMIN + signo - RTMIN);
	return RUNTIME__V1__SIGNAL__RUNTIME_DEFAULT;
}

static int from_cri(Runtime__V1__Signal cri)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i].cri == cri)
			return names[i].signo;
	if (cri >= RUNTIME__V1__SIGNAL__SIGRTMIN && cri <= RUNTIME__V1__SIGNAL__SIGRTMAX)
		return RTMIN + (int)cri - (int)RUNTIME__V1__SIGNAL__SIGRTMIN;
	return 0;
}

/* "RTMIN+3", "RTMAX-1"; 0: none of them. */
static int from_realtime(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN", 5) == 0;
	uint64_t offset = 0;

	if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
		return 0;
	name += 5;
	if (*name && (*name != (from_min ? '+' : '-') || str_parse_u64(name + 1, &offset) < 0))
		return 0;
	if (offset > RTMAX - RTMIN)
		return 0;
	return from_min ? RTMIN + (int)offset : RTMAX - (int)offset;
}

/* from_text() - "SIGTERM", "term", "15", "SIGRTMIN+3"; 0: none. */
static int from_text(const char *text)
{
	uint64_t number;

	if (str_parse_u64(text, &number) == 0)
		return number <= RTMAX ? (int)number : 0;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i].name, text) == 0)
			return names[i].signo;
	return from_realtime(text);
}

int spec_signal(const Runtime__V1__ContainerConfig *config, const char *image_signal, int *ret,
		struct error *err)
{
	*ret = SIGTERM;
	if (config->stop_signal != RUNTIME__V1__SIGNAL__RUNTIME_DEFAULT)
		*ret = from_cri(config->stop_signal);
	else if (!str_empty(image_signal))
		*ret = from_text(image_signal);
	if (*ret > 0)
		return 0;
	if (config->stop_signal != RUNTIME__V1__SIGNAL__RUNTIME_DEFAULT)
		return error_set(err, EINVAL, "unknown stop signal %d", config->stop_signal);
	return error_set(err, EINVAL, "unknown stop signal '%s' of the image", image_signal);
}
