/* `holdfast show`: everything about one device on one screen. */
#include "cli/remote.h"
#include "cli/event.h"
#include "cli/field.h"

#include <stdlib.h>

#define EVENTS_SHOWN 10
#define EVENTS_ASKED 10000 /* at once: as many as the API gives */

static const char help[] =
    "usage: holdfast show ID [OPTIONS]    all about one device, and its last events\n"
    "\n"
    "  ID                     as `holdfast ls` shows it, or with its protocol in "
    "front:\n"
    "                         ttms/00000002\n"
    "      --protocol NAME    which one, if the id exists in several "
    "protocols\n" REMOTE_HELP;

/* --- The card --------------------------------------------------------------------- */

static void say(const char *label, const char *text)
{
    printf("  %-12s%s\n", label, *text ? text : "-");
}

/* A time for people, and the time itself. */
static const char *moment(const json_t *device, const char *name, enum output output)
{
    if (output != OUTPUT_EYES || !field_time(device, name))
        return field_text(device, name);
    return table_say("%s (%s)", field_since(device, name, output),
                     field_text(device, name));
}

static void say_state(const json_t *device, enum output output)
{
    const char *state = field_text(device, "state");

    printf("  %-12s%s%s%s since %s\n", "state",
           table_colour(output, field_colour(state)), state, table_plain(output),
           moment(device, "since", output));
}

/* What a protocol adds: whatever the members above do not know. */
static void say_rest(const json_t *device)
{
    static const char *const known[] = {
        "id",      "protocol", "listener", "state",     "since",   "last_seen",
        "address", "epoch",    "sequence", "connected", "mailbox", "counters",
    };
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)device, name, value)
    {
        bool is_known = false;

        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (!is_known && !json_is_null(value))
            say(table_safe(slice_of(name, strlen(name))),
                json_is_string(value) ? field_text(device, name)
                                      : field_number(device, name));
    }
}

static void show_card(const json_t *device, enum output output)
{
    const json_t *mailbox = json_object_get(device, "mailbox");
    const json_t *counters = json_object_get(device, "counters");
    bool is_connected = json_is_true(json_object_get(device, "connected"));

    printf("%s/%s at %s\n", field_text(device, "protocol"), field_text(device, "id"),
           field_text(device, "listener"));
    say_state(device, output);
    say("last seen", moment(device, "last_seen", output));
    say("address", table_say("%s, %s", field_text(device, "address"),
                             is_connected ? "connected" : "not connected"));
    say("epoch", table_say("%s, sequence %s", field_number(device, "epoch"),
                           field_number(device, "sequence")));
    say("mailbox", table_say("%s messages, %s", field_number(mailbox, "messages"),
                             table_bytes(field_count(mailbox, "bytes"))));
    say("connections", field_number(counters, "connections"));
    say("received", table_say("%s messages", field_number(counters, "messages_in")));
    say("delivered", table_say("%s messages", field_number(counters, "messages_out")));
    say_rest(device);
}

/* --- Its last events -------------------------------------------------------------- */

struct last {
    json_t *events[EVENTS_SHOWN]; /* a ring; the newest is at (count - 1) */
    size_t count;
};

static void keep(struct last *l, json_t *event)
{
    size_t at = l->count++ % EVENTS_SHOWN;

    json_decref(l->events[at]);
    l->events[at] = json_incref(event);
}

/* The API tells from the oldest on: to the end, then. */
static int get_events(struct remote *c, const char *id, struct last *l)
{
    uint64_t after = 0, newest;
    size_t i, n;

    do {
        struct api_path path = remote_device_path(c, id, "events");
        json_t *page, *event;
        int rc;

        api_path_query(&path, "type", "presence,command"); /* reports may be many */
        api_path_query_number(&path, "limit", EVENTS_ASKED);
        if (after)
            api_path_query_number(&path, "after", after);
        if ((rc = api_get(c->api, &path, &page)) < 0)
            return rc;
        n = json_array_size(json_object_get(page, "events"));
        json_array_foreach(json_object_get(page, "events"), i, event) keep(l, event);
        after = field_count(page, "cursor");
        newest = field_count(page, "newest");
        json_decref(page);
    } while (n && after < newest);
    return OK;
}

static void show_events(const struct last *l, enum output output)
{
    size_t from = l->count < EVENTS_SHOWN ? 0 : l->count - EVENTS_SHOWN;

    puts(l->count ? "\nlast events" : "\nno events are kept");
    for (size_t i = from; i < l->count; i++)
        event_print(l->events[i % EVENTS_SHOWN], output, EVENT_OF_ONE);
}

static int show(struct remote *c, const char *id)
{
    struct api_path path = remote_device_path(c, id, NULL);
    struct last last = {0};
    json_t *device;
    int rc = api_get(c->api, &path, &device);

    if (rc == OK && c->output == OUTPUT_JSON) {
        field_print(device);
        putchar('\n');
    } else if (rc == OK && (rc = get_events(c, id, &last)) == OK) {
        show_card(device, c->output);
        show_events(&last, c->output);
    }
    for (size_t i = 0; i < EVENTS_SHOWN; i++)
        json_decref(last.events[i]);
    json_decref(device);
    return rc < 0 ? remote_failed(c, rc) : EXIT_SUCCESS;
}

int cli_show(int argc, char **argv)
{
    return remote_about_one(argc, argv, help, show);
}
