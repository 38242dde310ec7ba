/* cputime.h - the processor time that a process and its descendants have used. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* User and system time of all their threads, in nanoseconds; what ended is counted with
 * its parent. 0 when there is no such process. */
uint64_t cputime_of_tree(pid_t pid);
