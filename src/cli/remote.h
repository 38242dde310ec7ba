/* remote.h - what the commands that ask a running gateway have in common: where it is,
 * how they write, how they end.
 *
 *   struct remote c = remote_new(argv[0], help);
 *   while ((option = getopt_long(...)) != -1)
 *       ... its own options; else:
 *       if ((status = remote_option(&c, option)) != REMOTE_GOES_ON)
 *           return status;
 *   return remote_open(&c) ? remote_close(&c, run(&c)) : EXIT_FAILURE; */
#pragma once

#include "cli/api.h"
#include "cli/commands.h"
#include "cli/table.h"

#include <getopt.h>

struct remote {
    const char *name, *help;                               /* "holdfast ls" */
    const char *url, *config_file, *token_file, *protocol; /* NULL: not given */
    int64_t timeout_ms;                                    /* 0: not given */
    enum output output;
    struct api *api;
};

struct remote remote_new(const char *name, const char *help);

enum { REMOTE_GOES_ON = -1 };
enum {
    REMOTE_URL = 256,
    REMOTE_TOKEN_FILE,
    REMOTE_PROTOCOL,
    REMOTE_TIMEOUT,
    REMOTE_OWN
};

/* The end of a command's table of options, and of its help. */
#define REMOTE_SHORT "c:h"
#define REMOTE_OPTIONS                                                                 \
    {"protocol", required_argument, NULL, REMOTE_PROTOCOL},                            \
        {"url", required_argument, NULL, REMOTE_URL},                                  \
        {"config", required_argument, NULL, 'c'},                                      \
        {"token-file", required_argument, NULL, REMOTE_TOKEN_FILE},                    \
        {"timeout", required_argument, NULL, REMOTE_TIMEOUT},                          \
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'},            \
    {                                                                                  \
        0                                                                              \
    }
#define REMOTE_HELP                                                                    \
    "      --json             for programs: what the gateway's HTTP API says\n"        \
    "  -h, --help             print this\n"                                            \
    "\n"                                                                               \
    "Where the gateway is:\n"                                                          \
    "      --url URL          its HTTP address\n"                                      \
    "  -c, --config FILE      ... as http.address in its settings says\n"              \
    "                         else $HOLDFAST_URL, else http://127.0.0.1:8002\n"        \
    "      --token-file FILE  holds the token, where one is asked for; else what\n"    \
    "                         http.token_file says, else $HOLDFAST_TOKEN_FILE\n"       \
    "      --timeout SECONDS  how long it may be silent (10; a stream of events: "     \
    "45)\n"                                                                            \
    "\n"                                                                               \
    "Exit status: 0 done; 1 the gateway refused or does not answer, or the output\n"   \
    "could not be written; 2 the command line is wrong.\n"

/* REMOTE_GOES_ON, or the exit status. */
int remote_option(struct remote *c, int option);

/* Says why. Returns EXIT_USAGE. */
PRINTF(2, 3) int remote_misused(const struct remote *c, const char *why, ...);

/* Ids as `holdfast mail` writes them: of "ttms/00000001" the second part is returned,
 * and the first one becomes c->protocol. */
const char *remote_split_id(struct remote *c, const char *id);

/* A whole number up to 2^53, as JSON can carry it; else -1. */
int64_t remote_number(const char *text);

/* "500ms", "5s", "10m" or "10min", "2h", "1d": milliseconds; else -1. */
int64_t remote_span(const char *text);

/* /api/v1/devices/ID, `part` of it unless NULL, with the protocol if one was given. */
struct api_path remote_device_path(const struct remote *c, const char *id,
                                   const char *part);

/* False: the user was told why not. */
bool remote_open(struct remote *c);

/* Says why the latest call failed. Returns EXIT_FAILURE. */
int remote_failed(const struct remote *c, int rc);

/* Writes what is left, and closes. Returns the exit status: that nobody reads our
 * output any more is no failure, a full disk is one. */
int remote_close(struct remote *c, int status);

/* The whole of a command that has no options of its own and is about one device. `run`
 * gets its id and returns the exit status, as this does. */
int remote_about_one(int argc, char **argv, const char *help,
                     int (*run)(struct remote *c, const char *id));

/* False: who read our output has left. */
bool remote_has_reader(void);
