#include "cputime.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
    pid_t parent;
    uint64_t ticks;
};

/* /proc/PID/stat: "pid (name) state ppid ..."; the name may hold anything, so count the
 * fields behind the last bracket. The 12th and 13th there are user and system time, the
 * next two those of children that ended. */
static int read_process(pid_t pid, struct process *out)
{
    unsigned long ticks[4];
    char path[40];
    char line[1024];
    const char *behind;
    FILE *file;
    size_t n;
    int parent;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (!(file = fopen(path, "r")))
        return -1;
    n = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[n] = '\0';
    if (!(behind = strrchr(line, ')')))
        return -1;
    if (sscanf(behind + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
               &parent, &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 5)
        return -1;
    out->parent = (pid_t)parent;
    out->ticks = ticks[0] + ticks[1] + ticks[2] + ticks[3];
    return 0;
}

uint64_t cputime_of_tree(pid_t pid)
{
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    struct process p;
    uint64_t ns = 0;
    DIR *all;

    if (pid <= 0 || read_process(pid, &p) < 0)
        return 0;
    ns = p.ticks * tick_ns;
    if (!(all = opendir("/proc")))
        return ns;
    for (struct dirent *e; (e = readdir(all));) {
        pid_t child = (pid_t)atoi(e->d_name);

        if (child > 0 && read_process(child, &p) == 0 && p.parent == pid)
            ns += cputime_of_tree(child);
    }
    closedir(all);
    return ns;
}
