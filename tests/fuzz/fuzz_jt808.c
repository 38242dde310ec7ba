/* fuzz_jt808.c - the bodies of JT/T 808: whatever they hold, what is shown is JSON, and
 * what a command makes of any arguments is a body that can be read again.
 *
 *   input: message or command | 2019? | body, or arguments ...
 */
#include "codec/jt808.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t messages[] = {
#define X(name, number, word) number,
    JT808_MESSAGES(X)
#undef X
};

#define MESSAGES ARRAY_LEN(messages)
#define GROWS_BY 64 /* times: the JSON of a body, at most */
#define NUMBERS  8

/* Returns the whole as jansson reads it; a member given twice is a fault. */
static json_t *show(uint16_t message, bool is_2019, struct slice body)
{
    struct buf text = {0};
    struct json j = json_to(&text);
    json_t *read;

    jt808_show(&j, message, is_2019, body);
    assert(!j.failed && buf_used(&text) <= 512 + GROWS_BY * body.size);
    read = json_loadb((const char *)buf_peek(&text).data, buf_used(&text),
                      JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(read);
    buf_fini(&text);
    return read;
}

static void read_others(bool is_2019, struct slice body)
{
    uint16_t first, numbers[NUMBERS];
    struct jt808_answer answer;
    struct slice token;
    size_t count;

    if (jt808_read_answer(body, &answer) == OK)
        assert(body.size >= 5);
    if (jt808_read_token(body, is_2019, &token) == OK)
        assert(token.size <= body.size &&
               (token.size == 0 || (token.data >= body.data &&
                                    token.data + token.size <= body.data + body.size)));
    if (jt808_read_missing(body, is_2019, &first, numbers, NUMBERS, &count) == OK) {
        struct buf again = {0};

        assert(count <= NUMBERS);
        assert(jt808_write_missing(&again, is_2019, first, numbers, count) == OK);
        assert(buf_used(&again) <= body.size);
        buf_fini(&again);
    }
}

/* What sets parameters is, but for a serial in front, what tells them. */
static void check_set(struct slice body, bool is_2019)
{
    struct buf told = {0};
    json_t *shown;

    assert(buf_try_append(&told, slice_of("\0\1", 2)) == OK);
    assert(buf_try_append(&told, body) == OK);
    shown = show(JT808_PARAMETERS, is_2019, buf_peek(&told));
    assert(!json_object_get(shown, "rest"));
    assert(json_integer_value(json_object_get(shown, "count")) ==
           (json_int_t)json_array_size(json_object_get(shown, "parameters")));
    json_decref(shown);
    buf_fini(&told);
}

static void make(const char *name, bool is_2019, struct slice args)
{
    char why[JT808_WHY_SIZE];
    struct buf body = {0};
    uint16_t message;
    int rc = jt808_command(name, args, is_2019, &message, &body, why);

    assert(rc == OK || (rc == ERR_INVALID && *why && buf_used(&body) == 0));
    assert(memchr(why, 0, sizeof(why)));
    if (rc == OK && message == JT808_SET_PARAMETERS)
        check_set(buf_peek(&body), is_2019);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    struct slice rest;
    uint8_t *block;
    size_t choice, commands = 0;

    if (size < 2)
        return 0;
    if (!is_ready)
        assert(jt808_init() == OK);
    is_ready = true;
    while (jt808_commands[commands])
        commands++;
    rest = slice_from(slice_of(data, size), 2);
    block = malloc(rest.size ? rest.size : 1); /* exact: a read behind it is caught */
    assert(block);
    if (rest.size)
        memcpy(block, rest.data, rest.size);
    rest.data = block;
    choice = data[0] % (MESSAGES + commands);
    if (choice < MESSAGES) {
        json_decref(show(messages[choice], data[1] & 1, rest));
        read_others(data[1] & 1, rest);
    } else {
        make(jt808_commands[choice - MESSAGES], data[1] & 1, rest);
    }
    free(block);
    return 0;
}
