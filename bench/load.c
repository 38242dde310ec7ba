/* load.c - closed-loop load for one server, and what it measured as one line of JSON.
 *
 * Ends with 1 when a message was lost, came out of order or damaged, or when the server
 * closed a connection: figures of a server that loses messages are worth nothing. */
#include "base/buf.h"
#include "clock.h"
#include "cputime.h"
#include "message.h"
#include "traffic.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: load --wire ttms|mqtt|nats|resp --port PORT [options]\n"
    "  --pairs N      senders, each with its receiver (1)\n"
    "  --size N       bytes of a relay frame; all protocols carry its payload (64)\n"
    "  --batch N      messages per write (1)\n"
    "  --window N     messages under way per pair, 0 = as many as fit (batch)\n"
    "  --seconds S    measured time (1)     --warmup S   before it (0.3)\n"
    "  --cpu-of PID   measure the processor time of this process and its children\n"
    "  --idle         N terminals connect, then wait until standard input ends\n";

struct options {
    struct traffic_conf traffic;
    double seconds, warmup;
    pid_t server;
    bool idle;
};

struct result {
    double seconds;
    uint64_t messages;
    uint64_t server_ns, own_ns;
};

static long number_of(const char *text, long least, long most)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*end || end == text || n < least || n > most) {
        fprintf(stderr, "load: not a number from %ld to %ld: %s\n", least, most, text);
        exit(2);
    }
    return n;
}

static void parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"wire", required_argument, NULL, 'w'},
        {"port", required_argument, NULL, 'p'},
        {"pairs", required_argument, NULL, 'n'},
        {"size", required_argument, NULL, 's'},
        {"batch", required_argument, NULL, 'b'},
        {"window", required_argument, NULL, 'W'},
        {"seconds", required_argument, NULL, 'd'},
        {"warmup", required_argument, NULL, 'u'},
        {"cpu-of", required_argument, NULL, 'c'},
        {"idle", no_argument, NULL, 'i'},
        {0},
    };
    struct traffic_conf *t = &o->traffic;
    long window = -1;

    *o = (struct options){.seconds = 1, .warmup = 0.3};
    *t = (struct traffic_conf){.pairs = 1, .payload = 64 - 13, .batch = 1};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 'w':
            t->wire = wire_find(optarg);
            break;
        case 'p':
            t->server.sin_port = htons((uint16_t)number_of(optarg, 1, 65535));
            break;
        case 'n':
            t->pairs = (uint32_t)number_of(optarg, 1, 89999);
            break;
        case 's':
            t->payload = (size_t)number_of(optarg, MESSAGE_MIN_PAYLOAD + 13,
                                           MESSAGE_MAX_PAYLOAD) -
                         13;
            break;
        case 'b':
            t->batch = (unsigned)number_of(optarg, 1, 1000);
            break;
        case 'W':
            window = number_of(optarg, 0, 1000000);
            break;
        case 'd':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'u':
            o->warmup = strtod(optarg, NULL);
            break;
        case 'c':
            o->server = (pid_t)number_of(optarg, 1, 1 << 22);
            break;
        case 'i':
            o->idle = t->only_receivers = true;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (!t->wire || !t->server.sin_port || optind != argc) {
        fputs(usage, stderr);
        exit(2);
    }
    t->window = window < 0 ? t->batch : (unsigned)window;
    if (t->window && t->window < t->batch) {
        fprintf(stderr, "load: the window is smaller than a batch\n");
        exit(2);
    }
    t->server.sin_family = AF_INET;
    t->server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static int measure(const struct options *o, struct traffic *t, struct histogram *h,
                   struct result *out)
{
    uint64_t received, begun, server_ns, own_ns;
    int rc;

    if ((rc = traffic_run(t, o->warmup, NULL)) < 0)
        return rc;
    received = traffic_counts(t).received;
    server_ns = cputime_of_tree(o->server);
    own_ns = clock_own_cpu_ns();
    begun = clock_ns();
    if ((rc = traffic_run(t, o->seconds, h)) < 0)
        return rc;
    out->seconds = (double)(clock_ns() - begun) / 1e9;
    out->messages = traffic_counts(t).received - received;
    out->server_ns = cputime_of_tree(o->server) - server_ns;
    out->own_ns = clock_own_cpu_ns() - own_ns;
    return traffic_drain(t);
}

static int run_load(const struct options *o, struct traffic *t)
{
    static struct histogram h;
    struct traffic_counts counts;
    struct result r = {0};
    int rc = measure(o, t, &h, &r);

    if (r.seconds == 0)
        return rc < 0 ? rc : ERR_IO;
    counts = traffic_counts(t);
    printf(
        "{\"messages\": %lu, \"seconds\": %.6f, \"server_ns\": %lu, \"load_ns\": %lu, "
        "\"p50_ns\": %lu, \"p99_ns\": %lu, \"p999_ns\": %lu, \"max_ns\": %lu, "
        "\"sent\": %lu, \"received\": %lu, \"disorder\": %lu, \"damaged\": %lu}\n",
        r.messages, r.seconds, r.server_ns, r.own_ns, histogram_at(&h, 0.5),
        histogram_at(&h, 0.99), histogram_at(&h, 0.999), h.max, counts.sent,
        counts.received, counts.disorder, counts.damaged);
    if (counts.sent != counts.received || counts.disorder || counts.damaged) {
        fprintf(stderr, "load: sent %lu, received %lu, out of order %lu, damaged %lu\n",
                counts.sent, counts.received, counts.disorder, counts.damaged);
        return ERR_IO;
    }
    return rc;
}

static int run_idle(const struct options *o, struct traffic *t, uint64_t begun)
{
    double seconds = (double)(clock_ns() - begun) / 1e9;

    printf("{\"terminals\": %u, \"seconds\": %.6f}\n", o->traffic.pairs, seconds);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return traffic_greet_again(t);
}

int main(int argc, char **argv)
{
    struct traffic *t = NULL;
    struct options o;
    uint64_t begun;
    int rc;

    parse(argc, argv, &o);
    begun = clock_ns();
    if ((rc = traffic_new(&o.traffic, &t)) == OK && (rc = traffic_connect(t)) == OK)
        rc = o.idle ? run_idle(&o, t, begun) : run_load(&o, t);
    traffic_free(&t);
    return rc == OK ? 0 : 1;
}
