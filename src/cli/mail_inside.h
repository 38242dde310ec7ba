/* mail_inside.h - `holdfast mail`, for the files that make it up: mail.c reads the
 * command line, mail_list.c and mail_show.c only look, mail_purge.c removes. */
#pragma once

#include "cli/table.h"
#include "mailbox/record.h"
#include "store/store.h"

struct command {
    const char *dir;
    const char *id; /* the argument: "ttms/00000002" or "00000002"; NULL: none */
    enum output output;
    bool all, damaged, yes;
    struct store *store;
    int64_t now_ms;
};

/* The verbs. OK, an error, or ERR_INVALID when the user decided against it. */
MUST_CHECK int mail_list(struct command *c);
MUST_CHECK int mail_show(struct command *c);
MUST_CHECK int mail_check(struct command *c);
MUST_CHECK int mail_purge(struct command *c);

/* The records that the command is about, in order of position. */
struct place {
    uint64_t position;
    uint64_t seq;
};

struct places {
    struct command *command;
    struct place *all; /* the caller frees it */
    size_t count, room;
};

MUST_CHECK int mail_find(struct command *c, struct places *out);
