#include "sim/devices/parameters.h"
#include "base/reader.h"

#define EXTRA_FIRST 0xf000
#define EXTRA_SIZE  32
#define ITEM_HEAD   5

static bool add(struct buf *to, uint32_t id, struct slice value)
{
    uint8_t head[ITEM_HEAD] = {[4] = (uint8_t)value.size};

    put_u32(head, id);
    return buf_try_append(to, slice_of(head, sizeof(head))) == OK &&
           buf_try_append(to, value) == OK;
}

static bool add_number(struct buf *to, uint32_t id, uint32_t number)
{
    uint8_t value[4];

    put_u32(value, number);
    return add(to, id, slice_of(value, sizeof(value)));
}

/* What all have at first. */
static bool add_all(const struct plant_settings *s, struct buf *to)
{
    uint8_t extra[EXTRA_SIZE];
    bool is_ok = add_number(to, 0x0001, (uint32_t)(s->heartbeat_ns / 1000000000)) &&
                 add(to, 0x0013, slice_of("127.0.0.1", 9)) &&
                 add_number(to, 0x0018, ntohs(s->address.sin_port)) &&
                 add_number(to, 0x0029, (uint32_t)(s->report_ns / 1000000000)) &&
                 add_number(to, 0x0055, 120) &&
                 add(to, 0x0083, slice_of(PARAMETERS_PLATE, 8)) &&
                 add(to, 0x0084, slice_of("\1", 1));

    memset(extra, 'x', sizeof(extra));
    for (uint32_t i = 0; i < s->extra_parameters; i++)
        is_ok = is_ok && add(to, EXTRA_FIRST + i, slice_of(extra, sizeof(extra)));
    return is_ok;
}

/* The next one of a list; false: there is none, or it is cut off. */
static bool next(struct reader *r, uint32_t *id, struct slice *value)
{
    uint8_t size;

    if (r->rest.size == 0)
        return false;
    *id = read_u32(r);
    size = read_u8(r);
    *value = read_bytes(r, size);
    return !r->bad;
}

static bool has(struct slice list, uint32_t wanted)
{
    struct reader r = reader_of(list);
    struct slice value;
    uint32_t id;

    while (next(&r, &id, &value))
        if (id == wanted)
            return true;
    return false;
}

bool parameters_set(const struct plant_settings *s, struct buf *held, struct slice body)
{
    struct reader given = reader_of(body), old;
    struct buf after = {0};
    struct slice value;
    uint32_t id;
    bool is_ok = buf_used(held) > 0 || add_all(s, held);

    read_u8(&given); /* the count: what is there is set */
    if (given.bad || !is_ok)
        return false;
    old = reader_of(buf_peek(held));
    while (is_ok && next(&old, &id, &value))
        is_ok = has(given.rest, id) || add(&after, id, value);
    while (is_ok && next(&given, &id, &value))
        is_ok = add(&after, id, value);
    if (!is_ok || given.bad) {
        buf_fini(&after);
        return false;
    }
    buf_fini(held);
    *held = after;
    return true;
}

static bool is_wanted(struct slice wanted, uint32_t id)
{
    struct reader r = reader_of(wanted);

    if (wanted.size == 0)
        return true;
    read_u8(&r);
    while (r.rest.size >= 4)
        if (read_u32(&r) == id)
            return true;
    return false;
}

size_t parameters_list(const struct plant_settings *s, const struct buf *held,
                       struct slice wanted, uint8_t *to, size_t room)
{
    struct buf all = {0};
    struct reader r;
    struct slice value;
    size_t size = 1;
    uint32_t id;

    if (buf_used(held) == 0 && !add_all(s, &all))
        return 0;
    r = reader_of(buf_used(held) ? buf_peek(held) : buf_peek(&all));
    to[0] = 0;
    while (next(&r, &id, &value)) {
        if (!is_wanted(wanted, id) || size + ITEM_HEAD + value.size > room ||
            to[0] == UINT8_MAX)
            continue;
        put_u32(to + size, id);
        to[size + 4] = (uint8_t)value.size;
        memcpy(to + size + ITEM_HEAD, value.data, value.size);
        size += ITEM_HEAD + value.size;
        to[0]++;
    }
    buf_fini(&all);
    return size;
}
