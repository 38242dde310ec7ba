/* requests.c - the kind `requests`: asks a request/answer service and checks what it
 * answers. */
#include "sim/descriptors.h"
#include "sim/kind.h"
#include "sim/report.h"
#include "sim/requests/client.h"
#include "sim/stop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WHO          "holdfast-sim requests"
#define PROGRESS_NS  INT64_C(500000000)
#define TURN_NS      INT64_C(50000000)
#define SCRATCH_SIZE (256 * 1024)

static void on_event(void *context, void *owner, uint32_t events)
{
    client_on_event(context, owner, events);
}

static void show_progress(const struct crowd *c, uint64_t before)
{
    char rate[REPORT_TEXT], all[REPORT_TEXT];

    report_progress("%s answers/s  %s in all  %" PRIu64 " wrong  %" PRIu64 " closed",
                    report_count((c->tallies.answered - before) * 2, rate),
                    report_count(c->tallies.answered, all), c->tallies.wrong,
                    c->tallies.closed);
}

static bool is_over(const struct crowd *c, int64_t now_ns, int64_t end_ns)
{
    const struct request_settings *s = c->settings;

    if (*c->stop || c->fatal)
        return true;
    return s->requests ? c->next >= s->requests && c->open == 0 : now_ns >= end_ns;
}

/* Returns how long it asked. */
static double ask_for_a_while(struct crowd *c)
{
    const struct request_settings *s = c->settings;
    int64_t begin_ns = loop_now_ns(), now_ns = begin_ns, shown_ns = begin_ns;
    uint64_t shown = 0;
    double lasted_s;

    for (c->asks = true; !is_over(c, now_ns, begin_ns + s->time_ns);) {
        loop_turn(&c->loop, TURN_NS, on_event, c);
        now_ns = loop_now_ns();
        if (s->quiet || !report_is_live() || now_ns < shown_ns + PROGRESS_NS)
            continue;
        show_progress(c, shown);
        shown = c->tallies.answered;
        shown_ns = now_ns;
    }
    lasted_s = (double)(now_ns - begin_ns) / 1e9;
    c->asks = false;
    report_progress("%s", "");
    return lasted_s;
}

static void wait_for_the_rest(struct crowd *c)
{
    int64_t until_ns = loop_now_ns() + c->settings->patience_ns;

    while (c->open && !c->fatal && loop_now_ns() < until_ns)
        loop_turn(&c->loop, TURN_NS, on_event, c);
}

/* ---- the result ---- */

static bool is_good(const struct crowd *c)
{
    const struct tallies *t = &c->tallies;

    return t->wrong == 0 && t->refused == 0 && c->open == 0 && t->answered > 0 &&
           (c->settings->may_close || t->closed == 0);
}

static void print(const struct crowd *c, double rate)
{
    char text[REPORT_TEXT];

#define X(name, meaning)                                                               \
    if (c->tallies.name)                                                               \
        printf("%-11s %15s  %s\n", #name, report_count(c->tallies.name, text), meaning);
    TALLIES(X)
#undef X
    if (c->open)
        printf("%-11s %15s  requests still without an answer\n", "missing",
               report_count(c->open, text));
    printf("%-11s %15s  answers per second\n", "rate",
           report_count((uint64_t)rate, text));
    fputs("latency     ", stdout);
    report_percentiles(stdout, &c->latency);
    putchar('\n');
}

static void print_json(const struct crowd *c, double rate)
{
    printf("{");
#define X(name, meaning) printf("\"" #name "\":%" PRIu64 ",", c->tallies.name);
    TALLIES(X)
#undef X
    printf("\"missing\":%" PRIu64 ",\"rate\":%.1f,\"latency\":", c->open, rate);
    report_percentiles_json(stdout, &c->latency);
    puts("}");
}

static int tell(const struct crowd *c, double lasted_s)
{
    double rate = lasted_s > 0 ? (double)c->tallies.answered / lasted_s : 0;
    bool good = is_good(c);

    if (c->fatal) {
        fprintf(stderr, WHO ": %s: %s\n", c->settings->address_text, c->fatal);
        return 2;
    }
    if (c->settings->json)
        print_json(c, rate);
    else if (!c->settings->quiet || !good)
        print(c, rate);
    return good ? 0 : 1;
}

/* ---- life ---- */

static int open_clients(struct crowd *c, struct client *clients, struct asked *ring)
{
    const struct request_settings *s = c->settings;

    if (loop_open(&c->loop) < 0 || bodies_init(&c->bodies, s) < 0 ||
        !(c->scratch.mem = malloc(SCRATCH_SIZE)))
        return ERR_NOMEM;
    c->scratch.size = SCRATCH_SIZE;
    for (uint32_t i = 0; i < s->connections; i++) {
        clients[i] = (struct client){
            .peer.fd = -1,
            .place = i,
            .ring = ring + i * s->depth,
        };
        client_connect(c, &clients[i]);
    }
    return OK;
}

static int run(const struct request_settings *s, _Atomic bool *stop)
{
    static struct crowd c; /* large */
    struct client *clients = calloc(s->connections, sizeof(*clients));
    struct asked *ring = calloc(s->connections * s->depth, sizeof(*ring));
    int status = 2;

    c.settings = s;
    c.stop = stop;
    if (clients && ring && open_clients(&c, clients, ring) == OK) {
        double lasted_s = ask_for_a_while(&c);

        wait_for_the_rest(&c);
        status = tell(&c, lasted_s);
        for (uint64_t i = 0; i < s->connections; i++)
            client_close(&c, &clients[i]);
        loop_close(&c.loop);
    } else {
        fputs(WHO ": out of memory\n", stderr);
    }
    bodies_fini(&c.bodies);
    buf_fini(&c.batch);
    free(c.scratch.mem);
    free(ring);
    free(clients);
    return status;
}

int requests_main(int argc, char **argv)
{
    char what[REPORT_TEXT + 16], count[REPORT_TEXT];
    struct request_settings s;

    if (request_settings_read(&s, argc, argv, stderr) < 0)
        return 2;
    if (s.help) {
        request_settings_print_help(stdout);
        return 0;
    }
    snprintf(what, sizeof(what), "%s connections", report_count(s.connections, count));
    if (!descriptors_raise(s.connections, WHO, what))
        return 2;
    if (s.seed == 0)
        s.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
    return run(&s, stop_on_signals());
}
