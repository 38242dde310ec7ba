/* notify.h - tells systemd how we are, if it asked: NOTIFY_SOCKET, see sd_notify(3). */
#pragma once

/* "READY=1", "STOPPING=1"... Without the socket, or on failure, nothing happens. */
void notify_send(const char *state);

/* "RELOADING=1" with the time that systemd wants beside it. */
void notify_reloading(void);
