#include "cli/remote.h"

#include "config/config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_URL "http://127.0.0.1:8002"
#define NUMBER_MAX  (INT64_C(1) << 53)

struct remote remote_new(const char *name, const char *help)
{
    signal(SIGPIPE, SIG_IGN); /* we end in order when our reader has left */
    return (struct remote){
        .name = name,
        .help = help,
        .output = table_output(),
    };
}

int remote_misused(const struct remote *c, const char *why, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", c->name);
    va_start(arguments, why);
    vfprintf(stderr, why, arguments);
    va_end(arguments);
    fprintf(stderr, "\n`%s --help` tells how to use it.\n", c->name);
    return EXIT_USAGE;
}

int64_t remote_number(const char *text)
{
    char *end;
    long long number;

    errno = 0;
    number = strtoll(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || number > NUMBER_MAX)
        return -1;
    return number;
}

int64_t remote_span(const char *text)
{
    static const struct {
        const char *suffix;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},    {"m", 60000},
                 {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    size_t digits = strspn(text, "0123456789");
    char number[12];

    if (digits == 0 || digits >= sizeof(number))
        return -1;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (strcmp(text + digits, units[i].suffix) == 0)
            return remote_number(number) * units[i].ms;
    return -1;
}

int remote_option(struct remote *c, int option)
{
    switch (option) {
    case REMOTE_URL:
        c->url = optarg;
        break;
    case 'c':
        c->config_file = optarg;
        break;
    case REMOTE_TOKEN_FILE:
        c->token_file = optarg;
        break;
    case REMOTE_PROTOCOL:
        c->protocol = optarg;
        break;
    case REMOTE_TIMEOUT:
        c->timeout_ms = remote_number(optarg) * 1000;
        if (c->timeout_ms < 1000 || c->timeout_ms > 86400 * 1000)
            return remote_misused(c, "--timeout wants seconds, 1 to 86400");
        break;
    case 'j':
        c->output = OUTPUT_JSON;
        break;
    case 'h':
        fputs(c->help, stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    default: /* getopt has said what is wrong */
        fprintf(stderr, "`%s --help` tells how to use it.\n", c->name);
        return EXIT_USAGE;
    }
    return REMOTE_GOES_ON;
}

const char *remote_split_id(struct remote *c, const char *id)
{
    static const char *const words[] = {
#define X(name, number, word) word,
        PROTOCOLS(X)
#undef X
    };

    for (size_t i = 0; !c->protocol && i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);

        if (strncmp(id, words[i], n) == 0 && id[n] == '/') {
            c->protocol = words[i];
            return id + n + 1;
        }
    }
    return id;
}

struct api_path remote_device_path(const struct remote *c, const char *id,
                                   const char *part)
{
    struct api_path path = api_path("/api/v1/devices");

    api_path_segment(&path, id);
    if (part)
        api_path_segment(&path, part);
    api_path_query(&path, "protocol", c->protocol);
    return path;
}

/* --- Beginning and end -------------------------------------------------------- */

/* What was said with more emphasis wins: an option, then the settings that one names,
 * then the environment. */
static const char *choose(const char *option, const char *settings,
                          const char *variable)
{
    const char *value = getenv(variable);

    if (option || settings)
        return option ? option : settings;
    return value && *value ? value : NULL;
}

/* Where a gateway with these settings is asked: where it is bound, and if that is every
 * address, at this machine's own. NULL: nowhere. */
static const char *url_of(const struct config *config)
{
    const char *text = config->http.address_text;
    const char *port = text ? strrchr(text, ':') : NULL;

    if (!port)
        return NULL;
    if (strncmp(text, "0.0.0.0:", 8) == 0)
        return table_say("http://127.0.0.1%s", port);
    if (strncmp(text, "[::]:", 5) == 0)
        return table_say("http://[::1]%s", port);
    return table_say("http://%s", text);
}

/* OK: *out is what -c names, or NULL if it was not given. */
static int load_settings(const struct remote *c, struct config **out)
{
    int rc = OK;

    *out = NULL;
    if (!c->config_file)
        return OK;
    if ((rc = config_load(c->config_file, stderr, out)) < 0)
        return rc;
    if (!c->url && !url_of(*out)) {
        fprintf(stderr, "holdfast: %s switches HTTP off: http.address is empty\n",
                c->config_file);
        config_free(out);
        return ERR_INVALID;
    }
    return OK;
}

bool remote_open(struct remote *c)
{
    struct api_where where = {.timeout_ms = c->timeout_ms};
    struct config *config;
    int rc;

    if (load_settings(c, &config) < 0)
        return false;
    where.url = choose(c->url, config ? url_of(config) : NULL, "HOLDFAST_URL");
    where.token_file = choose(c->token_file, config ? config->http_token_file : NULL,
                              "HOLDFAST_TOKEN_FILE");
    if (!where.url)
        where.url = DEFAULT_URL;
    rc = api_open(&where, &c->api);
    config_free(&config);
    if (rc < 0)
        remote_close(c, remote_failed(c, rc));
    return rc == OK;
}

int remote_failed(const struct remote *c, int rc)
{
    fflush(stdout);
    fprintf(stderr, "holdfast: %s\n",
            c->api ? api_problem(c->api)->text : err_text(rc));
    return EXIT_FAILURE;
}

bool remote_has_reader(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return TEMP_FAILURE_RETRY(poll(&out, 1, 0)) <= 0 || !(out.revents & POLLERR);
}

int remote_close(struct remote *c, int status)
{
    api_close(&c->api);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (!remote_has_reader())
        return EXIT_SUCCESS;
    fprintf(stderr, "holdfast: the output could not be written: %s\n", strerror(errno));
    return EXIT_FAILURE;
}

/* The one argument, split. NULL: there is none or are more, the user was told. */
static const char *device_argument(struct remote *c, int argc, char **argv)
{
    if (optind == argc || !*argv[optind])
        remote_misused(c, "which device? `holdfast ls` shows the ids");
    else if (optind + 1 < argc)
        remote_misused(c, "one device at a time");
    else
        return remote_split_id(c, argv[optind]);
    return NULL;
}

int remote_about_one(int argc, char **argv, const char *help,
                     int (*run)(struct remote *c, const char *id))
{
    static const struct option options[] = {REMOTE_OPTIONS};
    struct remote c = remote_new(argv[0], help);
    int option, status;
    const char *id;

    while ((option = getopt_long(argc, argv, REMOTE_SHORT, options, NULL)) != -1)
        if ((status = remote_option(&c, option)) != REMOTE_GOES_ON)
            return status;
    if (!(id = device_argument(&c, argc, argv)))
        return EXIT_USAGE;
    if (!remote_open(&c))
        return EXIT_FAILURE;
    return remote_close(&c, run(&c, id));
}
