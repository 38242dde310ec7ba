#include "net/limits.h"
#include "base/err.h"

#include "unit.h"

#include <stdlib.h>

#define ADDRESSES 300

static struct in6_addr address(int n)
{
    struct in6_addr ip = {0};

    ip.s6_addr[14] = (uint8_t)(n >> 8);
    ip.s6_addr[15] = (uint8_t)n;
    return ip;
}

static void counts_agree_with_a_plain_array(void **state)
{
    uint32_t model[ADDRESSES] = {0}, total = 0;
    struct limits *l;

    (void)state;
    srand(5);
    assert_int_equal(limits_new(500, 3, &l), OK);
    for (int step = 0; step < 100000; step++) {
        int n = rand() % ADDRESSES;
        struct in6_addr ip = address(n);

        if (rand() % 2 && model[n] > 0) {
            limits_leave(l, &ip);
            model[n]--;
            total--;
        } else {
            enum limits_verdict wanted = total >= 500    ? LIMITS_TOTAL
                                         : model[n] >= 3 ? LIMITS_ADDRESS
                                                         : LIMITS_PASS;

            assert_int_equal(limits_enter(l, &ip), wanted);
            if (wanted == LIMITS_PASS) {
                model[n]++;
                total++;
            }
        }
        assert_int_equal(limits_connections(l), total);
    }
    limits_free(&l);
    assert_null(l);
}

static void zero_means_no_limit(void **state)
{
    struct in6_addr ip = address(1);
    struct limits *l;

    (void)state;
    assert_int_equal(limits_new(0, 0, &l), OK);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(limits_enter(l, &ip), LIMITS_PASS);
    limits_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_agree_with_a_plain_array),
        cmocka_unit_test(zero_means_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
