/* utf8.h - where a character ends. */
#pragma once

#include "base/buf.h"

/* The size of the UTF-8 character that `s`, which is not empty, begins with; 0 when it
 * begins with none: overlong forms and surrogates are none. */
size_t utf8_measure(struct slice s);
