#include "base/hash.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* SipHash-1-3 of the bytes 00 01 .. n-1 under the key 00 01 .. 0f, from a second
 * implementation that gives the published SipHash-2-4 vectors with other round counts.
 */
static const struct hash_key reference_key = {
    .k0 = 0x0706050403020100u,
    .k1 = 0x0f0e0d0c0b0a0908u,
};

static uint64_t reference_of(size_t n)
{
    uint8_t bytes[64];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)i;
    return hash_bytes(&reference_key, slice_of(bytes, n));
}

static void it_is_siphash_1_3(void **state)
{
    (void)state;
    assert_true(reference_of(0) == 0xabac0158050fc4dcu);
    assert_true(reference_of(1) == 0xc9f49bf37d57ca93u);
    assert_true(reference_of(7) == 0xd3927d989bb11140u);
    assert_true(reference_of(8) == 0x369095118d299a8eu);
    assert_true(reference_of(15) == 0xd320d86d2a519956u);
    assert_true(reference_of(63) == 0x9d199062b7bbb3a8u);
}

static void the_key_and_every_byte_matter(void **state)
{
    struct hash_key a = hash_key_random(), b = hash_key_random();
    uint8_t bytes[48] = {0};
    uint64_t before = hash_bytes(&a, slice_of(bytes, sizeof(bytes)));

    (void)state;
    assert_true(before != hash_bytes(&b, slice_of(bytes, sizeof(bytes))));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = 1;
        assert_true(before != hash_bytes(&a, slice_of(bytes, sizeof(bytes))));
        bytes[i] = 0;
    }
    assert_true(before != hash_bytes(&a, slice_of(bytes, sizeof(bytes) - 1)));
}

/* ---- ids that were chosen to collide ---- */

#define PARTS 13            /* of four letters: 52 of an id's 54 */
#define IDS   (1u << PARTS) /* one for each choice of either word of each part */

struct part {
    char either[5], other[5];
};

static uint32_t djb2(uint32_t h, const char *text)
{
    for (; *text; text++)
        h = h * 33 + (uint8_t)*text;
    return h;
}

static uint32_t fnv1a(uint32_t h, const char *text)
{
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

static void word(uint32_t number, char text[5])
{
    static const char letters[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (int i = 0; i < 4; i++, number /= 62)
        text[i] = letters[number % 62];
    text[4] = '\0';
}

/* Two words that lead from `state` to the same one. */
static void find_part(uint32_t (*hash)(uint32_t, const char *), uint32_t *state,
                      struct part *out)
{
    enum { WORDS = 1 << 20, PLACES = 1 << 21 };
    uint32_t *seen = calloc(PLACES, sizeof(*seen)), n = 0;
    bool is_found = false;

    assert_non_null(seen);
    while (!is_found && n < WORDS) {
        uint32_t h, i;

        word(n++, out->other);
        h = hash(*state, out->other);
        for (i = h % PLACES; seen[i] && !is_found; i = (i + 1) % PLACES) {
            word(seen[i] - 1, out->either);
            is_found = hash(*state, out->either) == h;
        }
        seen[i] = n;
    }
    free(seen);
    assert_true(is_found);
    *state = hash(*state, out->other);
}

static void make_id(const struct part parts[PARTS], uint32_t choice, char id[64])
{
    *id = '\0';
    for (int i = 0; i < PARTS; i++)
        strcat(id, choice >> i & 1 ? parts[i].other : parts[i].either);
}

/* Steps to a free place, in a table that is half full: 1.5 of them for random ids. */
static double steps_for(const struct part parts[PARTS])
{
    struct hash_key key = hash_key_random();
    bool *is_taken = calloc(IDS * 2, sizeof(*is_taken));
    uint64_t steps = 0;
    char id[64];

    assert_non_null(is_taken);
    for (uint32_t n = 0; n < IDS; n++) {
        uint64_t at;

        make_id(parts, n, id);
        at = hash_bytes(&key, slice_of(id, strlen(id)));
        for (steps++; is_taken[at % (IDS * 2)]; at++)
            steps++;
        is_taken[at % (IDS * 2)] = true;
    }
    free(is_taken);
    return (double)steps / IDS;
}

static void expect_spread(uint32_t (*hash)(uint32_t, const char *), uint32_t first)
{
    struct part parts[PARTS];
    uint32_t state = first;
    char id[64];

    for (int i = 0; i < PARTS; i++)
        find_part(hash, &state, &parts[i]);
    for (uint32_t n = 0; n < IDS; n += 101) {
        make_id(parts, n, id);
        assert_int_equal(hash(first, id), state); /* they do collide elsewhere */
    }
    assert_true(steps_for(parts) < 2);
}

static void ids_that_collide_in_other_tables_do_not_in_ours(void **state)
{
    (void)state;
    expect_spread(djb2, 5381);
    expect_spread(fnv1a, 2166136261u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash_1_3),
        cmocka_unit_test(the_key_and_every_byte_matter),
        cmocka_unit_test(ids_that_collide_in_other_tables_do_not_in_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
