/* rfc3339.h - reads times as people and programs write them (RFC 3339):
 * "2026-11-21T11:20:40.123Z", "2026-11-21T19:20:40+08:00". json_time() writes them. */
#pragma once

#include "base/buf.h"

/* Wall-clock milliseconds; further digits of a fraction are dropped. OK, or
 * ERR_MALFORMED: it is no such time, or one before 1970. */
MUST_CHECK int rfc3339_read(struct slice text, int64_t *wall_ms);
