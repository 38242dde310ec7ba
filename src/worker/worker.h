/* worker.h - the process that serves: shards, sessions, the mailbox's writer. */
#pragma once

#include "config/config.h"
#include "supervisor/supervisor.h"

/* Serves on the listening sockets of `work` (one per config->listeners, and that of
 * HTTP behind them, unless it is off) until SIGTERM, which must be blocked in the
 * calling thread; then drains. Returns the process's exit status. */
int worker_run(const struct config *config, const struct supervisor_work *work);
