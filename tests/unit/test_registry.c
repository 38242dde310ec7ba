#include "device/registry.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define IDS 3000

struct thing {
    struct device device;
    int value;
};

/* Of all lengths, from the shortest to the longest. */
static struct id id_number(int n)
{
    char text[ID_TEXT_MAX + 1];
    struct id id;
    int size = snprintf(text, sizeof(text), "%0*x", 4 + n % (ID_TEXT_MAX - 3), n);

    assert_int_equal(id_make(PROTOCOL_TTMS, slice_of(text, (size_t)size), &id), OK);
    return id;
}

/* Few different hashes: long runs of places, many equal ones. */
static uint64_t poor_hash(int n)
{
    return (uint64_t)(n % 97);
}

static void random_adds_and_removes_agree_with_a_plain_array(void **state)
{
    static struct thing *model[IDS];
    struct registry r;
    size_t live = 0;

    (void)state;
    srand(3);
    registry_init(&r, sizeof(struct thing));
    for (int step = 0; step < 30000; step++) {
        int n = rand() % IDS;
        struct id id = id_number(n);
        struct device *d = registry_find(&r, &id, poor_hash(n));

        assert_ptr_equal(d, model[n]);
        if (d && rand() % 3) {
            assert_int_equal(((struct thing *)d)->value, n);
            registry_remove(&r, d);
            model[n] = NULL;
            live--;
        } else if (!d) {
            model[n] = (struct thing *)registry_try_add(&r, &id, poor_hash(n));
            assert_non_null(model[n]);
            assert_int_equal(model[n]->value, 0);
            model[n]->value = n;
            live++;
        }
        assert_int_equal(r.used, live);
        if (step % 200 == 0)
            registry_check(&r);
    }
    registry_check(&r);
    registry_fini(&r);
}

/* What a table of twice the size has to take over is taken in steps. */
static void while_the_table_grows_every_device_is_found(void **state)
{
    static struct thing *model[IDS];
    struct registry r;
    int grown = 0;

    (void)state;
    registry_init(&r, sizeof(struct thing));
    for (int n = 0; n < IDS; n++) {
        struct id id = id_number(n);

        model[n] = (struct thing *)registry_try_add(&r, &id, poor_hash(n + n / 16));
        assert_non_null(model[n]);
        grown += r.old.size > 0;
        registry_check(&r);
        if (n % 3 == 2 && model[n / 2]) {
            registry_remove(&r, &model[n / 2]->device);
            model[n / 2] = NULL;
            registry_check(&r);
        }
    }
    assert_true(grown > IDS / 20);
    registry_fini(&r);
}

static void an_id_reads_back_as_it_was_given(void **state)
{
    struct registry r;

    (void)state;
    registry_init(&r, sizeof(struct thing));
    for (int n = 0; n < 2 * ID_TEXT_MAX; n++) {
        struct id id = id_number(n), found;
        struct device *d = registry_try_add(&r, &id, (uint64_t)n);

        assert_non_null(d);
        found = device_id(d);
        assert_memory_equal(&found, &id, sizeof(id));
    }
    registry_fini(&r);
}

static void a_removal_ends_the_epoch(void **state)
{
    struct id id = id_number(1);
    struct registry r;
    struct device *d;
    uint32_t before;

    (void)state;
    registry_init(&r, sizeof(struct thing));
    d = registry_try_add(&r, &id, 1);
    assert_non_null(d);
    before = r.epoch;
    registry_remove(&r, d);
    assert_int_not_equal(r.epoch, before);
    assert_null(registry_find(&r, &id, 1));
    registry_fini(&r);
}

static void numbers_lead_through_all_devices_also_past_holes(void **state)
{
    static struct device *model[IDS];
    struct registry r;
    size_t seen = 0;

    (void)state;
    registry_init(&r, sizeof(struct thing));
    assert_null(registry_from(&r, 0));
    for (int n = 0; n < IDS; n++) {
        struct id id = id_number(n);

        model[n] = registry_try_add(&r, &id, (uint64_t)n);
        assert_non_null(model[n]);
    }
    for (int n = 0; n < IDS; n += 3)
        registry_remove(&r, model[n]);
    for (struct device *d = registry_from(&r, 0); d; d = registry_from(&r, d->ref + 1))
        seen++;
    assert_int_equal(seen, r.used);
    for (uint32_t ref = 0; ref < 20 * IDS; ref++) {
        struct device *d = registry_from(&r, ref);

        assert_true(!d || d->ref >= ref);
    }
    assert_null(registry_from(&r, UINT32_MAX));
    registry_fini(&r);
}

static void the_same_text_in_another_protocol_is_another_device(void **state)
{
    struct id a = id_number(1), b = a;

    (void)state;
    b.protocol = 200;
    assert_false(id_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_adds_and_removes_agree_with_a_plain_array),
        cmocka_unit_test(while_the_table_grows_every_device_is_found),
        cmocka_unit_test(an_id_reads_back_as_it_was_given),
        cmocka_unit_test(a_removal_ends_the_epoch),
        cmocka_unit_test(numbers_lead_through_all_devices_also_past_holes),
        cmocka_unit_test(the_same_text_in_another_protocol_is_another_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
