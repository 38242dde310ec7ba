/* contact.h - a simulated terminal's connection: begun, registered, ended, lost. */
#pragma once

#include "sim/terminals/fleet.h"

/* Begins connections that are due, asks again where a registration is late. */
void contact_turn(struct fleet *f);
/* When contact_turn() should be called next. */
int64_t contact_due_ns(const struct fleet *f);

void contact_on_writable(struct fleet *f, struct terminal *t);
void contact_on_registered(struct fleet *f, struct terminal *t);

/* The connection ended, was read to its end, and that was not our wish. */
void contact_on_lost(struct fleet *f, struct terminal *t);

/* It cannot be sent on any more: what had come before is read, then it is lost. */
void contact_on_broken(struct fleet *f, struct terminal *t);

/* Three ways to go on purpose; the terminal must be online. */
void contact_end_by_fin(struct fleet *f, struct terminal *t);
void contact_end_by_reset(struct fleet *f, struct terminal *t);
void contact_freeze(struct fleet *f, struct terminal *t);

/* Forms a heartbeat of `t` at `to` and returns its size. */
size_t contact_form_heartbeat(const struct fleet *f, const struct terminal *t,
                              uint8_t *to);
