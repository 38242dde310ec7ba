#include "net/acks.h"
#include "net/conn_inside.h"

#define SOON_FEW_MS  1 /* while no more than SOON_FEW wait */
#define SOON_FEW     64
#define SOON_MANY_MS 5
#define SOON_TRIES   100 /* then it is a slow peer; ten thousand must cost little */
#define LATE_MS      20
#define LATE_PATIENT 4 /* then a slow peer is asked only now and then */
#define LATE_SELDOM  16

static void join_soon(struct acks *a, struct owed *o)
{
    int64_t wait_ms = a->soon.length < SOON_FEW ? SOON_FEW_MS : SOON_MANY_MS;

    list_append(&a->soon, &o->link);
    o->watched = &a->soon;
    if (!timer_is_armed(&a->soon_timer))
        wheel_arm(a->wheel, &a->soon_timer, a->wheel->now_ms + wait_ms);
}

static void join_late(struct acks *a, struct owed *o)
{
    list_append(&a->late, &o->link);
    o->watched = &a->late;
    if (!timer_is_armed(&a->late_timer))
        wheel_arm(a->wheel, &a->late_timer, a->wheel->now_ms + LATE_MS);
}

static void join(struct acks *a, struct owed *o)
{
    if (o->tries < SOON_TRIES && conn_is_awaited(o))
        join_soon(a, o);
    else
        join_late(a, o);
}

void acks_watch(struct acks *a, struct owed *o)
{
    if (link_is_on_list(&o->link))
        return;
    o->tries = 0;
    join(a, o);
}

void acks_unwatch(struct owed *o)
{
    if (link_is_on_list(&o->link))
        list_remove(o->watched, &o->link);
}

/* Its turn comes less often the longer it keeps us waiting. */
static bool is_its_turn(const struct owed *o)
{
    return o->tries <= LATE_PATIENT || o->tries % LATE_SELDOM == 0 ||
           conn_is_awaited(o);
}

static void ask(struct acks *a, struct owed *o)
{
    struct conn *c = o->conn;

    if (++o->tries == 0)
        o->tries = SOON_TRIES;
    if (is_its_turn(o))
        conn_acknowledge(c);
    if (conn_is_closing(c))
        return;
    if (output_is_empty(&o->output))
        conn_release_output(c);
    else
        join(a, o);
}

static void ask_all(struct acks *a, struct list *l)
{
    for (size_t n = l->length; n > 0 && !list_is_empty(l); n--)
        ask(a, CONTAINER_OF(list_pop(l), struct owed, link));
}

static void on_soon(struct timer *t, int64_t now_ms)
{
    struct acks *a = CONTAINER_OF(t, struct acks, soon_timer);

    (void)now_ms;
    ask_all(a, &a->soon);
}

static void on_late(struct timer *t, int64_t now_ms)
{
    struct acks *a = CONTAINER_OF(t, struct acks, late_timer);

    (void)now_ms;
    ask_all(a, &a->late);
}

void acks_init(struct acks *a, struct wheel *wheel)
{
    *a = (struct acks){
        .wheel = wheel,
        .soon_timer.expired = on_soon,
        .late_timer.expired = on_late,
    };
    list_init(&a->soon);
    list_init(&a->late);
}
