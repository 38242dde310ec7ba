/* commands.h - the commands for people: `holdfast NAME ...`.
 *
 * mail looks into a data directory, also without a gateway; the others ask a running
 * one. */
#pragma once

#include "base/err.h"

#define CLI_COMMANDS(X)                                                                \
    X(ls, "the devices, as a table")                                                   \
    X(show, "all about one device")                                                    \
    X(watch, "what happens to devices, as it does")                                    \
    X(send, "ask a device, and show its answer")                                       \
    X(ticket, "what became of a command")                                              \
    X(kick, "close a device's connection")                                             \
    X(mail, "look at stored messages, also without a gateway")                         \
    X(selftest, "does it keep its promises on this machine? two minutes")

/* argv[0] is "holdfast NAME". Each returns the exit status: 0, 1 (it failed, was
 * refused, or found damage), or 2 (the command was not understood). */
#define X(name, text) int cli_##name(int argc, char **argv);
CLI_COMMANDS(X)
#undef X
