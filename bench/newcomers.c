/* newcomers.c - connections that come, prove that they are registered or subscribed,
 * and stay or go; prints what it measured as one line of JSON.
 *
 *   usage: newcomers WIRE PORT AT-A-TIME stay COUNT [PID]
 *          newcomers WIRE PORT AT-A-TIME go SECONDS [PID]
 *
 * AT-A-TIME of them are on their way in, never more. Who goes makes room for another
 * with a new name. PID is the server whose processor time is told. Ends with 1 when
 * the server ends a connection, refuses one, or leaves it waiting. */
#include "channel.h"
#include "clock.h"
#include "cputime.h"
#include "histogram.h"
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#define FIRST_NAME   10000 /* all names are equally long */
#define NAMES        89999
#define PAYLOAD      51   /* of the message to itself: a frame of 64 bytes */
#define SOURCE_SHARE 4000 /* connections from one loopback address, then the next */
#define SOURCES      200  /* so that a port rests before it is used again */
#define WARM_UP_S    0.3
#define PATIENCE_NS  5000000000u

struct newcomer {
    struct channel channel;
    uint64_t begun_ns;
    bool is_in;
};

static struct {
    const struct wire *wire;
    struct sockaddr_in server;
    int epoll_fd;
    bool stays;
    struct newcomer *places;
    size_t count;
    uint64_t begun, came;
    struct histogram latency;
} crowd;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "newcomers: %s\n", what);
    exit(1);
}

/* The next one, in this place. */
static void come(struct newcomer *who)
{
    uint64_t number = crowd.begun++;
    uint32_t name = FIRST_NAME + (uint32_t)(number % NAMES);
    uint32_t source = (uint32_t)(number / SOURCE_SHARE % SOURCES);
    struct buf hello = {0};

    who->is_in = false;
    who->begun_ns = clock_ns();
    if (channel_open(&who->channel, crowd.epoll_fd, &crowd.server,
                     INADDR_LOOPBACK + source) < 0)
        die(strerror(errno));
    if (crowd.wire->greet(name, WIRE_RECEIVER, PAYLOAD, &hello) < 0 ||
        channel_send(&who->channel, buf_peek(&hello)) < 0)
        die("cannot greet");
    buf_fini(&hello);
}

static void on_ready(struct newcomer *who)
{
    who->is_in = true;
    crowd.came++;
    histogram_add(&crowd.latency, clock_ns() - who->begun_ns);
    if (!crowd.stays) {
        channel_close(&who->channel);
        come(who);
    } else if (crowd.begun < crowd.count) {
        come(&crowd.places[crowd.begun]);
    }
}

static ssize_t hear(struct channel *channel, struct slice all)
{
    struct newcomer *who = CONTAINER_OF(channel, struct newcomer, channel);
    struct slice in = all;

    while (in.size) {
        struct wire_event event = {0};
        ssize_t used = crowd.wire->other(in, &event);

        if (used < 0) {
            fprintf(stderr, "newcomers: refused, or another language: %.*s\n",
                    (int)in.size, (const char *)in.data);
            exit(1);
        }
        if (used == 0)
            break;
        in = slice_from(in, (size_t)used);
        if (event.answer.size && channel_send(channel, event.answer) < 0)
            die("cannot answer");
        if (event.is_ready && !who->is_in) {
            on_ready(who);
            if (!crowd.stays)
                return (ssize_t)all.size; /* it is another connection now */
        }
    }
    return (ssize_t)(all.size - in.size);
}

/* Until so many have come or so much time is over, whichever is given. */
static void turn_until(uint64_t enough, uint64_t end_ns)
{
    uint64_t before = crowd.came, heard_ns = clock_ns();

    while (crowd.came < enough && clock_ns() < end_ns) {
        if (channel_turn(crowd.epoll_fd, hear) < 0)
            die("a connection ended");
        if (crowd.came != before)
            heard_ns = clock_ns();
        else if (clock_ns() - heard_ns > PATIENCE_NS)
            die("nobody else is let in");
        before = crowd.came;
    }
}

static void prepare(unsigned at_a_time)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    crowd.count = crowd.stays ? crowd.count : at_a_time;
    if ((crowd.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        !(crowd.places = calloc(crowd.count, sizeof(*crowd.places))))
        die("out of memory");
}

static void begin(unsigned at_a_time)
{
    for (unsigned i = 0; i < at_a_time && i < crowd.count; i++)
        come(&crowd.places[i]);
}

static void measure(unsigned at_a_time, double seconds, pid_t server)
{
    uint64_t begun_ns, server_ns, own_ns, took_ns;

    if (!crowd.stays) {
        begin(at_a_time);
        turn_until(UINT64_MAX, clock_ns() + (uint64_t)(WARM_UP_S * 1e9));
    }
    crowd.came = 0;
    crowd.latency = (struct histogram){0};
    server_ns = cputime_of_tree(server);
    own_ns = clock_own_cpu_ns();
    begun_ns = clock_ns();
    if (crowd.stays)
        begin(at_a_time);
    turn_until(crowd.stays ? crowd.count : UINT64_MAX,
               crowd.stays ? UINT64_MAX : begun_ns + (uint64_t)(seconds * 1e9));
    took_ns = clock_ns() - begun_ns;
    printf("{\"came\": %lu, \"seconds\": %.6f, \"p50_ns\": %lu, \"p99_ns\": %lu, "
           "\"max_ns\": %lu, \"server_ns\": %lu, \"load_ns\": %lu}\n",
           crowd.came, (double)took_ns / 1e9, histogram_at(&crowd.latency, 0.5),
           histogram_at(&crowd.latency, 0.99), crowd.latency.max,
           cputime_of_tree(server) - server_ns, clock_own_cpu_ns() - own_ns);
}

int main(int argc, char **argv)
{
    unsigned at_a_time = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
    double amount = argc > 5 ? atof(argv[5]) : 0;

    if (amount <= 0 || at_a_time == 0 || !(crowd.wire = wire_find(argv[1])) ||
        (strcmp(argv[4], "stay") != 0 && strcmp(argv[4], "go") != 0))
        die("usage: newcomers ttms|mqtt|nats|resp PORT AT-A-TIME stay COUNT [PID]\n"
            "                                               ... go SECONDS [PID]");
    crowd.server = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(argv[2])),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    crowd.stays = strcmp(argv[4], "stay") == 0;
    crowd.count = (size_t)amount;
    prepare(at_a_time);
    measure(at_a_time, amount, argc > 6 ? atoi(argv[6]) : 0);
    return 0;
}
