/* unit.h - cmocka with the headers that it wants before it, and a choice of tests.
 *
 * UNIT_FILTER in the environment (`*presence*`) runs only the tests whose name fits:
 * ./test -k sets it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void choose_tests(void)
{
    const char *pattern = getenv("UNIT_FILTER");

    if (pattern && *pattern)
        cmocka_set_test_filter(pattern);
}
