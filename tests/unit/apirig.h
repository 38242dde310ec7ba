/* apirig.h - the API on the relay's rig and a server in memory; and the simplest look
 * into the JSON that it answers. */
#pragma once

#include "relayrig.h"

#include "http/api_inside.h"
#include "httprig.h"
#include "command/commands.h"
#include "relay/tracker_inside.h"

#include "unit.h"

static struct {
    struct api *api;
    struct http_server *server;
    uint32_t sequence;
    const struct process_conf *processes; /* set them before */
    size_t process_count;
    /* What becomes of orders; NULL: there is no such device, or ticket. */
    void (*order)(struct relay_group *g, struct order *o);
    bool without_legacy;
    uint64_t max_messages; /* of a mailbox; 0: as the relay's rig has it */
} api_rig;

static inline void api_rig_finds_nothing(struct relay_group *g, struct order *o)
{
    (void)g;
    o->rc = ERR_NOTFOUND;
    o->trip.done(&o->trip);
}

/* On whatever the stores in memory hold. */
static inline void api_rig_open(uint32_t keep)
{
    struct relay_rig *g = &relay_rig;
    struct api_conf conf = {.group = &g->group,
                            .legacy = !api_rig.without_legacy,
                            .order =
                                api_rig.order ? api_rig.order : api_rig_finds_nothing,
                            .sender = 0xffffffff,
                            .listeners = &g->listener,
                            .listener_count = 1,
                            .processes = api_rig.processes,
                            .process_count = api_rig.process_count};
    struct http_conf http = {.handler = api_handle, .on_tick = api_tick};

    api_rig.sequence = 0;
    assert_int_equal(api_new(&conf, &api_rig.api), OK);
    relay_rig_defaults();
    g->keep = keep;
    if (api_rig.max_messages)
        g->mail.max_messages = api_rig.max_messages;
    g->published = api_published;
    g->published_user = http.user = api_rig.api;
    relay_rig_open();
    assert_int_equal(http_new(&http, &api_rig.server), OK);
    assert_int_equal(api_begin(api_rig.api, api_rig.server, g->journal), OK);
}

static inline void api_rig_close(void)
{
    relay_rig_close();
    http_free(&api_rig.server);
    api_free(&api_rig.api);
}

static inline int api_rig_begin(uint32_t keep)
{
    store_mem_wipe();
    api_rig_open(keep);
    return 0;
}

static inline int api_rig_end(void)
{
    api_rig_close();
    store_mem_wipe();
    return 0;
}

/* Questions go to the shards and come back, until nothing is under way. */
static inline void api_rig_settle(void)
{
    for (int i = 0; i < 40; i++) {
        for (unsigned s = 0; s < RELAY_SHARDS; s++)
            loop_turn(&relay_rig.shards[s].loop, 0);
        http_rig_turn();
    }
}

/* Asks and waits for the answer; its handle. */
static inline unsigned api_rig_get(const char *target)
{
    unsigned n = http_rig_get(target);

    api_rig_settle();
    return n;
}

static inline void api_rig_happen(const char *device)
{
    struct event e = {
        .time_ms = 1700000000123,
        .epoch = 1,
        .sequence = ++api_rig.sequence,
        .kind = EVENT_PRESENCE,
        .from = PRESENCE_ALIVE,
        .to = PRESENCE_LEAVE,
        .listener = slice_of("terminals", 9),
        .reason = slice_of("reset", 5),
    };

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(device, strlen(device)),
                             &e.device),
                     OK);
    feed_tell(relay_rig.relays[0].tracker->feed, &e);
}

/* What happened is written, published, and known to the server's thread. */
static inline void api_rig_publish(void)
{
    feed_flush(relay_rig.relays[0].tracker->feed);
    relay_rig.now_ms += 1000000;
    journal_turn(relay_rig.journal, relay_rig.now_ms);
    http_rig_turn();
}

/* How often `what` stands in `text`. */
static inline unsigned times_in(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        n++;
    return n;
}

/* The text value of `key`, e.g. of "next"; "" if it is null or not there. */
static inline const char *text_of(const char *json, const char *key)
{
    static char value[32];
    char start[64];
    const char *at;

    snprintf(start, sizeof(start), "\"%s\":\"", key);
    at = strstr(json, start);
    snprintf(value, sizeof(value), "%.*s",
             at ? (int)strcspn(at + strlen(start), "\"") : 0,
             at ? at + strlen(start) : "");
    return value;
}
