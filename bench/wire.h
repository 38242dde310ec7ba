/* wire.h - how the load speaks a protocol.
 *
 * Every message of a pair has the same size and, but for its payload, the same bytes.
 * So a protocol is two templates per pair plus a slow path for everything else that a
 * server says:
 *
 *   sent        | head ......... | payload | tail |
 *   delivered   | head ......... | payload | tail |     other heads and tails
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>
#include <sys/types.h>

#define WIRE_PART_MAX 96

enum wire_role { WIRE_SENDER, WIRE_RECEIVER };

struct wire_part {
    uint8_t bytes[WIRE_PART_MAX];
    size_t size;
};

/* The constant bytes of one pair. */
struct wire_template {
    struct wire_part sent_head, sent_tail;
    struct wire_part delivered_head, delivered_tail;
};

/* What the slow path found. */
struct wire_event {
    bool is_ready;       /* this connection is registered or subscribed */
    struct slice answer; /* to be sent back: a constant, or empty */
};

struct wire {
    const char *name;

    void (*prepare)(uint32_t pair, size_t payload, struct wire_template *out);
    /* Appends what a new connection says first; is_ready comes in return. */
    MUST_CHECK int (*greet)(uint32_t pair, enum wire_role role, size_t payload,
                            struct buf *out);
    /* Handles what is not a delivered message. Bytes used, 0 = more needed, <0 = the
     * server refused something or speaks another language. */
    ssize_t (*other)(struct slice in, struct wire_event *event);
    /* Fills in a tail that depends on the payload; NULL where it is constant. `frame`
     * is head, payload and `size` in all; `filler` the XOR of the payload's constant
     * bytes, which begin behind its first `vary` ones. */
    uint8_t (*check)(const uint8_t *frame, size_t head, size_t vary, uint8_t filler);
};

/* "ttms", "mqtt", "nats", "resp"; NULL for others. */
const struct wire *wire_find(const char *name);

extern const struct wire wire_ttms, wire_mqtt, wire_nats, wire_resp;

/* For prepare(): the part's next bytes. */
void wire_part_add(struct wire_part *part, const void *bytes, size_t size);
void wire_part_print(struct wire_part *part, const char *format, ...) PRINTF(2, 3);

/* For greet(). */
MUST_CHECK int wire_print(struct buf *out, const char *format, ...) PRINTF(2, 3);
/* The first line of `in` without its CRLF; size 0 and data NULL while incomplete. */
struct slice wire_line(struct slice in);
