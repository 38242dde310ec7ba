#include "journal/journal_inside.h"

#include "base/hash.h"

#include <stdlib.h>

static int open_store(struct journal *j, bool check, bool drop_cache)
{
    const struct journal_conf *c = &j->conf;
    uint64_t longest = (uint64_t)c->keep * ENTRY_MAX;
    uint64_t events = longest < c->max_bytes ? longest : c->max_bytes;
    /* Each with its bookkeeping; and cards are rewritten one by one, which leaves
     * LMDB's pages a quarter full at the worst (it has room for half of that). */
    uint64_t bytes = events + (uint64_t)c->max_cards * CARD_MAX +
                     ((uint64_t)c->keep + c->max_cards) * 16;
    struct store_conf conf = {
        .kind = &journal_store,
        .dir = c->dir,
        .total_bytes = 2 * bytes,
        .check = check,
        .drop_cache = drop_cache,
    };

    return j->conf.engine->open(&conf, &j->keeper.store);
}

/* ---- at the start ---- */

/* A card that the first pass saw. Ids are compared by a keyed hash: of a million
 * devices, two have the same one in one start of ten millions, and then one of them is
 * forgotten. */
struct sighting {
    uint64_t hash, seq;
};

struct scan {
    struct journal *j;
    card_found *found;
    void *user;
    struct hash_key key;
    struct sighting *cards;
    size_t count, room;
    uint64_t *doubles; /* sorted; NULL-terminated by their count */
    size_t double_count, next_double;
    uint64_t damaged;
};

static int note_card(struct scan *scan, uint64_t seq, const struct id *id)
{
    if (scan->count == scan->room) {
        size_t room = scan->room ? scan->room * 2 : 4096;
        struct sighting *cards = realloc(scan->cards, room * sizeof(*cards));

        if (!cards)
            return ERR_NOMEM;
        scan->cards = cards;
        scan->room = room;
    }
    scan->cards[scan->count++] = (struct sighting){
        .hash = hash_bytes(&scan->key, slice_of(id->text, id->length)) + id->protocol,
        .seq = seq,
    };
    return OK;
}

static int note_event(struct journal *j, uint64_t seq, struct slice bytes)
{
    j->saved = seq;
    return journal_remember(j, seq, bytes) ? OK : ERR_NOMEM;
}

/* The numbers of a store that anyone can have written by himself end here. */
static bool is_possible(uint64_t seq)
{
    return seq < NUMBER_MAX - 3 * CLAIM_REACH;
}

/* First pass: events, damage, and which cards there are. */
static int on_seen(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct journal *j = scan->j;
    struct entry entry;
    int rc = is_possible(seq) ? entry_decode(bytes, seq, &entry) : ERR_DAMAGED;

    if (is_possible(seq))
        j->last_put = seq;
    if (rc < 0) {
        scan->damaged++;
        LOG_THROTTLED(LOG_ERROR, JOURNAL,
                      "journal entry %llu damaged reason=%s size=%zu; dropped",
                      (unsigned long long)seq, err_word(rc), bytes.size);
        journal_add_stale(j, seq);
        return OK;
    }
    if (entry.form == ENTRY_EVENT)
        return note_event(j, seq, bytes);
    if (entry.form == ENTRY_CARD)
        return note_card(scan, seq, &entry.card.device);
    journal_add_stale(j, seq); /* a claim of an earlier start */
    return OK;
}

static int by_hash(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->seq < y->seq ? -1 : 1;
}

static int by_seq(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : 1;
}

/* Of several cards for one device, all but the newest. A crash leaves none, salvage
 * may. */
static int find_doubles(struct scan *scan)
{
    size_t n = 0;

    if (scan->count > 0)
        qsort(scan->cards, scan->count, sizeof(*scan->cards), by_hash);
    for (size_t i = 1; i < scan->count; i++)
        n += scan->cards[i].hash == scan->cards[i - 1].hash;
    if (n == 0)
        return OK;
    if (!(scan->doubles = calloc(n, sizeof(*scan->doubles))))
        return ERR_NOMEM;
    for (size_t i = 1; i < scan->count; i++)
        if (scan->cards[i].hash == scan->cards[i - 1].hash)
            scan->doubles[scan->double_count++] = scan->cards[i - 1].seq;
    qsort(scan->doubles, n, sizeof(*scan->doubles), by_seq);
    for (size_t i = 0; i < n; i++)
        journal_add_stale(scan->j, scan->doubles[i]);
    return OK;
}

/* Second pass. */
static int on_card(void *user, uint64_t seq, struct slice bytes)
{
    struct scan *scan = user;
    struct journal *j = scan->j;
    uint32_t number = atomic_load(&j->next_number);
    card_slot *slot;
    struct entry entry;

    if (!is_possible(seq) || entry_decode(bytes, seq, &entry) < 0 ||
        entry.form != ENTRY_CARD)
        return OK;
    if (scan->next_double < scan->double_count &&
        scan->doubles[scan->next_double] == seq) {
        scan->next_double++;
        return OK;
    }
    if (!(slot = cards_try_slot(&j->cards, number)))
        return ERR_NOMEM;
    *slot = seq;
    atomic_store(&j->next_number, number + 1);
    atomic_fetch_add(&j->cards_now, 1);
    return scan->found(scan->user, number, &entry.card);
}

/* Jumps over all numbers that may be in use; and a little further, by chance: if the
 * disk failed already when the last run wanted to write its claim, that run began at
 * the same point. */
static void set_numbers(struct journal *j)
{
    uint64_t chance = hash_key_random().k0 % (CLAIM_REACH / 2);

    j->next_seq = j->last_put ? j->last_put + CLAIM_REACH + chance : 1;
    j->reach = j->next_seq + CLAIM_REACH;
    j->visible = ring_newest(&j->ring);
    if (j->ring.count > 0 && j->dropped == 0)
        j->dropped = ring_oldest(&j->ring) - 1; /* by an earlier start, perhaps */
    j->before_jump = j->visible;
    j->after_jump = j->next_seq;
}

int journal_read_store(struct journal *j, card_found *found, void *user)
{
    const struct store_engine *engine = j->conf.engine;
    struct scan scan = {.j = j, .found = found, .user = user, .key = hash_key_random()};
    int rc = open_store(j, true, false);

    if (rc == OK)
        rc = engine->scan(j->keeper.store, 0, on_seen, &scan);
    if (rc == OK)
        rc = find_doubles(&scan);
    free(scan.cards);
    scan.cards = NULL;
    if (rc == OK && scan.count > 0)
        rc = engine->scan(j->keeper.store, 0, on_card, &scan);
    free(scan.doubles);
    if (rc < 0)
        return rc;
    set_numbers(j);
    log_info(JOURNAL,
             "journal opened engine=%s events=%u cards=%u damaged=%llu "
             "disk_bytes=%llu",
             engine->name, j->ring.count, atomic_load(&j->cards_now),
             (unsigned long long)scan.damaged,
             (unsigned long long)engine->disk_bytes(j->keeper.store));
    return OK;
}

/* ---- after a failure ---- */

/* What a failed commit left on the disk. Its events were published under these numbers:
 * they may stay. Its cards are still held, and will replace these. */
static int on_left_behind(void *user, uint64_t seq, struct slice bytes)
{
    struct journal *j = user;
    struct entry entry;
    int rc = entry_decode(bytes, seq, &entry);

    if (rc == OK && entry.form == ENTRY_EVENT && j->ring.count > 0 &&
        seq >= ring_oldest(&j->ring))
        j->saved = seq;
    else if (rc < 0 || entry.form != ENTRY_CARD || !cards_reached(&j->cards, seq))
        journal_add_stale(j, seq);
    j->last_put = seq;
    return OK;
}

int journal_reopen(struct keeper *k, bool verify)
{
    struct journal *j = CONTAINER_OF(k, struct journal, keeper);
    const struct store_engine *engine = j->conf.engine;
    int rc = open_store(j, verify, verify);

    if (rc == OK)
        rc = engine->scan(j->keeper.store, j->last_put + 1, on_left_behind, j);
    if (rc < 0)
        engine->close(&j->keeper.store);
    return rc;
}
