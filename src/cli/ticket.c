/* `holdfast ticket`: what became of a command, or of all that a device was sent. */
#include "cli/remote.h"
#include "cli/field.h"
#include "cli/ticket_text.h"

#include <stdlib.h>

static const char help[] =
    "usage: holdfast ticket TICKET [OPTIONS]        what became of a command\n"
    "       holdfast ticket --device ID [OPTIONS]   the commands of a device, newest "
    "first\n"
    "\n"
    "  TICKET                 as `holdfast send` says it: 9f1c02a45be08d13\n"
    "\n"
    "      --wait TIME        until it is over: 0s to 60s\n"
    "      --cancel           withdraw it, if it was not sent yet\n"
    "      --device ID        as `holdfast ls` shows it, or with its protocol in "
    "front\n"
    "      --limit N          so many of them: 1 to 1000 (100)\n"
    "      --protocol NAME    which one, if the id exists in several "
    "protocols\n" REMOTE_HELP
    "... With --wait: 1 also: it is over without an answer; 3 it is not over yet.\n";

struct asking {
    struct remote remote;
    const char *ticket, *device; /* one of them */
    int64_t wait_ms;             /* -1: not given */
    int64_t limit;               /* 0: not given */
    bool cancels;
};

/* ---- one ---- */

static int show(struct asking *k, const json_t *ticket)
{
    const struct remote *c = &k->remote;

    if (c->output == OUTPUT_JSON) {
        field_print(ticket);
        putchar('\n');
    } else {
        ticket_print_card(ticket, c->output);
    }
    return k->wait_ms < 0 ? EXIT_SUCCESS : ticket_status(ticket);
}

static int ask_for_one(struct asking *k)
{
    struct api_path path = api_path("/api/v1/tickets");
    struct remote *c = &k->remote;
    json_t *ticket;
    int rc, status;

    api_path_segment(&path, k->ticket);
    if (k->cancels) {
        rc = api_delete(c->api, &path, &ticket);
    } else {
        api_path_query_span(&path, "wait", k->wait_ms);
        path.wait_ms = k->wait_ms > 0 ? k->wait_ms : 0;
        rc = api_get(c->api, &path, &ticket);
    }
    if (rc < 0)
        return remote_failed(c, rc);
    status = show(k, ticket);
    json_decref(ticket);
    return status;
}

/* ---- those of a device ---- */

static const struct column columns[] = {
    {"TICKET", false},  {"STATE", false},   {"REASON", false},
    {"COMMAND", false}, {"CREATED", false}, {"ENDED", false},
};

static void add_row(struct table *t, const json_t *ticket)
{
    table_cell(t, COLOUR_NONE, field_text(ticket, "ticket"));
    table_cell(t, ticket_colour(ticket), field_text(ticket, "state"));
    table_cell(t, COLOUR_NONE, field_text(ticket, "reason"));
    table_cell(t, COLOUR_NONE, ticket_command(ticket));
    table_cell(t, COLOUR_NONE, field_since(ticket, "created", t->output));
    table_cell(t, COLOUR_NONE, field_since(ticket, "ended", t->output));
}

static int print_list(const json_t *tickets, enum output output)
{
    struct table t;
    json_t *ticket;
    size_t i;
    int rc;

    table_init(&t, output, columns, ARRAY_LEN(columns));
    json_array_foreach(tickets, i, ticket) add_row(&t, ticket);
    rc = table_flush(&t, stdout);
    table_fini(&t);
    return rc;
}

static int ask_for_list(struct asking *k)
{
    struct remote *c = &k->remote;
    struct api_path path = remote_device_path(c, k->device, "commands");
    json_t *answer;
    int rc;

    if (k->limit)
        api_path_query_number(&path, "limit", (uint64_t)k->limit);
    if ((rc = api_get(c->api, &path, &answer)) < 0)
        return remote_failed(c, rc);
    if (c->output == OUTPUT_JSON) {
        field_print(answer);
        putchar('\n');
    } else {
        rc = print_list(json_object_get(answer, "tickets"), c->output);
    }
    json_decref(answer);
    return rc < 0 ? remote_failed(c, rc) : EXIT_SUCCESS;
}

/* ---- the command line ---- */

enum { WAIT = REMOTE_OWN, CANCEL, DEVICE, LIMIT };

static const struct option options[] = {
    {"wait", required_argument, NULL, WAIT},
    {"cancel", no_argument, NULL, CANCEL},
    {"device", required_argument, NULL, DEVICE},
    {"limit", required_argument, NULL, LIMIT},
    REMOTE_OPTIONS,
};

static int take_option(struct asking *k, int option)
{
    switch (option) {
    case WAIT:
        if ((k->wait_ms = remote_span(optarg)) < 0)
            return remote_misused(&k->remote, "--wait wants a time: 500ms, 5s");
        return REMOTE_GOES_ON;
    case CANCEL:
        k->cancels = true;
        return REMOTE_GOES_ON;
    case DEVICE:
        k->device = optarg;
        return REMOTE_GOES_ON;
    case LIMIT:
        if ((k->limit = remote_number(optarg)) < 1)
            return remote_misused(&k->remote, "--limit wants a number of tickets");
        return REMOTE_GOES_ON;
    default:
        return remote_option(&k->remote, option);
    }
}

static int check(struct asking *k, char **texts, int count)
{
    struct remote *c = &k->remote;

    if (count > 1)
        return remote_misused(c, "one ticket at a time");
    if (count == 1 && *texts[0])
        k->ticket = texts[0];
    if (!k->ticket == !k->device)
        return remote_misused(c, "which ticket? --device ID lists a device's");
    if (k->device && (k->cancels || k->wait_ms >= 0))
        return remote_misused(c, "--wait and --cancel are for one ticket");
    if (k->ticket && k->limit)
        return remote_misused(c, "--limit is for --device");
    if (k->cancels && k->wait_ms >= 0)
        return remote_misused(c, "--wait or --cancel?");
    if (k->device)
        k->device = remote_split_id(c, k->device);
    return REMOTE_GOES_ON;
}

int cli_ticket(int argc, char **argv)
{
    struct asking k = {.remote = remote_new(argv[0], help), .wait_ms = -1};
    int option, status;

    while ((option = getopt_long(argc, argv, REMOTE_SHORT, options, NULL)) != -1)
        if ((status = take_option(&k, option)) != REMOTE_GOES_ON)
            return status;
    if ((status = check(&k, argv + optind, argc - optind)) != REMOTE_GOES_ON)
        return status;
    if (!remote_open(&k.remote))
        return EXIT_FAILURE;
    return remote_close(&k.remote, k.ticket ? ask_for_one(&k) : ask_for_list(&k));
}
