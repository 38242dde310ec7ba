/* pages.h - LMDB's file, read with our own eyes.
 *
 * LMDB trusts its file: a flipped bit in a page's header makes it abort or read outside
 * of its map, and one in the list of free pages makes it overwrite what is in use. So
 * before it may open a file, every page that it would follow is looked at here; and if
 * one is not sound, the records are taken out of the file page by page.
 *
 *   page   | number u64 | pad u16 | flags u16 | lower, upper u16 | offsets u16 ... |
 *          | ... free ... | nodes: lo u16, hi u16, flags u16, key size u16, key, data |
 *   0, 1   the two metas: roots of the two trees; the one with the larger transaction
 *          number counts
 *   trees  free pages (transaction -> page numbers), and the records (seq -> record)
 *
 * This is version 1 of LMDB's format (all of 0.9), of a machine like this one. */
#pragma once

#include "base/buf.h"

struct pages;

/* Reads the metas. `fd` stays the caller's. Returns OK, ERR_DAMAGED (the metas cannot
 * be believed: pages_each_record still works), ERR_VERSION, ERR_IO, ERR_NOMEM. *out is
 * set unless memory is out. */
MUST_CHECK int pages_open(int fd, struct pages **out);
void pages_close(struct pages **p);

/* Follows both trees. OK: LMDB may open the file. ERR_DAMAGED: see pages_fault. */
MUST_CHECK int pages_check(struct pages *p);

/* What was found wrong, and on which page: for a log line. */
const char *pages_fault(const struct pages *p, uint64_t *page);

/* Shows everything that looks like a record with a key, on any page that is not known
 * to be free; in no order, some perhaps twice, unchecked. Returns OK or what `seen`
 * did. */
typedef int pages_seen(void *user, uint64_t key, struct slice value);
MUST_CHECK int pages_each_record(struct pages *p, pages_seen *seen, void *user);
