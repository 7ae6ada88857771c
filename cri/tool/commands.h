/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of `bulkhead`, one function each; the table of them stands in main.c.
 *
 * @socket is where the server listens; argv[0] is the subcommand's name, so each may use getopt.
 * Each prints its own messages.  Return: the exit code (2: wrong usage).
 */
#ifndef CRI_TOOL_COMMANDS_H
#define CRI_TOOL_COMMANDS_H

/* check.c: what this host has and lacks; asks the host and, for "is it running", the server. */
int command_check(const char *socket, int argc, char **argv);
/* ps.c */
int command_ps(const char *socket, int argc, char **argv);
/* images.c */
int command_images(const char *socket, int argc, char **argv);
int command_tag(const char *socket, int argc, char **argv);
int command_rmi(const char *socket, int argc, char **argv);
/* pull.c: with a bar a layer on a terminal. */
int command_pull(const char *socket, int argc, char **argv);
/* import.c: images from an archive, a directory or standard input. */
int command_import(const char *socket, int argc, char **argv);
/* run.c: `bulkhead run`, a pod with one container, and `bulkhead rm`, which removes pods. */
int command_run(const char *socket, int argc, char **argv);
int command_rm(const char *socket, int argc, char **argv);

#endif
