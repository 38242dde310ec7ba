#include "sim/terminals/flow.h"

#include <stdio.h>
#include <stdlib.h>

struct flow_odd {
    struct ranges missing;
    struct ranges doubtful;
    struct ranges refused;
};

static const struct flow_odd nothing_odd;

const char *arrival_text(enum arrival how)
{
    static const char *const texts[] = {
#define X(name, word, text) [ARRIVAL_##name] = text,
        ARRIVALS(X)
#undef X
    };

    return texts[how];
}

static void out_of_memory(void)
{
    fputs("holdfast-sim: out of memory while keeping count of messages\n", stderr);
    exit(2);
}

static const struct flow_odd *odd_of(const struct flow *f)
{
    return f->odd ? f->odd : &nothing_odd;
}

static struct flow_odd *odd_needed(struct flow *f)
{
    if (!f->odd && !(f->odd = calloc(1, sizeof(*f->odd))))
        out_of_memory();
    return f->odd;
}

static void add(struct ranges *set, uint64_t from, uint64_t to)
{
    if (ranges_add(set, from, to) < 0)
        out_of_memory();
}

static bool take(struct ranges *set, uint64_t number)
{
    bool found;

    if (ranges_take(set, number, &found) < 0)
        out_of_memory();
    return found;
}

void flow_fini(struct flow *f)
{
    if (!f->odd)
        return;
    ranges_fini(&f->odd->missing);
    ranges_fini(&f->odd->doubtful);
    ranges_fini(&f->odd->refused);
    free(f->odd);
    f->odd = NULL;
}

/* Its first arrival: it leaves every set. Returns how it came, if all else is well. */
static enum arrival arrive_first(struct flow *f, uint64_t number, bool *awaited)
{
    enum arrival how = ARRIVAL_NEW;

    *awaited = true;
    if (number > f->next)
        add(&odd_needed(f)->missing, f->next, number);
    if (number >= f->next)
        f->next = number + 1;
    else if (take(&f->odd->missing, number))
        how = ARRIVAL_LATE;
    if (!f->odd)
        return how;
    if (take(&f->odd->doubtful, number))
        *awaited = false;
    if (take(&f->odd->refused, number)) {
        *awaited = false;
        how = ARRIVAL_REFUSED;
    }
    return how;
}

enum arrival flow_arrive(struct flow *f, uint64_t number, uint32_t epoch, bool *awaited)
{
    bool in_order;

    *awaited = false;
    if (number >= f->sent)
        return ARRIVAL_UNKNOWN;
    if (f->epoch != epoch) {
        f->epoch = epoch;
        f->floor = 0;
    }
    in_order = number >= f->floor;
    if (in_order)
        f->floor = number + 1;
    if (number >= f->next || ranges_contain(&odd_of(f)->missing, number))
        return arrive_first(f, number, awaited);
    return in_order ? ARRIVAL_AGAIN : ARRIVAL_REPEATED;
}

static bool has_arrived(const struct flow *f, uint64_t number)
{
    return number < f->next && !ranges_contain(&odd_of(f)->missing, number);
}

bool flow_refuse(struct flow *f, uint64_t number, bool *contradicted)
{
    f->decided = number + 1;
    *contradicted = has_arrived(f, number);
    if (*contradicted)
        return false;
    add(&odd_needed(f)->refused, number, number + 1);
    return true;
}

void flow_accept(struct flow *f, uint64_t number)
{
    f->decided = number + 1;
}

uint64_t flow_doubt(struct flow *f, bool refusals)
{
    const struct ranges *missing = &odd_of(f)->missing;
    uint64_t from = f->next > f->decided ? f->next : f->decided;
    uint64_t before = flow_doubtful(f);

    for (size_t i = 0; refusals && i < missing->length; i++) {
        struct range r = missing->list[i];

        add(&f->odd->doubtful, r.from > f->decided ? r.from : f->decided, r.to);
    }
    if (from < f->sent)
        add(&odd_needed(f)->doubtful, from, f->sent);
    f->decided = f->sent;
    return flow_doubtful(f) - before;
}

void flow_insist(struct flow *f)
{
    f->decided = f->sent;
}

uint64_t flow_awaited(const struct flow *f)
{
    const struct flow_odd *odd = odd_of(f);

    return odd->missing.total + (f->sent - f->next) - odd->doubtful.total -
           odd->refused.total;
}

uint64_t flow_doubtful(const struct flow *f)
{
    return odd_of(f)->doubtful.total;
}

static bool is_awaited(const struct flow *f, uint64_t number)
{
    return number < f->sent && !has_arrived(f, number) &&
           !ranges_contain(&odd_of(f)->doubtful, number) &&
           !ranges_contain(&odd_of(f)->refused, number);
}

bool flow_first_awaited(const struct flow *f, struct range *out)
{
    const struct ranges *missing = &odd_of(f)->missing;

    if (flow_awaited(f) == 0)
        return false;
    out->from = missing->length ? missing->list[0].from : f->next;
    while (!is_awaited(f, out->from))
        out->from++;
    for (out->to = out->from; is_awaited(f, out->to);)
        out->to++;
    return true;
}
