#include "cli/ticket_text.h"

#include "cli/field.h"

#include <inttypes.h>
#include <stdlib.h>

int ticket_status(const json_t *ticket)
{
    const char *state = field_raw(ticket, "state");

    if (strcmp(state, "answered") == 0)
        return EXIT_SUCCESS;
    if (strcmp(state, "queued") == 0 || strcmp(state, "sent") == 0 ||
        strcmp(state, "acknowledged") == 0)
        return EXIT_UNANSWERED;
    return EXIT_FAILURE;
}

enum colour ticket_colour(const json_t *ticket)
{
    switch (ticket_status(ticket)) {
    case EXIT_SUCCESS:
        return COLOUR_GREEN;
    case EXIT_UNANSWERED:
        return COLOUR_YELLOW;
    default:
        return COLOUR_RED;
    }
}

const char *ticket_command(const json_t *ticket)
{
    const char *name = field_text(ticket, "command");

    return *name ? name : table_say("0x%s", field_text(ticket, "message"));
}

static void print_state(const json_t *ticket, enum output output)
{
    printf("%s%s%s", table_colour(output, ticket_colour(ticket)),
           field_text(ticket, "state"), table_plain(output));
    if (*field_raw(ticket, "reason"))
        printf(" (%s)", field_text(ticket, "reason"));
}

/* ---- the answer ---- */

static void print_value(const json_t *value)
{
    if (json_is_string(value))
        fputs(table_safe(slice_of(json_string_value(value), json_string_length(value))),
              stdout);
    else
        field_print(value);
    putchar('\n');
}

/* What it means; else its bytes. */
static void print_answer(const json_t *answer)
{
    const json_t *decoded = json_object_get(answer, "decoded");
    const char *name;
    json_t *value;

    if (json_is_object(decoded)) {
        json_object_foreach((json_t *)decoded, name, value)
        {
            printf("  %-16s ", table_safe(slice_of(name, strlen(name))));
            print_value(value);
        }
    } else if (decoded && !json_is_null(decoded)) {
        fputs("  ", stdout);
        print_value(decoded);
    } else if (*field_raw(answer, "body")) {
        fputs("  ", stdout);
        field_print_long(answer, "body");
        putchar('\n');
    }
}

/* Empty: it has none of the two. */
static const char *span_between(const json_t *ticket, const char *from, const char *to)
{
    int64_t from_ms = field_time(ticket, from), to_ms = field_time(ticket, to);

    if (!from_ms || !to_ms || to_ms < from_ms)
        return "";
    return table_say("%" PRId64 " ms", to_ms - from_ms);
}

void ticket_print_answer(const json_t *ticket, enum output output)
{
    const char *took = span_between(ticket, "sent", "ended");

    print_state(ticket, output);
    printf("  %s  %s  ", field_text(ticket, "device"), ticket_command(ticket));
    if (ticket_status(ticket) == EXIT_SUCCESS && *took)
        printf("after %s\n", took);
    else
        printf("ticket %s\n", field_text(ticket, "ticket"));
    print_answer(json_object_get(ticket, "answer"));
}

/* ---- all of it ---- */

static void say(const char *label, const char *text)
{
    printf("  %-14s%s\n", label, *text ? text : "-");
}

static void say_time(const json_t *ticket, const char *name, const char *label,
                     enum output output)
{
    if (output == OUTPUT_EYES && field_time(ticket, name))
        say(label, table_say("%s (%s)", field_since(ticket, name, output),
                             field_text(ticket, name)));
    else
        say(label, field_text(ticket, name));
}

void ticket_print_card(const json_t *ticket, enum output output)
{
    const json_t *answer = json_object_get(ticket, "answer");

    printf("%s: %s for %s/%s\n", field_text(ticket, "ticket"), ticket_command(ticket),
           field_text(ticket, "protocol"), field_text(ticket, "device"));
    printf("  %-14s", "state");
    print_state(ticket, output);
    putchar('\n');
    say("message", field_text(ticket, "message"));
    say_time(ticket, "created", "created", output);
    say("not before", field_text(ticket, "not_before"));
    say("expires", field_text(ticket, "expires"));
    say_time(ticket, "sent", "sent", output);
    say("sendings", field_number(ticket, "sendings"));
    say_time(ticket, "acknowledged", "acknowledged", output);
    say_time(ticket, "ended", "ended", output);
    say("durable", json_is_true(json_object_get(ticket, "durable")) ? "yes" : "no");
    if (!json_is_object(answer))
        return;
    say("answer", table_say("%s, serial %s", field_text(answer, "message"),
                            field_number(answer, "serial")));
    print_answer(answer);
}
