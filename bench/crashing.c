/* crashing.c - a service for the comparison: echo that dies of every N-th request, as
 * the argument says (0: of none). What is measured is what that costs the others. */
#include "holdfast/service.h"

#include <stdlib.h>

struct life {
    unsigned long left;
};

static int start(const char *argument, void **state)
{
    struct life *life = malloc(sizeof(*life));

    if (!life)
        return 1;
    life->left = strtoul(argument, NULL, 10);
    *state = life;
    return 0;
}

static void stop(void *state)
{
    free(state);
}

static void logic(void *state, struct hf_request *request)
{
    static volatile int *nowhere;
    struct life *life = state;
    size_t size;
    const void *body = hf_request_body(request, &size);

    if (life->left && --life->left == 0)
        *nowhere = 1;
    hf_answer(request, body, size);
}

HF_EXPORT const struct hf_service holdfast_service = {HF_SERVICE_HEAD,
                                                      .name = "crashing",
                                                      .start = start, .stop = stop,
                                                      .logic = logic};
