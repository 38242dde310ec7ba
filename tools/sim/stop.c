#include "sim/stop.h"

#include <signal.h>
#include <unistd.h>

static _Atomic bool is_told;

static void on_signal(int signal)
{
    (void)signal;
    if (atomic_exchange(&is_told, true))
        _exit(2);
}

_Atomic bool *stop_on_signals(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    return &is_told;
}
