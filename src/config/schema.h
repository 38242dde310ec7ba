/* schema.h - what may stand in the configuration.
 *
 * A key's default and limits are written as a person would write them in the file, and
 * go through the same parser: what the manual shows is what the program believes. */
#pragma once

#include "base/id.h"
#include "config/config.h"

enum schema_type {
    SCHEMA_GROUP,    /* a mapping of further keys; no value of its own */
    SCHEMA_NAMED,    /* a mapping whose keys are names of the user's choice */
    SCHEMA_TEXT,     /* char *; NULL when empty */
    SCHEMA_BOOL,     /* bool */
    SCHEMA_COUNT,    /* uint32_t or uint64_t */
    SCHEMA_SIZE,     /* uint32_t or uint64_t, bytes */
    SCHEMA_DURATION, /* int64_t, milliseconds */
    SCHEMA_WORD,     /* an enum of one or four bytes */
    SCHEMA_WORDS,    /* uint32_t, a bit for each word */
    SCHEMA_TEXTS,    /* char *, with commas between them; NULL when there is none */
    SCHEMA_ADDRESS,  /* address_text of a listener_config, wherever that is */
    SCHEMA_NAME,     /* char[] */
    SCHEMA_MESSAGE,  /* uint16_t, in hexadecimal digits */
    SCHEMA_MESSAGES, /* uint16_t[]: the first ones that are not 0 */
    SCHEMA_BYTES, /* a byte that tells how many, and so many; in hexadecimal digits */
};

struct schema_word {
    const char *word; /* NULL ends the list */
    unsigned value;
    const char *help; /* NULL: the word says it */
};

struct schema_key {
    const char *path; /* "log.level"; "listen.*.address" is for every listener */
    enum schema_type type;
    size_t offset; /* in the struct that schema_owner() tells */
    size_t size;
    const char *fallback; /* the default; NULL: must be given; "": not set */
    const char *fallback_of[PROTOCOL_LIMIT]; /* a protocol's own default, or NULL */
    unsigned only; /* listeners: a bit for each protocol that has it; 0: all have */
    const char *min;
    const char *max;
    const struct schema_word *words;
    const char *help;
    bool live;     /* a reload changes it without replacing the worker */
    bool may_lack; /* "" is a value, too */
};

#define SCHEMA_LISTEN   "listen"
#define SCHEMA_LISTENER "listen.*"
#define SCHEMA_PROFILES "profiles"
#define SCHEMA_PROFILE  "profiles.*"
#define SCHEMA_STATE    "profiles.*.states.*"
#define SCHEMA_COMMAND  "profiles.*.commands.*"

/* Which struct a key's field is in. */
enum schema_owner {
    SCHEMA_OF_CONFIG,
    SCHEMA_OF_LISTENER, /* struct listener_config */
    SCHEMA_OF_PROFILE,  /* struct profile */
    SCHEMA_OF_STATE,
    SCHEMA_OF_COMMAND,
};
enum schema_owner schema_owner(const struct schema_key *key);

extern const struct schema_key schema_keys[];
extern const size_t schema_key_count;

/* The key called `name` directly below `parent` ("" is the top), or NULL. */
const struct schema_key *schema_find(const char *parent, const char *name);

bool schema_is_child(const struct schema_key *key, const char *parent);

/* Does a listener of this protocol have it? 0: the protocol is not known. */
bool schema_has(const struct schema_key *key, uint8_t protocol);

/* The default; `protocol` is the listener's, 0 for what is not in one. */
const char *schema_fallback(const struct schema_key *key, uint8_t protocol);

static inline bool schema_is_list(const struct schema_key *key)
{
    return key->type == SCHEMA_WORDS || key->type == SCHEMA_TEXTS ||
           key->type == SCHEMA_MESSAGES;
}

/* The last part of its path; and as people see it: NAME where it is theirs to choose.
 */
const char *schema_name(const struct schema_key *key);
const char *schema_shown(const struct schema_key *key);
