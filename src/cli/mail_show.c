#include "cli/mail_inside.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

static bool id_is_meant(const struct command *c, const struct id *id)
{
    const char *protocol = protocol_word(id->protocol);
    const char *slash = strchr(c->id, '/'), *text = c->id;
    size_t length = strlen(protocol);

    if (slash && (size_t)(slash - c->id) == length && !strncmp(c->id, protocol, length))
        text = slash + 1;
    return slice_equal(slice_of(text, strlen(text)), slice_of(id->text, id->length));
}

static int find_record(void *user, uint64_t seq, struct slice bytes)
{
    struct places *p = user;
    const struct command *c = p->command;
    struct record record = {0};
    int rc = record_decode(bytes, seq, &record);

    if (c->damaged ? rc == OK : rc < 0 || (c->id && !id_is_meant(c, &record.id)))
        return OK;
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 256;
        struct place *all = realloc(p->all, room * sizeof(*all));

        if (!all)
            return ERR_NOMEM;
        p->all = all;
        p->room = room;
    }
    p->all[p->count++] = (struct place){.position = record.position, .seq = seq};
    return OK;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->position != y->position)
        return x->position < y->position ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

int mail_find(struct command *c, struct places *out)
{
    int rc;

    *out = (struct places){.command = c};
    rc = c->store->engine->scan(c->store, 0, find_record, out);
    if (rc == OK && out->count > 1)
        qsort(out->all, out->count, sizeof(*out->all), compare_places);
    return rc;
}

static void show_record(const struct command *c, const struct record *r, bool is_first)
{
    int64_t age_ms = c->now_ms - r->stored_ms;

    if (c->output == OUTPUT_JSON) {
        printf("%s{\"protocol\":\"%s\",\"id\":", is_first ? "" : ",",
               protocol_word(r->id.protocol));
        table_json_text(stdout, slice_of(r->id.text, r->id.length));
        printf(",\"position\":%" PRIu64 ",\"stored_ms\":%" PRId64
               ",\"size\":%zu,\"body\":",
               r->position, r->stored_ms, r->body.size);
        table_hex(stdout, r->body);
        putchar('}');
        return;
    }
    printf("%s position %" PRIu64 ", %s ago, %zu bytes\n", table_id(&r->id),
           r->position, table_age(age_ms), r->body.size);
    table_hex_dump(stdout, r->body);
}

int mail_show(struct command *c)
{
    const struct store_engine *engine = c->store->engine;
    struct places p;
    struct slice bytes;
    struct record record;
    bool is_first = true;
    int rc = mail_find(c, &p);

    if (rc < 0)
        goto out;
    if (c->output == OUTPUT_JSON)
        putchar('[');
    for (size_t i = 0; i < p.count; i++) {
        if ((rc = engine->begin_reads(c->store)) < 0)
            goto out;
        /* What was delivered since the scan is no error. */
        if (engine->read(c->store, p.all[i].seq, &bytes) == OK &&
            record_decode(bytes, p.all[i].seq, &record) == OK) {
            show_record(c, &record, is_first);
            is_first = false;
        }
        engine->end_reads(c->store);
    }
    if (c->output == OUTPUT_JSON)
        puts("]");
    else if (is_first)
        fprintf(stderr, "holdfast: nothing waits for %s\n", c->id);
out:
    free(p.all);
    return rc;
}

struct check {
    struct command *command;
    uint64_t sound, damaged;
};

static int check_record(void *user, uint64_t seq, struct slice bytes)
{
    struct check *check = user;
    bool as_json = check->command->output == OUTPUT_JSON;
    struct record record;
    int rc = record_decode(bytes, seq, &record);

    if (rc == OK) {
        check->sound++;
        return OK;
    }
    if (as_json)
        printf("%s{\"record\":%" PRIu64 ",\"size\":%zu,\"reason\":\"%s\"}",
               check->damaged ? "," : "", seq, bytes.size, err_word(rc));
    else
        printf("record %" PRIu64 ", %zu bytes: %s\n", seq, bytes.size, err_text(rc));
    check->damaged++;
    return OK;
}

int mail_check(struct command *c)
{
    struct check check = {.command = c};
    int rc;

    if (c->output == OUTPUT_JSON)
        fputs("{\"damaged\":[", stdout);
    rc = c->store->engine->scan(c->store, 0, check_record, &check);
    if (c->output == OUTPUT_JSON)
        printf("],\"sound\":%" PRIu64 "}\n", check.sound);
    else
        printf("%" PRIu64 " records are sound, %" PRIu64 " damaged\n", check.sound,
               check.damaged);
    return rc < 0 ? rc : check.damaged ? ERR_DAMAGED : OK;
}
