#include "store/keeper.h"

#include "base/allocator.h"
#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_DELAY_MS  100
#define LONGEST_FULL_MS 5000  /* looking for space costs little */
#define LONGEST_SHUT_MS 30000 /* opening rereads the whole store */
#define REST_AFTER_MS   1000

int keeper_init(struct keeper *k, const struct keeper_conf *conf)
{
    *k = (struct keeper){.conf = *conf, .proven = true, .delay_ms = FIRST_DELAY_MS};
    k->inbox.event_fd = -1;
    if (!(k->conf.dir = strdup(conf->dir)))
        return ERR_NOMEM;
    return inbox_init(&k->inbox);
}

void keeper_fini(struct keeper *k)
{
    if (k->conf.engine)
        k->conf.engine->close(&k->store);
    inbox_fini(&k->inbox);
    free((void *)k->conf.dir);
    k->conf.dir = NULL;
}

/* ---- states ---- */

static void enter(struct keeper *k, enum keeper_state next, int64_t now_ms)
{
    static const int health[] =
        {[KEEPER_OPEN] = OK, [KEEPER_FULL] = ERR_NOSPACE, [KEEPER_SHUT] = ERR_IO};
    int64_t longest = next == KEEPER_FULL ? LONGEST_FULL_MS : LONGEST_SHUT_MS;

    if (next != KEEPER_OPEN) {
        k->due_ms = now_ms + k->delay_ms;
        k->delay_ms = k->delay_ms * 2 < longest ? k->delay_ms * 2 : longest;
    }
    k->state = next;
    atomic_store(k->conf.health, health[next]);
}

void keeper_committed(struct keeper *k)
{
    if (k->proven || k->state != KEEPER_OPEN)
        return;
    k->proven = true;
    k->delay_ms = FIRST_DELAY_MS;
    LOG_AT(LOG_INFO, k->conf.kind->topic, "%s recovered dir=%s", k->conf.subject,
           k->conf.dir);
}

static void shut(struct keeper *k, int rc, int64_t now_ms)
{
    k->conf.engine->close(&k->store);
    if (k->proven)
        LOG_AT(LOG_ERROR, k->conf.kind->topic,
               "%s shut dir=%s reason=%s: %s until the disk can be written again; "
               "check it. Trying every %d ms at first, every %d s at last",
               k->conf.subject, k->conf.dir, err_word(rc), k->conf.when_shut,
               FIRST_DELAY_MS, LONGEST_SHUT_MS / 1000);
    k->proven = false;
    enter(k, KEEPER_SHUT, now_ms);
}

static void run_full(struct keeper *k, bool in_commit, int64_t now_ms)
{
    int rc;

    if (k->proven)
        LOG_AT(LOG_ERROR, k->conf.kind->topic,
               "%s full dir=%s reason=nospace: %s until there is space on this disk",
               k->conf.subject, k->conf.dir, k->conf.when_full);
    k->proven = false;
    enter(k, KEEPER_FULL, now_ms);
    k->conf.engine->give_reserve(k->store);
    if (!in_commit)
        return;
    k->conf.engine->close(&k->store);
    if ((rc = k->conf.reopen(k, false)) < 0)
        shut(k, rc, now_ms);
}

void keeper_failed(struct keeper *k, int rc, bool in_commit, int64_t now_ms)
{
    if (rc == ERR_NOSPACE)
        run_full(k, in_commit, now_ms);
    else
        shut(k, rc, now_ms);
}

/* Whenever it is OPEN it has its reserve. */
void keeper_opened(struct keeper *k, int64_t now_ms)
{
    if (k->conf.engine->take_reserve(k->store) == OK)
        enter(k, KEEPER_OPEN, now_ms);
    else
        run_full(k, false, now_ms);
}

bool keeper_recover(struct keeper *k, int64_t now_ms)
{
    if (k->state == KEEPER_OPEN || now_ms < k->due_ms)
        return false;
    if (k->state == KEEPER_FULL || k->conf.reopen(k, true) == OK)
        keeper_opened(k, now_ms);
    else
        enter(k, KEEPER_SHUT, now_ms);
    return true;
}

/* ---- the thread ---- */

static int sleep_ms(const struct keeper *k, bool rested, int64_t now_ms)
{
    if (k->state == KEEPER_OPEN)
        return rested ? -1 : REST_AFTER_MS;
    return k->due_ms > now_ms ? (int)(k->due_ms - now_ms) : 0;
}

static void *run(void *arg)
{
    struct keeper *k = arg;
    bool rested = true;

    if (k->conf.niceness) /* of this thread alone, on Linux */
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), k->conf.niceness);
    while (!atomic_load(&k->stop)) {
        bool idle = false;

        if (inbox_may_sleep(&k->inbox)) {
            struct pollfd p = {.fd = k->inbox.event_fd, .events = POLLIN};
            int n = poll(&p, 1, sleep_ms(k, rested, clock_mono_ms()));

            if (n > 0)
                inbox_clear(&k->inbox);
            idle = n == 0;
            inbox_wake(&k->inbox);
        }
        if (idle)
            allocator_rest();
        rested = idle;
        k->conf.turn(k, clock_mono_ms());
        if (!idle && k->conf.pause_ms && !atomic_load(&k->stop))
            usleep((useconds_t)k->conf.pause_ms * 1000);
    }
    return NULL;
}

int keeper_start(struct keeper *k)
{
    if (pthread_create(&k->thread, NULL, run, k) != 0)
        return ERR_NOMEM;
    k->has_thread = true;
    pthread_setname_np(k->thread, k->conf.subject);
    return OK;
}

void keeper_join(struct keeper *k)
{
    if (!k->has_thread)
        return;
    atomic_store(&k->stop, true);
    inbox_ring(&k->inbox);
    pthread_join(k->thread, NULL);
    k->has_thread = false;
}
