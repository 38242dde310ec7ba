/* selftest_inside.h - `holdfast selftest`: what it consists of.
 *
 *   selftest.c           the order of things, and the verdict
 *   selftest_disk.c      how long a sync takes
 *   selftest_gateway.c   a gateway of our own, to be killed
 *   selftest_terminal.c  a terminal, as a device would write it
 *   selftest_relay.c     messages in a stream: order, and how many a second
 *   selftest_kills.c     messages, kills, and a ledger of what was called safe
 *
 * One thread. Everything is written in the working directory, on the disk in question.
 */
#pragma once

#include "base/buf.h"
#include "codec/ttms.h"

#include <netinet/in.h>
#include <stdio.h>

struct selftest {
    int64_t time_ms; /* for all of it */
    bool is_json;
    bool is_live; /* show progress */
};

/* Overwrites itself on a terminal; nothing elsewhere. */
void selftest_progress(const struct selftest *s, const char *format, ...) PRINTF(2, 3);

/* ---- the disk ---- */

struct disk_result {
    unsigned syncs;
    int64_t median_us, slowest_us;
};

/* Writes a message and syncs, again and again. OK, or ERR_IO with errno set. */
MUST_CHECK int selftest_disk(struct disk_result *out);

/* ---- a gateway ---- */

struct gateway_under_test {
    const char *name; /* of its directory */
    struct sockaddr_in address;
    pid_t pid; /* 0: not running */
};

/* Writes its configuration; `name` outlives it. `durable`: messages are stored before
 * they are forwarded. */
MUST_CHECK int gateway_prepare(struct gateway_under_test *g, const char *name,
                               bool durable);
/* Returns when it listens. ERR_IO: it does not start; its log was shown. */
MUST_CHECK int gateway_begin(struct gateway_under_test *g);
void gateway_kill(struct gateway_under_test *g); /* -9, all of its processes */
void gateway_end(struct gateway_under_test *g);  /* in order */

/* ---- a terminal ---- */

struct terminal_under_test {
    int fd; /* -1: not connected */
    uint32_t id;
    struct buf output; /* not taken by the socket yet */
    struct buf input;  /* an incomplete frame */
};

/* Connects and registers. OK, or ERR_CLOSED: nobody listens. */
MUST_CHECK int terminal_begin(struct terminal_under_test *t,
                              const struct gateway_under_test *g, uint32_t id);
void terminal_end(struct terminal_under_test *t);

/* Queues a message of `size` bytes that carries `number`. */
MUST_CHECK int terminal_say(struct terminal_under_test *t, uint32_t to, uint64_t number,
                            size_t size);

/* What came: a message's number, or a receipt or refusal. */
typedef void terminal_heard(void *user, uint8_t command, uint64_t number);

/* Waits at most `timeout_ms` for something of up to two terminals (`b` may be NULL),
 * sends and reads. OK, or ERR_CLOSED: one connection ended. */
MUST_CHECK int terminals_turn(struct terminal_under_test *a,
                              struct terminal_under_test *b, int timeout_ms,
                              terminal_heard *heard, void *user);

/* ---- what is tested ---- */

struct relay_result {
    size_t size; /* of a frame */
    bool durable;
    uint64_t sent, received, disordered;
    double seconds;
};

MUST_CHECK int selftest_relay(const struct selftest *s, size_t size, bool durable,
                              int64_t time_ms, struct relay_result *out);

struct kills_result {
    unsigned kills;
    uint64_t sent, safe, delivered;
    uint64_t lost;       /* called safe, and never delivered */
    uint64_t disordered; /* delivered for the first time behind a later one */
    uint64_t repeated;   /* delivered again */
    int64_t slowest_start_ms;
};

MUST_CHECK int selftest_kills(const struct selftest *s, int64_t time_ms,
                              struct kills_result *out);
