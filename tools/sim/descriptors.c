#include "sim/descriptors.h"

#include <stdio.h>
#include <sys/resource.h>

#define SPARE 64 /* for what is no connection */

bool descriptors_raise(uint64_t wanted, const char *who, const char *what)
{
    struct rlimit limit;

    wanted += SPARE;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return true;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    getrlimit(RLIMIT_NOFILE, &limit);
    fprintf(stderr,
            "%s: %s need %llu file descriptors, and %llu are allowed: raise the hard "
            "limit (as root: ulimit -Hn %llu), or ask for fewer\n",
            who, what, (unsigned long long)wanted, (unsigned long long)limit.rlim_max,
            (unsigned long long)wanted);
    return false;
}
