// reverse.cc - the same in C++.
#include <holdfast/serve.h>

#include <algorithm>

static void reverse(void *, hf_request *request)
{
    size_t size;
    auto in = static_cast<const char *>(hf_request_body(request, &size));

    if (auto out = static_cast<char *>(hf_answer_room(request, size)))
        std::reverse_copy(in, in + size, out);
}

static const hf_service service = {HF_SERVICE_HEAD, "reverse", nullptr, nullptr, reverse};

int main(int argc, char **argv)
{
    hf_options options;

    hf_options_init(&options);
    if (argc > 1)
        options.address = argv[1];
    return hf_serve(&service, &options) == 0 ? 0 : 1;
}
