/* Messages in a stream from one terminal to another: their order, and how many there
 * are a second. */
#include "cli/selftest_inside.h"
#include "base/clock.h"

#define SENDER      1
#define RECEIVER    2
#define UNDER_WAY   4096
#define AT_ONCE     64
#define PATIENCE_MS 10000

static void on_heard(void *user, uint8_t command, uint64_t number)
{
    struct relay_result *r = user;

    if (command != TTMS_DATA)
        return;
    if (number != r->received)
        r->disordered++;
    r->received++;
}

static int stream(struct relay_result *r, struct terminal_under_test *sender,
                  struct terminal_under_test *receiver, int64_t time_ms)
{
    int64_t begun_ms = clock_mono_ms(), now_ms = begun_ms;
    int rc = OK;

    while (rc == OK && (now_ms < begun_ms + time_ms || r->received < r->sent)) {
        for (int i = 0; rc == OK && i < AT_ONCE && now_ms < begun_ms + time_ms &&
                        r->sent - r->received < UNDER_WAY;
             i++)
            rc = terminal_say(sender, RECEIVER, r->sent++, r->size);
        if (rc == OK)
            rc = terminals_turn(sender, receiver, 5, on_heard, r);
        now_ms = clock_mono_ms();
        if (now_ms > begun_ms + time_ms + PATIENCE_MS)
            break; /* the rest does not come */
    }
    r->seconds = (double)(now_ms - begun_ms) / 1000;
    return rc;
}

int selftest_relay(const struct selftest *s, size_t size, bool durable, int64_t time_ms,
                   struct relay_result *out)
{
    struct terminal_under_test sender, receiver;
    struct gateway_under_test g;
    char name[32];
    int rc;

    *out = (struct relay_result){.size = size, .durable = durable};
    snprintf(name, sizeof(name), "relay-%zu-%d", size, durable);
    if ((rc = gateway_prepare(&g, name, durable)) < 0 || (rc = gateway_begin(&g)) < 0)
        return rc;
    selftest_progress(s, "messages of %zu bytes%s", size,
                      durable ? ", each stored before it is forwarded" : "");
    if ((rc = terminal_begin(&receiver, &g, RECEIVER)) == OK) {
        if ((rc = terminal_begin(&sender, &g, SENDER)) == OK) {
            rc = stream(out, &sender, &receiver, time_ms);
            terminal_end(&sender);
        }
        terminal_end(&receiver);
    }
    gateway_end(&g);
    return rc;
}
