/* options.h - what a program asks of hf_serve(), checked and translated. */
#pragma once

#include "base/err.h"
#include "codec/frame.h"
#include "holdfast/serve.h"

/* *out: all members, whatever the program's version of the struct has. ERR_INVALID:
 * logged what is wrong. */
MUST_CHECK int options_read(const struct hf_options *given, struct hf_options *out);
MUST_CHECK int options_make_framing(const struct hf_options *o, struct framing *out);
