/* reverse_plugin.c - the same for a gateway, which brings the rest: a listener with
 * `protocol: nbnet` and `logic: /path/to/reverse_plugin.so`. */
#include <holdfast/service.h>

static void reverse(void *state, struct hf_request *request)
{
    size_t size;
    const char *in = hf_request_body(request, &size);
    char *out = hf_answer_room(request, size);

    (void)state;
    for (size_t i = 0; out && i < size; i++)
        out[i] = in[size - 1 - i];
}

HF_EXPORT const struct hf_service holdfast_service = {HF_SERVICE_HEAD,
                                                      .name = "reverse",
                                                      .logic = reverse};
