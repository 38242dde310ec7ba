/* ticket_text.h - tickets, and what devices answered, as text for people. */
#pragma once

#include "cli/table.h"

#include <jansson.h>

/* Exit status of commands that wait for an answer which did not come yet. */
#define EXIT_UNANSWERED 3

/* Did its device answer? EXIT_SUCCESS, EXIT_UNANSWERED (it may still do so), or
 * EXIT_FAILURE (it is over without an answer). */
int ticket_status(const json_t *ticket);

/* That of its state. */
enum colour ticket_colour(const json_t *ticket);

/* "status", or "0x1005" of a raw message. */
const char *ticket_command(const json_t *ticket);

/* One line, and what the answer says below it. */
void ticket_print_answer(const json_t *ticket, enum output output);

/* Everything. */
void ticket_print_card(const json_t *ticket, enum output output);
