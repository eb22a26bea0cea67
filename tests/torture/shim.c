/* Stands between a process and libc (LD_PRELOAD): writes down what is done to files below a directory, in the order in
 * which it was done, and lets one chosen call fail.
 *
 * NEGATO_SHIM_ROOT is the directory, NEGATO_SHIM_JOURNAL the file of records (see shim.py for their form),
 * NEGATO_SHIM_PLAN a small shared file: which kind of call fails (0 none), after how many of that kind, with which errno
 * (0: a short write), and how many have failed. Only descriptors opened below the directory are looked at. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE, SYNC, RENAME, LINK, UNLINK, CLOSE, TRUNCATE, MARK };
enum { CREATED = 1, DIRECTORY = 2, TRUNCATED = 4 };
enum { MOST_FDS = 65536 };

struct plan {
    volatile int64_t kind, countdown, error, fired, counted[16];
};

struct head {
    uint32_t magic, size, kind, flags;
    int64_t pid, fd, offset;
    uint32_t path, other, data, pad;
};

static char root[PATH_MAX];
static size_t root_size;
static int journal = -1;
static struct plan *plan;
static unsigned char ours[MOST_FDS];

__attribute__((constructor)) static void begin(void) {
    const char *place = getenv("NEGATO_SHIM_ROOT"), *records = getenv("NEGATO_SHIM_JOURNAL");
    const char *planned = getenv("NEGATO_SHIM_PLAN");
    if (!place || !records || !planned) return;
    int fd = syscall(SYS_openat, AT_FDCWD, planned, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *shared = mmap(0, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (shared == MAP_FAILED) return;
    journal = syscall(SYS_openat, AT_FDCWD, records, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    /* High, so that no program that closes or hands on low descriptors meets it. */
    int high = syscall(SYS_fcntl, journal, F_DUPFD_CLOEXEC, 900);
    syscall(SYS_close, journal);
    journal = high;
    plan = shared;
    strncpy(root, place, sizeof root - 1);
    root_size = strlen(root);
}

static int below(const char *path) { return plan && !strncmp(path, root, root_size) && path[root_size] == '/'; }

static const char *absolute(int at, const char *path, char *out) {
    if (path[0] == '/' || at == AT_FDCWD) return path;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", at);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    if (n < 0) return path;
    snprintf(out + n, PATH_MAX - n, "/%s", path);
    return out;
}

static int mine(int fd) { return plan && fd >= 0 && fd < MOST_FDS && ours[fd]; }

/* Returns whether this call is the one that fails; errno is set. A short write leaves errno 0. */
static int fails(int kind) {
    __atomic_add_fetch(&plan->counted[kind], 1, __ATOMIC_SEQ_CST);
    if (plan->kind != kind || __atomic_fetch_sub(&plan->countdown, 1, __ATOMIC_SEQ_CST) != 0) return 0;
    __atomic_add_fetch(&plan->fired, 1, __ATOMIC_SEQ_CST);
    errno = (int)plan->error;
    return 1;
}

static void record(int kind, int flags, int fd, int64_t offset, const char *path, const char *other, const void *data,
                   size_t size) {
    int kept = errno;
    struct head head = {0x4e45474f, 0, kind, flags, getpid(), fd, offset, path ? strlen(path) : 0,
                        other ? strlen(other) : 0, size, 0};
    head.size = sizeof head + head.path + head.other + head.data;
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path}, {(void *)other, head.other}, {(void *)data, size}};
    syscall(SYS_writev, journal, parts, 4);
    errno = kept;
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    char buffer[PATH_MAX];
    const char *full = plan ? absolute(at, path, buffer) : path;
    if (!below(full)) {
        int other = syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode);
        if (other >= 0 && other < MOST_FDS) ours[other] = 0;
        return other;
    }
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    int there = syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0;
    if ((flags & O_CREAT) && !there && fails(OPEN)) return -1;
    int fd = syscall(SYS_openat, at, path, flags | O_LARGEFILE, mode);
    if (fd < 0 || fd >= MOST_FDS) return fd;
    struct stat about;
    int directory = !fstat(fd, &about) && S_ISDIR(about.st_mode);
    ours[fd] = writes || directory;
    int what = (!there && (flags & O_CREAT) ? CREATED : 0) | (directory ? DIRECTORY : 0) |
               (there && writes && (flags & O_TRUNC) ? TRUNCATED : 0);
    if (ours[fd]) record(OPEN, what, fd, 0, full, 0, 0, 0);
    return fd;
}

#define OPENS(name)                                        \
    int name(const char *path, int flags, ...) {           \
        va_list rest;                                      \
        va_start(rest, flags);                             \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                      \
        return opened(AT_FDCWD, path, flags, mode);        \
    }
OPENS(open)
OPENS(open64)
#define OPENS_AT(name)                                     \
    int name(int at, const char *path, int flags, ...) {   \
        va_list rest;                                      \
        va_start(rest, flags);                             \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest);                                      \
        return opened(at, path, flags, mode);              \
    }
OPENS_AT(openat)
OPENS_AT(openat64)

ssize_t write(int fd, const void *data, size_t size) {
    size_t wanted = size;
    if (mine(fd) && fails(WRITE)) {
        if (errno) return -1;
        wanted = size / 2;
    }
    ssize_t done = syscall(SYS_write, fd, data, wanted);
    if (done > 0 && mine(fd)) record(WRITE, 0, fd, lseek(fd, 0, SEEK_CUR) - done, 0, 0, data, done);
    return done;
}

static ssize_t written_at(int fd, const void *data, size_t size, off_t offset) {
    size_t wanted = size;
    if (mine(fd) && fails(WRITE)) {
        if (errno) return -1;
        wanted = size / 2;
    }
    ssize_t done = syscall(SYS_pwrite64, fd, data, wanted, offset);
    if (done > 0 && mine(fd)) record(WRITE, 0, fd, offset, 0, 0, data, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return written_at(fd, data, size, offset); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) { return written_at(fd, data, size, offset); }

static int synced(int fd, long number) {
    if (mine(fd) && fails(SYNC)) return -1;
    int done = syscall(number, fd);
    if (!done && mine(fd)) record(SYNC, 0, fd, 0, 0, 0, 0, 0);
    return done;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int truncated(int fd, off_t size) {
    int done = syscall(SYS_ftruncate, fd, size);
    if (!done && mine(fd)) record(TRUNCATE, 0, fd, size, 0, 0, 0, 0);
    return done;
}
int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off_t size) { return truncated(fd, size); }

int close(int fd) {
    int was = mine(fd);
    if (was) {
        ours[fd] = 0;
        record(CLOSE, 0, fd, 0, 0, 0, 0, 0);
    }
    int failing = was && fails(CLOSE), error = errno;
    int done = syscall(SYS_close, fd);
    /* As on a network file system: the descriptor is gone and the error is told. */
    if (failing) {
        errno = error;
        return -1;
    }
    return done;
}

static int named(int kind, int from_at, const char *from, int to_at, const char *to, int flags) {
    char first[PATH_MAX], second[PATH_MAX];
    const char *source = plan ? absolute(from_at, from, first) : from, *target = plan ? absolute(to_at, to, second) : to;
    int watched = below(source) || below(target);
    if (watched && fails(kind)) return -1;
    int done = kind == RENAME ? syscall(SYS_renameat2, from_at, from, to_at, to, flags)
                              : syscall(SYS_linkat, from_at, from, to_at, to, flags);
    if (!done && watched) record(kind, 0, 0, 0, source, target, 0, 0);
    return done;
}
int rename(const char *from, const char *to) { return named(RENAME, AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return named(RENAME, a, from, b, to, 0); }
int link(const char *from, const char *to) { return named(LINK, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int a, const char *from, int b, const char *to, int flags) { return named(LINK, a, from, b, to, flags); }

static int removed(int at, const char *path, int flags) {
    char buffer[PATH_MAX];
    const char *full = plan ? absolute(at, path, buffer) : path;
    int watched = below(full) && !(flags & AT_REMOVEDIR);
    if (watched && syscall(SYS_faccessat, AT_FDCWD, full, F_OK) == 0 && fails(UNLINK)) return -1;
    int done = syscall(SYS_unlinkat, at, path, flags);
    if (!done && watched) record(UNLINK, 0, 0, 0, full, 0, 0, 0);
    return done;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return removed(at, path, flags); }
