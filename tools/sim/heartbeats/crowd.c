#include "sim/heartbeats/crowd.h"
#include "base/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define SCRATCH_BYTES    4096
#define LONGEST_SLEEP_NS 100000000

enum client_state { CLIENT_AWAY, CLIENT_CONNECTING, CLIENT_ONLINE };

struct client {
    struct peer peer;
    struct link link; /* on the crowd's list */
    const struct script *script;
    int64_t due_ns;    /* when its next interval begins */
    uint64_t interval; /* that one's number */
    uint32_t place;
    uint8_t state; /* enum client_state */
    uint8_t claim; /* enum deed: to be said when it is connected */
    bool has_been; /* connected before */
};

static size_t quote(const char *text, size_t size, char *to)
{
    size_t n = 0;

    to[n++] = '"';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            to[n++] = '\\';
        to[n++] = text[i];
    }
    to[n++] = '"';
    return n;
}

size_t crowd_form(const struct options *o, enum deed claim, uint64_t pid, uint8_t *to)
{
    char object[CROWD_MESSAGE_MAX / 3];
    size_t size =
        (size_t)snprintf(object, sizeof(object),
                         "{\"ip\": \"%s\", \"status\": \"%s\", \"pid\": %llu}", o->ip,
                         deed_word(claim), (unsigned long long)pid);

    assert(size < sizeof(object));
    if (o->double_encoding)
        size = quote(object, size, (char *)to + 4);
    else
        memcpy(to + 4, object, size);
    put_u32(to, (uint32_t)size);
    return 4 + size;
}

PRINTF(2, 3) static void fail(struct crowd *crowd, const char *format, ...)
{
    va_list va;

    if (*crowd->fatal)
        return; /* the first cause is the telling one */
    va_start(va, format);
    vsnprintf(crowd->fatal, sizeof(crowd->fatal), format, va);
    va_end(va);
}

int crowd_open(struct crowd *crowd, const struct options *o, _Atomic bool *stop)
{
    int rc = ERR_NOMEM;

    *crowd = (struct crowd){
        .options = o,
        .stop = stop,
        .loop = {-1},
        .target = {.to = o->address,
                   .source_addresses = (unsigned)o->source_addresses,
                   .first_port = (uint16_t)o->first_port},
        .scratch.size = SCRATCH_BYTES,
    };
    list_init(&crowd->beats);
    if (!(crowd->scratch.mem = malloc(SCRATCH_BYTES)) ||
        !(crowd->clients = calloc(o->count, sizeof(*crowd->clients))))
        goto fail;
    for (uint32_t i = 0; i < o->count; i++) {
        crowd->clients[i].peer.fd = -1;
        crowd->clients[i].place = i;
        crowd->clients[i].script = options_script(o, i);
    }
    if ((rc = loop_open(&crowd->loop)) < 0)
        goto fail;
    crowd->now_ns = crowd->opened_ns = loop_now_ns();
    return OK;
fail:
    crowd_close(crowd);
    return rc;
}

void crowd_close(struct crowd *crowd)
{
    for (uint64_t i = 0; crowd->clients && i < crowd->options->count; i++)
        peer_close(&crowd->clients[i].peer, &crowd->loop, crowd->target.first_port);
    free(crowd->clients);
    free(crowd->scratch.mem);
    loop_close(&crowd->loop);
    crowd->clients = NULL;
    crowd->scratch.mem = NULL;
}

/* ---- one client ---- */

static void enter(struct crowd *crowd, struct client *c, enum client_state next)
{
    if (c->state == CLIENT_ONLINE)
        crowd->online--;
    if (next == CLIENT_ONLINE)
        crowd->online++;
    c->state = (uint8_t)next;
}

/* A port of its own must be free at once: the end is a reset then. */
static void end(struct crowd *crowd, struct client *c)
{
    peer_close(&c->peer, &crowd->loop, crowd->target.first_port);
    enter(crowd, c, CLIENT_AWAY);
}

static void on_dropped(struct crowd *crowd, struct client *c)
{
    crowd->tally[CROWD_DROPPED]++;
    end(crowd, c);
}

static void say(struct crowd *crowd, struct client *c, enum deed claim)
{
    uint8_t message[CROWD_MESSAGE_MAX];
    size_t size = crowd_form(crowd->options, claim, c->place + 1, message);

    if (peer_send(&c->peer, &crowd->loop, slice_of(message, size)) < 0)
        on_dropped(crowd, c);
    else
        crowd->tally[CROWD_SENT]++;
}

static void on_connect_failed(struct crowd *crowd, struct client *c)
{
    int why = errno;

    crowd->tally[CROWD_FAILED]++;
    end(crowd, c);
    if (why == EMFILE || why == ENFILE)
        fail(crowd, "out of file descriptors: choose a smaller --count");
    else if (!crowd->tally[CROWD_CONNECTS])
        fail(crowd,
             "cannot connect to %s: %s. Is the gateway running? Start it with ./run, "
             "or name its heartbeat listener with --address",
             crowd->options->address_text, strerror(why));
}

static void begin(struct crowd *crowd, struct client *c)
{
    enter(crowd, c, CLIENT_CONNECTING);
    if (peer_connect(&c->peer, &crowd->loop, &crowd->target, c->place, c) < 0)
        on_connect_failed(crowd, c);
}

static void on_connected(struct crowd *crowd, struct client *c)
{
    crowd->tally[CROWD_CONNECTS]++;
    crowd->tally[CROWD_RECONNECTS] += c->has_been;
    c->has_been = true;
    enter(crowd, c, CLIENT_ONLINE);
    say(crowd, c, c->claim);
}

static void read_some(struct crowd *crowd, struct client *c)
{
    struct slice in;
    int rc = peer_read(&c->peer, &crowd->scratch, SCRATCH_BYTES, &in);

    if (rc == OK)
        crowd->tally[CROWD_ANSWERS] += in.size;
    else if (rc != ERR_BUSY)
        on_dropped(crowd, c);
}

static void on_event(void *context, void *owner, uint32_t events)
{
    struct crowd *crowd = context;
    struct client *c = owner;

    if (c->state == CLIENT_CONNECTING) {
        if (peer_connected(&c->peer, &crowd->loop) < 0)
            on_connect_failed(crowd, c);
        else
            on_connected(crowd, c);
        return;
    }
    if (events & EPOLLOUT && peer_flush(&c->peer, &crowd->loop) < 0)
        on_dropped(crowd, c);
    else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_some(crowd, c);
}

/* ---- all of them ---- */

static void do_deed(struct crowd *crowd, struct client *c)
{
    enum deed deed = script_at(c->script, c->interval++);

    if (deed_is_message(deed)) {
        c->claim = (uint8_t)deed;
        if (c->state == CLIENT_ONLINE)
            say(crowd, c, deed);
        else if (c->state == CLIENT_AWAY)
            begin(crowd, c);
    } else if (deed == DEED_AWAY && c->state != CLIENT_AWAY) {
        crowd->tally[CROWD_LEFT] += c->state == CLIENT_ONLINE;
        end(crowd, c);
    }
    c->due_ns += crowd->options->interval_ns;
    list_append(&crowd->beats, &c->link); /* later than all others: same interval */
}

static struct client *first_of(const struct crowd *crowd)
{
    struct link *k = list_first(&crowd->beats);

    return k ? CONTAINER_OF(k, struct client, link) : NULL;
}

/* When the next client begins; INT64_MAX: all have. */
static int64_t next_begin_ns(const struct crowd *crowd)
{
    if (crowd->begun == crowd->options->count)
        return INT64_MAX;
    return crowd->opened_ns + (int64_t)crowd->begun * crowd->options->ramp_ns;
}

static bool is_over(const struct crowd *crowd)
{
    const struct options *o = crowd->options;

    return *crowd->fatal || atomic_load_explicit(crowd->stop, memory_order_relaxed) ||
           (o->time_ns && crowd->now_ns - crowd->opened_ns >= o->time_ns) ||
           (o->messages && crowd->tally[CROWD_SENT] >= o->messages);
}

bool crowd_turn(struct crowd *crowd)
{
    struct client *c = first_of(crowd);
    int64_t due_ns = crowd->now_ns + LONGEST_SLEEP_NS;

    if (c && c->due_ns < due_ns)
        due_ns = c->due_ns;
    if (next_begin_ns(crowd) < due_ns)
        due_ns = next_begin_ns(crowd);
    loop_turn(&crowd->loop, due_ns > crowd->now_ns ? due_ns - crowd->now_ns : 0,
              on_event, crowd);
    crowd->now_ns = loop_now_ns();

    while (next_begin_ns(crowd) <= crowd->now_ns && !is_over(crowd)) {
        c = &crowd->clients[crowd->begun];
        c->due_ns = next_begin_ns(crowd);
        crowd->begun++;
        do_deed(crowd, c);
    }
    while ((c = first_of(crowd)) && c->due_ns <= crowd->now_ns && !is_over(crowd)) {
        list_remove(&crowd->beats, &c->link);
        do_deed(crowd, c);
    }
    return !is_over(crowd);
}
