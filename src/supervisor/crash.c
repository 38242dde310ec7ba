#include "supervisor/crash.h"

#include <assert.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAMES_MAX  48
#define STACK_BYTES (64 * 1024)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||             \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
static const int fatal[] = {SIGABRT};
#else
static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif

static struct vital *page;   /* NULL: no worker, words go to standard error */
static _Atomic int speaking; /* the thread that writes the last words */

/* snprintf is not on the list of what a handler may call, but with plain %s, %d and %lx
 * glibc's neither allocates nor locks. */
PRINTF(1, 2) static void say(const char *format, ...)
{
    char line[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n > (int)sizeof(line) - 1)
        n = (int)sizeof(line) - 1;
    if (n > 0 && write(page ? page->fd : STDERR_FILENO, line, (size_t)n) < 0)
        return; /* nobody is left to tell */
}

/* One thread speaks; another that crashes meanwhile waits for the end of the process.
 */
static bool may_speak(void)
{
    int nobody = 0;

    return atomic_compare_exchange_strong(&speaking, &nobody, (int)gettid()) ||
           nobody == (int)gettid();
}

static void die_of(int signal_number)
{
    sigset_t set;

    signal(signal_number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    raise(signal_number);
    _exit(128 + signal_number);
}

static void on_fatal(int signal_number, siginfo_t *info, void *context)
{
    void *frames[FRAMES_MAX];
    int n;

    (void)context;
    if (!may_speak()) {
        pause();
        return;
    }
    say("signal %s, address 0x%lx, thread %d\n", sigabbrev_np(signal_number),
        info->si_code > 0 ? (unsigned long)info->si_addr : 0ul, (int)gettid());
    n = backtrace(frames, FRAMES_MAX);
    backtrace_symbols_fd(frames, n, page ? page->fd : STDERR_FILENO);
    die_of(signal_number);
}

/* assert(3) ends here instead of in the C library, so that its text is among the last
 * words too. It prints what the library's version prints, and aborts as that does. */
void __assert_fail(const char *expression, const char *file, unsigned line,
                   const char *function)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "%s:%u: %s: Assertion `%s' failed.\n", file,
                     line, function, expression);

    if (n > (int)sizeof(text) - 1)
        n = (int)sizeof(text) - 1;
    if (page && may_speak())
        say("%s", text);
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        abort();
    abort();
}

static void give_stack(void)
{
#ifndef SANITIZED
    stack_t stack = {.ss_size = STACK_BYTES};

    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp != MAP_FAILED)
        sigaltstack(&stack, NULL);
#endif
}

void crash_setup_thread(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        sigaddset(&set, fatal[i]);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    give_stack();
}

void crash_setup(struct vital *vital)
{
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO};
    void *frame;

    page = vital;
    action.sa_flags |= SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    backtrace(&frame, 1); /* loads libgcc now: a crashed process must not */
    crash_setup_thread();
    for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
        sigaction(fatal[i], &action, NULL);
}
