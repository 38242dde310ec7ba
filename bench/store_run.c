#include "store_run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void store_run_parse(int argc, char **argv, struct store_run *run)
{
    static const struct option names[] = {
        {"dir", required_argument, NULL, 'd'},
        {"size", required_argument, NULL, 's'},
        {"batch", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 't'},
        {0},
    };

    *run = (struct store_run){.size = 64, .batch = 256, .seconds = 1};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'd')
            run->dir = optarg;
        else if (c == 's')
            run->size = strtoul(optarg, NULL, 10);
        else if (c == 'b')
            run->batch = (unsigned)strtoul(optarg, NULL, 10);
        else if (c == 't')
            run->seconds = strtod(optarg, NULL);
        else
            run->batch = 0;
    }
    if (!run->dir || run->size < 13 || run->batch == 0 || optind != argc) {
        fprintf(stderr, "usage: %s --dir DIR [--size N] [--batch N] [--seconds S]\n",
                argv[0]);
        exit(2);
    }
}

void store_run_begin(struct store_run *run)
{
    run->begun_ns = read_clock(CLOCK_MONOTONIC);
    run->begun_cpu_ns = read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

int store_run_goes_on(const struct store_run *run)
{
    uint64_t gone = read_clock(CLOCK_MONOTONIC) - run->begun_ns;

    return (double)gone < run->seconds * 1e9;
}

void store_run_print(const struct store_run *run)
{
    uint64_t gone = read_clock(CLOCK_MONOTONIC) - run->begun_ns;
    uint64_t cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - run->begun_cpu_ns;

    printf(
        "{\"messages\": %lu, \"batches\": %lu, \"seconds\": %.6f, \"cpu_ns\": %lu}\n",
        run->messages, run->batches, (double)gone / 1e9, cpu);
}
