#include "cli/mail_inside.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>

struct waiting {
    struct id id;
    uint64_t messages, bytes;
    int64_t oldest_ms;
};

struct listing {
    struct command *command;
    void *tree; /* of struct waiting, by id */
    bool out_of_memory;
    uint64_t devices, messages, bytes, damaged;
};

static int compare_ids(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    if (x->id.protocol != y->id.protocol)
        return x->id.protocol < y->id.protocol ? -1 : 1;
    return memcmp(x->id.text, y->id.text, ID_TEXT_MAX); /* zero behind their ends */
}

static struct waiting *waiting_of(struct listing *l, const struct id *id)
{
    struct waiting key = {.id = *id}, *w;
    struct waiting **node = tfind(&key, &l->tree, compare_ids);

    if (node)
        return *node;
    if (!(w = malloc(sizeof(*w))))
        return NULL;
    *w = (struct waiting){.id = *id, .oldest_ms = INT64_MAX};
    if (!tsearch(w, &l->tree, compare_ids)) {
        free(w);
        return NULL;
    }
    l->devices++;
    return w;
}

static int list_record(void *user, uint64_t seq, struct slice bytes)
{
    struct listing *l = user;
    struct record record;
    struct waiting *w;

    if (record_decode(bytes, seq, &record) < 0) {
        l->damaged++;
        return OK;
    }
    if (!(w = waiting_of(l, &record.id)))
        return ERR_NOMEM;
    w->messages++;
    w->bytes += record.body.size;
    if (record.stored_ms < w->oldest_ms)
        w->oldest_ms = record.stored_ms;
    l->messages++;
    l->bytes += record.body.size;
    return OK;
}

static void list_device(const void *node, VISIT visit, void *user)
{
    const struct waiting *w = *(const struct waiting *const *)node;
    struct listing *l = user;
    int64_t age_ms = l->command->now_ms - w->oldest_ms;

    if (visit != postorder && visit != leaf)
        return;
    switch (l->command->output) {
    case OUTPUT_EYES:
        printf("%-32s %10" PRIu64 "  %10s  %8s\n", table_id(&w->id), w->messages,
               table_bytes(w->bytes), table_age(age_ms));
        break;
    case OUTPUT_COLUMNS:
        printf("%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\n", table_id(&w->id),
               w->messages, w->bytes, age_ms / 1000);
        break;
    case OUTPUT_JSON:
        printf("%s{\"protocol\":\"%s\",\"id\":", l->devices ? "," : "",
               protocol_word(w->id.protocol));
        table_json_text(stdout, slice_of(w->id.text, w->id.length));
        printf(",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"oldest_ms\":%" PRId64
               "}",
               w->messages, w->bytes, w->oldest_ms);
        l->devices++;
        break;
    }
}

int mail_list(struct command *c)
{
    struct listing l = {.command = c};
    int rc = c->store->engine->scan(c->store, 0, list_record, &l);
    uint64_t devices = l.devices;

    if (c->output == OUTPUT_EYES && devices)
        printf("%-32s %10s  %10s  %8s\n", "DEVICE", "MESSAGES", "BYTES", "OLDEST");
    if (c->output == OUTPUT_JSON)
        fputs("{\"devices\":[", stdout);
    l.devices = 0; /* now: those written */
    twalk_r(l.tree, list_device, &l);
    tdestroy(l.tree, free);
    if (c->output == OUTPUT_JSON)
        printf("],\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"damaged\":%" PRIu64
               "}\n",
               l.messages, l.bytes, l.damaged);
    else if (c->output == OUTPUT_EYES)
        printf("%s%" PRIu64 " messages, %s, for %" PRIu64 " devices\n",
               devices ? "\n" : "", l.messages, table_bytes(l.bytes), devices);
    if (l.damaged)
        fprintf(stderr,
                "holdfast: %" PRIu64 " records are damaged: holdfast mail check\n",
                l.damaged);
    return rc;
}
