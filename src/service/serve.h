/* serve.h - one process, one thread, one listener: serves requests until it is told to
 * end. The gateway's service processes and hf_serve() are this. */
#pragma once

#include "service/answers.h"

struct serve_conf {
    const char *name; /* of the listener, for the log */
    int listen_fd;    /* non-blocking; stays the caller's */
    int stop_fd;      /* readable: end in order */
    const struct framing *framing;
    const struct hf_service *service;
    const char *argument; /* for its start() */
    uint32_t max_connections, max_per_address;
    size_t output_limit;
    int64_t read_timeout_ms;
    int64_t drain_timeout_ms;
    _Atomic uint64_t *turns; /* for a watchdog; may be NULL */
    /* Before it serves: may add to the loop of `a`. OK or an error; may be NULL. */
    int (*begin)(void *user, struct answers *a);
    void (*ready)(void *user); /* it serves from now on; may be NULL */
    void *user;
};

/* Blocks. Returns OK after an orderly end; ERR_INVALID: the service did not start;
 * ERR_NOMEM, ERR_IO: nothing was served. Logged. */
MUST_CHECK int serve_run(const struct serve_conf *conf);
