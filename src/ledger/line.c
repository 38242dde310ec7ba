#include "ledger/line.h"

#include "base/crc32c.h"
#include "base/reader.h"

enum offset {
    AT_VERSION = 0,
    AT_FORM = 1,
    AT_ZERO = 2,
    AT_CRC = 4,
    AT_NUMBER = 8,
};

static uint32_t sum_of(struct slice line, uint64_t seq)
{
    uint32_t crc = crc32c(0, slice_of(line.data, AT_CRC));
    uint8_t key[8];

    put_u64(key, seq);
    crc = crc32c(crc, slice_from(line, AT_NUMBER));
    return crc32c(crc, slice_of(key, sizeof(key)));
}

void line_encode(const struct line *line, uint64_t seq, uint8_t *to)
{
    to[AT_VERSION] = LINE_VERSION;
    to[AT_FORM] = line->form;
    put_u16(to + AT_ZERO, 0);
    put_u32(to + AT_NUMBER, line->number);
    if (line->record.size > 0)
        memcpy(to + LINE_HEAD, line->record.data, line->record.size);
    put_u32(to + AT_CRC, sum_of(slice_of(to, LINE_HEAD + line->record.size), seq));
}

static bool is_possible(const struct line *line)
{
    return line->form > 0 && line->form < LEDGER_FORM_LIMIT && line->number > 0 &&
           line->number < LINE_NUMBER_LIMIT && line->record.size <= LEDGER_RECORD_MAX;
}

int line_decode(struct slice bytes, uint64_t seq, struct line *out)
{
    struct reader r = reader_of(bytes);
    uint8_t version = read_u8(&r);
    uint16_t zero;
    uint32_t crc;

    out->form = read_u8(&r);
    zero = read_u16(&r);
    crc = read_u32(&r);
    out->number = read_u32(&r);
    out->record = r.rest;
    if (r.bad || sum_of(bytes, seq) != crc)
        return ERR_DAMAGED;
    if (version != LINE_VERSION)
        return ERR_VERSION;
    return zero == 0 && is_possible(out) ? OK : ERR_DAMAGED;
}

static bool is_sound(uint64_t seq, struct slice bytes)
{
    struct line line;

    return line_decode(bytes, seq, &line) == OK;
}

const struct store_kind ledger_store = {
    .name = "ledger",
    .magic = "holdfast ledger",
    .format = 1,
    .topic = LOG_T_LEDGER,
    .is_sound = is_sound,
};
