/* err.h - what a function that can fail returns.
 *
 * 0 is OK, everything else is negative. One table holds the names and the texts, so a
 * new error is one line. Reasons for closing a connection are another table: see
 * net/conn.h. */
#pragma once

#include "base/compiler.h"

#define ERRORS(X)                                                                      \
    X(NOMEM, "nomem", "out of memory")                                                 \
    X(IO, "io", "input/output error")                                                  \
    X(NOSPACE, "nospace", "no space left on the disk")                                 \
    X(FULL, "full", "the limit is reached")                                            \
    X(BUSY, "busy", "too much work is waiting")                                        \
    X(CLOSED, "closed", "it is closed")                                                \
    X(LOCKED, "locked", "another process uses it")                                     \
    X(NOTFOUND, "notfound", "there is no such thing")                                  \
    X(EXISTS, "exists", "it exists already")                                           \
    X(DAMAGED, "damaged", "the stored bytes are damaged")                              \
    X(VERSION, "version", "it was written by another version")                         \
    X(MALFORMED, "malformed", "the bytes do not form a valid message")                 \
    X(TOO_SHORT, "too_short", "the frame is shorter than its fixed parts")             \
    X(TOO_LARGE, "too_large", "the frame is longer than allowed")                      \
    X(BAD_START, "bad_start", "the bytes do not begin with the start mark")            \
    X(BAD_LENGTH, "bad_length", "the length field is impossible")                      \
    X(BAD_ESCAPE, "bad_escape", "an escape sequence is invalid")                       \
    X(BAD_CHECKSUM, "bad_checksum", "the checksum does not fit")                       \
    X(INVALID, "invalid", "the value is not allowed here")

enum err {
    OK = 0,
    ERR_BEFORE_FIRST_ = -1000, /* so that the table counts up from -999 */
#define X(name, word, text) ERR_##name,
    ERRORS(X)
#undef X
};

/* One word for logs, and a sentence part for people. Any int is accepted. */
const char *err_word(int err);
const char *err_text(int err);

/* A process's exit status beside EXIT_SUCCESS and EXIT_FAILURE: the command line or the
 * settings are wrong, so starting it again is of no use. */
#define EXIT_USAGE 2
