/* Edit distance with swapped neighbours (optimal string alignment), case ignored. Near
 * enough is one mistake in three letters. */
#include "config/suggest.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 32

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* d[i][j]: what it costs to turn the first i letters of `a` into the first j of `b`. */
static unsigned distance(const char *a, const char *b)
{
    unsigned d[LONGEST + 1][LONGEST + 1];
    size_t n = strlen(a);
    size_t m = strlen(b);

    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            unsigned changed = same(a[i - 1], b[j - 1]) ? 0 : 1;

            d[i][j] =
                least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + changed);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1, d[i][j]);
        }
    }
    return d[n][m];
}

struct suggestion suggest_for(const char *typed)
{
    size_t n = strlen(typed);

    return (struct suggestion){
        .typed = typed,
        .distance = n < 6 ? 2 : 2 + (unsigned)(n - 3) / 3, /* the first one too far */
    };
}

void suggest_consider(struct suggestion *s, const char *candidate)
{
    unsigned d = distance(s->typed, candidate);

    if (d < s->distance) {
        s->distance = d;
        s->best = candidate;
    }
}
