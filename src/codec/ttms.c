#include "codec/ttms.h"
#include "base/reader.h"
#include "codec/frame.h"

/* The framing is declared, once for each reading of the length field, and cut by the
 * engine. What remains here: which reading a connection speaks, what a frame says. */

#define AT_LENGTH     5
#define AT_ADDRESS    7
#define AT_COMMAND    11

#define FROM_TERMINAL "$TTMS"
#define TO_TERMINAL   "$TTMX"
#define MARK_SIZE     5

/* A heartbeat carries four bytes: the one frame whose size is known without its length
 * field. With a 2-byte check it is one longer. */
#define HEARTBEAT_SIZE (TTMS_HEAD + 4 + 1)

/* Size of a frame = what its length field says + what that does not count. A wrong
 * check byte is for the session to judge. */
#define COUNTS_ALL_BUT(uncounted)                                                      \
    {                                                                                  \
        .start = {.size = MARK_SIZE, .bytes = FROM_TERMINAL},                          \
        .length = {.form = FRAMING_U16_BE, .offset = AT_LENGTH, .adjust = uncounted},  \
        .checksum = {.kind = CHECKSUM_XOR, .is_reported = true},                       \
        .min_frame = TTMS_MIN_FRAME, .max_frame = FRAMING_SIZE_MAX,                    \
    }

static const struct framing readings[] = {
    [TTMS_LENGTH_TOTAL] = COUNTS_ALL_BUT(0),
    [TTMS_LENGTH_REST] = COUNTS_ALL_BUT(AT_ADDRESS),
    [TTMS_LENGTH_CONTENT1] = COUNTS_ALL_BUT(TTMS_HEAD + 1),
    [TTMS_LENGTH_CONTENT2] = COUNTS_ALL_BUT(TTMS_HEAD + 2),
    [TTMS_LENGTH_IGNORE] =
        {
            .start = {.size = MARK_SIZE, .bytes = FROM_TERMINAL},
            .checksum = {.kind = CHECKSUM_XOR, .is_reported = true},
            .min_frame = TTMS_HEAD,
            .max_frame = FRAMING_SIZE_MAX,
        },
};

const char *ttms_length_word(uint8_t length)
{
    static const char *const words[] = {
#define X(name, word, text) [TTMS_LENGTH_##name] = word,
        TTMS_LENGTHS(X)
#undef X
    };

    return length < ARRAY_LEN(words) ? words[length] : "unknown";
}

static inline uint32_t u16_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t u32_at(const uint8_t *p)
{
    return u16_at(p) << 16 | u16_at(p + 2);
}

/* A frame of this size would end at a valid check byte, and there ends the data too or
 * the next frame begins. */
static bool ends_well(struct slice in, size_t size)
{
    return in.size >= size &&
           mark_may_begin(&readings[TTMS_LENGTH_TOTAL].start, slice_from(in, size)) &&
           checksum_xor(slice_of(in.data, size - 1)) == in.data[size - 1];
}

/* Of an 18-byte heartbeat all but the last byte is here: the first of its two check
 * bytes is always 0. */
static bool awaits_second_check(struct slice in, size_t size)
{
    return size == HEARTBEAT_SIZE + 1 && in.size == HEARTBEAT_SIZE &&
           in.data[HEARTBEAT_SIZE - 1] == 0;
}

/* Which reading makes sense of a connection's first frame; AUTO while that is open. A
 * heartbeat that is here by its size, be it that it ends well there or that its length
 * field, in some reading, says so, has no rest to wait for: then its length or its
 * check byte is wrong, and more bytes will not mend it. */
static uint8_t decide_length(const struct ttms_conf *conf, struct slice in)
{
    bool is_heartbeat = in.data[AT_COMMAND] == TTMS_HEARTBEAT;
    bool has_its_size =
        ends_well(in, HEARTBEAT_SIZE) || ends_well(in, HEARTBEAT_SIZE + 1);
    bool is_open = is_heartbeat && in.size < HEARTBEAT_SIZE;
    int64_t counted = u16_at(in.data + AT_LENGTH);
    int64_t sizes[TTMS_LENGTH_IGNORE];

    for (uint8_t r = TTMS_LENGTH_TOTAL; r < TTMS_LENGTH_IGNORE; r++) {
        sizes[r] = counted + readings[r].length.adjust;
        has_its_size |= sizes[r] == HEARTBEAT_SIZE || sizes[r] == HEARTBEAT_SIZE + 1;
    }
    for (uint8_t r = TTMS_LENGTH_TOTAL; r < TTMS_LENGTH_IGNORE; r++) {
        size_t size = (size_t)sizes[r];

        if (size < TTMS_MIN_FRAME || size > conf->max_frame)
            continue;
        if (ends_well(in, size))
            return r;
        if (in.size < size && !(is_heartbeat && has_its_size))
            is_open = true;
        is_open |= awaits_second_check(in, size);
    }
    return is_open ? TTMS_LENGTH_AUTO : TTMS_LENGTH_IGNORE;
}

static inline void describe(struct slice bytes, uint8_t computed,
                            struct ttms_frame *frame)
{
    size_t content = bytes.size > TTMS_HEAD ? bytes.size - TTMS_HEAD - 1 : 0;

    frame->bytes = bytes;
    frame->content = slice_of(bytes.data + TTMS_HEAD, content);
    frame->address = u32_at(bytes.data + AT_ADDRESS);
    frame->command = bytes.data[AT_COMMAND];
    frame->computed = computed;
}

/* The usual case, all of the frame is here and nothing is wrong with it, does not ask
 * the engine: it is a third of the time. Returns 0 in all other cases. */
static inline ssize_t take_whole(const struct ttms_conf *conf, uint8_t reading,
                                 struct slice in, struct ttms_frame *frame)
{
    size_t size;

    if (in.size < TTMS_MIN_FRAME || memcmp(in.data, FROM_TERMINAL, MARK_SIZE) != 0)
        return 0;
    size = u16_at(in.data + AT_LENGTH) + (size_t)readings[reading].length.adjust;
    if (size < TTMS_MIN_FRAME || size > conf->max_frame || size > in.size)
        return 0;
    describe(slice_of(in.data, size), checksum_xor(slice_of(in.data, size - 1)), frame);
    return (ssize_t)size;
}

static ssize_t ask_engine(const struct ttms_conf *conf, struct ttms_dialect *dialect,
                          struct slice in, bool more_waits, struct ttms_frame *frame)
{
    struct framing framing = readings[dialect->length];
    struct framing_state state = {.scanned = dialect->scanned};
    struct frame cut;
    ssize_t used;

    framing.max_frame = conf->max_frame;
    used = framing_cut(&framing, &state, in, more_waits, NULL, &cut);
    dialect->scanned = state.scanned;
    if (used > 0)
        describe(cut.bytes, (uint8_t)cut.computed, frame);
    return used;
}

ssize_t ttms_cut(const struct ttms_conf *conf, struct ttms_dialect *dialect,
                 struct slice in, bool more_waits, struct ttms_frame *frame)
{
    ssize_t used = 0;

    if (UNLIKELY(dialect->length == TTMS_LENGTH_AUTO)) {
        dialect->length = (uint8_t)conf->length;
        if (conf->length == TTMS_LENGTH_AUTO) {
            if (!mark_may_begin(&readings[TTMS_LENGTH_TOTAL].start, in))
                return ERR_BAD_START;
            if (in.size >= TTMS_HEAD)
                dialect->length = decide_length(conf, in);
            if (dialect->length == TTMS_LENGTH_AUTO)
                return 0;
        }
    }
    if (dialect->length != TTMS_LENGTH_IGNORE)
        used = take_whole(conf, dialect->length, in, frame);
    return used ? used : ask_engine(conf, dialect, in, more_waits, frame);
}

size_t ttms_size(const struct ttms_dialect *dialect, struct slice rest)
{
    return framing_size(&readings[dialect->length], rest); /* of `auto`: nothing */
}

static inline uint8_t fold(uint32_t word)
{
    word ^= word >> 16;
    return (uint8_t)(word ^ word >> 8);
}

/* The last byte is XOR: what was changed before it changes it likewise, and it need not
 * be computed again over the whole. */
static inline void readdress(const struct ttms_frame *frame, uint32_t address,
                             uint8_t *to)
{
    memcpy(to, frame->bytes.data, frame->bytes.size);
    memcpy(to, TO_TERMINAL, MARK_SIZE);
    put_u32(to + AT_ADDRESS, address);
    to[frame->bytes.size - 1] =
        frame->computed ^ 'S' ^ 'X' ^ fold(frame->address ^ address);
}

void ttms_forward(const struct ttms_frame *frame, uint32_t sender, uint8_t *to)
{
    readdress(frame, sender, to);
}

void ttms_echo(const struct ttms_frame *frame, uint8_t *to)
{
    readdress(frame, frame->address, to);
}

size_t ttms_formed_size(size_t content, uint8_t length)
{
    return TTMS_HEAD + content + (length == TTMS_LENGTH_CONTENT2 ? 2 : 1);
}

static void form(const char *mark, enum ttms_command command, uint32_t address,
                 struct slice content, uint8_t length, uint8_t *to)
{
    size_t size = ttms_formed_size(content.size, length);
    size_t counted = size - (size_t)readings[length].length.adjust;

    memcpy(to, mark, MARK_SIZE);
    put_u16(to + AT_LENGTH, (uint16_t)counted);
    put_u32(to + AT_ADDRESS, address);
    to[AT_COMMAND] = (uint8_t)command;
    if (content.size)
        memcpy(to + TTMS_HEAD, content.data, content.size);
    if (length == TTMS_LENGTH_CONTENT2)
        to[size - 2] = 0;
    to[size - 1] = checksum_xor(slice_of(to, size - 1));
}

size_t ttms_form_receipt(enum ttms_command kind, uint32_t number, uint8_t length,
                         uint8_t *to)
{
    uint8_t content[4];

    put_u32(content, number);
    form(TO_TERMINAL, kind, 0, slice_of(content, sizeof(content)), length, to);
    return ttms_formed_size(sizeof(content), length);
}

void ttms_form_message(uint32_t sender, struct slice content, uint8_t length,
                       uint8_t *to)
{
    form(TO_TERMINAL, TTMS_DATA, sender, content, length, to);
}

void ttms_form(enum ttms_command command, uint32_t address, struct slice content,
               uint8_t length, uint8_t *to)
{
    form(FROM_TERMINAL, command, address, content, length, to);
}

void ttms_id_text(uint32_t address, char text[8])
{
    for (int i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[address >> (28 - 4 * i) & 15];
}
