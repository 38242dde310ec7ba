/* heartbeats.c - the kind `heartbeats`: a crowd, progress, and the result. */
#include "sim/descriptors.h"
#include "sim/heartbeats/crowd.h"
#include "sim/kind.h"
#include "sim/report.h"
#include "sim/stop.h"

#include <unistd.h>

#define WHO         "holdfast-sim heartbeats"
#define PROGRESS_NS 500000000

static void show_progress(const struct crowd *crowd)
{
    char online[REPORT_TEXT], sent[REPORT_TEXT], dropped[REPORT_TEXT];
    char reconnects[REPORT_TEXT];

    report_progress(
        "%s of %llu online  %s sent  %s ended by the gateway  %s reconnects",
        report_count(crowd->online, online), (unsigned long long)crowd->options->count,
        report_count(crowd->tally[CROWD_SENT], sent),
        report_count(crowd->tally[CROWD_DROPPED], dropped),
        report_count(crowd->tally[CROWD_RECONNECTS], reconnects));
}

static bool is_good(const struct crowd *crowd)
{
    const uint64_t *n = crowd->tally;

    if (n[CROWD_ANSWERS])
        return false;
    return options_provoke(crowd->options) || (!n[CROWD_DROPPED] && !n[CROWD_FAILED]);
}

static const struct {
    const char *word, *text;
} about[] = {
#define X(name, word, text) {word, text},
    CROWD_TALLIES(X)
#undef X
};

static void print(const struct crowd *crowd, FILE *out)
{
    char number[REPORT_TEXT];

    fprintf(out, "%s clients at %s for %.2f s\n",
            report_count(crowd->options->count, number), crowd->options->address_text,
            (double)(crowd->now_ns - crowd->opened_ns) / 1e9);
    for (size_t i = 0; i < ARRAY_LEN(about); i++)
        if (crowd->tally[i] || i == CROWD_SENT || i == CROWD_CONNECTS)
            fprintf(out, "  %-16s %s  %s\n", about[i].word,
                    report_count(crowd->tally[i], number), about[i].text);
    fprintf(out, "  %s\n", is_good(crowd) ? "ok" : "not as it should be");
}

static void print_json(const struct crowd *crowd, FILE *out)
{
    fprintf(out, "{\"clients\": %llu, \"seconds\": %.3f, \"online\": %llu",
            (unsigned long long)crowd->options->count,
            (double)(crowd->now_ns - crowd->opened_ns) / 1e9,
            (unsigned long long)crowd->online);
    for (size_t i = 0; i < ARRAY_LEN(about); i++)
        fprintf(out, ", \"%s\": %llu", about[i].word,
                (unsigned long long)crowd->tally[i]);
    fprintf(out, ", \"ok\": %s}\n", is_good(crowd) ? "true" : "false");
}

static int run(const struct options *o, _Atomic bool *stop)
{
    struct crowd crowd;
    int64_t shown_ns;
    bool good;

    if (crowd_open(&crowd, o, stop) < 0) {
        fputs(WHO ": out of memory\n", stderr);
        return 2;
    }
    shown_ns = crowd.now_ns;
    while (crowd_turn(&crowd)) {
        if (o->quiet || crowd.now_ns - shown_ns < PROGRESS_NS)
            continue;
        shown_ns = crowd.now_ns;
        show_progress(&crowd);
    }
    report_progress("%s", "");
    good = is_good(&crowd);
    if (*crowd.fatal)
        fprintf(stderr, WHO ": %s\n", crowd.fatal);
    else if (o->json)
        print_json(&crowd, stdout);
    else if (!o->quiet || !good)
        print(&crowd, stdout);
    crowd_close(&crowd);
    return *crowd.fatal ? 2 : good ? 0 : 1;
}

int heartbeats_main(int argc, char **argv)
{
    char what[REPORT_TEXT + 16], count[REPORT_TEXT];
    struct options o;

    if (options_read(&o, argc, argv, stderr) < 0)
        return 2;
    if (o.help) {
        options_print_help(stdout);
        return 0;
    }
    snprintf(what, sizeof(what), "%s clients", report_count(o.count, count));
    if (!descriptors_raise(o.count, WHO, what))
        return 2;
    return run(&o, stop_on_signals());
}
