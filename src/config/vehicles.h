/* vehicles.h - who may register as a vehicle terminal: the lists of ids. */
#pragma once

#include "config/read.h"

/* Reads the lists that listeners name. Problems are reported. OK or ERR_NOMEM. */
MUST_CHECK int vehicles_check(struct reading *r);
