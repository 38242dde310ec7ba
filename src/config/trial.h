/* trial.h - the configuration is read by a process of its own first.
 *
 * The YAML library dies of some of the allocations that fail, and might of some file. A
 * supervisor that reads its configuration again must outlive that. */
#pragma once

#include "base/compiler.h"

#include <stdbool.h>
#include <stdio.h>

/* False, and says why, if reading `file` (NULL: defaults) ended the process. Whether
 * the file is right is not asked: config_load() tells that. */
MUST_CHECK bool trial_survives(const char *file, FILE *errors);
