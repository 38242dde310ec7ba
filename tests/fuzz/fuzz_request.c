/* fuzz_request.c - what requests say: bodies in JSON, and times.
 *
 * Whatever comes: what was let through is within its bounds, and means one thing; what
 * was not, says why. */
#include "base/rfc3339.h"
#include "config/utf8.h"
#include "http/body.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_why(const char *why)
{
    assert(*why && strnlen(why, BODY_WHY_SIZE) < BODY_WHY_SIZE);
}

static void check_word(const char *word, size_t room)
{
    size_t size = strnlen(word, room);

    assert(size < room);
    for (struct slice s = slice_of(word, size); s.size;) {
        size_t n = utf8_measure(s);

        assert(n > 0 && s.data[0] >= ' ' && s.data[0] != 0x7f);
        s = slice_from(s, n);
    }
}

static void check_command(const struct order *o, size_t size)
{
    struct slice args = o->command.args;

    check_word(o->command.name, sizeof(o->command.name));
    check_word(o->only_if, sizeof(o->only_if));
    assert(args.size <= COMMAND_BODY_MAX);
    assert(o->not_before_ms >= 0 && o->not_after_ms >= 0);
    assert(!o->not_after_ms || o->not_after_ms >= o->not_before_ms);
    if (!*o->command.name) {
        assert(!o->supersedes && args.size <= size / 2);
    } else if (args.size) {
        json_t *object = json_loadb((const char *)args.data, args.size,
                                    JSON_REJECT_DUPLICATES, NULL);

        assert(o->command.message == 0 && json_is_object(object));
        json_decref(object);
    }
}

static void check_time(struct slice text)
{
    struct buf out = {0};
    struct json j = json_to(&out);
    int64_t ms, again;

    if (rfc3339_read(text, &ms) < 0)
        return;
    assert(ms > 0);
    json_time(&j, ms);
    assert(!j.failed);
    /* Beyond the year 9999 by its zone, it is no such time any more. */
    if (rfc3339_read(slice_of(buf_peek(&out).data + 1, buf_used(&out) - 2), &again) ==
        OK)
        assert(again == ms);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = slice_of(data, size);
    char why[BODY_WHY_SIZE] = "";
    struct order o = {0};
    struct buf message = {0};

    if (body_read_command(body, &o, why) == OK)
        check_command(&o, size);
    else
        check_why(why);
    why[0] = '\0';
    if (body_read_message(body, &message, why) == OK)
        assert(buf_used(&message) <= size / 2);
    else
        check_why(why);
    check_time(body);
    buf_fini(&o.args);
    buf_fini(&message);
    return 0;
}
