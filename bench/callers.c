/* callers.c - so many callers ask so many devices through one server, each its own and
 * one question after another; prints what it measured as one line of JSON.
 *
 *   usage: callers WIRE PORT DEVICE-PORT CALLERS SECONDS [PID]
 *
 * Both ends are here, in one loop: what is between them is measured. PID is the server
 * whose processor time is told. Ends with 1 when an answer is missing or wrong. */
#include "asking.h"
#include "channel.h"
#include "clock.h"
#include "cputime.h"
#include "histogram.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define WARM_UP_S  0.3
#define PATIENCE_S 10.0

struct peer {
    struct channel channel;
    enum asking_role role;
    unsigned number;
    bool is_ready, is_waiting;
    uint32_t questions;
    uint64_t asked_ns;
};

struct crowd {
    const struct asking_wire *wire;
    int epoll_fd;
    struct peer *peers;
    unsigned count, ready, waiting;
    bool asks, measures;
    uint64_t answered;
    struct histogram latency;
    struct buf scratch;
};

static struct crowd crowd;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "callers: %s\n", what);
    exit(1);
}

static void send_scratch(struct peer *p)
{
    if (buf_used(&crowd.scratch) &&
        channel_send(&p->channel, buf_peek(&crowd.scratch)) < 0)
        die("a connection ended");
    buf_clear(&crowd.scratch);
}

static void ask(struct peer *p)
{
    if (!crowd.asks || p->role != ASKING_CALLER || p->is_waiting)
        return;
    if (crowd.wire->ask(p->number, p->questions++ & 0x7fffffff, &crowd.scratch) < 0)
        die("out of memory");
    p->is_waiting = true;
    crowd.waiting++;
    p->asked_ns = clock_ns();
    send_scratch(p);
}

static void on_news(struct peer *p, enum asking_news news)
{
    if (news == ASKING_READY && !p->is_ready) {
        p->is_ready = true;
        crowd.ready++;
    } else if (news == ASKING_ANSWER) {
        if (!p->is_waiting)
            die("an answer that nobody waited for");
        p->is_waiting = false;
        crowd.waiting--;
        if (crowd.measures) {
            histogram_add(&crowd.latency, clock_ns() - p->asked_ns);
            crowd.answered++;
        }
        ask(p);
    }
}

static ssize_t hear(struct channel *channel, struct slice all)
{
    struct peer *p = CONTAINER_OF(channel, struct peer, channel);
    struct slice in = all;

    while (in.size) {
        enum asking_news news = ASKING_NOTHING;
        ssize_t used = crowd.wire->hear(p->role, p->number, in, &news, &crowd.scratch);

        if (used < 0) {
            fprintf(stderr, "callers: refused: %.*s\n", (int)in.size,
                    (const char *)in.data);
            exit(1);
        }
        if (used == 0)
            break;
        in = slice_from(in, (size_t)used);
        send_scratch(p);
        on_news(p, news);
    }
    return (ssize_t)(all.size - in.size);
}

static void turn(void)
{
    if (channel_turn(crowd.epoll_fd, hear) < 0)
        die("a connection ended");
}

static void turn_for(double seconds)
{
    uint64_t end_ns = clock_ns() + (uint64_t)(seconds * 1e9);

    while (clock_ns() < end_ns)
        turn();
}

static void connect_one(struct peer *p, uint16_t port)
{
    struct sockaddr_in server = {.sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    if (channel_open(&p->channel, crowd.epoll_fd, &server, INADDR_LOOPBACK) < 0)
        die("cannot connect");
    if (crowd.wire->greet(p->role, p->number, &crowd.scratch) < 0)
        die("out of memory");
    if (buf_used(&crowd.scratch) == 0) {
        p->is_ready = true;
        crowd.ready++;
    }
    send_scratch(p);
}

static void connect_all(unsigned callers, uint16_t port, uint16_t device_port)
{
    uint64_t end_ns = clock_ns() + (uint64_t)(PATIENCE_S * 1e9);
    unsigned devices = crowd.wire->has_devices ? callers : 0;

    crowd.count = callers + devices;
    if ((crowd.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        !(crowd.peers = calloc(crowd.count, sizeof(*crowd.peers))))
        die("out of memory");
    for (unsigned i = 0; i < crowd.count; i++) {
        struct peer *p = &crowd.peers[i];

        p->role = i < devices ? ASKING_DEVICE : ASKING_CALLER;
        p->number = i < devices ? i : i - devices;
        connect_one(p, i < devices ? device_port : port);
    }
    while (crowd.ready < crowd.count && clock_ns() < end_ns)
        turn();
    if (crowd.ready < crowd.count)
        die("not all could log in");
}

static void ask_for(double seconds)
{
    crowd.asks = true;
    for (unsigned i = 0; i < crowd.count; i++)
        ask(&crowd.peers[i]);
    turn_for(WARM_UP_S);
    crowd.measures = true;
    turn_for(seconds);
    crowd.measures = crowd.asks = false;
}

static void wait_for_the_rest(void)
{
    uint64_t end_ns = clock_ns() + (uint64_t)(PATIENCE_S * 1e9);

    while (crowd.waiting && clock_ns() < end_ns)
        turn();
    if (crowd.waiting)
        die("answers are missing");
}

int main(int argc, char **argv)
{
    double seconds = argc > 5 ? atof(argv[5]) : 0;
    unsigned callers = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
    pid_t server = argc > 6 ? atoi(argv[6]) : 0;
    uint64_t server_before, own_before;

    if (argc < 6 || !(crowd.wire = asking_find(argv[1])) || callers == 0)
        die("usage: callers raw|relay|nats|http|list PORT DEVICE-PORT CALLERS SECONDS "
            "[PID]");
    connect_all(callers, (uint16_t)atoi(argv[2]), (uint16_t)atoi(argv[3]));
    server_before = cputime_of_tree(server);
    own_before = clock_own_cpu_ns();
    ask_for(seconds);
    printf("{\"answered\":%llu,\"seconds\":%.3f,\"p50_ns\":%llu,\"p99_ns\":%llu,"
           "\"server_ns\":%llu,\"load_ns\":%llu}\n",
           (unsigned long long)crowd.answered, seconds,
           (unsigned long long)histogram_at(&crowd.latency, 0.5),
           (unsigned long long)histogram_at(&crowd.latency, 0.99),
           (unsigned long long)(cputime_of_tree(server) - server_before),
           (unsigned long long)(clock_own_cpu_ns() - own_before));
    wait_for_the_rest();
    return 0;
}
