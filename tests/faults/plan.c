#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    int error; /* 0: it does not fail */
} actions[] = {
    [PASS] = {"pass", 0},
    [FAIL_ENOSPC] = {"enospc", ENOSPC},
    [FAIL_EIO] = {"eio", EIO},
    [FAIL_EINTR] = {"eintr", EINTR},
    [FAIL_EAGAIN] = {"eagain", EAGAIN},
    [FAIL_ENOMEM] = {"enomem", ENOMEM},
    [FAIL_ENOBUFS] = {"enobufs", ENOBUFS},
    [FAIL_EMFILE] = {"emfile", EMFILE},
    [FAIL_REFUSED] = {"refused", ECONNREFUSED},
    [FAIL_ABORTED] = {"aborted", ECONNABORTED},
    [FAIL_RESET] = {"reset", ECONNRESET},
    [FAIL_PIPE] = {"pipe", EPIPE},
    [ONE] = {"one", 0},
    [SHORT] = {"short", 0},
    [CUT] = {"cut", 0},
    [KILL] = {"kill", 0},
    [TORN] = {"torn", 0},
    [AFTER] = {"after", 0},
    [HOLD] = {"hold", 0},
};

static struct {
    char under[PATH_MAX]; /* a folder and '/'; empty: none */
    bool sockets;
    char kind[16]; /* empty: all */
    long at;
    char now[PATH_MAX]; /* the file that says what happens while it exists; empty: none */
    enum action action;
    int trace;
} plan = {.trace = -1};

static _Atomic long calls;

void *plan_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) abort();
    return found;
}

static enum action action_named(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(name, actions[i].name) == 0) return (enum action)i;
    abort(); /* a test that asks for what there is not */
}

__attribute__((constructor)) static void read_plan(void)
{
    const char *under = getenv("PANDO_FAULT_UNDER"), *trace = getenv("PANDO_FAULT_TRACE");
    const char *at = getenv("PANDO_FAULT_AT"), *kind = getenv("PANDO_FAULT_KIND");

    if (under == NULL || trace == NULL || strlen(under) >= sizeof plan.under - 1) return;
    /* Copied: the server writes its title over its environment. */
    plan.sockets = strcmp(under, "sockets") == 0;
    if (!plan.sockets) snprintf(plan.under, sizeof plan.under, "%s/", under);
    snprintf(plan.kind, sizeof plan.kind, "%s", kind != NULL ? kind : "");
    plan.at = at != NULL ? strtol(at, NULL, 10) : 0;
    if (at != NULL && strcmp(at, "while") == 0)
        snprintf(plan.now, sizeof plan.now, "%s.now", trace);
    plan.action = action_named(getenv("PANDO_FAULT_DO"));
    /* System calls of our own: they must not come by here. */
    plan.trace =
        (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void tell(enum action action, const char *kind, const char *what)
{
    char line[PATH_MAX + 64];
    int len = action == PASS
                  ? snprintf(line, sizeof line, "%s %s\n", kind, what)
                  : snprintf(line, sizeof line, "! %s %s %s\n", actions[action].name, kind, what);

    if (len > 0 && (size_t)len < sizeof line) syscall(SYS_write, plan.trace, line, (size_t)len);
}

bool plan_has_files(void)
{
    return plan.trace >= 0 && !plan.sockets;
}

bool plan_has_file(const char *path)
{
    size_t len = strlen(plan.under);

    if (!plan_has_files()) return false;
    len--;
    return strncmp(path, plan.under, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

bool plan_has_sockets(void)
{
    return plan.trace >= 0 && plan.sockets;
}

/* What a call of this kind meets now, of a plan that says so while it lasts. */
static enum action action_now(const char *kind)
{
    char text[64], name[32] = "", of[32] = "";
    int fd = (int)syscall(SYS_openat, AT_FDCWD, plan.now, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return PASS;
    ssize_t len = read(fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (len <= 0) return PASS;
    text[len] = '\0';
    sscanf(text, "%31s %31s", name, of);
    return of[0] == '\0' || strcmp(of, kind) == 0 ? action_named(name) : PASS;
}

/* Until the file says something else: it is asked again each millisecond. */
static void hold(const char *kind)
{
    while (action_now(kind) == HOLD) usleep(1000);
}

enum action plan_meet(const char *kind, const char *what)
{
    enum action action = PASS;

    if (plan.kind[0] != '\0' && strcmp(plan.kind, kind) != 0) return PASS;
    if (atomic_fetch_add(&calls, 1) + 1 == plan.at) action = plan.action;
    if (plan.now[0] != '\0') action = action_now(kind);
    tell(action, kind, what);
    if (action == HOLD) hold(kind);
    if (action == KILL) die();
    return action;
}

bool plan_fails(enum action action)
{
    if (actions[action].error == 0) return false;
    errno = actions[action].error;
    return true;
}

size_t plan_length(enum action action, size_t len)
{
    if (len <= 1) return len;
    if (action == ONE) return 1;
    return action == SHORT || action == CUT || action == TORN ? len / 2 : len;
}

void plan_end(enum action action)
{
    if (action == TORN || action == AFTER) die();
}
