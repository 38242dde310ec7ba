#include "base/inbox.h"
#include "base/err.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define SENDERS 2
#define EACH    200000

struct note {
    struct parcel parcel;
    int sender;
    int number;
};

static struct inbox in;
static struct note notes[SENDERS][EACH];

static void *send_all(void *arg)
{
    int sender = *(int *)arg;

    for (int i = 0; i < EACH; i++) {
        notes[sender][i] = (struct note){.sender = sender, .number = i};
        inbox_push(&in, &notes[sender][i].parcel);
    }
    return NULL;
}

static void sleep_on(struct inbox *box)
{
    struct pollfd p = {.fd = box->event_fd, .events = POLLIN};

    if (!inbox_may_sleep(box))
        return;
    /* Half a minute: a lost wake-up shows as a failure, not as a hang. */
    assert_true(poll(&p, 1, 30000) == 1);
    inbox_wake(box);
    inbox_clear(box);
}

/* Sleeps whenever it is empty, so that every wake-up counts. */
static void every_parcel_arrives_once_and_in_its_senders_order(void **state)
{
    pthread_t threads[SENDERS];
    int ids[SENDERS], next[SENDERS] = {0};
    int left = SENDERS * EACH;

    (void)state;
    assert_int_equal(inbox_init(&in), OK);
    for (int i = 0; i < SENDERS; i++) {
        ids[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &ids[i]), 0);
    }
    while (left > 0) {
        struct parcel *p = inbox_take(&in);

        if (!p)
            sleep_on(&in);
        for (; p; p = p->next) {
            struct note *n = CONTAINER_OF(p, struct note, parcel);

            assert_int_equal(n->number, next[n->sender]++);
            left--;
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_null(inbox_take(&in));
    inbox_fini(&in);
}

static void a_push_writes_to_the_event_only_while_the_receiver_sleeps(void **state)
{
    struct inbox box;
    struct parcel a = {0}, b = {0};
    struct pollfd p;

    (void)state;
    assert_int_equal(inbox_init(&box), OK);
    p = (struct pollfd){.fd = box.event_fd, .events = POLLIN};
    inbox_push(&box, &a);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_false(inbox_may_sleep(&box)); /* something is there */
    assert_ptr_equal(inbox_take(&box), &a);
    assert_true(inbox_may_sleep(&box));
    inbox_push(&box, &b);
    assert_int_equal(poll(&p, 1, 0), 1);
    inbox_fini(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_parcel_arrives_once_and_in_its_senders_order),
        cmocka_unit_test(a_push_writes_to_the_event_only_while_the_receiver_sleeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
