/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Benchmark guest: times small things, the same way natively and in a sandbox.
 *
 * usage: guest [NAME...]    measures those, or all; "NAME NANOSECONDS" a line
 *        guest nothing      ends at once
 *        guest list         names
 *
 * A measure is repeated until one sample takes SAMPLE_NS; the figure is the median of SAMPLES.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/guest/guest.h"

#define SAMPLES	  7
#define SAMPLE_NS 8e6
#define TURNS_MAX (1L << 24)

static const char *self_path;
static const struct measure *const groups[] = { measures_calls, measures_memory, measures_process,
						measures_signal, measures_file };
#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

long guest_must(long rc, const char *what)
{
	if (rc < 0) {
		fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return rc;
}

const char *guest_self(void)
{
	return self_path;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double sample(const struct measure *m, long n)
{
	double from = now_ns();

	m->run(n);
	return now_ns() - from;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* turns_for() - how many turns fill a sample; what runs for that is also what warms up. */
static long turns_for(const struct measure *m)
{
	long n = 1;

	for (;;) {
		double took = sample(m, n), more;

		if (took >= SAMPLE_NS / 2 || n >= TURNS_MAX)
			return n;
		more = took > 0 ? SAMPLE_NS / took : 16;
		n = (long)((double)n * (more > 16 ? 16 : more)) + 1;
	}
}

static void take(const struct measure *m)
{
	double samples[SAMPLES];
	long n;

	if (m->begin)
		m->begin();
	n = turns_for(m);
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = sample(m, n) / (double)n;
	if (m->end)
		m->end();
	qsort(samples, SAMPLES, sizeof(samples[0]), compare);
	printf("%s %.1f\n", m->name, samples[SAMPLES / 2]);
	fflush(stdout);
}

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return 1;
	return argc < 2;
}

int main(int argc, char **argv)
{
	int list = argc == 2 && strcmp(argv[1], "list") == 0;

	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	self_path = argv[0];
	for (size_t g = 0; g < N_GROUPS; g++)
		for (const struct measure *m = groups[g]; m->name; m++) {
			if (list)
				puts(m->name);
			else if (wanted(m->name, argc, argv))
				take(m);
		}
	return 0;
}
