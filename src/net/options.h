/* options.h - what is set on a listening socket: those that it accepts inherit it, so
 * that a connection costs no system call for it. */
#pragma once

/* No delay; a silent peer is probed after a minute, and after half a minute more
 * without an answer it is dead. `name` is the listener's, for the log. */
void options_set(int fd, const char *name);

/* How much the kernel may take of what a slow peer is owed: the rest stays with us, so
 * that epoll tells when the peer's TCP acknowledges something. Left alone the kernel
 * takes megabytes. */
void options_limit_send(int fd, const char *name, int bytes);
