/* `holdfast ls`: page by page, so that a fleet of any size costs no memory. */
#include "cli/remote.h"
#include "cli/field.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE          1000 /* devices in one answer */
#define DEFAULT_LIMIT 1000

static const char help[] =
    "usage: holdfast ls [OPTIONS]         the devices that the gateway knows\n"
    "\n"
    "  state      alive; leave: should have been heard, or is back and has to show "
    "that\n"
    "             it stays; close: gone\n"
    "  mail       messages that wait for it on disk\n"
    "\n"
    "      --state STATE      only these; several: --state leave,close\n"
    "      --protocol NAME    only those that speak it: ttms, heartbeat\n"
    "      --listener NAME    only those last seen at this listener\n"
    "      --prefix TEXT      only those whose id begins so\n"
    "      --limit N          stop after N devices (1000)\n"
    "      --all              never stop\n" REMOTE_HELP "\n"
    "In a pipe: id, state, since, last seen, mail, address, listener; one device per\n"
    "line, without a heading. Sorted by id, unless there are more than 1000.\n";

static const struct column columns[] = {
    {.title = "ID"},
    {.title = "STATE"},
    {.title = "SINCE"},
    {.title = "SEEN"},
    {.title = "MAIL", .is_number = true},
    {.title = "ADDRESS"},
    {.title = "LISTENER"},
};

static const char *const states[] = {"alive", "leave", "close"};

struct listing {
    struct remote remote;
    const char *state, *listener, *prefix;
    uint64_t limit; /* UINT64_MAX: none */
    struct table table;
    uint64_t count, in[ARRAY_LEN(states)];
    json_t *cursor; /* where the next page begins; NULL: nowhere */
};

static void list_device(struct listing *l, const json_t *device)
{
    enum output output = l->remote.output;
    struct table *t = &l->table;
    const char *state = field_raw(device, "state");

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        l->in[i] += strcmp(state, states[i]) == 0;
    if (output == OUTPUT_JSON) {
        fputs(l->count ? ",\n" : "\n", stdout);
        field_print(device);
    } else {
        table_cell(t, COLOUR_NONE, field_text(device, "id"));
        table_cell(t, field_colour(state), field_text(device, "state"));
        table_cell(t, COLOUR_NONE, field_since(device, "since", output));
        table_cell(t, COLOUR_NONE, field_since(device, "last_seen", output));
        table_cell(t, COLOUR_NONE,
                   field_number(json_object_get(device, "mailbox"), "messages"));
        table_cell(t, COLOUR_NONE, field_text(device, "address"));
        table_cell(t, COLOUR_NONE, field_text(device, "listener"));
    }
    l->count++;
}

static int get_page(struct listing *l, json_t **out)
{
    struct api_path path = api_path("/api/v1/devices");
    uint64_t left = l->limit - l->count;

    api_path_query(&path, "state", l->state);
    api_path_query(&path, "protocol", l->remote.protocol);
    api_path_query(&path, "listener", l->listener);
    api_path_query(&path, "prefix", l->prefix);
    api_path_query_number(&path, "limit", left < PAGE ? left : PAGE);
    api_path_query(&path, "cursor", json_string_value(l->cursor));
    return api_get(l->remote.api, &path, out);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(field_raw(*(json_t *const *)a, "id"),
                  field_raw(*(json_t *const *)b, "id"));
}

/* The gateway's order is none that people see. Where one page is all, it gets one. */
static int list_sorted(struct listing *l, const json_t *devices)
{
    size_t n = json_array_size(devices), i;
    json_t **sorted = calloc(n + 1, sizeof(json_t *)), *device;

    if (!sorted)
        return ERR_NOMEM;
    json_array_foreach(devices, i, device) sorted[i] = device;
    qsort(sorted, n, sizeof(*sorted), compare_ids);
    for (i = 0; i < n; i++)
        list_device(l, sorted[i]);
    free(sorted);
    return OK;
}

static int list_page(struct listing *l)
{
    json_t *page, *device, *devices;
    bool is_first = !l->cursor;
    size_t i;
    int rc = get_page(l, &page);

    if (rc < 0)
        return rc;
    json_decref(l->cursor);
    l->cursor = json_incref(json_object_get(page, "next"));
    devices = json_object_get(page, "devices");
    if (is_first && l->remote.output == OUTPUT_JSON)
        printf("{\"as_of\":%" PRIu64 ",\"devices\":[", field_count(page, "as_of"));
    if (l->remote.output != OUTPUT_JSON && is_first &&
        (l->limit <= PAGE || !json_is_string(l->cursor)))
        rc = list_sorted(l, devices);
    else
        json_array_foreach(devices, i, device) list_device(l, device);
    json_decref(page);
    return rc < 0 ? rc : table_flush(&l->table, stdout);
}

static void finish_json(const struct listing *l)
{
    fputs(l->count ? "\n],\"next\":" : "],\"next\":", stdout);
    field_print(l->cursor ? l->cursor : json_null());
    puts("}");
}

static void sum_up(const struct listing *l)
{
    printf("%s%" PRIu64 " device%s", l->count ? "\n" : "", l->count,
           l->count == 1 ? "" : "s");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (l->in[i])
            printf(", %" PRIu64 " %s", l->in[i], states[i]);
    putchar('\n');
}

static bool is_filtered(const struct listing *l)
{
    return l->state || l->remote.protocol || l->listener || l->prefix;
}

static int list(struct listing *l)
{
    struct remote *c = &l->remote;
    int rc;

    do
        rc = list_page(l);
    while (rc == OK && json_is_string(l->cursor) && l->count < l->limit &&
           !ferror(stdout));
    if (rc < 0)
        return remote_failed(c, rc);
    if (c->output == OUTPUT_JSON)
        finish_json(l);
    if (c->output == OUTPUT_EYES)
        sum_up(l);
    fflush(stdout);
    if (c->output != OUTPUT_JSON && json_is_string(l->cursor) && !ferror(stdout))
        fprintf(stderr,
                "holdfast: there are more than these %" PRIu64 ": --all shows them\n",
                l->count);
    if (l->count == 0 && is_filtered(l) && c->output != OUTPUT_JSON &&
        isatty(STDERR_FILENO))
        fputs("holdfast: no device is what was asked for: "
              "--state, --protocol, --listener or --prefix leave none\n",
              stderr);
    return EXIT_SUCCESS;
}

static int read_options(struct listing *l, int argc, char **argv)
{
    enum { STATE = REMOTE_OWN, LISTENER, PREFIX, LIMIT, ALL };
    static const struct option options[] = {
        {"state", required_argument, NULL, STATE},
        {"listener", required_argument, NULL, LISTENER},
        {"prefix", required_argument, NULL, PREFIX},
        {"limit", required_argument, NULL, LIMIT},
        {"all", no_argument, NULL, ALL},
        REMOTE_OPTIONS,
    };
    struct remote *c = &l->remote;
    int option, status;

    while ((option = getopt_long(argc, argv, REMOTE_SHORT, options, NULL)) != -1) {
        switch (option) {
        case STATE:
            l->state = optarg;
            break;
        case LISTENER:
            l->listener = optarg;
            break;
        case PREFIX:
            l->prefix = optarg;
            break;
        case LIMIT:
            if (remote_number(optarg) < 1)
                return remote_misused(c, "--limit wants a number of devices");
            l->limit = (uint64_t)remote_number(optarg);
            break;
        case ALL:
            l->limit = UINT64_MAX;
            break;
        default:
            if ((status = remote_option(c, option)) != REMOTE_GOES_ON)
                return status;
        }
    }
    if (optind < argc)
        return remote_misused(c, "`%s`: ls takes options only; `holdfast show ID`?",
                              argv[optind]);
    return REMOTE_GOES_ON;
}

int cli_ls(int argc, char **argv)
{
    struct listing l = {.remote = remote_new(argv[0], help), .limit = DEFAULT_LIMIT};
    int status = read_options(&l, argc, argv);

    if (status != REMOTE_GOES_ON)
        return status;
    if (!remote_open(&l.remote))
        return EXIT_FAILURE;
    table_init(&l.table, l.remote.output, columns, ARRAY_LEN(columns));
    status = list(&l);
    table_fini(&l.table);
    json_decref(l.cursor);
    return remote_close(&l.remote, status);
}
