/* holds.h - back-pressure: senders that wait, and for what.
 *
 * A held sender is not read from. Nobody is held for a target that takes nothing: its
 * mail goes to the mailbox until that is full, and is refused then. */
#pragma once

#include "relay/relay.h"

/* Holds the sender and remembers it in *list (made when needed). Without memory the
 * sender just goes on. */
void holds_add(struct relay *r, struct waiters **list, unsigned shard,
               uint64_t session);

/* Lets all of them go, and frees the list. */
void holds_release(struct relay *r, struct waiters **list);

/* Forgets them: the relay is going away. */
void holds_drop(struct relay *r, struct waiters **list);

/* The sender of a frame that this terminal got, or its mailbox: held for a moment while
 * the terminal is behind but takes, longer when its mail is nearly full; and while the
 * store cannot follow. */
void holds_after_frame(struct relay *r, struct terminal *t, unsigned shard,
                       uint64_t session);
void holds_after_mail(struct relay *r, struct terminal *t, unsigned shard,
                      uint64_t session);

/* Of a terminal with waiters: releases them if it has caught up, turned out to be slow,
 * or does not move. The timer (relay's `review`) does so for all. */
void holds_review(struct relay *r, struct terminal *t);
void holds_on_review(struct timer *t, int64_t now_ms);
