/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulkhead: the operator's tool.
 *
 * A table of subcommands; each has a file of its own and its own options.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "cri/tool/commands.h"

#define DEFAULT_SOCKET "/run/bulkhead/bulkhead.sock"

static const struct command {
	const char *name, *summary;
	int (*run)(const char *socket, int argc, char **argv);
} commands[] = {
	{ "check", "what this host has and lacks for pods", command_check },
	{ "ps", "pods and their containers", command_ps },
	{ "images", "stored images", command_images },
	{ "pull", "pull an image", command_pull },
	{ "import", "images from an archive", command_import },
	{ "tag", "give an image another name", command_tag },
	{ "rmi", "remove images", command_rmi },
	{ "run", "run a pod with one container", command_run },
	{ "rm", "stop and remove pods", command_rm },
};

static void usage(FILE *out)
{
	fputs("usage: bulkhead [--listen PATH] COMMAND [ARGUMENTS]\n\nCommands:\n", out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "  --listen PATH  where bulkheadd listens (default " DEFAULT_SOCKET
	      "); also --socket\n"
	      "  --version      print the version\n"
	      "  --help         print this; after a command, its own help\n"
	      "\n"
	      "See bulkhead(8).\n",
	      out);
}

static int unknown(const char *name)
{
	const char *names[ARRAY_LEN(commands)];
	const char *near;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	near = str_nearest(name, names, ARRAY_LEN(commands));
	fprintf(stderr, "bulkhead: no command '%s'", name);
	if (near)
		fprintf(stderr, " (did you mean '%s'?)", near);
	fputs("; `bulkhead --help` lists them\n", stderr);
	return 2;
}

static int dispatch(const char *socket, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(commands[i].name, argv[0])) {
			optind = 0; /* start over, with the command's own options */
			return commands[i].run(socket, argc, argv);
		}
	return unknown(argv[0]);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "socket", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *socket = DEFAULT_SOCKET;
	int c;

	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			socket = optarg;
			break;
		case 'v':
			puts("bulkhead " BULKHEAD_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return 2;
	}
	return dispatch(socket, argc - optind, argv + optind);
}
