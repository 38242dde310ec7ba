#include "base/rfc3339.h"

#include <time.h>

struct scan {
    struct slice left;
    bool bad;
};

static int take_char(struct scan *s)
{
    int c = s->left.size ? *s->left.data : -1;

    if (c >= 0)
        s->left = slice_from(s->left, 1);
    return c;
}

static void expect(struct scan *s, char upper)
{
    int c = take_char(s);

    if (c != upper && (c < 'a' || c - 'a' + 'A' != upper))
        s->bad = true;
}

/* Exactly so many digits, and a number within the bounds. */
static int take_number(struct scan *s, int digits, int low, int high)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        int c = take_char(s);

        if (c < '0' || c > '9')
            s->bad = true;
        value = 10 * value + (c - '0');
    }
    if (value < low || value > high)
        s->bad = true;
    return value;
}

static bool next_is(const struct scan *s, const char *choice)
{
    return s->left.size && *s->left.data && strchr(choice, *s->left.data);
}

static int take_fraction_ms(struct scan *s)
{
    int ms = 0, weight = 100;

    if (!next_is(s, "."))
        return 0;
    (void)take_char(s);
    s->bad |= !next_is(s, "0123456789");
    while (next_is(s, "0123456789")) {
        ms += (take_char(s) - '0') * weight;
        weight /= 10;
    }
    return ms;
}

/* Minutes that the text's time is ahead of UTC. */
static int take_offset(struct scan *s)
{
    int sign, hours, minutes;

    if (!next_is(s, "+-")) {
        expect(s, 'Z');
        return 0;
    }
    sign = take_char(s) == '-' ? -1 : 1;
    hours = take_number(s, 2, 0, 23);
    expect(s, ':');
    minutes = take_number(s, 2, 0, 59);
    return sign * (60 * hours + minutes);
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leaps = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leaps);
}

static void take_date(struct scan *s, struct tm *tm)
{
    int year = take_number(s, 4, 1970, 9999), month;

    expect(s, '-');
    month = take_number(s, 2, 1, 12);
    expect(s, '-');
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = s->bad ? 1 : take_number(s, 2, 1, days_in(year, month));
}

int rfc3339_read(struct slice text, int64_t *wall_ms)
{
    struct scan s = {.left = text};
    struct tm tm = {0};
    int ms, ahead;

    take_date(&s, &tm);
    expect(&s, 'T');
    tm.tm_hour = take_number(&s, 2, 0, 23);
    expect(&s, ':');
    tm.tm_min = take_number(&s, 2, 0, 59);
    expect(&s, ':');
    tm.tm_sec = take_number(&s, 2, 0, 60); /* a leap second is the next one's first */
    ms = take_fraction_ms(&s);
    ahead = take_offset(&s);
    if (s.bad || s.left.size)
        return ERR_MALFORMED;
    *wall_ms = ((int64_t)timegm(&tm) - 60 * (int64_t)ahead) * 1000 + ms;
    return *wall_ms > 0 ? OK : ERR_MALFORMED;
}
