/* Who has which tickets: three tables and each device's lists. The tables have a place
 * for each ticket that there may be, so they never grow; memory that nothing is written
 * to costs nothing. */
#include "command/commands_inside.h"

#include <stdlib.h>

#define PLACES_MIN 64
#define PLACES_MAX (1u << 20)

/* What a ticket counts for besides its bytes. */
#define TICKET_CHARGE sizeof(struct ticket)

int tables_init(struct commands *k)
{
    k->places = PLACES_MIN;
    while (k->places < PLACES_MAX && k->places < k->group->conf.max_tickets)
        k->places *= 2;
    k->by_number = calloc(k->places, sizeof(*k->by_number));
    k->by_key = calloc(k->places, sizeof(*k->by_key));
    k->by_device = calloc(k->places, sizeof(*k->by_device));
    slab_init(&k->tickets, sizeof(struct ticket));
    slab_init(&k->errands, sizeof(struct errands));
    list_init(&k->live);
    list_init(&k->ended);
    return k->by_number && k->by_key && k->by_device ? OK : ERR_NOMEM;
}

/* ---- errands ---- */

static struct errands **errands_place(const struct commands *k,
                                      const struct terminal *t)
{
    return &k->by_device[t->device.ref & (k->places - 1)];
}

struct errands *errands_find(const struct commands *k, const struct terminal *t)
{
    struct errands *e;

    if (!t->has_commands)
        return NULL;
    for (e = *errands_place(k, t); e->terminal != t; e = e->next)
        ;
    return e;
}

struct errands *errands_try_get(struct commands *k, struct terminal *t)
{
    struct errands *e = errands_find(k, t);
    struct errands **place = errands_place(k, t);

    if (e || !(e = slab_try_alloc(&k->errands)))
        return e;
    e->commands = k;
    e->terminal = t;
    e->is_attached = t->conn != NULL;
    /* A device may still answer what was asked before we began. */
    e->serial = (uint16_t)(ticket_new_number(k) >> 8);
    for (int i = 0; i < PLACE_COUNT; i++)
        list_init(&e->in[i]);
    e->next = *place;
    *place = e;
    t->has_commands = true;
    return e;
}

void errands_free_if_empty(struct commands *k, struct errands *e)
{
    struct errands **at = errands_place(k, e->terminal);

    for (int i = 0; i < PLACE_COUNT; i++)
        if (!list_is_empty(&e->in[i]))
            return;
    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    if (link_is_on_list(&e->arrived))
        list_remove(&k->arrived, &e->arrived);
    e->terminal->has_commands = false;
    slab_free(&k->errands, e);
}

size_t errands_live(const struct errands *e)
{
    return e->in[PLACE_WAITING].length + e->in[PLACE_SENT].length +
           e->in[PLACE_ENDING].length;
}

/* ---- tickets by their number ---- */

/* The lowest byte tells the shard that made it: there it is looked for first. */
static struct ticket **number_place(const struct commands *k, uint64_t number)
{
    return &k->by_number[number >> 8 & (k->places - 1)];
}

struct ticket *ticket_find(const struct commands *k, uint64_t number)
{
    struct ticket *t = *number_place(k, number);

    while (t && t->number != number)
        t = t->next_by_number;
    return t;
}

uint64_t ticket_new_number(struct commands *k)
{
    uint64_t number;

    do {
        k->made++;
        number = hash_bytes(&k->numbers, slice_of(&k->made, sizeof(k->made)));
        number = (number & ~UINT64_C(0xff)) | relay_index(k->relay);
    } while (number < 0x100 || ticket_find(k, number));
    return number;
}

/* ---- ... and by their key ---- */

static struct ticket **key_place(const struct commands *k, const struct errands *e,
                                 const char *key)
{
    uint64_t hash = hash_bytes(&k->numbers, slice_of(key, strlen(key)));

    return &k->by_key[(hash ^ e->terminal->device.hash) & (k->places - 1)];
}

struct ticket *ticket_find_key(const struct commands *k, const struct errands *e,
                               const char *key)
{
    struct ticket *t = *key_place(k, e, key);

    while (t && (t->errands != e || strcmp(t->key, key) != 0))
        t = t->next_by_key;
    return t;
}

static void leave_tables(struct commands *k, struct ticket *t)
{
    struct ticket **at = number_place(k, t->number);

    while (*at != t)
        at = &(*at)->next_by_number;
    *at = t->next_by_number;
    if (!t->key)
        return;
    for (at = key_place(k, t->errands, t->key); *at != t;)
        at = &(*at)->next_by_key;
    *at = t->next_by_key;
}

static void enter_tables(struct commands *k, struct ticket *t)
{
    struct ticket **place = number_place(k, t->number);

    t->next_by_number = *place;
    *place = t;
    if (!t->key)
        return;
    place = key_place(k, t->errands, t->key);
    t->next_by_key = *place;
    *place = t;
}

/* ---- what they cost ---- */

static void charge(struct commands *k, const struct ticket *t, bool more)
{
    uint64_t n = TICKET_CHARGE + t->args.size + t->answer.size;

    if (more)
        atomic_fetch_add_explicit(&k->group->bytes, n, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&k->group->bytes, n, memory_order_relaxed);
}

static int replace(struct commands *k, struct ticket *t, struct buf *which,
                   struct slice bytes)
{
    struct buf fresh = {0};

    if (bytes.size && buf_try_append(&fresh, bytes) < 0)
        return ERR_NOMEM;
    charge(k, t, false);
    buf_fini(which);
    *which = fresh;
    charge(k, t, true);
    return OK;
}

int ticket_set_args(struct commands *k, struct ticket *t, struct slice args)
{
    return replace(k, t, &t->args, args);
}

void ticket_drop_args(struct commands *k, struct ticket *t)
{
    charge(k, t, false);
    buf_fini(&t->args);
    charge(k, t, true);
}

int ticket_set_answer(struct commands *k, struct ticket *t, struct slice body)
{
    return replace(k, t, &t->answer, body);
}

/* ---- their life ---- */

struct ticket *ticket_try_new(struct commands *k, struct errands *e, uint64_t number,
                              const char *key)
{
    struct ticket *t = slab_try_alloc(&k->tickets);

    if (!t)
        return NULL;
    if (*key && !(t->key = strdup(key))) {
        slab_free(&k->tickets, t);
        return NULL;
    }
    t->number = number;
    t->errands = e;
    t->timer.expired = ticket_on_timer;
    t->found_state = -1;
    t->unsent_at_ms = t->over_at_ms = t->again_at_ms = NEVER;
    list_init(&t->waiters);
    enter_tables(k, t);
    charge(k, t, true);
    k->stats.tickets++;
    atomic_fetch_add_explicit(&k->group->tickets, 1, memory_order_relaxed);
    return t;
}

static void count_place(struct commands *k, enum ticket_place place, uint64_t n)
{
    if (place == PLACE_WAITING)
        k->stats.queued += n;
    else if (place == PLACE_SENT)
        k->stats.in_flight += n;
}

static bool is_over(const struct ticket *t)
{
    return t->place >= PLACE_LATE;
}

static void leave_place(struct commands *k, struct ticket *t)
{
    count_place(k, t->place, (uint64_t)-1);
    list_remove(&t->errands->in[t->place], &t->link);
}

static void leave_all(struct commands *k, struct ticket *t)
{
    list_remove(is_over(t) ? &k->ended : &k->live, &t->of_all);
    if (!is_over(t))
        atomic_fetch_sub_explicit(&k->group->live, 1, memory_order_relaxed);
}

static void join_all(struct commands *k, struct ticket *t)
{
    list_append(is_over(t) ? &k->ended : &k->live, &t->of_all);
    if (!is_over(t))
        atomic_fetch_add_explicit(&k->group->live, 1, memory_order_relaxed);
}

/* By their positions: most are the newest. */
static void insert(struct list *l, struct ticket *t)
{
    struct link *before = l->head.prev;

    while (before != &l->head && ticket_at(before)->position > t->position)
        before = before->prev;
    list_insert(l, before, &t->link);
}

void ticket_place(struct commands *k, struct ticket *t, enum ticket_place place)
{
    bool moves = !link_is_on_list(&t->of_all) || is_over(t) != (place >= PLACE_LATE);

    if (link_is_on_list(&t->link))
        leave_place(k, t);
    if (link_is_on_list(&t->of_all) && moves)
        leave_all(k, t);
    t->place = (uint8_t)place;
    count_place(k, place, 1);
    if (place == PLACE_WAITING)
        insert(&t->errands->in[place], t);
    else
        list_append(&t->errands->in[place], &t->link);
    if (moves)
        join_all(k, t);
}

void ticket_free(struct commands *k, struct ticket *t)
{
    wheel_stop(&k->relay->shard->loop.wheel, &t->timer);
    if (link_is_on_list(&t->link)) {
        leave_place(k, t);
        leave_all(k, t);
    }
    leave_tables(k, t);
    charge(k, t, false);
    k->stats.tickets--;
    atomic_fetch_sub_explicit(&k->group->tickets, 1, memory_order_relaxed);
    buf_fini(&t->args);
    buf_fini(&t->answer);
    buf_fini(&t->wire.body);
    free(t->key);
    slab_free(&k->tickets, t);
}

static void free_all(struct commands *k, struct list *l)
{
    while (!list_is_empty(l))
        ticket_free(k, CONTAINER_OF(list_first(l), struct ticket, of_all));
}

void tables_fini(struct commands *k)
{
    if (k->by_device) {
        free_all(k, &k->live);
        free_all(k, &k->ended);
    }
    free(k->by_number);
    free(k->by_key);
    free(k->by_device);
    slab_fini(&k->tickets);
    slab_fini(&k->errands);
}
