/* commandsrig.h - devices that take commands, on the relay's rig: a protocol of lines
 * that can be read in a test.
 *
 *   to a device     "5 17 body"  message, serial, body
 *   from a device   "L id"       it logs in
 *                   "A 5 17 x"   its answer: to which message, with which serial; "A 7 - x":
 *                                without one. P: a preliminary one, R: a refusal
 *
 * Commands: `status` (5; its answer begins with the state's digit), `on` (4, serial 16
 * prescribed), `attributes` (7, answered without a serial), `text` (8, a package for
 * every 4 bytes). Time stands still unless pass() moves it. */
#pragma once

#include "relayrig.h"

#include "command/commands_inside.h"
#include "session/login.h"
#include "unit.h"

static int64_t rig_mono_ms, rig_wall_ms;

/* Instead of base/clock.c. */
int64_t clock_mono_ms(void)
{
    return rig_mono_ms;
}

int64_t clock_mono_us(void)
{
    return rig_mono_ms * 1000;
}

int64_t clock_wall_ms(void)
{
    return rig_wall_ms;
}

#define SECOND 1000ll
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* ---- the protocol ---- */

struct spoken {
    struct terminal *self;
};

static struct spoken *spoken_of(const struct conn *c)
{
    return (void *)c->session;
}

static unsigned encodings; /* so far */

static int fake_encode(const void *conf, const struct command *c, uint8_t version,
                       struct wire_command *out, char why[DIALECT_WHY_SIZE])
{
    (void)conf;
    (void)version;
    encodings++;
    *out = (struct wire_command){.serials = 1, .answer_has_serial = true};
    if (!*c->name) {
        out->message = c->message;
    } else if (strcmp(c->name, "status") == 0) {
        out->message = 5;
    } else if (strcmp(c->name, "on") == 0) {
        out->message = 4;
        out->serial = 16;
        out->has_serial = true;
    } else if (strcmp(c->name, "attributes") == 0) {
        out->message = 7;
        out->answer_has_serial = false;
    } else if (strcmp(c->name, "text") == 0) {
        out->message = 8;
        out->serials = (uint16_t)(c->args.size / 4 + 1);
    } else {
        snprintf(why, DIALECT_WHY_SIZE, "no command `%s`", c->name);
        return ERR_NOTFOUND;
    }
    out->answer = out->message;
    return c->args.size ? buf_try_append(&out->body, c->args) : OK;
}

static int fake_state(const void *conf, uint16_t message, struct slice body)
{
    (void)conf;
    return message == 5 && body.size ? body.data[0] - '0' : -1;
}

static int fake_state_code(const void *conf, const char *word)
{
    (void)conf;
    return strcmp(word, "ready") == 0 ? 5 : strcmp(word, "off") == 0 ? 1 : -1;
}

static const char *fake_state_query(const void *conf)
{
    (void)conf;
    return "status";
}

static const char *fake_command_word(const void *conf, unsigned n)
{
    static const char *const words[] = {"status", "on", "attributes", "text"};

    (void)conf;
    return n < ARRAY_LEN(words) ? words[n] : NULL;
}

static unsigned sends_to_fail; /* the next so many: memory is out */

static int fake_send(struct conn *c, const struct wire_command *w, uint16_t serial,
                     uint64_t ticket)
{
    struct frame_note note = {.session = ticket};
    size_t size = w->body.tail - w->body.head;
    uint8_t *to = conn_try_reserve(c, 32 + size);
    int n;

    if (sends_to_fail) {
        sends_to_fail--;
        conn_close(c, CLOSE_NO_MEMORY);
    }
    if (!to || conn_is_closing(c))
        return ERR_NOMEM;
    n = sprintf((char *)to, "%u %u %.*s\n", w->message, serial, (int)size,
                size ? (const char *)buf_peek(&w->body).data : "");
    conn_commit(c, (size_t)n, &note);
    return OK;
}

static uint8_t fake_version(const struct conn *c)
{
    (void)c;
    return 1;
}

static const struct dialect fake_dialect = {
    .protocol = PROTOCOL_DEVICE,
    .encode = fake_encode,
    .state = fake_state,
    .state_code = fake_state_code,
    .state_query = fake_state_query,
    .command_word = fake_command_word,
    .send = fake_send,
    .version = fake_version,
};

static void fake_on_close(struct conn *c)
{
    login_end(c, spoken_of(c)->self);
}

static bool fake_login(struct conn *c, const char *text, struct slice in)
{
    struct spoken *s = spoken_of(c);
    struct id id;
    int rc = id_make(PROTOCOL_DEVICE, slice_of(text, strlen(text)), &id);

    assert(rc == OK);
    login_leave(c, &s->self);
    return !conn_is_closing(c) && login_as(c, &id, in, "", &s->self);
}

static void fake_answer(struct conn *c, char kind, const char *rest)
{
    unsigned message = 0, serial = 0;
    char body[512] = "";
    bool plain = sscanf(rest, "%u - %511[^\n]", &message, body) == 2;
    struct answer a;

    if (!plain)
        sscanf(rest, "%u %u %511[^\n]", &message, &serial, body);
    a = (struct answer){
        .answers = (uint16_t)message,
        .serial = (uint16_t)serial,
        .has_serial = !plain,
        .is_refusal = kind == 'R',
        .is_preliminary = kind == 'P',
        .version = 1,
        .message = (uint16_t)message,
        .body = slice_of(body, strlen(body)),
    };
    if (spoken_of(c)->self)
        (void)commands_answered(relay_of(c), spoken_of(c)->self, &a);
}

static size_t fake_on_input(struct conn *c, struct slice in, bool more_waits)
{
    size_t size = in.size;
    const uint8_t *end;

    (void)more_waits;
    while (in.size && !c->holds && (end = memchr(in.data, '\n', in.size))) {
        char line[1024];

        snprintf(line, sizeof(line), "%.*s", (int)(end - in.data), in.data);
        if (line[0] == 'L' && !fake_login(c, line + 2, in))
            break;
        if (line[0] != 'L')
            fake_answer(c, line[0], line + 2);
        if (conn_is_closing(c))
            break;
        c->rx_frames++;
        in = slice_from(in, (size_t)(end + 1 - in.data));
    }
    return size - in.size;
}

static void fake_on_delivered(void *user, const struct frame_note *note,
                              struct slice bytes)
{
    struct conn *c = user;

    (void)bytes;
    if (note->session && spoken_of(c)->self)
        commands_delivered(relay_of(c), spoken_of(c)->self, note->session);
}

static void fake_on_room(struct conn *c)
{
    (void)c;
}

static const char *fake_describe(const struct conn *c, char *text, size_t size)
{
    (void)c;
    (void)size;
    return text;
}

static const struct session_ops fake_ops = {
    .conn = {.on_input = fake_on_input,
             .on_delivered = fake_on_delivered,
             .on_room = fake_on_room,
             .on_close = fake_on_close,
             .describe = fake_describe},
    .dialect = &fake_dialect,
};

/* ---- the gateway ---- */

#define RIG_MAX 16

static struct session_settings fake_settings;
static struct listener fake_listener;
static struct inbox orders_back;

static inline void commands_rig_open(void)
{
    fake_listener = (struct listener){
        .name = "devices",
        .ops = &fake_ops.conn,
        .conf = &fake_settings,
        .register_timeout_ms = 1000000000,
        .read_timeout_ms = 1000000000,
    };
    relay_rig.devices = &fake_listener;
    relay_rig.device_count = 1;
    relay_rig_open();
    rig_mono_ms++; /* the first turn has something to do */
}

static inline int commands_rig_begin(void **state)
{
    (void)state;
    rig_mono_ms = 1000;
    rig_wall_ms = 1700000000000;
    fake_settings.commands =
        (struct command_policy){.in_flight = 1, .retries = 0, .retry_ms = HOUR};
    store_mem_wipe();
    relay_rig_defaults();
    relay_rig.forget_after_ms = 365 * 24 * HOUR;
    commands_rig_open();
    return inbox_init(&orders_back);
}

static inline void pass(int64_t ms)
{
    rig_mono_ms += ms;
    rig_wall_ms += ms;
    relay_rig_settle();
}

/* ---- devices ---- */

static int lines_open[RIG_MAX]; /* to devices; closed when the test ends */
static size_t lines_count;

static struct id fake_id(const char *text)
{
    struct id id;
    int rc = id_make(PROTOCOL_DEVICE, slice_of(text, strlen(text)), &id);

    assert(rc == OK);
    return id;
}

static inline void say(int fd, const char *line)
{
    char text[1100];
    int n = snprintf(text, sizeof(text), "%s\n", line);

    (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
    relay_rig_settle();
}

static inline int device(const char *id)
{
    int fd = relay_rig_accept(0, &fake_listener, 0);
    char line[80];

    assert(lines_count < RIG_MAX);
    lines_open[lines_count++] = fd;
    snprintf(line, sizeof(line), "L %s", id);
    say(fd, line);
    return fd;
}

/* All lines since the last call, "; " between them. */
static inline const char *heard(int fd)
{
    static char text[65536];
    ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    char *out = text;

    text[n > 0 ? n : 0] = '\0';
    if (n > 0)
        text[n - 1] = '\0'; /* the last line's end */
    for (char *at = text; *at; at++)
        if (*at == '\n')
            *at = ';';
    relay_rig_settle();
    return out;
}

/* Nobody notices yet. */
static inline void drop_line(int fd)
{
    close(fd);
    for (size_t i = 0; i < lines_count; i++)
        if (lines_open[i] == fd)
            lines_open[i--] = lines_open[--lines_count];
}

static inline void hang_up(int fd)
{
    drop_line(fd);
    relay_rig_settle();
}

/* ---- orders ---- */

static unsigned orders_done;
/* Freed when the test ends; those on a stack are done with before. */
static struct order *orders_sent[RIG_MAX];
static size_t orders_count;

static void order_done(struct trip *t)
{
    orders_done++;
    t->inbox = NULL; /* it is ours again */
}

static inline void take_back(void)
{
    struct parcel *p = inbox_take(&orders_back);

    while (p) {
        struct parcel *next = p->next;

        p->open(p, NULL);
        p = next;
    }
}

static inline bool is_back(const struct order *o)
{
    return !o->trip.inbox;
}

static inline void settle(void)
{
    relay_rig_settle();
    take_back();
}

static inline void note_sent(struct order *o)
{
    for (size_t i = 0; i < orders_count; i++)
        if (orders_sent[i] == o)
            return;
    assert(orders_count < RIG_MAX);
    orders_sent[orders_count++] = o;
}

static inline void send_order(struct order *o)
{
    note_sent(o);
    o->trip.inbox = &orders_back;
    o->trip.done = order_done;
    commands_order(&relay_rig.group, o);
    settle();
}

static inline void order_command(struct order *o, const char *id, const char *name)
{
    *o = (struct order){
        .kind = ORDER_CREATE,
        .ids = {fake_id(id)},
        .id_count = 1,
        .wait_ms = 5 * SECOND,
    };
    snprintf(o->command.name, sizeof(o->command.name), "%s", name);
}

/* With this life beyond the wait; 0: none. */
static inline void ask(struct order *o, const char *id, const char *name,
                       int64_t ttl_ms)
{
    order_command(o, id, name);
    o->ttl_ms = ttl_ms;
    send_order(o);
}

static inline void order_done_with(struct order *o)
{
    buf_fini(&o->view.answer);
    for (size_t i = 0; i < o->count; i++)
        buf_fini(&o->views[i].answer);
    free(o->views);
    *o = (struct order){0};
    for (size_t i = 0; i < orders_count; i++)
        if (orders_sent[i] == o)
            orders_sent[i--] = orders_sent[--orders_count];
}

/* "answered", "failed offline"; "not back", or an error's word. */
static inline const char *fate(const struct order *o)
{
    static char text[64];

    if (!is_back(o))
        return "not back";
    if (o->rc < 0)
        return err_word(o->rc);
    snprintf(text, sizeof(text), "%s%s%s", ticket_state_word(o->view.state),
             o->view.reason ? " " : "",
             o->view.reason ? ticket_reason_word(o->view.reason) : "");
    return text;
}

/* Where the ticket is now, as an order shows it. */
static inline const char *state_of(uint64_t ticket)
{
    static struct order o;

    order_done_with(&o);
    o = (struct order){.kind = ORDER_SHOW, .ticket = ticket};
    send_order(&o);
    return fate(&o);
}

static inline const char *answer_of(const struct order *o)
{
    static char text[256];
    struct slice s = buf_peek(&o->view.answer);

    snprintf(text, sizeof(text), "%.*s", (int)s.size,
             s.size ? (const char *)s.data : "");
    return text;
}

static inline int commands_rig_end(void **state)
{
    int rc;

    while (lines_count)
        drop_line(lines_open[0]);
    rc = relay_rig_end(state);
    take_back();
    while (orders_count)
        order_done_with(orders_sent[0]);
    inbox_fini(&orders_back);
    return rc;
}
