/* text.h - the file's bytes, checked before a parser sees them. */
#pragma once

#include "config/problem.h"

/* Reads all of problems->file into problems->text; the caller frees text.data. Refuses
 * what is no file, what is empty, what is too large and what is not UTF-8 text (the
 * YAML library silently stops at such a byte, and what stood behind it would not
 * count). Returns OK, ERR_IO, ERR_INVALID or ERR_NOMEM; what was wrong is reported. */
MUST_CHECK int text_read(struct problems *problems);
