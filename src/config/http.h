/* http.h - what the keys of `http` mean together. */
#pragma once

#include "config/read.h"

/* After all keys were read: a server beyond this machine wants a token; reads the
 * token. Problems are reported. Returns OK or ERR_NOMEM. */
MUST_CHECK int http_check(struct reading *r);
