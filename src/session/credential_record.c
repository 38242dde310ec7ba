/* A credential's record in the ledger. */
#include "session/credentials.h"
#include "base/reader.h"

enum { HAS_FRESH = 1, HAS_PROVED = 2 };

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t size)
{
    memcpy(to, bytes, size);
    return to + size;
}

size_t credential_write(const struct credential_record *c,
                        uint8_t to[CREDENTIAL_RECORD_MAX])
{
    uint8_t *at = to;

    *at++ = CREDENTIAL_VERSION;
    *at++ = c->id.protocol;
    *at++ =
        (uint8_t)((c->has_fresh ? HAS_FRESH : 0) | (c->has_proved ? HAS_PROVED : 0));
    *at++ = c->id.length;
    at = put_bytes(at, c->id.text, c->id.length);
    if (c->has_fresh)
        at = put_bytes(at, c->fresh, HASH_SIZE);
    if (c->has_proved)
        at = put_bytes(at, c->proved, HASH_SIZE);
    return (size_t)(at - to);
}

static bool read_hash(struct reader *r, bool is_there, uint8_t to[HASH_SIZE])
{
    struct slice hash = read_bytes(r, is_there ? HASH_SIZE : 0);

    if (hash.size)
        memcpy(to, hash.data, HASH_SIZE);
    return is_there;
}

int credential_read(struct slice record, struct credential_record *out)
{
    struct reader r = reader_of(record);
    uint8_t version = read_u8(&r);
    uint8_t protocol = read_u8(&r);
    uint8_t which = read_u8(&r);
    struct slice text = read_bytes(&r, read_u8(&r));

    *out = (struct credential_record){0};
    if (!r.bad && version != CREDENTIAL_VERSION)
        return ERR_VERSION;
    out->has_fresh = read_hash(&r, which & HAS_FRESH, out->fresh);
    out->has_proved = read_hash(&r, which & HAS_PROVED, out->proved);
    if (r.bad || r.rest.size || id_make(protocol, text, &out->id) < 0)
        return ERR_DAMAGED;
    return OK;
}
