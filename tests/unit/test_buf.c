#include "base/buf.h"
#include "base/list.h"
#include "base/reader.h"
#include "base/slab.h"

#include "unit.h"

#include <stdlib.h>

static void bytes_come_out_as_they_went_in(void **state)
{
    struct buf b = {0};
    uint8_t next_in = 0, next_out = 0;

    (void)state;
    srand(1);
    for (int step = 0; step < 20000; step++) {
        uint8_t chunk[700];
        size_t n = (size_t)rand() % sizeof(chunk);

        for (size_t i = 0; i < n; i++)
            chunk[i] = next_in++;
        assert_int_equal(buf_try_append(&b, slice_of(chunk, n)), OK);
        n = (size_t)rand() % (buf_used(&b) + 1);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(buf_peek(&b).data[i], next_out++);
        buf_consume(&b, n);
    }
    assert_true(b.size < 1 << 20); /* it reuses what was consumed */
    buf_fini(&b);
}

static void an_emptied_buf_keeps_its_memory(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_try_append(&b, slice_of("hello", 5)), OK);
    buf_consume(&b, 5);
    assert_int_equal(b.head, 0);
    assert_non_null(b.mem);
    buf_fini(&b);
    assert_null(b.mem);
}

static void a_reader_past_the_end_yields_zeros_and_stays_bad(void **state)
{
    struct reader r = reader_of(slice_of("\x01\x02\x03", 3));

    (void)state;
    assert_int_equal(read_u16(&r), 0x0102);
    assert_int_equal(read_u16(&r), 0);
    assert_true(r.bad);
    assert_int_equal(read_u8(&r), 0);
}

static void integers_are_big_endian(void **state)
{
    uint8_t bytes[8];
    struct reader r = reader_of(slice_of(bytes, 8));

    (void)state;
    put_u64(bytes, 0x0102030405060708u);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(read_u64(&r), 0x0102030405060708u);
}

struct item {
    struct link link;
    int value;
};

static void a_list_keeps_order_and_length(void **state)
{
    struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 3}};
    struct list l;

    (void)state;
    list_init(&l);
    for (int i = 0; i < 3; i++)
        list_append(&l, &items[i].link);
    list_remove(&l, &items[1].link);
    assert_int_equal(l.length, 2);
    assert_int_equal(CONTAINER_OF(list_pop(&l), struct item, link)->value, 1);
    assert_int_equal(CONTAINER_OF(list_pop(&l), struct item, link)->value, 3);
    assert_null(list_pop(&l));
    assert_false(link_is_on_list(&items[0].link));
}

static void a_slab_reuses_what_was_freed_and_zeroes_it(void **state)
{
    struct slab s;
    struct item *a, *b;

    (void)state;
    slab_init(&s, sizeof(struct item));
    a = slab_try_alloc(&s);
    assert_non_null(a);
    a->value = 7;
    slab_free(&s, a);
    b = slab_try_alloc(&s);
    assert_ptr_equal(a, b);
    assert_int_equal(b->value, 0);
    for (int i = 0; i < 5000; i++)
        assert_non_null(slab_try_alloc(&s));
    assert_int_equal(s.live, 5001);
    slab_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(an_emptied_buf_keeps_its_memory),
        cmocka_unit_test(a_reader_past_the_end_yields_zeros_and_stays_bad),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(a_list_keeps_order_and_length),
        cmocka_unit_test(a_slab_reuses_what_was_freed_and_zeroes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
