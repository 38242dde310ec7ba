#include "library/options.h"
#include "base/log.h"

#include <unistd.h>

#define LARGEST_FRAME   (512u << 20)
#define SMALLEST_OUTPUT 4096
#define SIZE_MAX_SANE   4096 /* of the struct: beyond, nobody has filled it */

static const struct hf_options defaults = {
    .size = sizeof(struct hf_options),
    .address = "127.0.0.1:9000",
    .listen_fd = HF_BY_ADDRESS,
    .argument = "",
    .length = HF_LENGTH_DIGITS,
    .digits = 10,
    .max_frame = 16 << 20,
    .read_timeout_ms = 30000,
    .output_limit = 1 << 20,
    .drain_timeout_ms = 10000,
    .log_level = HF_LOG_INFO,
    .log_fd = STDERR_FILENO,
};

/* The end of the first version's last member. */
#define SMALLEST (offsetof(struct hf_options, leave_signals) + sizeof(int))

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* For a program that knows fewer members than we do, or more. */
void hf_options_fill(struct hf_options *options, uint32_t size)
{
    memset(options, 0, size);
    memcpy(options, &defaults, smaller(size, sizeof(defaults)));
    options->size = size;
}

static int refuse(const char *what)
{
    log_error(MAIN, "service refused reason=options: %s", what);
    return ERR_INVALID;
}

static int check(const struct hf_options *o)
{
    if (o->max_frame < 1 || o->max_frame > LARGEST_FRAME)
        return refuse("max_frame is not from 1 to 512 MiB");
    if (o->output_limit < SMALLEST_OUTPUT)
        return refuse("output_limit is below 4 KiB");
    if (o->read_timeout_ms < 1 || o->drain_timeout_ms < 0)
        return refuse("a time-out is negative, or read_timeout_ms is 0");
    if (o->log_level < HF_LOG_NONE || o->log_level > HF_LOG_DEBUG)
        return refuse("there is no such log_level");
    return OK;
}

int options_read(const struct hf_options *given, struct hf_options *out)
{
    *out = defaults;
    if (!given)
        return OK;
    if (given->size < SMALLEST || given->size > SIZE_MAX_SANE)
        return refuse("hf_options_init() was not called");
    memcpy(out, given, smaller(given->size, sizeof(*out)));
    if (!out->address)
        out->address = defaults.address;
    if (!out->argument)
        out->argument = defaults.argument;
    return check(out);
}

int options_make_framing(const struct hf_options *o, struct framing *out)
{
    static const uint8_t lengths[] = {
        [HF_LENGTH_DIGITS] = FRAMING_DIGITS,  [HF_LENGTH_U8] = FRAMING_U8,
        [HF_LENGTH_U16_BE] = FRAMING_U16_BE,  [HF_LENGTH_U16_LE] = FRAMING_U16_LE,
        [HF_LENGTH_U32_BE] = FRAMING_U32_BE,  [HF_LENGTH_U32_LE] = FRAMING_U32_LE,
        [HF_LENGTH_NONE] = FRAMING_NO_LENGTH,
    };
    struct framing_words words = {
        .digits = o->digits > 10 ? 0 : (uint8_t)o->digits,
        .counts_frame = o->counts == HF_COUNTS_FRAME,
    };
    const char *wrong;

    if ((size_t)o->length >= ARRAY_LEN(lengths))
        return refuse("there is no such length");
    if (o->end_size > MARK_MAX || (o->end_size && !o->end))
        return refuse("the end has at most 7 bytes, and is not NULL then");
    words.length = lengths[o->length];
    words.end.size = (uint8_t)o->end_size;
    if (o->end_size)
        memcpy(words.end.bytes, o->end, o->end_size);
    wrong = framing_from_words(&words, o->max_frame, out);
    return wrong ? refuse(wrong) : OK;
}
