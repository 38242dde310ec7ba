#include "sim/terminals/message.h"
#include "sim/random.h"
#include "base/reader.h"

#define PLACES    (1u << 16)
#define TRAP_STEP 97 /* bytes from one $TTMS to the next */

/* One pool without and one with traps. */
static uint8_t pools[2][PLACES + MESSAGE_MAX];

void message_setup(void)
{
    struct random r =
        random_of(7222); /* always the same: runs read each other's mail */
    static const char trap[] = "$TTMS";

    for (size_t i = 0; i < sizeof(pools[0]); i++)
        pools[0][i] = pools[1][i] = (uint8_t)(random_next(&r) >> 32);
    for (size_t i = 0; i + sizeof(trap) < sizeof(pools[1]); i += TRAP_STEP)
        memcpy(pools[1] + i, trap, sizeof(trap) - 1);
}

static const uint8_t *filler(const struct message *m)
{
    uint64_t mix = ((uint64_t)m->run << 32 | m->flow) * 0x9e3779b97f4a7c15u;

    mix = (mix ^ ((uint64_t)m->sender << 32 | m->target)) * 0xbf58476d1ce4e5b9u;
    mix = (mix ^ mix >> 29 ^ m->number) * 0x94d049bb133111ebu;
    mix = (mix ^ mix >> 31 ^ (uint64_t)m->time_ns) * 0x9e3779b97f4a7c15u;
    return pools[m->kind == MESSAGE_TRAP] + (mix >> 48) % PLACES;
}

void message_write(const struct message *m, uint8_t *content, size_t size)
{
    put_u32(content, m->run);
    put_u32(content + 4, m->kind);
    put_u32(content + 8, m->flow);
    put_u32(content + 12, m->sender);
    put_u32(content + 16, m->target);
    put_u64(content + 20, m->number);
    put_u64(content + 28, (uint64_t)m->time_ns);
    memcpy(content + MESSAGE_HEAD, filler(m), size - MESSAGE_HEAD);
}

bool message_read(struct slice content, struct message *out)
{
    struct reader r = reader_of(content);

    out->run = read_u32(&r);
    out->kind = read_u32(&r);
    out->flow = read_u32(&r);
    out->sender = read_u32(&r);
    out->target = read_u32(&r);
    out->number = read_u64(&r);
    out->time_ns = (int64_t)read_u64(&r);
    return !r.bad && r.rest.size <= MESSAGE_MAX && out->kind >= MESSAGE_PLAIN &&
           out->kind <= MESSAGE_TRAP &&
           memcmp(r.rest.data, filler(out), r.rest.size) == 0;
}
