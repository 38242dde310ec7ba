/* main.c - holdfast-sim: chooses the kind of device to simulate. */
#include "sim/kind.h"
#include "base/compiler.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *text;
} kinds[] = {
#define X(name, function, text) {name, function, text},
    KINDS(X)
#undef X
};

static void print_usage(FILE *out)
{
    fputs("usage: holdfast-sim KIND [OPTION]...\n\n"
          "Simulates devices against a gateway: to try it, to load it, and to check "
          "that\n"
          "it keeps its promises. Kinds:\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        fprintf(out, "  %-12s %s\n", kinds[i].name, kinds[i].text);
    fputs("\nholdfast-sim KIND --help lists its options, with examples.\n", out);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(kinds); i++)
        if (strcmp(argv[1], kinds[i].name) == 0)
            return kinds[i].run(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("holdfast-sim " HOLDFAST_VERSION);
        return 0;
    }
    if (argc > 1)
        fprintf(stderr, "holdfast-sim: there is no kind \"%s\"\n", argv[1]);
    print_usage(stderr);
    return 2;
}
