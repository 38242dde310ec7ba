/* calls.h - requests that wait for what a shard does with them: an order (command/
 * commands.h), a letter (session/letter.h) or a revocation (session/vehicles.h).
 *
 *   request --> call --parcel--> shard        one there, one back, nothing between
 *   answer <----'  <----parcel----'
 *
 * A call whose client has left goes on, since what it asked for does; its answer meets
 * a dead handle. So calls are bounded on their own, not by the server's connections. */
#pragma once

#include "command/commands.h"
#include "http/server.h"
#include "session/letter.h"
#include "session/vehicles.h"

/* Under way at once: a kilobyte each, and all the bodies that they carry. */
#define CALLS_MAX       16384
#define CALLS_MAX_BYTES (64u << 20)

struct api;
struct params;

struct call {
    union {
        struct trip trip; /* what each of them begins with */
        struct order order;
        struct letter letter;
        struct revocation revocation;
    };
    struct link link;
    struct api *api;
    http_handle handle;
    size_t bytes; /* that it carries, once it is sent */
    enum { CALL_ORDER, CALL_LETTER, CALL_REVOCATION } kind;
    bool wants_json; /* of the old addresses */
    /* On the server's thread: it came back. Freed afterwards. */
    void (*answer)(struct call *c);
};

/* NULL: refused, and answered. Until it is sent, call_free takes it back. */
MUST_CHECK struct call *call_new(struct api *a, http_handle h,
                                 void (*answer)(struct call *c));
void call_free(struct call *c);

/* An order about the request's device: /api/v1/devices/{id}/... NULL: as above. */
MUST_CHECK struct call *call_for_device(struct api *a, const struct http_request *q,
                                        const struct params *p,
                                        void (*answer)(struct call *c));

void call_send_order(struct call *c, enum order_kind kind);
void call_send_letter(struct call *c);
void call_send_revocation(struct call *c);

/* The shards have ended. */
void calls_fini(struct api *a);
