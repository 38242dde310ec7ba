#include "cli/event.h"

#include "cli/field.h"
#include "cli/ticket_text.h"

#include <inttypes.h>
#include <time.h>

#define RECENT_S (12 * 3600) /* before that, the hour alone would mislead */

static const char *time_of(const json_t *event, enum output output)
{
    int64_t time_ms = field_time(event, "time");
    time_t seconds = time_ms / 1000;
    struct tm tm;
    char text[48];

    if (output != OUTPUT_EYES || !time_ms || !localtime_r(&seconds, &tm))
        return field_text(event, "time");
    strftime(text, sizeof(text), time(NULL) - seconds < RECENT_S ? "%T" : "%F %T", &tm);
    return table_say("%s", text);
}

static void print_state(const json_t *event, const char *name, int width,
                        enum output output)
{
    const char *state = field_text(event, name);

    printf("%s%-*s%s", table_colour(output, field_colour(state)), width, state,
           table_plain(output));
}

static void print_move(const json_t *event, enum output output)
{
    print_state(event, "from", 0, output);
    fputs(" -> ", stdout);
    print_state(event, "to", 0, output);
    printf("  %-12s  %s\n", field_text(event, "reason"), field_text(event, "listener"));
}

static void print_command(const json_t *event)
{
    const char *reason = field_text(event, "reason");

    printf("%s %s  %s%s%s\n", ticket_command(event), field_text(event, "to"),
           field_text(event, "ticket"), *reason ? "  " : "", reason);
}

/* What it means; else its bytes. */
static void print_report(const json_t *event)
{
    const json_t *decoded = json_object_get(event, "decoded");
    const char *name = field_text(event, "name");

    printf("%s %s  ", field_text(event, "message"), *name ? name : "-");
    if (decoded && !json_is_null(decoded))
        field_print(decoded);
    else
        field_print_long(event, "body");
    putchar('\n');
}

/* Of a type that this program does not know: as it came. */
static void print_other(const json_t *event)
{
    if (strcmp(field_raw(event, "type"), "gap") == 0)
        printf("-- %s events were lost: the disk could not follow\n",
               field_number(event, "lost"));
    else {
        field_print(event);
        putchar('\n');
    }
}

static bool is_of_device(const char *type)
{
    return strcmp(type, "presence") == 0 || strcmp(type, "command") == 0 ||
           strcmp(type, "report") == 0;
}

void event_print(const json_t *event, enum output output, enum event_scope scope)
{
    const char *type = field_raw(event, "type");

    if (output == OUTPUT_JSON) {
        field_print(event);
        putchar('\n');
        return;
    }
    printf("%s  ", time_of(event, output));
    if (!is_of_device(type)) {
        print_other(event);
        return;
    }
    if (scope == EVENT_OF_ALL)
        printf("%-21s  ", field_text(event, "device"));
    if (strcmp(type, "presence") == 0)
        print_move(event, output);
    else if (strcmp(type, "command") == 0)
        print_command(event);
    else
        print_report(event);
}

void event_print_missed(uint64_t oldest, enum output output)
{
    if (output == OUTPUT_JSON)
        printf("{\"type\":\"missed\",\"oldest\":%" PRIu64 "}\n", oldest);
    else if (oldest)
        printf("-- missed: the events before cursor %" PRIu64
               " are not kept any more\n",
               oldest);
    else
        puts("-- missed: the events since then are not kept any more");
}
