/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve, execveat: programs, scripts, vectors, what survives and what does not.
 *
 * The program starts itself again with a role as its first argument.
 */
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "tests/syscalls/check.h"

static char self[4096], script[64];

static void make_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	write(fd, text, strlen(text));
	fchmod(fd, mode);
	close(fd);
}

/* run() - @path with one role. Value: its status. */
static int run(const char *path, const char *role)
{
	return in_child({
		execl(path, path, role, NULL);
		_exit(errno);
	});
}

/* --- roles -------------------------------------------------------------------------------------
 */

static int role_auxv(void)
{
	unsigned long base = getauxval(AT_PHDR), random = getauxval(AT_RANDOM);

	if (getauxval(AT_PAGESZ) != 4096 || !base || !random || getauxval(AT_CLKTCK) != 100)
		return 1;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EGID) != getegid())
		return 2;
	if (strcmp((char *)getauxval(AT_EXECFN), self) ||
	    strcmp((char *)getauxval(AT_PLATFORM), "x86_64"))
		return 3;
	return getauxval(AT_SECURE) ? 4 : 0;
}

/* what a signal's action and mask are after execve */
static int role_signals(void)
{
	struct sigaction a;
	sigset_t set;

	sigaction(SIGUSR1, NULL, &a);
	if (a.sa_handler != SIG_DFL)
		return 1;
	sigaction(SIGUSR2, NULL, &a);
	if (a.sa_handler != SIG_IGN)
		return 2;
	sigprocmask(SIG_BLOCK, NULL, &set);
	if (!sigismember(&set, SIGHUP))
		return 3;
	sigpending(&set);
	return sigismember(&set, SIGHUP) ? 0 : 4;
}

static int role_fds(void)
{
	return fcntl(100, F_GETFD) == -1 && fcntl(101, F_GETFD) == 0 ? 0 : 1;
}

static int role_name(void)
{
	char name[16];

	prctl(PR_GET_NAME, name);
	return strcmp(name, "exec") ? 1 : 0;
}

static int role_pid(const char *wanted)
{
	return getpid() == atoi(wanted) && CALL(SYS_gettid) == getpid() ? 0 : 1;
}

static int role(int argc, char **argv)
{
	if (!strcmp(argv[1], "auxv"))
		return role_auxv();
	if (!strcmp(argv[1], "signals"))
		return role_signals();
	if (!strcmp(argv[1], "fds"))
		return role_fds();
	if (!strcmp(argv[1], "name"))
		return role_name();
	if (!strcmp(argv[1], "pid"))
		return role_pid(argv[2]);
	if (!strcmp(argv[1], "exit"))
		return 42;
	if (!strcmp(argv[1], "environment"))
		return environ[0] && !environ[1] && !strcmp(environ[0], "A=b") && argc == 2 ? 0 : 1;
	if (!strcmp(argv[1], "-x")) /* by a script: interpreter -x SCRIPT ARGUMENT */
		return argc == 4 && !strncmp(argv[2], "/tmp/script.", 12) &&
				       !strcmp(argv[3], "more")
			       ? 7
			       : 8;
	if (!strcmp(argv[1], "long"))
		return (int)strlen(argv[2]) == 100000 ? 0 : 1;
	return 99;
}

/* --- checks ------------------------------------------------------------------------------------
 */

static void test_image(void)
{
	is(run(self, "exit"), 42 << 8, "another image, another code");
	is(run(self, "auxv"), 0, "the auxiliary vector is right");
	is(run(self, "name"), 0, "the name is the file's");
	is(in_child({
		   char *argv[] = { self, "environment", NULL }, *envp[] = { "A=b", NULL };

		   execve(self, argv, envp);
	   }),
	   0, "the environment is what was given");
	is(in_child({
		   char *longer = malloc(100001);

		   memset(longer, 'a', 100000);
		   longer[100000] = 0;
		   execl(self, self, "long", longer, NULL);
	   }),
	   0, "a long argument");
	is(in_child({
		   char number[16];

		   sprintf(number, "%d", getpid());
		   execl(self, self, "pid", number, NULL);
	   }),
	   0, "the process keeps its number");
}

static void test_survivors(void)
{
	int fd = open("/", O_RDONLY);

	is(in_child({
		   sigset_t set;

		   on(SIGUSR1, check_noop, 0);
		   on(SIGUSR2, SIG_IGN, 0);
		   sigemptyset(&set);
		   sigaddset(&set, SIGHUP);
		   sigprocmask(SIG_BLOCK, &set, NULL);
		   kill(getpid(), SIGHUP);
		   execl(self, self, "signals", NULL);
	   }),
	   0, "ignored, blocked and pending signals stay, handlers go");
	is(in_child({
		   dup3(fd, 100, O_CLOEXEC);
		   dup2(fd, 101);
		   execl(self, self, "fds", NULL);
	   }),
	   0, "descriptors close on exec if they are told to");
	close(fd);
}

static void test_script(void)
{
	char text[5000];

	sprintf(script, "/tmp/script.%d", getpid());
	snprintf(text, sizeof(text), "#!%s -x \nignored\n", self);
	make_file(script, text, 0755);
	is(run(script, "more"), 7 << 8, "a script runs its interpreter");
	snprintf(text, sizeof(text), "#! \t%s -x", self);
	make_file(script, text, 0755);
	is(run(script, "more"), 7 << 8, "blanks and a missing end of line do not matter");
	make_file(script, "#!\n", 0755);
	is(run(script, "more"), ENOEXEC << 8, "no interpreter");
	make_file(script, "#!/nothing/there\n", 0755);
	is(run(script, "more"), ENOENT << 8, "a missing interpreter");
	snprintf(text, sizeof(text), "#!%s\n", script);
	make_file(script, text, 0755);
	is(run(script, "more"), ELOOP << 8, "a script that is its own interpreter");
	make_file(script, "nothing that runs", 0755);
	is(run(script, "more"), ENOEXEC << 8, "neither program nor script");
	make_file(script, "", 0755);
	is(run(script, "more"), ENOEXEC << 8, "an empty file");
	make_file(script, text, 0644);
	is(run(script, "more"), EACCES << 8, "a file that is not executable");
	memset(text, 0, sizeof(text));
	memcpy(text, ELFMAG, SELFMAG);
	make_file(script, "\177ELF\2\1\1", 0755);
	is(run(script, "more"), ENOEXEC << 8, "a header that is cut");
	unlink(script);
}

static void test_errors(void)
{
	char *argv[] = { self, "exit", NULL };

	is(CALL(SYS_execve, "/nothing", argv, NULL), -ENOENT, "no such file");
	is(CALL(SYS_execve, "", argv, NULL), -ENOENT, "no name");
	is(CALL(SYS_execve, "/tmp", argv, NULL), -EACCES, "a directory");
	is(CALL(SYS_execve, "/dev/null/x", argv, NULL), -ENOTDIR, "a file as directory");
	is(CALL(SYS_execve, BAD, argv, NULL), -EFAULT, "bad name");
	is(CALL(SYS_execve, self, BAD, NULL), -EFAULT, "bad vector");
	argv[1] = BAD;
	is(CALL(SYS_execve, self, argv, NULL), -EFAULT, "bad string");
	argv[1] = malloc(200000);
	memset(argv[1], 'a', 199999);
	argv[1][199999] = 0;
	is(CALL(SYS_execve, self, argv, NULL), -E2BIG, "a string that is too long");
	is(CALL(SYS_execveat, AT_FDCWD, self, argv, NULL, 0x4000), -EINVAL, "unknown flags");
	is(CALL(SYS_execveat, 77, "x", argv, NULL, 0), -EBADF, "bad descriptor");
}

static void test_at(void)
{
	char *argv[] = { self, "exit", NULL };
	int fd = open(self, O_RDONLY | O_CLOEXEC), dir;
	char *slash = strrchr(self, '/');

	is(in_child(CALL(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH)), 42 << 8,
	   "a descriptor of the program");
	*slash = 0;
	dir = open(self, O_RDONLY | O_DIRECTORY);
	*slash = '/';
	is(in_child(CALL(SYS_execveat, dir, slash + 1, argv, environ, 0)), 42 << 8,
	   "a name in a directory");
	close(fd);
	close(dir);
}

static void *sleeper(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *starter(void *unused)
{
	char number[16];

	sprintf(number, "%d", getpid());
	execl(self, self, "pid", number, NULL);
	return unused;
}

static void test_threads(void)
{
	is(in_child({
		   pthread_t t;

		   pthread_create(&t, NULL, sleeper, NULL);
		   pthread_create(&t, NULL, sleeper, NULL);
		   execl(self, self, "exit", NULL);
	   }),
	   42 << 8, "execve ends the other threads");
	is(in_child({
		   pthread_t t;

		   pthread_create(&t, NULL, sleeper, NULL);
		   pthread_create(&t, NULL, starter, NULL);
		   sleeper(NULL);
	   }),
	   0, "execve by another thread: it takes the process's number");
}

static int spawn(void)
{
	pid_t pid = vfork();
	int status = -1;

	if (!pid) {
		execl(self, self, "exit", NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	ssize_t n;

	if (argv[0][0] == '/') {
		strcpy(self, argv[0]);
	} else {
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[n > 0 ? n : 0] = 0;
	}
	if (argc > 1)
		return role(argc, argv);
	test_image();
	test_survivors();
	test_script();
	test_errors();
	test_at();
	test_threads();
	is(spawn(), 42 << 8, "vfork and execve");
	return tap_done();
}
