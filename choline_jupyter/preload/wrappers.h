/* The wrapped functions of the C library; the last part of shim.c.
 *
 * Each calls the real one, which was looked up behind this library, and if that does not find its path asks and calls
 * it again; what makes or lists something asks first. Their arguments are the C library's own; `struct stat` is passed
 * through unseen, so one wrapper serves both of its forms.
 */
#define REAL(type, name, ...)                                     \
  static type (*real)(__VA_ARGS__);                               \
  if (!LOAD(real)) STORE(real, (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)); \
  if (!real) { errno = ENOSYS; return (type)-1; }

#define NEED(failed, kind, fd, path)                              \
  do {                                                            \
    int error = need(kind, fd, path);                             \
    if (error > 0) { errno = error; return failed; }              \
  } while (0)

/* The call, and once more when what it did not find has been asked for. */
#define RETRY(type, failed, fd, path, call)                       \
  do {                                                            \
    type result = call;                                           \
    if (result != (type)(failed) || (errno != ENOENT && errno != ENOTDIR)) return result; \
    int error = need('F', fd, path);                              \
    if (error > 0) errno = error;                                 \
    return error ? result : call;                                 \
  } while (0)

static int is_making(int flags) { return flags & (O_CREAT | O_TRUNC); }

/* What an open makes or empties is not fetched, but the folder that it stands in is. */
static char find_kind(int flags) {
  if ((flags & O_TMPFILE) == O_TMPFILE) return 'F';
  return (flags & O_TRUNC) || ((flags & O_CREAT) && (flags & O_EXCL)) ? 'P' : 'F';
}

#define MODE                                                      \
  mode_t mode = 0;                                                \
  if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {    \
    va_list rest;                                                 \
    va_start(rest, flags);                                        \
    mode = va_arg(rest, mode_t);                                  \
    va_end(rest);                                                 \
  }

#define OPEN(name)                                                \
  PUBLIC int name(const char *path, int flags, ...) {             \
    MODE REAL(int, name, const char *, int, ...)                  \
    if (!is_making(flags)) RETRY(int, -1, AT_FDCWD, path, real(path, flags, mode)); \
    NEED(-1, find_kind(flags), AT_FDCWD, path);                   \
    return real(path, flags, mode);                               \
  }
OPEN(open) OPEN(open64)

#define OPENAT(name)                                              \
  PUBLIC int name(int fd, const char *path, int flags, ...) {     \
    MODE REAL(int, name, int, const char *, int, ...)             \
    if (!is_making(flags)) RETRY(int, -1, fd, path, real(fd, path, flags, mode)); \
    NEED(-1, find_kind(flags), fd, path);                         \
    return real(fd, path, flags, mode);                           \
  }
OPENAT(openat) OPENAT(openat64)

/* As a program calls them that was compiled with _FORTIFY_SOURCE; never to make a file. */
#define OPEN_2(name)                                              \
  PUBLIC int name(const char *path, int flags) {                  \
    REAL(int, name, const char *, int)                            \
    RETRY(int, -1, AT_FDCWD, path, real(path, flags));            \
  }
OPEN_2(__open_2) OPEN_2(__open64_2)

#define OPENAT_2(name)                                            \
  PUBLIC int name(int fd, const char *path, int flags) {          \
    REAL(int, name, int, const char *, int)                       \
    RETRY(int, -1, fd, path, real(fd, path, flags));              \
  }
OPENAT_2(__openat_2) OPENAT_2(__openat64_2)

#define CREAT(name)                                               \
  PUBLIC int name(const char *path, mode_t mode) {                \
    REAL(int, name, const char *, mode_t)                         \
    NEED(-1, 'P', AT_FDCWD, path);                                \
    return real(path, mode);                                      \
  }
CREAT(creat) CREAT(creat64) CREAT(mkfifo)

#define FOPEN(name)                                               \
  PUBLIC FILE *name(const char *path, const char *mode) {         \
    REAL(FILE *, name, const char *, const char *)                \
    if (*mode == 'r') RETRY(FILE *, NULL, AT_FDCWD, path, real(path, mode)); \
    NEED(NULL, *mode == 'a' ? 'F' : 'P', AT_FDCWD, path);         \
    return real(path, mode);                                      \
  }
FOPEN(fopen) FOPEN(fopen64)

#define FREOPEN(name)                                             \
  PUBLIC FILE *name(const char *path, const char *mode, FILE *file) { \
    REAL(FILE *, name, const char *, const char *, FILE *)        \
    NEED(NULL, *mode == 'w' ? 'P' : 'F', AT_FDCWD, path);         \
    return real(path, mode, file);                                \
  }
FREOPEN(freopen) FREOPEN(freopen64)

/* One path, then something that is passed on. */
#define PATH_1(name, type, failed, argument)                      \
  PUBLIC type name(const char *path, argument rest) {             \
    REAL(type, name, const char *, argument)                      \
    RETRY(type, failed, AT_FDCWD, path, real(path, rest));        \
  }
PATH_1(stat, int, -1, void *) PATH_1(stat64, int, -1, void *)
PATH_1(lstat, int, -1, void *) PATH_1(lstat64, int, -1, void *)
PATH_1(statfs, int, -1, void *) PATH_1(statfs64, int, -1, void *)
PATH_1(access, int, -1, int) PATH_1(eaccess, int, -1, int) PATH_1(euidaccess, int, -1, int)
PATH_1(realpath, char *, NULL, char *)
PATH_1(truncate, int, -1, off_t) PATH_1(truncate64, int, -1, off_t)
PATH_1(chmod, int, -1, mode_t) PATH_1(utime, int, -1, const void *) PATH_1(utimes, int, -1, const struct timeval *)

PUBLIC int mkdir(const char *path, mode_t mode) {
  REAL(int, mkdir, const char *, mode_t)
  NEED(-1, 'F', AT_FDCWD, path);
  return real(path, mode);
}

#define XSTAT(name)                                               \
  PUBLIC int name(int version, const char *path, void *status) {  \
    REAL(int, name, int, const char *, void *)                    \
    RETRY(int, -1, AT_FDCWD, path, real(version, path, status));                           \
  }
XSTAT(__xstat) XSTAT(__xstat64) XSTAT(__lxstat) XSTAT(__lxstat64)

#define FXSTATAT(name)                                            \
  PUBLIC int name(int version, int fd, const char *path, void *status, int flags) { \
    REAL(int, name, int, int, const char *, void *, int)          \
    RETRY(int, -1, fd, path, real(version, fd, path, status, flags));                \
  }
FXSTATAT(__fxstatat) FXSTATAT(__fxstatat64)

#define FSTATAT(name)                                             \
  PUBLIC int name(int fd, const char *path, void *status, int flags) { \
    REAL(int, name, int, const char *, void *, int)               \
    RETRY(int, -1, fd, path, real(fd, path, status, flags));                         \
  }
FSTATAT(fstatat) FSTATAT(fstatat64)

PUBLIC int utimensat(int fd, const char *path, const void *times, int flags) {
  REAL(int, utimensat, int, const char *, const void *, int)
  RETRY(int, -1, fd, path, real(fd, path, times, flags));
}

PUBLIC int statx(int fd, const char *path, int flags, unsigned mask, void *status) {
  REAL(int, statx, int, const char *, int, unsigned, void *)
  RETRY(int, -1, fd, path, real(fd, path, flags, mask, status));
}

PUBLIC int faccessat(int fd, const char *path, int mode, int flags) {
  REAL(int, faccessat, int, const char *, int, int)
  RETRY(int, -1, fd, path, real(fd, path, mode, flags));
}

PUBLIC ssize_t readlink(const char *path, char *out, size_t size) {
  REAL(ssize_t, readlink, const char *, char *, size_t)
  RETRY(ssize_t, -1, AT_FDCWD, path, real(path, out, size));
}

PUBLIC ssize_t readlinkat(int fd, const char *path, char *out, size_t size) {
  REAL(ssize_t, readlinkat, int, const char *, char *, size_t)
  RETRY(ssize_t, -1, fd, path, real(fd, path, out, size));
}

PUBLIC int chdir(const char *path) {
  REAL(int, chdir, const char *)
  RETRY(int, -1, AT_FDCWD, path, real(path));
}

/* Programs; what execvp() and posix_spawn() do inside the C library is not seen. */
PUBLIC int execve(const char *path, char *const *arguments, char *const *environment) {
  REAL(int, execve, const char *, char *const *, char *const *)
  RETRY(int, -1, AT_FDCWD, path, real(path, arguments, environment));
}

PUBLIC int execv(const char *path, char *const *arguments) {
  REAL(int, execv, const char *, char *const *)
  RETRY(int, -1, AT_FDCWD, path, real(path, arguments));
}

/* What the program removes or moves away is not fetched again. */
static int tell_gone(int result, int fd, const char *path) {
  if (!result) need('X', fd, path);
  return result;
}

#define UNLINK(name)                                              \
  PUBLIC int name(const char *path) {                             \
    REAL(int, name, const char *)                                 \
    NEED(-1, 'F', AT_FDCWD, path);                                \
    return tell_gone(real(path), AT_FDCWD, path);                 \
  }
UNLINK(unlink) UNLINK(rmdir) UNLINK(remove)

PUBLIC int unlinkat(int fd, const char *path, int flags) {
  REAL(int, unlinkat, int, const char *, int)
  NEED(-1, 'F', fd, path);
  return tell_gone(real(fd, path, flags), fd, path);
}

PUBLIC int rename(const char *from, const char *to) {
  REAL(int, rename, const char *, const char *)
  NEED(-1, 'F', AT_FDCWD, from);
  NEED(-1, 'P', AT_FDCWD, to);
  return tell_gone(real(from, to), AT_FDCWD, from);
}

PUBLIC int renameat(int fd, const char *from, int other, const char *to) {
  REAL(int, renameat, int, const char *, int, const char *)
  NEED(-1, 'F', fd, from);
  NEED(-1, 'P', other, to);
  return tell_gone(real(fd, from, other, to), fd, from);
}

PUBLIC int renameat2(int fd, const char *from, int other, const char *to, unsigned flags) {
  REAL(int, renameat2, int, const char *, int, const char *, unsigned)
  NEED(-1, 'F', fd, from);
  NEED(-1, 'P', other, to);
  return tell_gone(real(fd, from, other, to, flags), fd, from);
}

/* ---- directories ---- */

PUBLIC DIR *opendir(const char *path) {
  REAL(DIR *, opendir, const char *)
  char *names = NULL;
  size_t size = 0;
  int error = need_names('D', AT_FDCWD, path, &names, &size);
  DIR *directory = error > 0 ? NULL : real(path);
  if (error > 0) errno = error;
  if (!directory) return free(names), NULL;
  attach(directory, names, size);
  return directory;
}

PUBLIC DIR *fdopendir(int fd) {
  REAL(DIR *, fdopendir, int)
  char *names = NULL, base[PATH_MAX];
  size_t size = 0;
  int error = LOAD(active) && find_base(fd, base, sizeof base) ? need_names('D', AT_FDCWD, base, &names, &size) : 0;
  DIR *directory = error > 0 ? NULL : real(fd);
  if (error > 0) errno = error;
  if (!directory) return free(names), NULL;
  attach(directory, names, size);
  return directory;
}

PUBLIC int closedir(DIR *directory) {
  REAL(int, closedir, DIR *)
  detach(directory);
  return real(directory);
}

PUBLIC void rewinddir(DIR *directory) {
  static void (*real)(DIR *);
  if (!real) real = (void (*)(DIR *))dlsym(RTLD_NEXT, "rewinddir");
  int place = find_listing(directory);
  if (place >= 0) {
    memset(listings[place]->seen, 0, listings[place]->count);
    listings[place]->next = 0;
  }
  if (real) real(directory);
}

/* Both forms of an entry are the same on 64-bit machines. */
#define READDIR(name, entry)                                      \
  PUBLIC struct entry *name(DIR *directory) {                     \
    static struct entry *(*real)(DIR *);                          \
    if (!LOAD(real)) STORE(real, (struct entry *(*)(DIR *))dlsym(RTLD_NEXT, #name)); \
    return (struct entry *)complete(directory, (struct dirent *)real(directory)); \
  }
READDIR(readdir, dirent) READDIR(readdir64, dirent64)
