/* plant.h - all simulated devices of one kind, on one thread.
 *
 *          its time has come         connected           the gateway accepts it
 *   AWAY -------------------> CONNECTING --> INTRODUCING -----------------> ONLINE
 *    ^----------- fails, is ended, was restarted ---'------------------------'
 *
 * What a kind says is its `breed`'s: vending.c, vehicle.c. */
#pragma once

#include "sim/devices/settings.h"
#include "sim/devices/wire.h"
#include "sim/peer.h"
#include "base/list.h"
#include "net/wheel.h"

#include <stdatomic.h>

/* name, word, text, whether one of it is a broken promise */
#define PLANT_TALLIES(X)                                                               \
    X(CONNECTS, "connects", "connections made", false)                                 \
    X(RECONNECTS, "reconnects", "... of them by devices that had one before", false)   \
    X(ACCEPTED, "accepted", "times that the gateway accepted one", false)              \
    X(BEATS, "heartbeats", "sent", false)                                              \
    X(REPORTS, "reports", "sent unasked", false)                                       \
    X(ACKNOWLEDGED, "acknowledged", "of these and of introductions", false)            \
    X(COMMANDS, "commands", "received", false)                                         \
    X(REPEATS, "repeats", "... of them as the one before, byte by byte", false)        \
    X(ANSWERS, "answers", "sent to commands", false)                                   \
    X(WITHHELD, "withheld", "commands not answered, as asked for", false)              \
    X(RESENT, "resent", "packages sent again because the gateway asked", false)        \
    X(LEFT, "left", "connections ended by a restart", false)                           \
    X(FAILED, "failed_connects", "connections that did not come about", true)          \
    X(DROPPED, "dropped", "connections that the gateway ended", true)                  \
    X(REFUSED, "refused", "times that the gateway refused one", true)                  \
    X(UNANSWERED, "unanswered", "messages that the gateway did not answer in 10 s",    \
      true)                                                                            \
    X(ABSENT, "absent", "devices that were still not accepted at the end", true)       \
    X(DAMAGED, "damaged", "frames that cannot be read", true)                          \
    X(MISROUTED, "misrouted", "frames for another device", true)                       \
    X(STRANGE, "strange", "messages that a gateway does not send", true)

enum plant_tally {
#define X(name, word, text, bad) PLANT_##name,
    PLANT_TALLIES(X)
#undef X
        PLANT_TALLIES_COUNT
};

enum machine_state {
    MACHINE_AWAY,
    MACHINE_CONNECTING,
    MACHINE_INTRODUCING,
    MACHINE_ONLINE,
};

#define TOKEN_MAX 64

struct machine {
    struct peer peer;
    struct timer timer; /* what it does next */
    struct plant *plant;
    struct wire_id id;
    uint32_t place;
    uint16_t serial;
    uint8_t state;              /* enum machine_state */
    bool has_been;              /* connected before */
    bool restarts;              /* once its answer is sent */
    int64_t beat_ms, report_ms; /* when the next is due */
    uint32_t owed;              /* answers that the gateway owes */
    int64_t owed_ms;            /* ... since then at the latest */
    uint32_t last_command;      /* a hash */
    /* the breed's own */
    uint8_t condition;
    uint8_t token_size;
    uint8_t token[TOKEN_MAX];
    int64_t on_until_ms;
    uint16_t packages_first;
    struct buf parameters; /* those that were set; empty: as at first */
    struct buf packages;   /* of its last long message, frame behind frame */
};

struct plant_command {
    uint16_t message, serial;
    struct slice body;
};

struct breed {
    void (*identify)(const struct plant_settings *s, struct machine *m);
    void (*introduce)(struct plant *p, struct machine *m);
    void (*beat)(struct plant *p, struct machine *m);
    void (*report)(struct plant *p, struct machine *m);
    /* A frame of the gateway: plant_obey() if it is one. */
    void (*take)(struct plant *p, struct machine *m, const struct wire_frame *f);
    /* Does what it says, and appends the answer with this serial. `how`: REFUSE,
     * UNSUPPORTED, or any other for "done". */
    void (*answer)(struct plant *p, struct machine *m, const struct plant_command *c,
                   uint16_t serial, enum how how, struct buf *to);
};

extern const struct breed vending_breed, vehicle_breed;

struct plant {
    const struct plant_settings *settings;
    const struct breed *breed;
    _Atomic bool *stop;
    struct loop loop;
    struct scratch scratch;
    struct peer_target target;
    struct wheel wheel;
    struct machine *machines;
    struct list late;   /* answers that wait for their time */
    struct buf forming; /* what is sent next */
    uint8_t room[WIRE_FRAME_MAX];
    uint64_t online;
    int64_t now_ns, opened_ns, now_ms;
    uint64_t tally[PLANT_TALLIES_COUNT];
    char fatal[256]; /* why it could not go on */
};

MUST_CHECK int plant_open(struct plant *p, const struct plant_settings *s,
                          _Atomic bool *stop);
void plant_close(struct plant *p);

/* One step of a run; false: it is over. Call again. */
bool plant_turn(struct plant *p);

/* At the end: counts who is absent. */
void plant_finish(struct plant *p);
bool plant_is_good(const struct plant *p);

/* ---- for breeds ---- */

/* Appends one frame; its body is short enough. */
void plant_form(struct plant *p, const struct machine *m, const struct wire_frame *f,
                struct buf *to);
void plant_send(struct plant *p, struct machine *m, struct slice frames);
/* Sends one frame with its next serial. */
void plant_say(struct plant *p, struct machine *m, uint16_t message, struct slice body,
               bool wants_answer);

/* What the gateway answered. */
void plant_accepted(struct plant *p, struct machine *m);
void plant_acknowledged(struct plant *p, struct machine *m);
void plant_refused(struct plant *p, struct machine *m); /* ends the connection */

/* Ends its connection; it comes back after that. */
void plant_leave(struct plant *p, struct machine *m, int64_t away_ms);

/* The run cannot go on. */
PRINTF(2, 3) void plant_fail(struct plant *p, const char *format, ...);

/* ---- obey.c ---- */

/* Answers it in the device's manner. */
void plant_obey(struct plant *p, struct machine *m, const struct plant_command *c);
void plant_forget_late(struct plant *p); /* at the end */
