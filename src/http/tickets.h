/* tickets.h - a ticket as the API shows it: in every answer that has one, the same. */
#pragma once

#include "command/commands.h"

struct api;

/* Its text is so many digits. */
#define TICKET_DIGITS 16

/* The dialect of its device; NULL: there is none. *conf is to be passed to it. */
const struct dialect *ticket_dialect(const struct api *a, const struct ticket_view *v,
                                     const void **conf);

void ticket_write(const struct api *a, struct json *j, const struct ticket_view *v);

/* Without the brackets, so that a problem can have them beside its own members. */
void ticket_write_members(const struct api *a, struct json *j,
                          const struct ticket_view *v);
