/* replay.c - runs a fuzz target over files, without libFuzzer.
 *
 * usage: replay_<target> FILE-OR-DIRECTORY...
 *
 * So that every build and every sanitizer replays the corpora, and a crash that was
 * found elsewhere can be looked at in a debugger. */
#include "base/compiler.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static void fail(const char *path)
{
    perror(path);
    exit(2);
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* exact: a read behind it is caught */

    if (!file || !data || fread(data, 1, size, file) != size)
        fail(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    replayed++;
}

static void replay(const char *path)
{
    struct stat about;
    struct dirent *entry;
    DIR *dir;
    char *inside;

    if (stat(path, &about) < 0)
        fail(path);
    if (!S_ISDIR(about.st_mode)) {
        replay_file(path, (size_t)about.st_size);
        return;
    }
    if (!(dir = opendir(path)))
        fail(path);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&inside, "%s/%s", path, entry->d_name) < 0)
            fail(path);
        replay(inside);
        free(inside);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
