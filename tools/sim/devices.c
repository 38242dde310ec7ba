/* devices.c - `holdfast-sim devices` and `holdfast-sim jt808`: two breeds, one run. */
#include "sim/devices/plant.h"
#include "sim/descriptors.h"
#include "sim/kind.h"
#include "sim/report.h"
#include "sim/stop.h"

#define PROGRESS_NS 500000000

static const struct {
    const char *word, *text;
} about[] = {
#define X(name, word, text, bad) {word, text},
    PLANT_TALLIES(X)
#undef X
};

static void show_progress(const struct plant *p)
{
    char online[REPORT_TEXT], commands[REPORT_TEXT], answers[REPORT_TEXT];

    report_progress("%s of %llu online  %s commands  %s answers",
                    report_count(p->online, online),
                    (unsigned long long)p->settings->count,
                    report_count(p->tally[PLANT_COMMANDS], commands),
                    report_count(p->tally[PLANT_ANSWERS], answers));
}

static void print(const struct plant *p, FILE *out)
{
    char number[REPORT_TEXT];

    fprintf(out, "%s devices at %s for %.2f s\n",
            report_count(p->settings->count, number), p->settings->address_text,
            (double)(p->now_ns - p->opened_ns) / 1e9);
    for (size_t i = 0; i < ARRAY_LEN(about); i++)
        if (p->tally[i] || i == PLANT_ACCEPTED || i == PLANT_COMMANDS)
            fprintf(out, "  %-16s %s  %s\n", about[i].word,
                    report_count(p->tally[i], number), about[i].text);
    fprintf(out, "  %s\n", plant_is_good(p) ? "ok" : "not as it should be");
}

static void print_json(const struct plant *p, FILE *out)
{
    fprintf(out, "{\"devices\": %llu, \"seconds\": %.3f, \"online\": %llu",
            (unsigned long long)p->settings->count,
            (double)(p->now_ns - p->opened_ns) / 1e9, (unsigned long long)p->online);
    for (size_t i = 0; i < ARRAY_LEN(about); i++)
        fprintf(out, ", \"%s\": %llu", about[i].word, (unsigned long long)p->tally[i]);
    fprintf(out, ", \"ok\": %s}\n", plant_is_good(p) ? "true" : "false");
}

static int run(const struct plant_settings *s, _Atomic bool *stop)
{
    struct plant p;
    int64_t shown_ns;
    bool good;

    if (plant_open(&p, s, stop) < 0) {
        fprintf(stderr, "%s: out of memory\n", s->who);
        return 2;
    }
    shown_ns = p.now_ns;
    while (plant_turn(&p)) {
        if (s->quiet || p.now_ns - shown_ns < PROGRESS_NS)
            continue;
        shown_ns = p.now_ns;
        show_progress(&p);
    }
    report_progress("%s", "");
    plant_finish(&p);
    good = plant_is_good(&p);
    if (*p.fatal)
        fprintf(stderr, "%s: %s\n", s->who, p.fatal);
    else if (s->json)
        print_json(&p, stdout);
    else if (!s->quiet || !good)
        print(&p, stdout);
    plant_close(&p);
    return *p.fatal ? 2 : good ? 0 : 1;
}

static int simulate(bool is_jt808, int argc, char **argv)
{
    char what[REPORT_TEXT + 16], count[REPORT_TEXT];
    struct plant_settings s;

    if (plant_settings_read(&s, is_jt808, argc, argv, stderr) < 0)
        return 2;
    if (s.help) {
        plant_settings_help(is_jt808, stdout);
        return 0;
    }
    snprintf(what, sizeof(what), "%s devices", report_count(s.count, count));
    if (!descriptors_raise(s.count, s.who, what))
        return 2;
    return run(&s, stop_on_signals());
}

int devices_main(int argc, char **argv)
{
    return simulate(false, argc, argv);
}

int jt808_main(int argc, char **argv)
{
    return simulate(true, argc, argv);
}
