/* exposition.h - writes Prometheus' text format, version 0.0.4.
 *
 *   expose(e, "holdfast_events_total", EXPOSE_COUNTER, "events published");
 *   expose_value(e, NULL, NULL, 17);
 *
 * A family's values follow its head. The error is sticky. */
#pragma once

#include "base/buf.h"

enum exposed { EXPOSE_COUNTER, EXPOSE_GAUGE, EXPOSE_HISTOGRAM };

struct exposition {
    struct buf *out;
    bool failed;
    const char *name; /* of the family */
};

void expose(struct exposition *e, const char *name, enum exposed type,
            const char *help);

struct label {
    const char *name, *value;
};

/* `suffix`: "_bucket", "_sum", "_count", or "". Labels end with one without a name;
 * NULL: there are none. */
void expose_value(struct exposition *e, const char *suffix, const struct label *labels,
                  uint64_t value);
/* A value in seconds. */
void expose_us(struct exposition *e, const char *suffix, const struct label *labels,
               uint64_t us);

#define LABELS(...) ((const struct label[]){__VA_ARGS__, {0}})
