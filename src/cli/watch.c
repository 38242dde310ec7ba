/* `holdfast watch`: follows the stream of events, over lost connections too.
 *
 *   ask --> stream --> lost --> pause --> ask, behind the newest event that was shown
 *    '-> refused the first time: end       '-> the pause doubles until bytes arrive */
#include "cli/remote.h"
#include "cli/event.h"
#include "cli/field.h"
#include "cli/sse.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_PAUSE_MS   250
#define LONGEST_PAUSE_MS 15000
#define SILENCE_MS       45000 /* a comment comes every 15 s */

#define EXIT_INTERRUPTED 130

static const char help[] =
    "usage: holdfast watch [OPTIONS]      what happens to devices, until Ctrl-C\n"
    "\n"
    "One line for each change: time, device, old and new state, reason, listener. A\n"
    "device that comes or goes passes `leave`: two lines. And one for each command's\n"
    "new state, and for what devices report. When the connection to the gateway is\n"
    "lost, watch tries again, ever more slowly, and goes on where it was; what was\n"
    "missed for good, it says.\n"
    "\n"
    "      --type TYPES       presence, command, report: some, with commas\n"
    "      --device ID        of this device only\n"
    "      --protocol NAME    which one, if the id exists in several protocols\n"
    "      --after CURSOR     begin with the events behind this one; 0: with the "
    "oldest\n"
    "                         that is kept (else: with what happens from now "
    "on)\n" REMOTE_HELP;

struct watch {
    struct remote remote;
    const char *device, *types;
    int64_t cursor; /* of the newest event shown, or where to begin; -1: from now on */
    struct sse sse;
    bool has_begun; /* once, at least */
    bool is_lost;   /* and the user was told */
    int64_t pause_ms;
};

/* --- What the stream brings ------------------------------------------------------- */

static void take_cursor(struct watch *w, struct slice id)
{
    char text[24] = "";
    int64_t cursor;

    if (id.size < sizeof(text))
        memcpy(text, id.data, id.size);
    if ((cursor = remote_number(text)) >= 0)
        w->cursor = cursor;
}

static int on_event(void *user, const struct sse_event *event)
{
    struct watch *w = user;
    enum output output = w->remote.output;
    json_t *data = json_loadb((const char *)event->data.data, event->data.size,
                              JSON_ALLOW_NUL, NULL);

    if (!json_is_object(data)) {
        json_decref(data);
        return ERR_MALFORMED;
    }
    if (slice_equal(event->type, slice_of("missed", 6)))
        event_print_missed(field_count(data, "oldest"), output);
    else
        event_print(data, output, EVENT_OF_ALL);
    json_decref(data);
    if (event->id.size)
        take_cursor(w, event->id);
    return OK;
}

static int on_bytes(void *user, struct slice bytes)
{
    struct watch *w = user;
    int rc = sse_feed(&w->sse, bytes, on_event, w);

    w->pause_ms = 0;
    return fflush(stdout) != 0 && rc == OK ? ERR_CLOSED : rc;
}

static int on_begin(void *user)
{
    struct watch *w = user;

    if (w->is_lost)
        fputs("holdfast: connected again\n", stderr);
    else if (!w->has_begun && w->remote.output == OUTPUT_EYES)
        fprintf(stderr, "watching %s; Ctrl-C ends it\n", api_url(w->remote.api));
    w->has_begun = true;
    w->is_lost = false;
    return OK;
}

static bool is_unwanted(void *user)
{
    (void)user;
    return ferror(stdout) || !remote_has_reader();
}

/* --- Again and again -------------------------------------------------------------- */

/* So that a connection which is lost before the first event leaves no hole. */
static int find_newest(struct watch *w)
{
    struct api_path path = api_path("/api/v1/events");
    json_t *answer;
    int rc;

    api_path_query_number(&path, "limit", 1);
    if ((rc = api_get(w->remote.api, &path, &answer)) < 0)
        return rc;
    w->cursor = (int64_t)field_count(answer, "newest");
    json_decref(answer);
    return OK;
}

static int follow(struct watch *w)
{
    struct api_path path = api_path("/api/v1/events");
    struct api_stream stream = {w,
                                table_say("%" PRId64, w->cursor),
                                w->remote.timeout_ms ? w->remote.timeout_ms
                                                     : SILENCE_MS,
                                on_begin,
                                on_bytes,
                                is_unwanted};

    api_path_query(&path, "device", w->device);
    api_path_query(&path, "type", w->types);
    api_path_query(&path, "protocol", w->remote.protocol);
    sse_restart(&w->sse);
    return api_stream(w->remote.api, &path, &stream);
}

/* Is what went wrong something that passes? */
static bool passes(const struct watch *w, int rc)
{
    long status = api_problem(w->remote.api)->status;

    if (rc == ERR_INVALID)
        return w->has_begun && (status == 410 || status == 429 || status >= 500);
    return w->has_begun && (rc == ERR_IO || rc == ERR_CLOSED);
}

/* Before the next try; shorter when our reader leaves. */
static void rest(struct watch *w)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    if (!w->is_lost)
        fprintf(stderr, "holdfast: %s; trying again\n",
                api_problem(w->remote.api)->text);
    w->is_lost = true;
    w->pause_ms = w->pause_ms ? w->pause_ms * 2 : FIRST_PAUSE_MS;
    if (w->pause_ms > LONGEST_PAUSE_MS)
        w->pause_ms = LONGEST_PAUSE_MS;
    (void)TEMP_FAILURE_RETRY(poll(&out, 1, (int)w->pause_ms));
}

static int watch(struct watch *w)
{
    int rc = w->cursor < 0 ? find_newest(w) : OK;

    while (rc == OK) {
        rc = follow(w);
        if (is_unwanted(w))
            return EXIT_SUCCESS;
        if (!passes(w, rc))
            break;
        if (api_problem(w->remote.api)->status == 410) {
            event_print_missed(0, w->remote.output);
            rc = find_newest(w);
        } else {
            rest(w);
            rc = OK;
        }
    }
    return remote_failed(&w->remote, rc);
}

/* --- The command ------------------------------------------------------------------ */

static void on_interrupt(int number)
{
    (void)number;
    _exit(EXIT_INTERRUPTED); /* each line was written out at once */
}

static int read_options(struct watch *w, int argc, char **argv)
{
    enum { DEVICE = REMOTE_OWN, TYPE, AFTER };
    static const struct option options[] = {
        {"device", required_argument, NULL, DEVICE},
        {"type", required_argument, NULL, TYPE},
        {"after", required_argument, NULL, AFTER},
        REMOTE_OPTIONS,
    };
    struct remote *c = &w->remote;
    int option, status;

    while ((option = getopt_long(argc, argv, REMOTE_SHORT, options, NULL)) != -1) {
        switch (option) {
        case DEVICE:
            w->device = optarg;
            break;
        case TYPE:
            w->types = optarg;
            break;
        case AFTER:
            if ((w->cursor = remote_number(optarg)) < 0)
                return remote_misused(c, "--after wants a cursor, a whole number");
            break;
        default:
            if ((status = remote_option(c, option)) != REMOTE_GOES_ON)
                return status;
        }
    }
    if (optind < argc)
        return remote_misused(c, "`%s`: watch takes options only; --device %s?",
                              argv[optind], argv[optind]);
    if (w->device)
        w->device = remote_split_id(c, w->device);
    return REMOTE_GOES_ON;
}

int cli_watch(int argc, char **argv)
{
    struct watch w = {.remote = remote_new(argv[0], help), .cursor = -1};
    int status;

    if ((status = read_options(&w, argc, argv)) != REMOTE_GOES_ON)
        return status;
    signal(SIGINT, on_interrupt);
    if (!remote_open(&w.remote))
        return EXIT_FAILURE;
    status = watch(&w);
    sse_fini(&w.sse);
    return remote_close(&w.remote, status);
}
