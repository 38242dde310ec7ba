/* presence.h - is a device there? One judge for every protocol.
 *
 *           strikes            leave_hold over
 *   ALIVE ----------> LEAVE -------------------> CLOSE
 *     ^--- recover ----'  ^------- returns --------'
 *
 * One step at a time, in either direction; what looks like a jump is two moves at the
 * same moment. Two rules judge a connected device by its messages, the third one leaves
 * it to the connection:
 *
 *   cursor   Time runs in intervals from the connection's beginning. An interval
 *            without a message adds 1 to the cursor, one with a message takes 1 off. At
 *            `threshold` the cursor returns to 0: a strike. `strikes` of them: alive ->
 *            leave. `recover` intervals in a row with a message: leave -> alive; in
 *            alive the same run clears the strikes. `leave_hold` in leave: -> close.
 *   timeout  Nothing heard for `timeout`: -> leave -> close at the same moment.
 *   none     No silence is too long.
 *
 * Whatever the rule, the end of its connection closes a device at once. A device whose
 * presence is CLOSE comes back as `rejoin` says: to LEAVE, whence it must recover, or
 * through LEAVE to ALIVE at the same moment.
 *
 * A judge is asked only when something can have changed: presence_next() says when. A
 * healthy device costs a timer in `threshold * strikes` intervals, not one in each.
 * Pure: times are arguments, monotonic milliseconds. One thread. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

#define PRESENCE_STATES(X) X(ALIVE, "alive") X(LEAVE, "leave") X(CLOSE, "close")

enum presence {
#define X(name, word) PRESENCE_##name,
    PRESENCE_STATES(X)
#undef X
        PRESENCE_COUNT
};

#define PRESENCE_RULES(X)                                                              \
    X(NONE, "none", "the end of its connection alone closes a device")                 \
    X(CURSOR, "cursor", "by intervals with and without a message")                     \
    X(TIMEOUT, "timeout", "by the time since the last message")

enum presence_rule {
#define X(name, word, text) PRESENCE_RULE_##name,
    PRESENCE_RULES(X)
#undef X
};

/* A listener's. */
struct presence_policy {
    uint8_t rule;   /* enum presence_rule */
    uint8_t rejoin; /* PRESENCE_LEAVE or PRESENCE_ALIVE: what follows CLOSE */
    uint32_t threshold, strikes, recover; /* cursor; each at least 1 */
    int64_t interval_ms, leave_hold_ms;   /* cursor */
    int64_t timeout_ms;                   /* timeout */
};

/* Why the judge moved a device. Events also carry the reasons of those who end
 * connections (net/conn.h) and the tracker's own. */
#define PRESENCE_REASONS(X)                                                            \
    X(STRIKES, "strikes", "too many intervals without a message")                      \
    X(RECOVERED, "recovered", "enough intervals in a row with a message")              \
    X(LEAVE_HOLD, "leave_hold", "it did not recover in time")                          \
    X(TIMEOUT, "timeout", "nothing was heard for too long")

enum presence_reason {
#define X(name, word, text) PRESENCE_BY_##name,
    PRESENCE_REASONS(X)
#undef X
};

struct presence_move {
    uint8_t from, to; /* enum presence */
    uint8_t reason;   /* enum presence_reason */
    int64_t at_ms;    /* when it became due: never before the one before it */
};

/* What a rule notes of one connected device: 32 bytes. The layout is presence.c's
 * business, but for `state`. */
struct presence_watch {
    int64_t mark_ms;  /* cursor: the first interval not judged begins; timeout: heard */
    int64_t left_ms;  /* in LEAVE: since when */
    uint32_t cursor;  /* below `threshold` */
    uint32_t strikes; /* in ALIVE, below `strikes` */
    uint32_t good;    /* intervals in a row with a message, at most `recover` */
    uint8_t state;    /* enum presence */
    bool heard; /* in the interval that mark_ms begins; the later ones are silent */
};

/* A connection begins for a device in this state (ALIVE or LEAVE). Under the rules that
 * know no LEAVE it recovers from it at this moment: judge. */
void presence_begin(struct presence_watch *w, const struct presence_policy *p,
                    enum presence state, int64_t now_ms);

/* A message came. First take all moves that presence_judge(now_ms) has. Afterwards
 * presence_next() is later than before, or the same; but in LEAVE it may be earlier. */
void presence_heard(struct presence_watch *w, const struct presence_policy *p,
                    int64_t now_ms);

/* The earliest move due by now_ms, and makes it; false when there is none. Ask until
 * false. After a move to CLOSE the watch is over. However long ago the last question
 * was, the cost is the same. */
bool presence_judge(struct presence_watch *w, const struct presence_policy *p,
                    int64_t now_ms, struct presence_move *out);

/* When the next move is due if nothing is heard until then; INT64_MAX: never. */
int64_t presence_next(const struct presence_watch *w, const struct presence_policy *p);

/* Is it a single step of the drawing above? */
bool presence_may_move(enum presence from, enum presence to);

const char *presence_word(uint8_t state);
const char *presence_reason_word(uint8_t reason);
