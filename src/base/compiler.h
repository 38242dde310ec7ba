/* compiler.h - the few compiler attributes and macros that we use. */
#pragma once

#include <stddef.h>

#define MUST_CHECK      __attribute__((warn_unused_result))
#define PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))
#define LIKELY(x)       __builtin_expect(!!(x), 1)
#define UNLIKELY(x)     __builtin_expect(!!(x), 0)
#define CACHE_LINE      64

#define ARRAY_LEN(a)    (sizeof(a) / sizeof((a)[0]))
#define BIT(n)          (1u << (n))

/* The struct that embeds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                            \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Memory can be poisoned: reading it is a bug that AddressSanitizer reports. */
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif
