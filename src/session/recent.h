/* recent.h - what a vehicle terminal reported lately, by fingerprint: a report that
 * comes again is answered again, and told once.
 *
 * A terminal repeats what it got no answer for, on the same connection or on its next
 * one. One per terminal, made with its first report; the oldest make room. One thread.
 */
#pragma once

#include "base/buf.h"

#define RECENT_MAX 32

struct recent;

enum recent_found {
    RECENT_NEW,     /* noted now: on its way to the disk */
    RECENT_PENDING, /* still on its way */
    RECENT_SAFE,
};

/* Of message, serial and body. Never 0. */
uint64_t recent_print(uint16_t message, uint16_t serial, struct slice body);

/* `*r` is NULL at first. Without memory everything is new. */
enum recent_found recent_note(struct recent **r, uint64_t print);

/* What was on its way is safe, or was lost: then it is new again. False: it is not
 * known any more. */
bool recent_settle(struct recent *r, uint64_t print, bool is_safe);
bool recent_is_safe(const struct recent *r, uint64_t print);

void recent_free(struct recent **r);
