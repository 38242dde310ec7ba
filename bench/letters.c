/* letters.c - messages for terminals that are away: makes the terminals known, stores
 * the messages, and fetches them; prints what it measured as one line of JSON.
 *
 *   usage: letters WIRE PORT know|store|fetch TERMINALS EACH SENDERS WINDOW [PID]
 *
 * The terminals are shared out to the senders; each sender goes round its own, with
 * WINDOW messages sent and not yet called safe. What is fetched is compared byte for
 * byte and counted: all terminals come at once. PID is the server whose processor time
 * is told. Ends with 1 when a message is missing, out of order, came twice, or is
 * damaged. */
#include "channel.h"
#include "clock.h"
#include "cputime.h"
#include "mailing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Without anything new: a snapshot may hold up storing for long. */
#define STORE_PATIENCE_NS 30000000000u
#define FETCH_PATIENCE_NS 5000000000u

struct peer {
    struct channel channel;
    struct mail_peer mail;
    bool is_ready;
    uint32_t next;      /* sender: to be sent; terminal: expected */
    uint32_t under_way; /* sent and not yet safe */
};

static struct {
    const struct mail_wire *wire;
    struct sockaddr_in server;
    int epoll_fd;
    struct peer *peers;
    unsigned ready;
    unsigned terminals, each, senders, window;
    bool stores;
    uint64_t done, wrong; /* messages safe, or fetched */
    uint64_t last_ns;     /* of them */
    struct buf scratch;
} post;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "letters: %s\n", what);
    exit(1);
}

static void form(unsigned terminal, uint32_t number, uint8_t body[MAIL_BODY])
{
    for (size_t i = 8; i < MAIL_BODY; i++)
        body[i] = (uint8_t)('a' + (number + i) % 26);
    memcpy(body, &number, 4);
    memcpy(body + 4, &terminal, 4);
}

static void send_scratch(struct peer *p)
{
    if (buf_used(&post.scratch) &&
        channel_send(&p->channel, buf_peek(&post.scratch)) < 0)
        die("a connection ended");
    buf_clear(&post.scratch);
}

/* A sender's terminals are its own number, and every SENDERS-th behind it. */
static unsigned terminals_of(const struct peer *sender)
{
    return (post.terminals - sender->mail.number + post.senders - 1) / post.senders;
}

static void put_what_fits(struct peer *p)
{
    uint32_t mine = terminals_of(p);
    uint8_t body[MAIL_BODY];

    for (; p->under_way < post.window && p->next < mine * post.each; p->next++) {
        unsigned terminal = p->mail.number + p->next % mine * post.senders;

        form(terminal, p->next / mine, body);
        if (post.wire->put(&p->mail, terminal, body, &post.scratch) < 0)
            die("out of memory");
        p->under_way++;
    }
    send_scratch(p);
}

static void take(struct peer *p, const uint8_t *body)
{
    uint8_t expected[MAIL_BODY];

    form(p->mail.number, p->next, expected);
    if (memcmp(body, expected, MAIL_BODY) != 0)
        post.wrong++;
    memcpy(&p->next, body, 4); /* after a gap go on behind it */
    p->next++;
    post.done++;
}

static ssize_t hear(struct channel *channel, struct slice all)
{
    struct peer *p = CONTAINER_OF(channel, struct peer, channel);
    struct slice in = all;

    while (in.size) {
        struct mail_news news = {0};
        ssize_t used = post.wire->hear(&p->mail, in, &news, &post.scratch);

        if (used < 0) {
            fprintf(stderr, "letters: refused: %.*s\n", (int)in.size,
                    (const char *)in.data);
            exit(1);
        }
        if (used == 0)
            break;
        post.ready += news.is_ready && !p->is_ready;
        p->is_ready = p->is_ready || news.is_ready;
        if (news.safe > p->under_way)
            die("more is called safe than was sent");
        p->under_way -= news.safe;
        post.done += news.safe;
        if (news.body)
            take(p, news.body);
        in = slice_from(in, (size_t)used);
    }
    if (post.stores && p->is_ready)
        put_what_fits(p);
    send_scratch(p);
    return (ssize_t)(all.size - in.size);
}

static void come(struct peer *p, enum mail_role role, unsigned number)
{
    p->mail = (struct mail_peer){.role = role, .number = number};
    if (channel_open(&p->channel, post.epoll_fd, &post.server, INADDR_LOOPBACK) < 0)
        die(strerror(errno));
    if (post.wire->greet(&p->mail, &post.scratch) < 0)
        die("out of memory");
    send_scratch(p);
}

/* Until so many messages are done, or nothing happens any more. */
static void turn_until(uint64_t enough)
{
    uint64_t before = post.done;
    uint64_t patience_ns = post.stores ? STORE_PATIENCE_NS : FETCH_PATIENCE_NS;

    post.last_ns = clock_ns();
    while (post.done < enough && clock_ns() - post.last_ns < patience_ns) {
        if (channel_turn(post.epoll_fd, hear) < 0)
            die("a connection ended");
        if (post.done != before)
            post.last_ns = clock_ns();
        before = post.done;
    }
}

static void all_ready(unsigned wanted)
{
    uint64_t end_ns = clock_ns() + STORE_PATIENCE_NS;

    while (post.ready < wanted && clock_ns() < end_ns)
        if (channel_turn(post.epoll_fd, hear) < 0)
            die("a connection ended");
    if (post.ready < wanted)
        die("somebody is not let in");
}

/* One after the other. */
static void know(void)
{
    for (unsigned i = 0; i < post.terminals; i++) {
        come(&post.peers[i], MAIL_NEWCOMER, i);
        all_ready(i + 1);
        channel_close(&post.peers[i].channel);
    }
}

static void store(void)
{
    for (unsigned i = 0; i < post.senders; i++)
        come(&post.peers[i], MAIL_SENDER, i);
    all_ready(post.senders);
}

static void report(pid_t server, void (*begin)(void))
{
    uint64_t all = (uint64_t)post.terminals * post.each, begun_ns, server_ns, own_ns;

    server_ns = cputime_of_tree(server);
    own_ns = clock_own_cpu_ns();
    begun_ns = clock_ns();
    begin();
    turn_until(all);
    printf("{\"messages\": %lu, \"wrong\": %lu, \"seconds\": %.6f, \"server_ns\": %lu, "
           "\"load_ns\": %lu}\n",
           post.done, post.wrong, (double)(post.last_ns - begun_ns) / 1e9,
           cputime_of_tree(server) - server_ns, clock_own_cpu_ns() - own_ns);
    if (post.done != all || post.wrong)
        die("messages are missing or wrong");
}

static void begin_storing(void)
{
    post.stores = true;
    for (unsigned i = 0; i < post.senders; i++)
        put_what_fits(&post.peers[i]);
}

static void begin_fetching(void)
{
    for (unsigned i = 0; i < post.terminals; i++)
        come(&post.peers[i], MAIL_TERMINAL, i);
}

static void parse(int argc, char **argv)
{
    if (argc < 8 || !(post.wire = mail_wire_find(argv[1])))
        die("usage: letters ttms|mqtt|nats|resp PORT know|store|fetch TERMINALS EACH "
            "SENDERS WINDOW [PID]");
    post.server = (struct sockaddr_in){.sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)atoi(argv[2])),
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    post.terminals = (unsigned)atoi(argv[4]);
    post.each = (unsigned)atoi(argv[5]);
    post.senders = (unsigned)atoi(argv[6]);
    post.window = (unsigned)atoi(argv[7]);
    if (post.senders == 0 || post.terminals < post.senders || post.window == 0)
        die("a sender needs a terminal and a window");
    if ((post.epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
        !(post.peers = calloc(post.terminals, sizeof(*post.peers))))
        die("out of memory");
}

int main(int argc, char **argv)
{
    pid_t server = argc > 8 ? atoi(argv[8]) : 0;

    parse(argc, argv);
    if (strcmp(argv[3], "know") == 0) {
        know();
    } else if (strcmp(argv[3], "store") == 0) {
        store();
        report(server, begin_storing);
    } else if (strcmp(argv[3], "fetch") == 0) {
        report(server, begin_fetching);
    } else {
        die("know, store or fetch?");
    }
    return 0;
}
