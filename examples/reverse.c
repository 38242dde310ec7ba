/* reverse.c - a service with its own main(): every request is answered backwards. */
#include <holdfast/serve.h>

static void reverse(void *state, struct hf_request *request)
{
    size_t size;
    const char *in = hf_request_body(request, &size);
    char *out = hf_answer_room(request, size);

    (void)state;
    for (size_t i = 0; out && i < size; i++)
        out[i] = in[size - 1 - i];
}

static const struct hf_service service = {HF_SERVICE_HEAD, .name = "reverse",
                                          .logic = reverse};

int main(int argc, char **argv)
{
    struct hf_options options;

    hf_options_init(&options);
    options.listen_fd = hf_listen(argc > 1 ? argv[1] : "127.0.0.1:9000");
    if (options.listen_fd < 0 || hf_fork_processes(2, 100) < 0)
        return 1;
    return hf_serve(&service, &options) == 0 ? 0 : 1;
}
