#include "sim/requests/body.h"
#include "sim/random.h"

#include <stdlib.h>

#define NUMBER_SIZE 8
#define SHIFTS      4096 /* places in the block where a piece may begin */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

int bodies_init(struct bodies *b, const struct request_settings *s)
{
    size_t size = s->max_size + SHIFTS;
    uint64_t state = s->seed;

    *b = (struct bodies){
        .block = malloc(size + sizeof(state)),
        .min_size = s->min_size,
        .max_size = s->max_size,
        .seed = s->seed,
        .reversed = s->logic == LOGIC_REVERSE,
    };
    if (!b->block)
        return ERR_NOMEM;
    for (size_t i = 0; i < size; i += sizeof(state)) {
        state = mix(state);
        memcpy(b->block + i, &state, sizeof(state));
    }
    return OK;
}

void bodies_fini(struct bodies *b)
{
    free(b->block);
}

size_t body_size(const struct bodies *b, uint64_t number)
{
    return b->min_size + mix(number ^ b->seed) % (b->max_size - b->min_size + 1);
}

static const uint8_t *piece(const struct bodies *b, uint64_t number)
{
    return b->block + number % SHIFTS;
}

/* The bytes [at, at + size) of a body as it was sent. */
static void copy(const struct bodies *b, uint64_t number, size_t at, size_t size,
                 uint8_t *to)
{
    memcpy(to, piece(b, number) + at, size);
    for (size_t i = 0; i < size && at + i < NUMBER_SIZE; i++)
        to[i] = (uint8_t)(number >> 8 * (at + i));
}

int body_ask(const struct bodies *b, uint64_t number, struct buf *out)
{
    size_t size = body_size(b, number);
    uint8_t *to = buf_try_reserve(out, 10 + size + 1);

    if (!to)
        return ERR_NOMEM;
    snprintf((char *)to, 11, "%010zu", size);
    copy(b, number, 0, size, to + 10);
    buf_commit(out, 10 + size);
    return OK;
}

static bool fits_turned(const struct bodies *b, uint64_t number, size_t at,
                        struct slice bytes)
{
    size_t from = body_size(b, number) - at - bytes.size; /* of the last byte here */
    uint8_t chunk[256];

    for (size_t done = 0; done < bytes.size;) {
        size_t n =
            bytes.size - done < sizeof(chunk) ? bytes.size - done : sizeof(chunk);

        copy(b, number, from + done, n, chunk);
        for (size_t i = 0; i < n; i++)
            if (chunk[i] != bytes.data[bytes.size - 1 - done - i])
                return false;
        done += n;
    }
    return true;
}

bool body_fits(const struct bodies *b, uint64_t number, size_t at, struct slice bytes)
{
    uint8_t first[NUMBER_SIZE];
    size_t n = 0;

    if (b->reversed)
        return fits_turned(b, number, at, bytes);
    if (at < NUMBER_SIZE) {
        n = NUMBER_SIZE - at < bytes.size ? NUMBER_SIZE - at : bytes.size;
        copy(b, number, at, n, first);
        if (memcmp(first, bytes.data, n) != 0)
            return false;
    }
    return memcmp(piece(b, number) + at + n, bytes.data + n, bytes.size - n) == 0;
}
