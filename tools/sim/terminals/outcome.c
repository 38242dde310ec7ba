#include "sim/terminals/outcome.h"
#include "sim/args.h"
#include "sim/report.h"
#include "codec/ttms.h"

static const struct {
    const char *word;
    const char *text;
    enum tally_weight weight;
} about[TALLY_COUNT] = {
#define X(name, word, weight, text) {word, text, TALLY_##weight},
    TALLIES(X)
#undef X
};

static void keep_longest(double *longest, int64_t from_ns, int64_t to_ns)
{
    double s = (double)(to_ns - from_ns) / 1e9;

    if (s > *longest)
        *longest = s;
}

void outcome_add(struct outcome *o, const struct fleet *f)
{
    for (int i = 0; i < TALLY_COUNT; i++)
        o->tally.n[i] += f->tally.n[i];
    o->tally.online += f->tally.online;
    histogram_merge(&o->latency, &f->latency);
    histogram_merge(&o->waited, &f->waited);
    histogram_merge(&o->registered, &f->registered);
    keep_longest(&o->connect_s, f->opened_ns, f->complete_ns);
    keep_longest(&o->sent_s, f->run_ns, f->stopped_ns);
    keep_longest(&o->received_s, f->run_ns, f->last_ns);
    keep_longest(&o->storm_s, 0, f->storm_worst_ns);
    o->storms = f->storms > o->storms ? f->storms : o->storms;
    o->cpu += f->cpu;
}

static bool is_broken(const struct outcome *o, const struct settings *s, int tally)
{
    if (o->tally.n[tally] == 0)
        return false;
    return about[tally].weight == TALLY_BROKEN ||
           (about[tally].weight == TALLY_EXCUSE && !settings_have_faults(s));
}

bool outcome_is_good(const struct outcome *o, const struct settings *s)
{
    for (int i = 0; i < TALLY_COUNT; i++)
        if (is_broken(o, s, i))
            return false;
    return true;
}

static double per_second(uint64_t n, double s)
{
    return s > 0 ? (double)n / s : 0;
}

static double megabytes(const struct settings *s, double messages)
{
    return messages * (double)s->size / 1e6;
}

static void print_task(const struct settings *s, FILE *out)
{
    char text[REPORT_TEXT];

    fprintf(out, "%s terminals at %s", report_count(s->count, text), s->address_text);
    if (s->pattern == PATTERN_NONE) {
        fputs(", only heartbeats\n", out);
        return;
    }
    fprintf(out, ", %s, ", args_choice_word(PATTERNS, s->pattern));
    if (s->flood)
        fputs("flood", out);
    else
        fprintf(out, "%.10g messages/s", s->rate);
    if (s->window)
        fprintf(out, ", window %s", report_count(s->window, text));
    fprintf(out, ", %s per write, %s-byte frames\n", report_count(s->burst, text),
            report_count(s->size, (char[REPORT_TEXT]){0}));
}

static void print_flow(const struct settings *s, FILE *out, const char *word,
                       uint64_t n, double seconds)
{
    char count[REPORT_TEXT], rate[REPORT_TEXT];
    double per_s = per_second(n, seconds);

    fprintf(out, "  %-12s %s in %.2f s: %s /s, %.1f MB/s\n", word,
            report_count(n, count), seconds, report_count((uint64_t)per_s, rate),
            megabytes(s, per_s));
}

/* A schedule that was not kept makes the latency a measure of the backlog. */
static void print_schedule(const struct outcome *o, const struct settings *s, FILE *out)
{
    double kept = per_second(o->tally.n[TALLY_SENT], o->sent_s) / s->rate;

    if (!s->flood && !s->messages && kept < 0.99)
        fprintf(
            out,
            "  behind       only %.0f %% of the rate could be sent: the gateway, the "
            "window or the\n               simulator (below) is at its limit\n",
            100 * kept);
}

static void print_times(const struct outcome *o, const struct settings *s, FILE *out)
{
    if (o->latency.count > 0) {
        fputs("  latency      ", out);
        report_percentiles(out, &o->latency);
        fprintf(out, "\n               counted from when a message was %s\n",
                s->flood ? "sent" : "meant to be sent");
    }
    if (o->waited.count > 0) {
        char text[REPORT_TEXT];

        fputs("  waited       ", out);
        report_percentiles(out, &o->waited);
        fprintf(out, "\n               %s messages whose target was away\n",
                report_count(o->waited.count, text));
    }
}

void outcome_print(const struct outcome *o, const struct settings *s, FILE *out)
{
    char text[REPORT_TEXT];

    print_task(s, out);
    fprintf(out, "  registered   %s in %.3f s: ", report_count(s->count, text),
            o->connect_s);
    fprintf(out, "%s /s; each after ",
            report_count((uint64_t)per_second(s->count, o->connect_s), text));
    report_percentiles(out, &o->registered);
    fputc('\n', out);
    if (s->pattern != PATTERN_NONE) {
        print_flow(s, out, "sent", o->tally.n[TALLY_SENT], o->sent_s);
        print_schedule(o, s, out);
        print_flow(s, out, "received", o->tally.n[TALLY_RECEIVED], o->received_s);
        print_times(o, s, out);
    }
    if (o->storms)
        fprintf(out, "  storms       %u; all were registered again after %.3f s%s\n",
                o->storms, o->storm_s, o->storms > 1 ? " (the longest)" : "");
    fprintf(out, "  simulator    %.0f %% of a core\n", 100 * o->cpu);
    for (int i = 0; i < TALLY_COUNT; i++)
        if (about[i].weight != TALLY_PLAIN && o->tally.n[i] > 0)
            fprintf(out, "  %-12s %s %s%s\n", about[i].word,
                    report_count(o->tally.n[i], text), about[i].text,
                    is_broken(o, s, i) ? "  <-- BROKEN" : "");
    if (!outcome_is_good(o, s))
        fputs("  FAILED: the gateway broke a promise, see above\n", out);
    else if (s->pattern == PATTERN_NONE)
        fputs("  ok: all stayed registered\n", out);
    else
        fprintf(out, "  ok: every message %s arrived, in order and undamaged%s\n",
                s->receipts ? "that was called safe" : "sent",
                o->tally.n[TALLY_UNCONFIRMED] ? ", as far as anybody was told" : "");
}

void outcome_print_json(const struct outcome *o, const struct settings *s, FILE *out)
{
    double received_per_s = per_second(o->tally.n[TALLY_RECEIVED], o->received_s);

    fprintf(
        out,
        "{\"kind\": \"terminals\", \"ok\": %s, \"count\": %llu, \"pattern\": \"%s\", "
        "\"size\": %llu, \"burst\": %llu, \"window\": %llu, \"threads\": %llu",
        outcome_is_good(o, s) ? "true" : "false", (unsigned long long)s->count,
        args_choice_word(PATTERNS, s->pattern), (unsigned long long)s->size,
        (unsigned long long)s->burst, (unsigned long long)s->window,
        (unsigned long long)s->threads);
    fprintf(out,
            ", \"connect_s\": %.6f, \"connect_per_s\": %.1f, \"sent_s\": %.6f, "
            "\"received_s\": %.6f, \"sent_per_s\": %.1f, \"received_per_s\": %.1f, "
            "\"mb_per_s\": %.3f, \"cpu\": %.3f, \"storms\": %u, \"storm_s\": %.6f",
            o->connect_s, per_second(s->count, o->connect_s), o->sent_s, o->received_s,
            per_second(o->tally.n[TALLY_SENT], o->sent_s), received_per_s,
            megabytes(s, received_per_s), o->cpu, o->storms, o->storm_s);
    for (int i = 0; i < TALLY_COUNT; i++)
        fprintf(out, ", \"%s\": %llu", about[i].word,
                (unsigned long long)o->tally.n[i]);
    fprintf(out, ", \"latency_from\": \"%s\", \"latency_ns\": ",
            s->flood ? "sent" : "intended");
    report_percentiles_json(out, &o->latency);
    fputs(", \"waited_ns\": ", out);
    report_percentiles_json(out, &o->waited);
    fputs(", \"registered_ns\": ", out);
    report_percentiles_json(out, &o->registered);
    fputs("}\n", out);
}
