#include "base/crc32c.h"

#include <stdatomic.h>

#define POLYNOMIAL 0x82f63b78u /* 0x1edc6f41, its bits in reverse */

/* Filled at the first use; two threads that meet there write the same values. */
static _Atomic uint32_t table[256];
static atomic_bool table_is_ready;

static void fill_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
        atomic_store_explicit(&table[i], c, memory_order_relaxed);
    }
    atomic_store(&table_is_ready, true);
}

uint32_t crc32c_by_table(uint32_t crc, struct slice bytes)
{
    if (!atomic_load(&table_is_ready))
        fill_table();
    crc = ~crc;
    for (size_t i = 0; i < bytes.size; i++)
        crc = crc >> 8 ^ atomic_load_explicit(&table[(crc ^ bytes.data[i]) & 0xff],
                                              memory_order_relaxed);
    return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc,
                                                                 struct slice bytes)
{
    uint64_t sum = ~crc;
    size_t at = 0;

    for (; at + 8 <= bytes.size; at += 8) {
        uint64_t word;

        memcpy(&word, bytes.data + at, 8);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; at < bytes.size; at++)
        sum = __builtin_ia32_crc32qi((uint32_t)sum, bytes.data[at]);
    return ~(uint32_t)sum;
}

uint32_t crc32c(uint32_t crc, struct slice bytes)
{
    if (LIKELY(__builtin_cpu_supports("sse4.2")))
        return by_instruction(crc, bytes);
    return crc32c_by_table(crc, bytes);
}
#else
uint32_t crc32c(uint32_t crc, struct slice bytes)
{
    return crc32c_by_table(crc, bytes);
}
#endif
