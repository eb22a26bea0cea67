/* Runs a command, and all that it starts, with a wall clock that is SECONDS away from the machine's: clock SECONDS COMMAND...

   Unlike a library in front of libc this reaches programs that ask the kernel themselves, such as wireguard-go. A
   process beside the command hides the vDSO from every program that is started, so that each asks for the time by a
   system call (ptrace(2), at exec), and answers these calls (seccomp_unotify(2)). The monotonic clocks stay as they
   are. The command keeps its process id; the process beside it ends with the last of its programs. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALL(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)

static long offset;

static void die(const char *what) {
    perror(what);
    _exit(125);
}

static void give(pid_t pid, __u64 where, void *bytes, size_t size) {
    struct iovec here = {bytes, size}, there = {(void *)where, size};
    if (where) process_vm_writev(pid, &here, 1, &there, 1, 0);
}

static void *answer(void *listener_of) {
    int listener = *(int *)listener_of;
    for (;;) {
        struct seccomp_notif asked = {0};
        struct seccomp_notif_resp told = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) {
            if (errno == EINTR || errno == ENOENT) continue;
            return NULL;
        }
        struct timespec now;
        clock_gettime(asked.data.nr == SYS_clock_gettime ? (clockid_t)asked.data.args[0] : CLOCK_REALTIME, &now);
        now.tv_sec += offset;
        told.id = asked.id;
        if (asked.data.nr == SYS_clock_gettime) {
            give(asked.pid, asked.data.args[1], &now, sizeof now);
        } else if (asked.data.nr == SYS_gettimeofday) {
            struct timeval as_timeval = {now.tv_sec, now.tv_nsec / 1000};
            give(asked.pid, asked.data.args[0], &as_timeval, sizeof as_timeval);
#ifdef SYS_time
        } else {
            give(asked.pid, asked.data.args[0], &now.tv_sec, sizeof now.tv_sec);
            told.val = now.tv_sec;
#endif
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &told);
    }
}

/* The kernel has put argc, argv, the environment and the auxiliary vector on the new program's stack. */
static void hide_vdso(pid_t pid) {
    struct __ptrace_syscall_info seen;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof seen, &seen) <= 0) return;
    unsigned long *word = (unsigned long *)seen.stack_pointer;
    word += 1 + ptrace(PTRACE_PEEKDATA, pid, word, 0) + 1;
    while (ptrace(PTRACE_PEEKDATA, pid, word++, 0)) {}
    for (unsigned long type; (type = ptrace(PTRACE_PEEKDATA, pid, word, 0)) != AT_NULL; word += 2)
        if (type == AT_SYSINFO_EHDR) ptrace(PTRACE_POKEDATA, pid, word, AT_IGNORE);
}

static void watch(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) continue;
        int event = status >> 16, passed = 0;
        if (event == PTRACE_EVENT_EXEC) hide_vdso(pid);
        else if (event == PTRACE_EVENT_STOP) {
            int stop = WSTOPSIG(status);
            if (stop == SIGSTOP || stop == SIGTSTP || stop == SIGTTIN || stop == SIGTTOU) {
                ptrace(PTRACE_LISTEN, pid, 0, 0);
                continue;
            }
        } else if (!event) passed = WSTOPSIG(status);
        ptrace(PTRACE_CONT, pid, 0, passed);
    }
}

static int filter(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        CALL(gettimeofday),
#ifdef SYS_time
        CALL(time),
#endif
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME_COARSE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

int main(int count, char **words) {
    if (count < 3) die("clock SECONDS COMMAND...");
    offset = atol(words[1]);
    int between[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, between)) die("socketpair");
    pid_t command = getpid();
    pid_t first = fork();
    if (first < 0) die("fork");
    if (first == 0) {
        /* Twice, so that the command has no child that it did not start. */
        if (fork()) _exit(0);
        setsid();
        close(between[0]);
        long options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
        int listener, number;
        if (ptrace(PTRACE_SEIZE, command, 0, options)) die("ptrace");
        if (write(between[1], "+", 1) != 1 || read(between[1], &number, sizeof number) != sizeof number) die("pipe");
        int held = syscall(SYS_pidfd_open, command, 0);
        if (held < 0 || (listener = syscall(SYS_pidfd_getfd, held, number, 0)) < 0) die("pidfd_getfd");
        close(held);
        pthread_t thread;
        if (pthread_create(&thread, NULL, answer, &listener)) die("thread");
        if (write(between[1], "+", 1) != 1) die("pipe");
        close(between[1]);
        watch();
        _exit(0);
    }
    close(between[1]);
    waitpid(first, NULL, 0);
    char byte;
    if (read(between[0], &byte, 1) != 1) die("the process beside the command");
    int listener = filter();
    if (listener < 0) die("seccomp");
    if (write(between[0], &listener, sizeof listener) != sizeof listener || read(between[0], &byte, 1) != 1) die("pipe");
    close(listener);
    execvp(words[2], words + 2);
    die(words[2]);
}
