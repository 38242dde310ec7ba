#include "device/ticket.h"

/* Longer than any configured time: a product stays below it. */
#define RETRY_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

const char *ticket_state_word(uint8_t state)
{
    switch (state) {
#define X(name, number, word, text)                                                    \
    case TICKET_##name:                                                                \
        return word;
        TICKET_STATES(X)
#undef X
    default:
        return "unknown";
    }
}

const char *ticket_reason_word(uint8_t reason)
{
    switch (reason) {
#define X(name, number, word, text)                                                    \
    case TICKET_BY_##name:                                                             \
        return word;
        TICKET_REASONS(X)
#undef X
    default:
        return "unknown";
    }
}

/* The answer to an earlier sending may come while it waits to be sent again. */
static const uint16_t may_become[TICKET_STATE_LIMIT] = {
    [TICKET_QUEUED] = BIT(TICKET_SENT) | BIT(TICKET_ANSWERED) | BIT(TICKET_EXPIRED) |
                      BIT(TICKET_SUPERSEDED) | BIT(TICKET_CANCELLED) |
                      BIT(TICKET_FAILED),
    [TICKET_SENT] = BIT(TICKET_ACKNOWLEDGED) | BIT(TICKET_ANSWERED) |
                    BIT(TICKET_QUEUED) | BIT(TICKET_EXPIRED) | BIT(TICKET_FAILED),
    [TICKET_ACKNOWLEDGED] = BIT(TICKET_ANSWERED) | BIT(TICKET_QUEUED) |
                            BIT(TICKET_EXPIRED) | BIT(TICKET_FAILED),
    [TICKET_EXPIRED] = BIT(TICKET_ANSWERED) | BIT(TICKET_FAILED),
};

bool ticket_may_become(uint8_t from, uint8_t to)
{
    return from < TICKET_STATE_LIMIT && may_become[from] & BIT(to);
}

int64_t ticket_patience_ms(const struct command_policy *p, uint32_t n)
{
    int64_t ms = p->retry_ms;

    for (uint32_t i = 2; i <= n && ms < RETRY_MAX_MS; i++)
        ms *= i;
    return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}
