/* kind.h - the kinds of devices that can be simulated: one line here, one file each. */
#pragma once

/* `name`, the function that runs it, and what it is. */
#define KINDS(X)                                                                       \
    X("devices", devices_main, "vending machines that answer commands")                \
    X("heartbeats", heartbeats_main, "clients that report that they live")             \
    X("jt808", jt808_main, "vehicle terminals of JT/T 808")                            \
    X("requests", requests_main, "clients that ask a request/answer service")          \
    X("terminals", terminals_main, "relay terminals that send each other messages")

/* argc and argv begin behind the kind's name. Return what to exit with: 0 all promises
 * were kept, 1 one was broken, 2 it could not run. */
#define X(name, function, text) int function(int argc, char **argv);
KINDS(X)
#undef X
