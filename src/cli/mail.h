/* mail.h - `holdfast mail`: looking into a data directory's mailbox.
 *
 * list, show and check only read, also while the gateway runs; purge changes the store
 * and refuses while it does. */
#pragma once

/* argv[0] is "mail". Returns the exit status: 0, 1 (it failed, or damage was found), or
 * 2 (the command was not understood). */
int cli_mail(int argc, char **argv);
