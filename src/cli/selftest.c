/* `holdfast selftest`: on this machine and this disk, is what was promised true? */
#include "cli/selftest_inside.h"
#include "base/clock.h"
#include "cli/commands.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* A disk has to turn, or to program a cell; less than this, and it has done neither. */
#define TOO_QUICK_US 20
#define LEAST_S      10
#define MOST_S       86400

static const char help[] =
    "usage: holdfast selftest [OPTIONS]   does it keep its promises on this machine?\n"
    "\n"
    "Starts gateways of its own on free ports of 127.0.0.1, sends messages through "
    "them,\n"
    "and kills them (kill -9) again and again; then counts what was called safe and "
    "is\n"
    "missing. A running gateway is not touched. What is written is removed at the "
    "end.\n"
    "\n"
    "  --dir DIR    write below DIR: choose the disk that mailboxes will be on (.)\n"
    "  --time N     seconds for all of it, 10 to 86400 (120): the longer, the more "
    "kills\n"
    "  --json       for programs\n"
    "\n"
    "It cannot pull the plug: whether the disk keeps what it calls written when the\n"
    "power goes is between you and the disk. It tells how fast that disk says so.\n"
    "\n"
    "Exit status: 0 all promises were kept; 1 one was broken, or it could not be "
    "tried;\n"
    "2 the command line is wrong.\n";

void selftest_progress(const struct selftest *s, const char *format, ...)
{
    va_list args;

    if (!s->is_live)
        return;
    fputs("\r\033[K", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

struct found {
    struct disk_result disk;
    struct relay_result relays[3];
    struct kills_result kills;
};

static const struct shape {
    size_t size;
    bool durable;
} shapes[] = {{64, false}, {1520, false}, {200, true}};

static bool relay_is_good(const struct relay_result *r)
{
    return r->disordered == 0 && r->received == r->sent && r->received > 0;
}

static bool kills_are_good(const struct kills_result *k)
{
    return k->lost == 0 && k->disordered == 0 && k->safe > 0;
}

/* ---- for people ---- */

static void tell_disk(const struct disk_result *d)
{
    printf("disk        a sync takes %lld us in the middle, %lld us at most, of %u\n",
           (long long)d->median_us, (long long)d->slowest_us, d->syncs);
    if (d->median_us < TOO_QUICK_US)
        printf("            That is quicker than a disk can be: this is memory, or it "
               "calls\n            written what is not. A power cut may lose what is "
               "called safe.\n");
}

static void tell_relay(const struct relay_result *r)
{
    printf("relay       %.0f messages/s of %zu bytes%s: ",
           (double)r->received / r->seconds, r->size,
           r->durable ? ", each stored" : "");
    if (relay_is_good(r))
        printf("all %llu in order\n", (unsigned long long)r->received);
    else
        printf("%llu of %llu arrived, %llu out of order\n",
               (unsigned long long)r->received, (unsigned long long)r->sent,
               (unsigned long long)r->disordered);
}

static void tell_kills(const struct kills_result *k)
{
    printf("kills       %u times kill -9; %llu messages sent, %llu called safe\n"
           "            %llu of those lost, %llu out of order, %llu came twice; the "
           "slowest start: %lld ms\n",
           k->kills, (unsigned long long)k->sent, (unsigned long long)k->safe,
           (unsigned long long)k->lost, (unsigned long long)k->disordered,
           (unsigned long long)k->repeated, (long long)k->slowest_start_ms);
}

static void tell_verdict(const struct found *f, bool good)
{
    if (good)
        printf(
            "\nPASSED: everything that the gateway had called safe was delivered, in "
            "order,\nthrough %u kills. What came twice was on its way when the kill "
            "came.\n",
            f->kills.kills);
    else
        printf("\nFAILED: %s. Please report it, with these lines.\n",
               f->kills.lost         ? "messages that were called safe are lost"
               : f->kills.disordered ? "messages came out of order"
               : f->kills.safe == 0  ? "no message was ever called safe"
                                     : "messages were lost, or came out of order, "
                                       "while nothing was killed");
}

static void tell(const struct found *f, bool good)
{
    tell_disk(&f->disk);
    for (size_t i = 0; i < ARRAY_LEN(f->relays); i++)
        tell_relay(&f->relays[i]);
    tell_kills(&f->kills);
    tell_verdict(f, good);
}

/* ---- for programs ---- */

static void tell_json(const struct found *f, bool good)
{
    const struct kills_result *k = &f->kills;

    printf("{\"passed\":%s,\"disk\":{\"syncs\":%u,\"median_us\":%lld,\"slowest_us\":"
           "%lld},\"relays\":[",
           good ? "true" : "false", f->disk.syncs, (long long)f->disk.median_us,
           (long long)f->disk.slowest_us);
    for (size_t i = 0; i < ARRAY_LEN(f->relays); i++) {
        const struct relay_result *r = &f->relays[i];

        printf("%s{\"size\":%zu,\"durable\":%s,\"sent\":%llu,\"received\":%llu,"
               "\"disordered\":%llu,\"seconds\":%.3f}",
               i ? "," : "", r->size, r->durable ? "true" : "false",
               (unsigned long long)r->sent, (unsigned long long)r->received,
               (unsigned long long)r->disordered, r->seconds);
    }
    printf("],\"kills\":{\"kills\":%u,\"sent\":%llu,\"safe\":%llu,\"delivered\":%llu,"
           "\"lost\":%llu,\"disordered\":%llu,\"repeated\":%llu,"
           "\"slowest_start_ms\":%lld}}\n",
           k->kills, (unsigned long long)k->sent, (unsigned long long)k->safe,
           (unsigned long long)k->delivered, (unsigned long long)k->lost,
           (unsigned long long)k->disordered, (unsigned long long)k->repeated,
           (long long)k->slowest_start_ms);
}

/* ---- the order of things ---- */

/* Three eighths of the time for the streams, the rest for kills. */
static int test_all(const struct selftest *s, struct found *f)
{
    int64_t end_ms = clock_mono_ms() + s->time_ms;
    int rc;

    selftest_progress(s, "the disk");
    if ((rc = selftest_disk(&f->disk)) < 0)
        return rc;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        if ((rc = selftest_relay(s, shapes[i].size, shapes[i].durable, s->time_ms / 8,
                                 &f->relays[i])) < 0)
            return rc;
    return selftest_kills(s, end_ms - clock_mono_ms(), &f->kills);
}

static int run(const struct selftest *s)
{
    struct found f = {0};
    int rc = test_all(s, &f);
    bool good = rc == OK && kills_are_good(&f.kills);

    selftest_progress(s, "%s", "");
    if (rc < 0) {
        fprintf(stderr, "holdfast: the test could not be finished: %s\n",
                rc == ERR_IO && errno ? strerror(errno) : err_text(rc));
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < ARRAY_LEN(f.relays); i++)
        good = good && relay_is_good(&f.relays[i]);
    if (s->is_json)
        tell_json(&f, good);
    else
        tell(&f, good);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* It works inside of its directory, so that names are short. */
static int run_below(const struct selftest *s, const char *where)
{
    char name[] = "holdfast-selftest-XXXXXX";
    int status;

    if (chdir(where) < 0 || !mkdtemp(name) || chdir(name) < 0) {
        fprintf(stderr, "holdfast: cannot write below %s: %s; choose with --dir\n",
                where, strerror(errno));
        return EXIT_FAILURE;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* a killed supervisor's worker is ours */
    srandom((unsigned)clock_mono_us());
    status = run(s);
    if (chdir("..") == 0)
        (void)nftw(name, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return status;
}

int cli_selftest(int argc, char **argv)
{
    static const struct option options[] = {
        {"dir", required_argument, NULL, 'd'},
        {"time", required_argument, NULL, 't'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct selftest s = {.time_ms = 120000, .is_live = isatty(STDERR_FILENO)};
    const char *where = ".";
    long seconds = LEAST_S;
    char *end = "";

    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (c) {
        case 'd':
            where = optarg;
            break;
        case 't':
            seconds = strtol(optarg, &end, 10);
            s.time_ms = seconds * 1000;
            break;
        case 'j':
            s.is_json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            return 2;
        }
    }
    if (optind < argc || *end || seconds < LEAST_S || seconds > MOST_S) {
        fputs("holdfast: `holdfast selftest --help` tells how to use it\n", stderr);
        return 2;
    }
    return run_below(&s, where);
}
