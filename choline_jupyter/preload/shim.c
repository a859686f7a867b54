/* The preload shim: lets a program open, stat and list files that are not on this machine yet.
 *
 * Built for glibc 2.17 by build_hook.py; loaded by LD_PRELOAD into a session's kernels and all that they start. It is
 * inert until it is told where to ask: by CHOLINE_FILES (a Unix socket) in the environment at the start of a program, or
 * by choline_files_begin() in a process that was forked. When a call does not find a file inside one of the roots
 * (CHOLINE_FILES_ROOTS, without CHOLINE_FILES_EXCEPT) it asks agent/file_requests.py, waits, and makes the call again; a
 * call that finds its file costs nothing. It changes no result: what the real call says is what the program gets; only a
 * listing is completed by the names that have not been fetched, and an answer that carries an errno (too large,
 * interrupted) fails the call.
 *
 * Paths are lists of "/a//b/c//d": absolute and normalised, so that "//" cannot stand inside one.
 * A question: u32 length, one byte (F: this path, D: its names too, X: the program has removed it), the path.
 * An answer: u32 errno (0: go on), u32 length, names each ended by a NUL.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define ASKED 8192   /* questions that a process remembers */
#define PROBES 8
#define LISTINGS 512 /* directories that are completed at the same time */
#define PATIENCE 10  /* seconds that a new supervisor may take to come */
#define PAUSE 50000000  /* ns until it is looked for again */
#define SLICE 100000000 /* ns for which signals that interrupt nothing may have to wait */
#define NOTHING -1   /* there was nothing to ask */

struct settings {
  char *socket, *roots, *except;
};

/* Names that a directory has elsewhere; seen[i] once the real directory has shown the i-th. */
struct listing {
  char *data, **names, *seen;
  size_t count, next;
  struct dirent entry;
};

static struct settings *active;          /* NULL: inert */
static uint64_t asked[ASKED];            /* hashes of what needs no second question */
static int is_lost;                      /* nobody answers any more */
static DIR *directories[LISTINGS];       /* directories[i] shows listings[i] too */
static struct listing *listings[LISTINGS];
static int listing_count;
static __thread int busy;                /* calls of our own */

#define LOAD(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define STORE(variable, value) __atomic_store_n(&(variable), value, __ATOMIC_RELEASE)

/* ---- settings ---------------------------------------------------------------------------------------------------- */

PUBLIC void choline_files_forget(void) {
  for (int i = 0; i < ASKED; i++) STORE(asked[i], 0);
  STORE(is_lost, 0);
}

PUBLIC int choline_files_begin(const char *socket, const char *roots, const char *except) {
  struct settings *made = malloc(sizeof *made);
  if (!made) return -1;
  made->socket = strdup(socket);
  made->roots = strdup(roots ? roots : "");
  made->except = strdup(except ? except : "");
  choline_files_forget();
  STORE(active, made);
  return 0;
}

/* Ask nothing for this thread, or again. */
PUBLIC void choline_files_suspend(int is_paused) { busy = is_paused; }

__attribute__((constructor)) static void start(void) {
  const char *socket = getenv("CHOLINE_FILES");
  if (socket && *socket) choline_files_begin(socket, getenv("CHOLINE_FILES_ROOTS"), getenv("CHOLINE_FILES_EXCEPT"));
}

/* ---- paths ------------------------------------------------------------------------------------------------------- */

/* Whether a normalised path is one of the list or below one. */
static int is_below(const char *path, const char *list) {
  while (*list) {
    const char *end = strstr(list, "//");
    size_t length = end ? (size_t)(end - list) : strlen(list);
    if (!strncmp(path, list, length) && (path[length] == '/' || !path[length])) return 1;
    list += length + (end ? 1 : 0);
  }
  return 0;
}

static int is_plain(const char *path) {
  if (*path != '/') return 0;
  for (; *path; path++)
    if (*path == '/' && (path[1] == '/' || path[1] == '.' || !path[1])) return 0;
  return 1;
}

/* Remove empty parts, "." and "x/.." in place. */
static void normalise(char *path) {
  char *to = path, *from = path;
  while (*from) {
    while (*from == '/') from++;
    size_t length = strcspn(from, "/");
    if (length == 2 && from[0] == '.' && from[1] == '.') {
      while (to > path && *--to != '/') continue;
    } else if (length && !(length == 1 && *from == '.')) {
      *to++ = '/';
      memmove(to, from, length);
      to += length;
    }
    from += length;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

/* The directory that a descriptor stands for; 0 when there is none. */
static int find_base(int fd, char *out, size_t size) {
  if (fd == AT_FDCWD) return syscall(SYS_getcwd, out, size) > 0;
  char link[48];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, out, size - 1);
  if (length <= 0) return 0;
  out[length] = 0;
  return *out == '/';
}

/* The absolute form of what a call names, not normalised; 0 when it does not fit. */
static int make_absolute(int fd, const char *path, char *out) {
  size_t length = 0;
  if (*path != '/') {
    if (!find_base(fd, out, PATH_MAX)) return 0;
    length = strlen(out);
    out[length++] = '/';
  }
  if (length + strlen(path) >= PATH_MAX) return 0;
  strcpy(out + length, path);
  return 1;
}

static int is_wanted(const struct settings *settings, const char *path) {
  return is_below(path, settings->roots) && !is_below(path, settings->except);
}

static int is_here(const char *path) {
  char status[512]; /* larger than any struct stat */
  return !syscall(SYS_newfstatat, AT_FDCWD, path, status, 0) || (errno != ENOENT && errno != ENOTDIR);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

static uint64_t hash_question(char kind, const char *path) {
  uint64_t hash = 14695981039346656037u ^ (unsigned char)kind;
  for (hash *= 1099511628211u; *path; path++) hash = (hash ^ (unsigned char)*path) * 1099511628211u;
  return hash ? hash : 1;
}

static int was_asked(uint64_t hash) {
  for (int i = 0; i < PROBES; i++)
    if (LOAD(asked[(hash + i) % ASKED]) == hash) return 1;
  return 0;
}

static void note_asked(uint64_t hash) {
  for (int i = 0; i < PROBES; i++)
    if (!LOAD(asked[(hash + i) % ASKED])) {
      STORE(asked[(hash + i) % ASKED], hash);
      return;
    }
  STORE(asked[hash % ASKED], hash);
}

/* Signals while a question is asked: `before`, what is blocked anyway; `waiting`, what is blocked while we wait. */
struct hold {
  sigset_t before, waiting;
};

/* Hold back the signals whose handlers end a wait (no SA_RESTART), but while we wait: between the question and the wait none
 * can pass unseen. The others wait for the end of a slice, so that they end nothing. */
static void hold_signals(struct hold *hold) {
  struct sigaction action;
  sigset_t held;
  sigemptyset(&held);
  for (int number = 1; number < NSIG; number++)
    if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN &&
        !(action.sa_flags & SA_RESTART))
      sigaddset(&held, number);
  sigprocmask(SIG_BLOCK, &held, &hold->before); /* of this thread; pthread_sigmask is in a library of its own */
  sigfillset(&hold->waiting);
  for (int number = 1; number < NSIG; number++)
    if (sigismember(&held, number) == 1 && !sigismember(&hold->before, number)) sigdelset(&hold->waiting, number);
}

/* Until there is something to read: 0, or EINTR. */
static int await_data(int fd, const struct hold *hold) {
  struct pollfd wanted = {.fd = fd, .events = POLLIN};
  struct timespec slice = {0, SLICE};
  int count;
  while (!(count = ppoll(&wanted, 1, &slice, &hold->waiting)))
    continue;
  return count < 0 ? errno : 0;
}

/* Read all of it: 0; what went wrong: an errno, ECONNRESET at the end of the stream. */
static int receive(int fd, void *out, size_t size, const struct hold *hold) {
  for (char *to = out; size;) {
    ssize_t count = recv(fd, to, size, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) {
      int error = await_data(fd, hold);
      if (error) return error;
      continue;
    }
    if (count < 0) return errno;
    if (!count) return ECONNRESET;
    to += count;
    size -= (size_t)count;
  }
  return 0;
}

static int transmit(int fd, const char *data, size_t size) {
  while (size) {
    ssize_t count = send(fd, data, size, MSG_NOSIGNAL);
    if (count < 0) return errno;
    data += count;
    size -= (size_t)count;
  }
  return 0;
}

static int reach(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || !connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

/* One question on a connection of its own. `failure` is the answer's errno; returns 0 when there was an answer. */
static int converse(const char *socket, char kind, const char *path, const struct hold *hold, uint32_t *failure,
                    char **names, size_t *size) {
  char question[PATH_MAX + 8];
  uint32_t length = (uint32_t)strlen(path) + 1, head[2];
  memcpy(question, &length, 4);
  question[4] = kind;
  memcpy(question + 5, path, length - 1);
  int fd = reach(socket);
  if (fd < 0) return errno ? errno : ENOENT;
  int error = transmit(fd, question, length + 4);
  if (!error) error = receive(fd, head, sizeof head, hold);
  if (!error && head[1] && (*names = malloc(head[1]))) {
    error = receive(fd, *names, head[1], hold);
    if (error) free(*names), *names = NULL;
  }
  close(fd);
  if (error) return error;
  *failure = head[0];
  *size = *names ? head[1] : 0;
  return 0;
}

/* Ask, again when the supervisor was replaced meanwhile; the errno that the call is to fail with, or 0. */
static int ask_on(const struct settings *settings, char kind, const char *path, const struct hold *hold, char **names,
                  size_t *size) {
  struct timespec pause = {0, PAUSE}, now, began;
  uint32_t failure = 0;
  clock_gettime(CLOCK_MONOTONIC, &began);
  while (!LOAD(is_lost)) {
    int error = converse(settings->socket, kind, path, hold, &failure, names, size);
    if (!error) return (int)failure;
    if (error == EINTR) return EINTR;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - began.tv_sec > PATIENCE) STORE(is_lost, 1);
    if (error != EAGAIN && error != ECONNREFUSED && error != ENOENT && error != ECONNRESET && error != EPIPE) break;
    if (ppoll(NULL, 0, &pause, &hold->waiting) < 0) return EINTR;
  }
  return 0;
}

static int ask(const struct settings *settings, char kind, const char *path, char **names, size_t *size) {
  struct hold hold;
  hold_signals(&hold);
  int error = ask_on(settings, kind, path, &hold, names, size);
  sigprocmask(SIG_SETMASK, &hold.before, NULL);
  return error;
}

/* Have a path that is wanted and not here; `kind` D asks also for a directory that is. An errno, 0 or NOTHING. */
static int fetch(const struct settings *settings, char kind, const char *path, char **names, size_t *size) {
  uint64_t hash = hash_question(kind, path);
  if (kind == 'F' && is_here(path)) return 0;
  if (was_asked(hash)) return NOTHING;
  int error = ask(settings, kind, path, names, size);
  if (!*size && error != EINTR) note_asked(hash);
  return error;
}

/* "a/../b" needs a first: the real call walks through it. */
static void fetch_ways(const struct settings *settings, char *path) {
  size_t size = 0;
  char *names = NULL, before[PATH_MAX];
  for (char *up = path; (up = strstr(up, "/..")); up += 3) {
    if (up[3] && up[3] != '/') continue;
    memcpy(before, path, (size_t)(up - path));
    before[up - path] = 0;
    normalise(before);
    if (is_wanted(settings, before)) fetch(settings, 'F', before, &names, &size);
  }
}

static int prepare(const struct settings *settings, char kind, int fd, const char *given, char **names, size_t *size) {
  char path[PATH_MAX];
  size_t unused = 0;
  if (!make_absolute(fd, given, path)) return NOTHING;
  if (!is_plain(path)) {
    if (strstr(path, "/..")) fetch_ways(settings, path);
    normalise(path);
  }
  if (!is_wanted(settings, path)) return NOTHING;
  if (kind == 'X') return is_here(path) ? 0 : ask(settings, 'X', path, names, &unused), 0;
  if (kind == 'P') { /* what is about to be made needs its folder */
    *strrchr(path, '/') = 0;
    if (!is_wanted(settings, path)) return NOTHING;
    kind = 'F';
  }
  return fetch(settings, kind, path, names, size);
}

/* What every wrapper calls: an errno that its call is to fail with, 0 when that is worth a try, NOTHING. Keeps errno. */
static int need_names(char kind, int fd, const char *path, char **names, size_t *size) {
  struct settings *settings = LOAD(active);
  if (!settings || busy || !path || !*path) return NOTHING;
  if (is_plain(path) && !is_below(path, settings->roots)) return NOTHING;
  int kept = errno;
  busy = 1;
  int error = prepare(settings, kind, fd, path, names, size);
  busy = 0;
  errno = kept;
  return error;
}

static int need(char kind, int fd, const char *path) {
  char *names = NULL;
  size_t size = 0;
  int error = need_names(kind, fd, path, &names, &size);
  free(names);
  return error;
}

/* ---- listings ---------------------------------------------------------------------------------------------------- */

static int compare_names(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

static struct listing *make_listing(char *data, size_t size) {
  struct listing *made = calloc(1, sizeof *made);
  size_t count = 0;
  for (size_t i = 0; i < size; i++) count += !data[i];
  if (made) made->names = calloc(count + 1, sizeof *made->names), made->seen = calloc(count + 1, 1);
  if (!made || !made->names || !made->seen) return NULL; /* out of memory: the real directory as it is */
  for (char *name = data; made->count < count; name += strlen(name) + 1) made->names[made->count++] = name;
  qsort(made->names, count, sizeof *made->names, compare_names);
  made->data = data;
  return made;
}

/* Show names with a directory that was just opened; without a free place it stays as it is. */
static void attach(DIR *directory, char *data, size_t size) {
  struct listing *made = size ? make_listing(data, size) : NULL;
  for (int i = 0; made && i < LISTINGS; i++) {
    DIR *none = NULL;
    if (__atomic_compare_exchange_n(&directories[i], &none, directory, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      STORE(listings[i], made);
      __atomic_add_fetch(&listing_count, 1, __ATOMIC_ACQ_REL);
      return;
    }
  }
  free(data);
}

static int find_listing(DIR *directory) {
  if (!LOAD(listing_count)) return -1;
  for (int i = 0; i < LISTINGS; i++)
    if (LOAD(directories[i]) == directory) return i;
  return -1;
}

static void detach(DIR *directory) {
  int place = find_listing(directory);
  if (place < 0) return;
  struct listing *gone = listings[place];
  STORE(listings[place], NULL);
  STORE(directories[place], NULL);
  __atomic_sub_fetch(&listing_count, 1, __ATOMIC_ACQ_REL);
  free(gone->data), free(gone->names), free(gone->seen), free(gone);
}

/* Behind the last real entry those that the directory has not shown itself; a real one is marked. */
static struct dirent *complete(DIR *directory, struct dirent *real) {
  int place = find_listing(directory);
  if (place < 0) return real;
  struct listing *listing = listings[place];
  if (real) {
    char *name = real->d_name;
    char **found = bsearch(&name, listing->names, listing->count, sizeof name, compare_names);
    if (found) listing->seen[found - listing->names] = 1;
    return real;
  }
  while (listing->next < listing->count && listing->seen[listing->next]) listing->next++;
  if (listing->next == listing->count) return NULL;
  memset(&listing->entry, 0, offsetof(struct dirent, d_name));
  listing->entry.d_ino = 1;
  listing->entry.d_type = DT_REG;
  listing->entry.d_reclen = sizeof listing->entry;
  snprintf(listing->entry.d_name, sizeof listing->entry.d_name, "%s", listing->names[listing->next++]);
  return &listing->entry;
}

#include "wrappers.h"
