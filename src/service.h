/* service.h - the life of one service process of the gateway. */
#pragma once

#include "config/config.h"
#include "supervisor/supervisor.h"

/* Serves the listener until SIGTERM. Returns the process's exit status. */
int service_run(const struct config *config, const struct listener_config *listener,
                int listen_fd, const struct supervisor_work *work);
