#include "server/crash.h"

#include "base/log.h"
#include "io/symbols.h"
#include "server/config.h"
#include "server/server.h"

#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { FRAMES_MAX = 100, ALTERNATE_STACK_BYTES = 64 * 1024 };

/* A signal handler has no argument: the one place where the server is reachable without being handed over. */
static struct server *crashing_server;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* snprintf into the stack is as async-signal-safe as a dying process needs it: no allocation, no lock. */
static void say(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (len > (int)sizeof line - 1) len = (int)sizeof line - 1;
    if (len > 0) log_raw(line, (unsigned long)len);
}

static void say_registers(const ucontext_t *context)
{
#if defined(__x86_64__)
    const greg_t *r = context->uc_mcontext.gregs;
    say("RAX:%016llx RBX:%016llx\nRCX:%016llx RDX:%016llx\nRDI:%016llx RSI:%016llx\nRBP:%016llx "
        "RSP:%016llx\n",
        (unsigned long long)r[REG_RAX], (unsigned long long)r[REG_RBX],
        (unsigned long long)r[REG_RCX], (unsigned long long)r[REG_RDX],
        (unsigned long long)r[REG_RDI], (unsigned long long)r[REG_RSI],
        (unsigned long long)r[REG_RBP], (unsigned long long)r[REG_RSP]);
    say("R8 :%016llx R9 :%016llx\nR10:%016llx R11:%016llx\nR12:%016llx R13:%016llx\nR14:%016llx "
        "R15:%016llx\n"
        "RIP:%016llx EFL:%016llx\n",
        (unsigned long long)r[REG_R8], (unsigned long long)r[REG_R9],
        (unsigned long long)r[REG_R10], (unsigned long long)r[REG_R11],
        (unsigned long long)r[REG_R12], (unsigned long long)r[REG_R13],
        (unsigned long long)r[REG_R14], (unsigned long long)r[REG_R15],
        (unsigned long long)r[REG_RIP], (unsigned long long)r[REG_EFL]);
#elif defined(__aarch64__)
    for (int i = 0; i < 31; i++)
        say("X%d:%016llx\n", i, (unsigned long long)context->uc_mcontext.regs[i]);
    say("SP:%016llx PC:%016llx\n", (unsigned long long)context->uc_mcontext.sp,
        (unsigned long long)context->uc_mcontext.pc);
#else
    (void)context;
#endif
}

static void say_current_command(void)
{
    const struct server *server = crashing_server;
    const struct session *session = server == NULL ? NULL : server->current;

    say("\n------ CURRENT CLIENT INFO ------\n");
    if (session == NULL) return;
    say("id=%llu addr=%s db=%d cmd=%s\n", (unsigned long long)session->id, session->peer_name,
        session->db, session->last_command != NULL ? session->last_command->name : "");
}

/* A frame of our own is named from the program's table, one of a library by its loader's. */
static void say_frames(void *const *frames, int count)
{
    struct symbols symbols;
    bool named = symbols_open(&symbols);
    int pipe_fds[2] = {-1, -1};
    /* A library's symbols go through a pipe, so that they reach whatever the log is. */
    bool piped = pipe(pipe_fds) == 0;
    char text[512];

    for (int i = 0; i < count; i++) {
        size_t offset;
        const char *name = named ? symbols_name(&symbols, frames[i], &offset) : NULL;
        if (name != NULL) {
            say("pando-server(%s+0x%zx)[%p]\n", name, offset, frames[i]);
        } else if (piped) {
            backtrace_symbols_fd(&frames[i], 1, pipe_fds[1]);
            ssize_t len = read(pipe_fds[0], text, sizeof text);
            if (len > 0) log_raw(text, (unsigned long)len);
        }
    }
}

/* Unused where a sanitizer reports crashes. */
__attribute__((unused)) static void on_fatal_signal(int number, siginfo_t *info, void *context)
{
    void *frames[FRAMES_MAX];

    say("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n");
    say("pando %s (Redis 7.0.15) crashed by signal: %d, si_code: %d\n", PANDO_VERSION, number,
        info->si_code);
    if (number == SIGSEGV || number == SIGBUS) say("Accessing address: %p\n", info->si_addr);
    say("\n------ STACK TRACE ------\nBacktrace:\n");
    say_frames(frames, backtrace(frames, FRAMES_MAX));
    say("\n------ REGISTERS ------\n");
    say_registers(context);
    say_current_command();
    say("\n=== REDIS BUG REPORT END. ===\n\n");
    if (number == SIGABRT && crashing_server->config->use_exit_on_panic) _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

void crash_install(struct server *server)
{
    crashing_server = server;
    if (!server->config->crash_log_enabled) return;
#if defined(__SANITIZE_ADDRESS__)
    if (true) return; /* the sanitizer's own report says more */
#endif
    static char alternate_stack[ALTERNATE_STACK_BYTES]; /* an overflowed stack still reports */
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    struct sigaction action = {.sa_sigaction = on_fatal_signal,
                               .sa_flags = SA_SIGINFO | SA_RESETHAND | SA_NODEFER | SA_ONSTACK};

    sigaltstack(&stack, NULL);
    sigemptyset(&action.sa_mask);
    const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    void *frame[1];
    backtrace(frame, 1); /* loads what backtrace needs now, not in a crash */
}
