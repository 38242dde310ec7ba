/* presence_bench.c - many devices without sockets: what it costs to know who is alive.
 *
 * Time is ours: it passes as fast as the work of each moment is done, so the cost of a
 * second is what is measured, not waited for. The result is one JSON object. */
#include "presence_gateway.h"
#include "base/allocator.h"
#include "base/clock.h"
#include "relay/delivery.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PER_TURN 32 /* and millisecond: as fast as the gateway accepts connections */
#define STEP_MS  1
#define STRIDE   7368787 /* a prime: devices are not heard in the order they came */

static struct presence_gateway bench;
static struct terminal **terminals;

/* What this process alone has written and holds, in bytes. */
static double own_memory(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[128];
    double kb = 0;

    if (!file)
        presence_die("smaps_rollup", ERR_IO);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "Private_Dirty: %lf", &kb) == 1)
            break;
    fclose(file);
    return kb * 1024;
}

/* An allocator gives back after a second. */
static double settled_memory(void)
{
    sleep(3);
    return own_memory();
}

/* ---- turns ---- */

/* Of one phase. */
struct phase {
    double work_s, longest_s; /* on the shard's thread */
    double begun_s;
};

static void turn_begins(struct phase *p)
{
    bench.shard.loop.now_ms = presence_now_ms;
    bench.conn.heard_ms = presence_now_ms & TIME_MASK;
    p->begun_s = presence_seconds(CLOCK_THREAD_CPUTIME_ID);
}

static void turn_ends(struct phase *p)
{
    double took;

    wheel_advance(&bench.shard.loop.wheel, presence_now_ms);
    relay_after_writes(&bench.shard);
    took = presence_seconds(CLOCK_THREAD_CPUTIME_ID) - p->begun_s;
    p->work_s += took;
    if (took > p->longest_s)
        p->longest_s = took;
}

static void quiet_turn(struct phase *p)
{
    turn_begins(p);
    turn_ends(p);
}

/* Until the journal has written everything. */
static void settle(void)
{
    struct phase p = {0};

    while (!tracker_is_settled(&bench.relay)) {
        usleep(1000);
        quiet_turn(&p);
    }
}

/* ---- phases ---- */

static struct id id_of(unsigned device)
{
    struct id id;
    char text[ID_TEXT_MAX];
    int n = snprintf(text, sizeof(text), "10.%u.%u.%u:%u", device >> 16 & 255,
                     device >> 8 & 255, device & 255, 20000 + device % 40000);
    int rc = id_make(PROTOCOL_HEARTBEAT, slice_of(text, (size_t)n), &id);

    if (rc < 0)
        presence_die("id", rc);
    return id;
}

static void come(unsigned device)
{
    struct id id = id_of(device);
    struct terminal *t =
        relay_terminal(&bench.relay, &id, relay_hash(&bench.group, &id));

    if (!t)
        presence_die("device", ERR_FULL);
    terminals[device] = t;
    delivery_attach(&bench.relay, t, &bench.conn);
}

static void some_come(struct phase *p, unsigned first, unsigned end)
{
    for (unsigned d = first; d < end;) {
        turn_begins(p);
        for (unsigned i = 0; i < PER_TURN && d < end; i++)
            come(d++);
        turn_ends(p);
        presence_now_ms++;
        if (d % (512 * PER_TURN) == 0)
            settle(); /* its time is not ours */
    }
    settle();
}

/* All that is heard counts for `hear`, the rest of the turns for `p`. */
static void everybody_speaks(struct phase *p, struct phase *hear, int64_t for_ms)
{
    uint64_t next = 0,
             per_step = (uint64_t)bench.devices * STEP_MS / PRESENCE_INTERVAL_MS;

    for (int64_t end_ms = presence_now_ms + for_ms; presence_now_ms < end_ms;
         presence_now_ms += STEP_MS) {
        double before = presence_seconds(CLOCK_THREAD_CPUTIME_ID);

        bench.shard.loop.now_ms = presence_now_ms;
        bench.conn.heard_ms = presence_now_ms & TIME_MASK;
        for (uint64_t i = 0; i < per_step; i++, next++)
            tracker_heard(&bench.relay, terminals[next * STRIDE % bench.devices]);
        hear->work_s += presence_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
        quiet_turn(p);
    }
}

static void nobody_speaks(struct phase *p, int64_t for_ms)
{
    for (int64_t end_ms = presence_now_ms + for_ms; presence_now_ms < end_ms;
         presence_now_ms += STEP_MS) {
        quiet_turn(p);
        if (presence_now_ms % 1000 == 0)
            settle();
    }
}

static double page(unsigned limit)
{
    static struct device_view view;
    double begun = presence_seconds(CLOCK_MONOTONIC);
    uint32_t ref = 0;
    struct device *d;

    for (unsigned n = 0; n < limit; n++, ref = d->ref + 1) {
        if (!(d = registry_from(&bench.relay.terminals, ref)))
            break;
        tracker_view(&bench.relay, terminal_of(d), &view);
    }
    return presence_seconds(CLOCK_MONOTONIC) - begun;
}

/* As at the end of a gateway that is stopped: nobody is closed. */
static void everybody_goes(void)
{
    bench.conn.reason = CLOSE_DRAINED;
    for (unsigned d = 0; d < bench.devices; d++)
        delivery_detach(&bench.relay, terminals[d], false);
    settle();
}

static void parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"dir", required_argument, NULL, 'd'},
        {"devices", required_argument, NULL, 'n'},
        {0},
    };

    bench.devices = 1000000;
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            bench.dir = optarg;
        else if (c == 'n')
            bench.devices = (unsigned)strtoul(optarg, NULL, 10);
        else
            bench.devices = 0;
    }
    if (!bench.dir || bench.devices < 1000 || optind != argc) {
        fprintf(stderr, "usage: %s --dir DIR [--devices N]\n", argv[0]);
        exit(2);
    }
}

/* ---- what is measured ---- */

static void print(const char *name, double value, const char *behind)
{
    printf("\"%s\": %.9g%s", name, value, behind);
}

static void measure_coming(void)
{
    unsigned half = bench.devices / 2;
    struct phase come = {0};
    double before;

    /* The first half fills what does not grow, the ring of events above all. */
    some_come(&come, 0, half);
    before = settled_memory();
    some_come(&come, half, bench.devices);
    print("bytes", (settled_memory() - before) / (bench.devices - half), ", ");
    print("come_us", come.work_s * 1e6 / bench.devices, ", ");
    print("turn_come_ms", come.longest_s * 1e3, ", ");
}

/* The first timers are due after PRESENCE_LEAVE_MS; from then on it is as it will
 * always be. */
static void measure_speaking(void)
{
    struct phase warm = {0}, wheel = {0}, hear = {0};
    double span_s = PRESENCE_LEAVE_MS / 1e3,
           messages = bench.devices * span_s * 1e3 / PRESENCE_INTERVAL_MS;

    everybody_speaks(&warm, &hear, PRESENCE_LEAVE_MS);
    hear.work_s = 0;
    everybody_speaks(&wheel, &hear, PRESENCE_LEAVE_MS);
    print("heard_ns", hear.work_s * 1e9 / messages, ", ");
    print("heard_cpu", hear.work_s / span_s, ", ");
    print("wheel_heard_cpu", wheel.work_s / span_s, ", ");
    print("turn_heard_ms", wheel.longest_s * 1e3, ", ");
}

static void measure_pages(void)
{
    double small = 0;

    for (int i = 0; i < 1000; i++)
        small += page(100);
    print("page_100_us", small * 1e6 / 1000, ", ");
    print("page_100000_ms", page(100000) * 1e3, ", ");
}

static uint64_t devices_in(enum presence state)
{
    return tracker_stats(&bench.relay).devices[PROTOCOL_HEARTBEAT][state];
}

static void measure_silence(void)
{
    int64_t span_ms = PRESENCE_LEAVE_MS + 2 * PRESENCE_INTERVAL_MS;
    struct phase leaving = {0}, left = {0};

    nobody_speaks(&leaving, span_ms);
    nobody_speaks(&left, 60000);
    if (devices_in(PRESENCE_LEAVE) != bench.devices)
        presence_die("not all left", ERR_INVALID);
    print("wheel_silent_cpu", leaving.work_s * 1e3 / (double)span_ms, ", ");
    print("wheel_left_cpu", left.work_s / 60, ", ");
    print("turn_silent_ms", leaving.longest_s * 1e3, ", ");
}

static void measure_restart(void)
{
    struct phase not_back = {0};

    everybody_goes();
    presence_gateway_close(&bench);
    print("start_s", presence_gateway_open(&bench), ", ");
    nobody_speaks(&not_back, PRESENCE_GRACE_MS);
    while (devices_in(PRESENCE_CLOSE) < bench.devices)
        nobody_speaks(&not_back, 1000);
    print("not_back_s", not_back.work_s, ", ");
    print("turn_not_back_ms", not_back.longest_s * 1e3, "}\n");
    presence_gateway_close(&bench);
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    if (!(terminals = calloc(bench.devices, sizeof(*terminals))))
        presence_die("devices", ERR_NOMEM);
    /* Its pages are not the tracker's. */
    memset(terminals, 0xff, bench.devices * sizeof(*terminals));
    allocator_setup();
    (void)presence_gateway_open(&bench);
    printf("{");
    measure_coming();
    measure_speaking();
    measure_pages();
    measure_silence();
    measure_restart();
    free(terminals);
    return 0;
}
