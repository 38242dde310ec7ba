/* packages.h - messages that came in several packages, joined (JT/T 808, 4.4.3).
 *
 *   packages --> group: (message, total) --> whole body, or what is missing
 *
 * One struct packages belongs to one connection; nothing is allocated until a first
 * package comes. A group begins with its first package, whatever its number; it begins
 * anew when a package comes again with other bytes. Bounded in groups, in bytes of all
 * of them together, and in age; what is beyond is refused, and counted by the caller.
 * Pure: times are arguments, monotonic milliseconds. One thread. */
#pragma once

#include "codec/device.h"

struct packages_limits {
    uint32_t max_groups;  /* at once */
    uint32_t max_bytes;   /* of all of them, what they announce included */
    int64_t max_age_ms;   /* of a group, since its first package */
    int64_t ask_after_ms; /* nothing new for so long: ask for what is missing */
    uint32_t max_asks;
};

struct packages;

/* What a package led to. */
enum packages_result {
    PACKAGES_MORE,    /* kept, or known already: the others are to come */
    PACKAGES_WHOLE,   /* *body is the message, until the next call */
    PACKAGES_REFUSED, /* a number out of range, a limit, or memory */
};

void packages_free(struct packages **p);

/* `*p` is NULL at first. A group is counted with what it will take when all of it has
 * come, as large as the largest of its packages so far; one that is beyond max_bytes is
 * dropped. On PACKAGES_WHOLE `*first` is the serial of package 1, which
 * an answer quotes. On PACKAGES_REFUSED `*why` is a static word for the log:
 * "bad_number", "too_many_groups", "too_large", "no_memory". */
MUST_CHECK enum packages_result packages_try_add(struct packages **p,
                                                 const struct packages_limits *limits,
                                                 const struct device_frame *f,
                                                 int64_t now_ms, struct slice *body,
                                                 uint16_t *first, const char **why);

struct packages_missing {
    uint16_t message;
    uint16_t
        first; /* serial of package 1, or of the lowest that came, less its place */
    uint16_t count;
    uint16_t numbers[255];
    struct device_head head;
};

/* Drops what is too old, and returns when to call again: at once, perhaps; INT64_MAX:
 * nothing is kept, and it may be freed. Sets *ask if one group's missing packages are
 * due to be asked for. `dropped` is how many groups were given up. */
int64_t packages_tick(struct packages *p, const struct packages_limits *limits,
                      int64_t now_ms, struct packages_missing *ask, bool *asks,
                      uint32_t *dropped);

size_t packages_bytes(const struct packages *p); /* of memory, for figures */
