/* crash.h - the worker's last words.
 *
 * A failed assert, a fatal signal and the supervisor's SIGABRT to a stuck thread all
 * end here: signal, address, thread and backtrace go to the shared page, then the
 * process dies of the same signal, so that its exit status and a core dump tell the
 * truth. */
#pragma once

#include "supervisor/vital.h"

/* In the worker, before its threads. Under sanitizers only SIGABRT is handled: the
 * others are theirs to report. `vital` must live as long as the process. */
void crash_setup(struct vital *vital);

/* In each further thread, whatever its signal mask: unblocks these signals (a blocked
 * SIGSEGV kills without a word, a blocked SIGABRT gives no dump) and gives the handler
 * a stack of its own, for the case that this thread's is used up. */
void crash_setup_thread(void);
