/* terminals.c - the kind `terminals`: threads around fleets, progress, and the result.
 */
#include "sim/descriptors.h"
#include "sim/kind.h"
#include "sim/report.h"
#include "sim/stop.h"
#include "sim/terminals/fleet.h"
#include "sim/terminals/message.h"
#include "sim/terminals/outcome.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PROGRESS_MS 500

static void *run_fleet(void *arg)
{
    fleet_run(arg);
    return NULL;
}

/* Each terminal may hold two: a frozen one keeps its old connection. */
static bool raise_descriptors(const struct settings *s)
{
    char what[REPORT_TEXT + 16], count[REPORT_TEXT];

    snprintf(what, sizeof(what), "%s terminals", report_count(s->count, count));
    return descriptors_raise(s->count + s->half_open, "holdfast-sim terminals", what);
}

static struct tallies look(struct fleet *fleets, uint64_t n)
{
    struct tallies sum = {0};

    for (uint64_t i = 0; i < n; i++) {
        pthread_mutex_lock(&fleets[i].window.lock);
        for (int k = 0; k < TALLY_COUNT; k++)
            sum.n[k] += fleets[i].window.seen.n[k];
        sum.awaited += fleets[i].window.seen.awaited;
        sum.online += fleets[i].window.seen.online;
        sum.ended += fleets[i].window.seen.ended;
        pthread_mutex_unlock(&fleets[i].window.lock);
    }
    return sum;
}

static uint64_t faults_of(const struct tallies *t)
{
    return t->n[TALLY_REORDERED] + t->n[TALLY_REPEATED] + t->n[TALLY_DAMAGED] +
           t->n[TALLY_MISROUTED] + t->n[TALLY_CONTRADICTED];
}

static void show_progress(const struct tallies *now, const struct tallies *before,
                          uint64_t count)
{
    char sent[REPORT_TEXT], received[REPORT_TEXT], awaited[REPORT_TEXT];
    char online[REPORT_TEXT], reconnects[REPORT_TEXT];
    uint64_t per_s = 1000 / PROGRESS_MS;

    report_progress(
        "%s of %llu online  %s sent/s  %s received/s  %s under way  %s reconnects  "
        "%llu faults",
        report_count(now->online, online), (unsigned long long)count,
        report_count((now->n[TALLY_SENT] - before->n[TALLY_SENT]) * per_s, sent),
        report_count((now->n[TALLY_RECEIVED] - before->n[TALLY_RECEIVED]) * per_s,
                     received),
        report_count(now->awaited, awaited),
        report_count(now->n[TALLY_RECONNECTS], reconnects),
        (unsigned long long)faults_of(now));
}

/* Shows how it goes until all fleets have ended. */
static void watch(struct fleet *fleets, const struct settings *s)
{
    struct timespec pause = {.tv_nsec = PROGRESS_MS * 1000000L};
    struct tallies now = {0}, before;

    while (now.ended < s->threads) {
        nanosleep(&pause, NULL);
        before = now;
        now = look(fleets, s->threads);
        show_progress(&now, &before, s->count);
    }
    report_progress("%s", "");
}

static int tell(struct fleet *fleets, const struct settings *s)
{
    static struct outcome o; /* large */
    bool good;

    for (uint64_t i = 0; i < s->threads; i++) {
        if (*fleets[i].fatal) {
            fprintf(stderr, "holdfast-sim terminals: %s\n", fleets[i].fatal);
            return 2;
        }
        outcome_add(&o, &fleets[i]);
    }
    good = outcome_is_good(&o, s);
    if (s->json)
        outcome_print_json(&o, s, stdout);
    else if (!s->quiet || !good)
        outcome_print(&o, s, stdout);
    return good ? 0 : 1;
}

static int run(const struct settings *s, _Atomic bool *stop)
{
    struct fleet *fleets = calloc(s->threads, sizeof(*fleets));
    pthread_t *threads = calloc(s->threads, sizeof(*threads));
    uint64_t opened = 0, started = 0;
    int status = 2;

    if (!fleets || !threads)
        goto done;
    for (; opened < s->threads; opened++)
        if (fleet_open(&fleets[opened], s, (uint32_t)opened, stop, (uint32_t)s->seed) <
            0)
            goto done;
    for (; started < s->threads; started++)
        if (pthread_create(&threads[started], NULL, run_fleet, &fleets[started]) != 0)
            break;
    if (started < s->threads)
        atomic_store(stop, true);
    else if (!s->quiet && report_is_live())
        watch(fleets, s);
    for (uint64_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started == s->threads)
        status = tell(fleets, s);
done:
    if (opened < s->threads || started < s->threads)
        fputs("holdfast-sim terminals: out of memory or threads\n", stderr);
    for (uint64_t i = 0; fleets && i < opened; i++)
        fleet_close(&fleets[i]);
    free(fleets);
    free(threads);
    return status;
}

int terminals_main(int argc, char **argv)
{
    struct settings s;

    if (settings_read(&s, argc, argv, stderr) < 0)
        return 2;
    if (s.help) {
        settings_print_help(stdout);
        return 0;
    }
    if (!raise_descriptors(&s))
        return 2;
    if (s.seed == 0)
        s.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    message_setup();
    return run(&s, stop_on_signals());
}
