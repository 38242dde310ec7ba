/* salvage.h - a new file out of the sound records of a damaged one.
 *
 *   data.mdb  --sound records-->  salvaged.mdb, synced
 *   data.mdb  is also called      data.mdb.damaged-1      (a link: one file)
 *   data.mdb  is replaced by      salvaged.mdb            (one rename)
 *
 * A crash between any two of these leaves a data.mdb that is complete: the new one, or
 * the old one, and then the next start does it all again. The damaged file is never
 * removed. */
#pragma once

#include "store/pages.h"
#include "store/store.h"

/* `dir` holds data.mdb, which nobody has open; `map_size` is for the new one, which
 * gets `mark` under key 0. Logs what was saved. Returns OK, ERR_NOSPACE, ERR_IO,
 * ERR_NOMEM: then the old file is as it was. */
MUST_CHECK int salvage(const char *dir, const struct store_kind *kind,
                       struct pages *pages, size_t map_size, struct slice mark);
