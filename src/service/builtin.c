/* The services that need no code of the user's. */
#include "service/answers.h"

static void echo(void *state, struct hf_request *request)
{
    size_t size;
    const void *body = hf_request_body(request, &size);

    (void)state;
    (void)hf_answer(request, body, size);
}

static void reverse(void *state, struct hf_request *request)
{
    size_t size;
    const uint8_t *in = hf_request_body(request, &size);
    uint8_t *out = hf_answer_room(request, size);

    (void)state;
    for (size_t i = 0; out && i < size; i++)
        out[i] = in[size - 1 - i];
}

static const struct hf_service services[] = {
    {HF_SERVICE_HEAD, .name = "echo", .logic = echo},
    {HF_SERVICE_HEAD, .name = "reverse", .logic = reverse},
};

const struct hf_service *answers_builtin(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(services); i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}
