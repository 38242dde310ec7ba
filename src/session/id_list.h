/* id_list.h - the ids that a file names, one a line: who may register.
 *
 * Blanks around an id, empty lines, and what follows a '#' do not count; nor do zeros
 * in front, as in codec/device.h. Built once, then read by any thread. */
#pragma once

#include "base/id.h"

struct id_list;

/* `text` is the file's content. OK, or ERR_NOMEM. */
MUST_CHECK int id_list_new(const char *text, struct id_list **out);
void id_list_free(struct id_list **l);

/* By its text alone. */
bool id_list_has(const struct id_list *l, const struct id *id);
