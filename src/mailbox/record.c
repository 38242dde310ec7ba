#include "mailbox/record.h"

#include "base/crc32c.h"
#include "base/reader.h"

enum offset {
    AT_VERSION = 0,
    AT_PROTOCOL = 1,
    AT_ID_LENGTH = 2,
    AT_ZERO = 3,
    AT_CRC = 4,
    AT_POSITION = 8,
    AT_STORED_MS = 16,
};

static uint32_t sum_of_the_long_part(const uint8_t *record, size_t size)
{
    uint32_t crc = crc32c(0, slice_of(record, AT_CRC));

    crc = crc32c(crc, slice_of(record + AT_POSITION, 8));
    return crc32c(crc, slice_of(record + RECORD_HEAD, size - RECORD_HEAD));
}

static uint32_t finish_sum(uint32_t crc, const uint8_t *record, uint64_t seq)
{
    uint8_t last[16];

    memcpy(last, record + AT_STORED_MS, 8);
    put_u64(last + 8, seq);
    return crc32c(crc, slice_of(last, sizeof(last)));
}

void record_encode(uint64_t position, const struct id *id, struct slice body,
                   uint8_t *to)
{
    to[AT_VERSION] = RECORD_VERSION;
    to[AT_PROTOCOL] = id->protocol;
    to[AT_ID_LENGTH] = id->length;
    to[AT_ZERO] = 0;
    put_u64(to + AT_POSITION, position);
    put_u64(to + AT_STORED_MS, 0);
    memcpy(to + RECORD_HEAD, id->text, id->length);
    if (body.size)
        memcpy(to + RECORD_HEAD + id->length, body.data, body.size);
    put_u32(to + AT_CRC, sum_of_the_long_part(to, record_size(id, body.size)));
}

void record_seal(uint8_t *record, int64_t stored_ms, uint64_t seq)
{
    struct reader crc = reader_of(slice_of(record + AT_CRC, 4));

    put_u64(record + AT_STORED_MS, (uint64_t)stored_ms);
    put_u32(record + AT_CRC, finish_sum(read_u32(&crc), record, seq));
}

int record_decode(struct slice record, uint64_t seq, struct record *out)
{
    struct reader r = reader_of(record);
    uint8_t version = read_u8(&r);
    uint8_t protocol = read_u8(&r);
    uint8_t id_length = read_u8(&r);
    uint8_t zero = read_u8(&r);
    uint32_t crc = read_u32(&r);
    struct slice text;

    *out = (struct record){0};
    out->position = read_u64(&r);
    out->stored_ms = (int64_t)read_u64(&r);
    text = read_bytes(&r, id_length);
    out->body = r.rest;
    if (r.bad)
        return ERR_DAMAGED;
    if (finish_sum(sum_of_the_long_part(record.data, record.size), record.data, seq) !=
        crc)
        return ERR_DAMAGED;
    if (version != RECORD_VERSION)
        return ERR_VERSION;
    if (zero != 0 || protocol == 0 || id_make(protocol, text, &out->id) < 0)
        return ERR_DAMAGED;
    return OK;
}

struct slice record_body(struct slice record)
{
    return slice_from(record, RECORD_HEAD + record.data[AT_ID_LENGTH]);
}

static bool is_sound(uint64_t seq, struct slice bytes)
{
    struct record record;

    return record_decode(bytes, seq, &record) == OK;
}

const struct store_kind mailbox_store = {
    .name = "mailbox",
    .magic = "holdfast mailbox",
    .format = 1,
    .topic = LOG_T_MAILBOX,
    .is_sound = is_sound,
};
