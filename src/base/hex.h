/* hex.h - bytes as hexadecimal digits. Lower case is written, both are read. */
#pragma once

#include "base/buf.h"

/* 0 .. 15, or -1: that is no digit. */
int hex_digit(char c);
/* Of the two digits at `text`: 0 .. 255, or -1. Does not read behind a NUL. */
int hex_byte(const char *text);

/* Writes 2 * bytes.size digits; no NUL. */
void hex_write(struct slice bytes, char *to);

/* Appends the bytes. OK; ERR_INVALID: an odd digit, or none of these; ERR_NOMEM. If it
 * fails nothing was appended. */
MUST_CHECK int hex_read(struct slice digits, struct buf *to);
