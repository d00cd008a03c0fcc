// Preloaded into a process under test. Where the environment names a folder (DOCKET_TRACE_FOLDER) and a file (DOCKET_TRACE), it
// records there, in their order, the writes and syncs of the files below that folder. Where it names a file with a shift in
// microseconds (DOCKET_CLOCK), the wall clock is shifted by what that file says at the moment.
//
// A record is four numbers of 64 bits (kind, offset, length of the path, length of the data), the path and the data.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE = 2, SYNC = 3, RENAME = 4, UNLINK = 5 };

static int trace = -1, shift = -1;
static char folder[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("DOCKET_TRACE"), *below = getenv("DOCKET_TRACE_FOLDER"), *clock = getenv("DOCKET_CLOCK");
    if (file != NULL && below != NULL && strlen(below) < sizeof folder) {
        strcpy(folder, below);
        trace = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    if (clock != NULL) shift = open(clock, O_RDONLY | O_CLOEXEC);
}

static int below(const char *path) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

// The path of an open file, if it is one to be recorded.
static int path_of(int fd, char path[PATH_MAX]) {
    char link[64];
    if (trace < 0 || fd == trace) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return below(path);
}

// With the lock, which is held from before the call that is recorded, so that the order is that of the calls.
static void record(uint64_t kind, const char *path, uint64_t offset, const void *data, uint64_t length) {
    uint64_t head[4] = {kind, offset, strlen(path), length};
    struct iovec parts[3] = {{head, sizeof head}, {(void *)path, head[2]}, {(void *)data, length}};
    if (REAL(writev)(trace, parts, 3) != (ssize_t)(sizeof head + head[2] + length)) abort();
}

// What a call does, between the lock and the record.
#define RECORDED(type, call, kind, path, offset, data, length) \
    pthread_mutex_lock(&lock);                                 \
    type done = call;                                          \
    if (done >= 0) record(kind, path, offset, data, length);   \
    pthread_mutex_unlock(&lock);                               \
    return done

ssize_t write(int fd, const void *data, size_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(write)(fd, data, length);
    RECORDED(ssize_t, REAL(write)(fd, data, length), WRITE, path, lseek(fd, 0, SEEK_CUR) - done, data, done);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(pwrite)(fd, data, length, offset);
    RECORDED(ssize_t, REAL(pwrite)(fd, data, length, offset), WRITE, path, offset, data, done);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    return pwrite(fd, data, length, offset);
}

int ftruncate(int fd, off_t length) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(ftruncate)(fd, length);
    RECORDED(int, REAL(ftruncate)(fd, length), TRUNCATE, path, length, "", 0);
}

int ftruncate64(int fd, off64_t length) {
    return ftruncate(fd, length);
}

int fsync(int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(fsync)(fd);
    RECORDED(int, REAL(fsync)(fd), SYNC, path, 0, "", 0);
}

int fdatasync(int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) return REAL(fdatasync)(fd);
    RECORDED(int, REAL(fdatasync)(fd), SYNC, path, 0, "", 0);
}

int rename(const char *from, const char *to) {
    if (trace < 0 || !below(from) || !below(to)) return REAL(rename)(from, to);
    RECORDED(int, REAL(rename)(from, to), RENAME, from, 0, to, strlen(to));
}

int unlink(const char *path) {
    if (trace < 0 || !below(path)) return REAL(unlink)(path);
    RECORDED(int, REAL(unlink)(path), UNLINK, path, 0, "", 0);
}

// In microseconds.
static int64_t shifted(void) {
    char text[32] = "";
    if (shift < 0 || pread(shift, text, sizeof text - 1, 0) <= 0) return 0;
    return strtoll(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = REAL(clock_gettime)(clock, time);
    if (done == 0 && shift >= 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t now = (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000 + shifted();
        time->tv_sec = now / 1000000;
        time->tv_nsec = now % 1000000 * 1000;
    }
    return done;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int done = REAL(gettimeofday)(time, zone);
    if (done == 0 && shift >= 0) {
        int64_t now = (int64_t)time->tv_sec * 1000000 + time->tv_usec + shifted();
        time->tv_sec = now / 1000000;
        time->tv_usec = now % 1000000;
    }
    return done;
}
