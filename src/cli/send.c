/* `holdfast send`: asks a device, and shows what it answers. */
#include "cli/remote.h"
#include "cli/field.h"
#include "cli/ticket_text.h"

#include <ctype.h>
#include <stdlib.h>

#define WAIT_MS 5000
#define KEY_MAX 64

static const char help[] =
    "usage: holdfast send ID COMMAND [ARGUMENT...] [OPTIONS]\n"
    "\n"
    "Sends a command to a device and shows its answer.\n"
    "\n"
    "  ID                     as `holdfast ls` shows it, or with its protocol in "
    "front:\n"
    "                         device/T9000010\n"
    "  COMMAND                a name that its protocol has: status, turn_on, "
    "restart ...;\n"
    "                         or the number of a message, 0x1005, which is sent as it "
    "is\n"
    "  ARGUMENT               name=value; a value that is JSON is taken as that "
    "(30, true,\n"
    "                         [1,2], '\"30\"'), all else as text. Or all arguments "
    "at once:\n"
    "                         '{\"name\":\"value\"}'. Of a message: its body in hex\n"
    "\n"
    "      --wait TIME        for the answer: 0s to 60s (5s)\n"
    "      --ttl TIME         what is not answered by then is kept so long (1s to "
    "30d), sent\n"
    "                         when the device returns; `holdfast ticket` follows it\n"
    "      --not-before TIME, --not-after TIME\n"
    "                         sent not earlier, or not at all if it was not yet:\n"
    "                         2026-11-21T11:30:00Z\n"
    "      --only-if STATE    asks the device first, and sends it only in that state\n"
    "      --supersede        takes back what is unsent of the same name\n"
    "      --key TEXT         sent once, however often it is asked for with this "
    "key\n"
    "      --protocol NAME    which one, if the id exists in several "
    "protocols\n" REMOTE_HELP
    "... Of these: 0 the device has answered; 1 also: it will not any more; 3 it has\n"
    "not yet, and there is a ticket.\n";

struct sending {
    struct remote remote;
    const char *id;
    int64_t wait_ms, ttl_ms; /* -1: not given */
    const char *key;
    json_t *body;
};

/* ---- what is sent ---- */

static int put_text(struct sending *s, const char *name, const char *text)
{
    if (!text || json_object_set_new(s->body, name, json_string(text)) == 0)
        return REMOTE_GOES_ON;
    return remote_misused(&s->remote, "that is not UTF-8: %s",
                          table_safe(slice_of(text, strlen(text))));
}

/* "0x1005" */
static bool is_message(const char *command)
{
    size_t digits = strlen(command) - 2;

    if (strncmp(command, "0x", 2) != 0 || digits < 1 || digits > 4)
        return false;
    for (const char *c = command + 2; *c; c++)
        if (!isxdigit((unsigned char)*c))
            return false;
    return true;
}

static int put_raw(struct sending *s, const char *command, char **hex, int count)
{
    struct buf body = {0};
    int rc = OK, status;

    for (int i = 0; i < count && rc == OK; i++)
        rc = buf_try_append(&body, slice_of(hex[i], strlen(hex[i])));
    if (rc == OK)
        rc = buf_try_append(&body, slice_of("", 1));
    if (rc < 0 || json_object_set_new(s->body, "message_id",
                                      json_integer(strtol(command, NULL, 16))) < 0)
        status = remote_failed(&s->remote, ERR_NOMEM);
    else
        status = put_text(s, "body", (const char *)body.mem + body.head);
    buf_fini(&body);
    return status;
}

static int put_argument(struct sending *s, json_t *args, const char *text)
{
    const char *equals = strchr(text, '=');
    json_t *value;

    if (!equals || equals == text)
        return remote_misused(&s->remote, "`%s`: an argument is name=value",
                              table_safe(slice_of(text, strlen(text))));
    value = json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!value)
        value = json_string(equals + 1);
    if (!value || json_object_setn_new(args, text, (size_t)(equals - text), value) < 0)
        return remote_misused(&s->remote, "that is not UTF-8: %s",
                              table_safe(slice_of(text, strlen(text))));
    return REMOTE_GOES_ON;
}

static int put_named(struct sending *s, const char *command, char **texts, int count)
{
    json_t *args;
    int status;

    if (count == 1 && *texts[0] == '{') {
        if (!(args = json_loads(texts[0], JSON_REJECT_DUPLICATES, NULL)))
            return remote_misused(&s->remote, "the arguments are no JSON object");
    } else {
        args = json_object();
    }
    if (count > 0)
        json_object_set_new(s->body, "args", args);
    else
        json_decref(args);
    for (int i = 0; i < count && *texts[0] != '{'; i++)
        if ((status = put_argument(s, args, texts[i])) != REMOTE_GOES_ON)
            return status;
    return put_text(s, "command", command);
}

static int read_arguments(struct sending *s, char **texts, int count)
{
    if (count == 0 || !*texts[0])
        return remote_misused(&s->remote, "which device? `holdfast ls` shows the ids");
    if (count == 1 || !*texts[1])
        return remote_misused(&s->remote, "which command? e.g. status");
    s->id = remote_split_id(&s->remote, texts[0]);
    if (is_message(texts[1]))
        return put_raw(s, texts[1], texts + 2, count - 2);
    return put_named(s, texts[1], texts + 2, count - 2);
}

/* ---- the command line ---- */

static bool is_key(const char *text)
{
    size_t length = strlen(text);

    for (const char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            return false;
    return length > 0 && length <= KEY_MAX;
}

static int read_span(struct sending *s, const char *option, int64_t *out)
{
    if ((*out = remote_span(optarg)) >= 0)
        return REMOTE_GOES_ON;
    return remote_misused(&s->remote, "%s wants a time: 500ms, 5s, 10min, 2h, 1d",
                          option);
}

enum { WAIT = REMOTE_OWN, TTL, NOT_BEFORE, NOT_AFTER, ONLY_IF, SUPERSEDE, KEY };

static const struct option options[] = {
    {"wait", required_argument, NULL, WAIT},
    {"ttl", required_argument, NULL, TTL},
    {"not-before", required_argument, NULL, NOT_BEFORE},
    {"not-after", required_argument, NULL, NOT_AFTER},
    {"only-if", required_argument, NULL, ONLY_IF},
    {"supersede", no_argument, NULL, SUPERSEDE},
    {"key", required_argument, NULL, KEY},
    REMOTE_OPTIONS,
};

static int take_option(struct sending *s, int option)
{
    switch (option) {
    case WAIT:
        return read_span(s, "--wait", &s->wait_ms);
    case TTL:
        return read_span(s, "--ttl", &s->ttl_ms);
    case NOT_BEFORE:
        return put_text(s, "not_before", optarg);
    case NOT_AFTER:
        return put_text(s, "not_after", optarg);
    case ONLY_IF:
        return put_text(s, "only_if", optarg);
    case SUPERSEDE:
        json_object_set_new(s->body, "supersede", json_true());
        return REMOTE_GOES_ON;
    case KEY:
        s->key = optarg;
        return is_key(optarg) ? REMOTE_GOES_ON
                              : remote_misused(&s->remote,
                                               "--key wants 1 to %d characters of "
                                               "printable ASCII",
                                               KEY_MAX);
    default:
        return remote_option(&s->remote, option);
    }
}

static int read_command_line(struct sending *s, int argc, char **argv)
{
    int option, status;

    while ((option = getopt_long(argc, argv, REMOTE_SHORT, options, NULL)) != -1)
        if ((status = take_option(s, option)) != REMOTE_GOES_ON)
            return status;
    return read_arguments(s, argv + optind, argc - optind);
}

/* ---- asking ---- */

/* What a refusal says of the ticket is the answer of a command that was taken. */
static int refused(const struct sending *s, int rc)
{
    const struct remote *c = &s->remote;
    const json_t *refusal = api_refusal(c->api);

    if (refusal && c->output == OUTPUT_JSON) {
        field_print(refusal);
        putchar('\n');
    }
    return remote_failed(c, rc);
}

static int ask(struct sending *s)
{
    struct remote *c = &s->remote;
    struct api_path path = remote_device_path(c, s->id, "commands");
    json_t *ticket;
    int rc, status;

    api_path_query_span(&path, "wait", s->wait_ms);
    api_path_query_span(&path, "ttl", s->ttl_ms);
    path.wait_ms = s->wait_ms < 0 ? WAIT_MS : s->wait_ms;
    if ((rc = api_post(c->api, &path, s->body, s->key, &ticket)) < 0)
        return refused(s, rc);
    status = ticket_status(ticket);
    if (c->output == OUTPUT_JSON) {
        field_print(ticket);
        putchar('\n');
    } else {
        ticket_print_answer(ticket, c->output);
    }
    json_decref(ticket);
    return status;
}

int cli_send(int argc, char **argv)
{
    struct sending s = {.remote = remote_new(argv[0], help),
                        .wait_ms = -1,
                        .ttl_ms = -1,
                        .body = json_object()};
    int status = read_command_line(&s, argc, argv);

    if (status == REMOTE_GOES_ON) {
        status = EXIT_FAILURE;
        if (remote_open(&s.remote))
            status = remote_close(&s.remote, ask(&s));
    }
    json_decref(s.body);
    return status;
}
