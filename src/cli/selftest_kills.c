/* Messages, kills, and a ledger outside of the gateway: whatever a receipt called safe
 * must be delivered, and in order. What no receipt was seen for may come or not. */
#include "cli/selftest_inside.h"
#include "base/clock.h"

#include <stdlib.h>

#define SENDER      1
#define RECEIVER    2
#define FRAME       200
#define UNDER_WAY   2000 /* messages sent and not decided */
#define LIFE_MS     400  /* of a gateway, at most */
#define PATIENCE_MS 10000

enum fate { SAFE = 1, REFUSED = 2, DELIVERED = 4 }; /* bits */

struct ledger_of_ours {
    struct kills_result *result;
    struct buf fates; /* a byte for each message, from number 0 */
    uint64_t sent;    /* numbers given so far */
    uint64_t first;   /* of this connection's */
    uint64_t decided; /* of this connection */
    uint64_t newest;  /* number delivered, plus 1 */
    uint64_t missing; /* safe, and not delivered yet */
};

static uint8_t *fate_of(struct ledger_of_ours *l, uint64_t number)
{
    return number < l->sent ? &l->fates.mem[l->fates.head + number] : NULL;
}

static void on_receipt(struct ledger_of_ours *l, uint64_t upto)
{
    for (; l->decided < upto && l->first + l->decided < l->sent; l->decided++) {
        uint8_t *fate = fate_of(l, l->first + l->decided);

        if (*fate & REFUSED)
            continue;
        *fate |= SAFE;
        l->result->safe++;
        l->missing += !(*fate & DELIVERED);
    }
}

static void on_message(struct ledger_of_ours *l, uint64_t number)
{
    uint8_t *fate = fate_of(l, number);

    if (!fate)
        return;
    if (*fate & DELIVERED) {
        l->result->repeated++;
        return;
    }
    *fate |= DELIVERED;
    l->result->delivered++;
    l->missing -= *fate & SAFE;
    if (number < l->newest)
        l->result->disordered++;
    else
        l->newest = number + 1;
}

static void on_heard(void *user, uint8_t command, uint64_t number)
{
    struct ledger_of_ours *l = user;

    if (command == TTMS_DATA)
        on_message(l, number);
    else if (command == TTMS_RECEIPT)
        on_receipt(l, number);
    else if (command == TTMS_REFUSAL && fate_of(l, l->first + number - 1))
        *fate_of(l, l->first + number - 1) |= REFUSED;
}

static int send_more(struct ledger_of_ours *l, struct terminal_under_test *sender)
{
    int rc = OK;

    for (int i = 0; rc == OK && i < 16; i++) {
        if (l->sent - l->first - l->decided >= UNDER_WAY)
            break;
        if (buf_try_append(&l->fates, slice_of("", 1)) < 0)
            return ERR_NOMEM;
        rc = terminal_say(sender, RECEIVER, l->sent++, FRAME);
    }
    l->result->sent = l->sent;
    return rc;
}

/* What its TCP has acknowledged counts as delivered, so all of it must be read, also
 * behind the end of the gateway and of the other connection. */
static void hear_out(struct ledger_of_ours *l, struct terminal_under_test *t)
{
    buf_clear(&t->output);
    while (t->fd >= 0 && terminals_turn(t, NULL, PATIENCE_MS, on_heard, l) == OK)
        ;
}

/* One life of a gateway, of `life_ms`. In every other one the receiver is there. */
static int live(struct ledger_of_ours *l, struct gateway_under_test *g,
                bool has_receiver, int64_t life_ms)
{
    struct terminal_under_test sender = {.fd = -1}, receiver = {.fd = -1};
    int64_t begun_ms = clock_mono_ms(), took_ms, end_ms;
    int rc = gateway_begin(g);

    if (rc < 0)
        return rc;
    took_ms = clock_mono_ms() - begun_ms;
    if (took_ms > l->result->slowest_start_ms)
        l->result->slowest_start_ms = took_ms;
    rc = terminal_begin(&sender, g, SENDER);
    if (rc == OK && (rc = terminal_begin(&receiver, g, RECEIVER)) == OK &&
        !has_receiver)
        terminal_end(&receiver);
    l->first = l->sent;
    l->decided = 0;
    end_ms = clock_mono_ms() + life_ms;
    while (rc == OK && clock_mono_ms() < end_ms)
        if ((rc = send_more(l, &sender)) == OK)
            rc = terminals_turn(&sender, has_receiver ? &receiver : NULL, 5, on_heard,
                                l);
    gateway_kill(g);
    l->result->kills++;
    if (rc == OK) {
        hear_out(l, &sender);
        hear_out(l, &receiver);
    }
    terminal_end(&sender);
    terminal_end(&receiver);
    return rc;
}

/* The last gateway lives until everything is delivered. */
static int drain_all(struct ledger_of_ours *l, struct gateway_under_test *g)
{
    struct terminal_under_test receiver;
    int64_t heard_ms = clock_mono_ms();
    int rc = gateway_begin(g);

    if (rc == OK)
        rc = terminal_begin(&receiver, g, RECEIVER);
    while (rc == OK && clock_mono_ms() < heard_ms + PATIENCE_MS) {
        uint64_t before = l->result->delivered + l->result->repeated;

        rc = terminals_turn(&receiver, NULL, 50, on_heard, l);
        if (l->result->delivered + l->result->repeated > before)
            heard_ms = clock_mono_ms();
        else if (l->missing == 0 && clock_mono_ms() > heard_ms + 500)
            break; /* what else may come is not promised */
    }
    if (rc == OK)
        terminal_end(&receiver);
    gateway_end(g);
    return rc;
}

int selftest_kills(const struct selftest *s, int64_t time_ms, struct kills_result *out)
{
    struct ledger_of_ours l = {.result = out};
    int64_t end_ms = clock_mono_ms() + time_ms;
    struct gateway_under_test g;
    int rc;

    *out = (struct kills_result){0};
    rc = gateway_prepare(&g, "kills", true);
    while (rc == OK && clock_mono_ms() < end_ms) {
        selftest_progress(s, "%u kills, %llu messages called safe", out->kills,
                          (unsigned long long)out->safe);
        rc = live(&l, &g, out->kills % 2 == 1, 20 + random() % LIFE_MS);
    }
    if (rc == OK)
        rc = drain_all(&l, &g);
    gateway_kill(&g);
    out->lost = l.missing;
    buf_fini(&l.fates);
    return rc;
}
