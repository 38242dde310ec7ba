/* serve.h - a program of your own around a service: libholdfast.
 *
 *     int main(void)
 *     {
 *         struct hf_options options;
 *
 *         hf_options_init(&options);
 *         options.listen_fd = hf_listen("127.0.0.1:9000");
 *         if (options.listen_fd < 0)
 *             return 1;
 *         hf_fork_processes(0, 100);
 *         return hf_serve(&service, &options) == 0 ? 0 : 1;
 *     }
 *
 * Functions that fail return -1 and set errno, and say more in the log. */
#pragma once

#include <holdfast/service.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What stands before each request and each answer. */
enum hf_length {
    HF_LENGTH_DIGITS, /* decimal, ASCII, zeros in front: "0000000002hi" */
    HF_LENGTH_U8,
    HF_LENGTH_U16_BE,
    HF_LENGTH_U16_LE,
    HF_LENGTH_U32_BE,
    HF_LENGTH_U32_LE,
    HF_LENGTH_NONE /* the `end` bytes tell where one ends */
};

enum hf_counts {
    HF_COUNTS_BODY, /* what the service sees */
    HF_COUNTS_FRAME /* everything, the length field included */
};

enum hf_log_level {
    HF_LOG_NONE = -1,
    HF_LOG_ERROR, /* a person must act */
    HF_LOG_WARN,  /* we coped */
    HF_LOG_INFO,  /* a line for each connection that ends */
    HF_LOG_DEBUG
};

/* No socket is given. Not -1, which is what a failed hf_listen() returns. */
#define HF_BY_ADDRESS (-2)

/* Call hf_options_init() first: members may be added at the end, and get the values
 * with which nothing changes. Text and bytes are not copied; they have to last until
 * hf_serve() returns. */
struct hf_options {
    uint32_t size; /* sizeof(struct hf_options) */

    /* Where: an address, numeric and with its port ("127.0.0.1:9000", "[::1]:9000"), or
     * a socket that listens already, which stays yours and becomes non-blocking. */
    const char *address; /* 127.0.0.1:9000 */
    int listen_fd;       /* HF_BY_ADDRESS */

    const char *argument; /* for the service's start(); "" */

    /* Framing of requests and answers; docs: framing. */
    enum hf_length length; /* HF_LENGTH_DIGITS */
    uint32_t digits;       /* 10; from 1 to 10 */
    enum hf_counts counts; /* HF_COUNTS_BODY */
    const void *end;       /* bytes behind each body; NULL */
    size_t end_size;       /* at most 7 */

    /* Who breaks one of these is closed, with a line in the log. */
    uint32_t max_frame;       /* bytes of a request's body; 16 MiB, at most 512 MiB */
    int64_t read_timeout_ms;  /* a request that stays incomplete; 30000 */
    uint32_t max_connections; /* of this process; 0: what open files allow */
    uint32_t max_per_address; /* the same; 0: no limit */

    /* Who takes no answers is not asked for more beyond so many bytes of them. */
    uint32_t output_limit; /* 1 MiB, at least 4 KiB */

    int64_t
        drain_timeout_ms; /* what was asked is answered, for at most so long; 10000 */

    /* Of this process, from hf_serve() on; the defaults hold before. */
    enum hf_log_level log_level; /* HF_LOG_INFO */
    int log_fd;                  /* 2, standard error */

    /* 0: SIGTERM and SIGINT end hf_serve(), SIGPIPE is ignored, and your handlers are
     * put back afterwards. Otherwise: signals are yours, and you call hf_stop(). */
    int leave_signals;
};

/* Called by hf_options_init(), which is the one to use. */
HF_EXPORT void hf_options_fill(struct hf_options *options, uint32_t size);

static inline void hf_options_init(struct hf_options *options)
{
    hf_options_fill(options, (uint32_t)sizeof(*options));
}

/* Serves on this thread until SIGTERM, SIGINT or hf_stop(): then no request is read any
 * more, those that were are answered, and the answers are sent. NULL options: all
 * defaults. One at a time in a process.
 *
 * 0: ended in order. -1, with nothing served: EINVAL (the service, an option, or no
 * socket that listens), ECANCELED (start() refused), EBUSY (it runs already), ENOMEM,
 * EIO, or what hf_listen() says. */
HF_EXPORT int hf_serve(const struct hf_service *service,
                       const struct hf_options *options);

/* Ends hf_serve(); if none runs yet, the next one in this process. Any thread, also in
 * a signal handler. */
HF_EXPORT void hf_stop(void);

/* A socket that listens there: for several processes, which share it, or to bind before
 * giving up rights. -1: EINVAL (not an address), or as socket(2), bind(2) and listen(2)
 * say. */
HF_EXPORT int hf_listen(const char *address);

/* Forks `count` processes (0 or less: one per core that we may run on) and returns in
 * each of them, with its number from 0. One that ends abnormally (by a signal, or with
 * an exit status other than 0) is started again with its number, all in all at most
 * `max_restarts` times; one that ends with 0 is not.
 *
 * The parent does not return: it exits with 0 when all have ended well, with 1 when it
 * gave up restarting, after a line that says so. SIGTERM or SIGINT to it end the
 * children in order, a second one at once; they also end when it is killed. Call it
 * before there are threads, and listen before: then a connection that waits while a
 * process dies is served by another one.
 *
 * -1, in the parent: the first ones could not be forked, and none is left. */
HF_EXPORT int hf_fork_processes(int count, int max_restarts);

/* Of the library that runs: "0.1.0". */
HF_EXPORT const char *hf_version(void);

#ifdef __cplusplus
}
#endif
