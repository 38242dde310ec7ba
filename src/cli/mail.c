#include "cli/mail_inside.h"

#include "base/clock.h"
#include "cli/commands.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const char help[] =
    "usage: holdfast mail list            who has mail waiting, how much, how old\n"
    "       holdfast mail show ID         each message that waits for ID\n"
    "       holdfast mail check           reads every record and reports damage\n"
    "       holdfast mail purge ID        removes what waits for ID (stop the "
    "gateway)\n"
    "       holdfast mail purge --all     removes all of it\n"
    "       holdfast mail purge --damaged removes records that cannot be read\n"
    "\n"
    "  ID           as listed: ttms/00000002, or without its protocol\n"
    "  -c FILE      the configuration that names the data directory\n"
    "  --data DIR   the data directory itself\n"
    "  --json       for programs\n"
    "  --yes        purge without asking\n";

static int complain(const char *format, const char *what)
{
    fputs("holdfast: ", stderr);
    fprintf(stderr, format, what);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

/* In the data directory; the caller frees it. NULL when memory is out. */
static char *path_in(const struct command *c, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", c->dir, name) < 0 ? NULL : path;
}

static bool has_store(const struct command *c)
{
    char *path = path_in(c, "mailbox/data.mdb");
    bool has = path && access(path, F_OK) == 0;

    free(path);
    return has;
}

/* A running gateway holds this lock. If none does and `keep`, we hold it to our end.
 * OK; ERR_NOMEM, ERR_IO: that cannot be told. */
static int find_gateway(const struct command *c, bool keep, bool *runs)
{
    char *path = path_in(c, "lock");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    int rc = !path ? ERR_NOMEM : fd < 0 && errno != ENOENT ? ERR_IO : OK;

    *runs = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
    if (fd >= 0 && !keep)
        close(fd);
    free(path);
    return rc;
}

static const struct verb {
    const char *name;
    int (*run)(struct command *c);
    bool wants_id, writes;
} verbs[] = {
    {.name = "list", .run = mail_list},
    {.name = "show", .run = mail_show, .wants_id = true},
    {.name = "check", .run = mail_check},
    {.name = "purge", .run = mail_purge, .wants_id = true, .writes = true},
};

static int run(struct command *c, const struct verb *verb, uint64_t total_bytes)
{
    bool runs;
    int rc = find_gateway(c, verb->writes, &runs);
    struct store_conf conf = {
        .kind = &mailbox_store,
        .dir = c->dir,
        .read_only = !verb->writes,
        .check = !runs, /* a running one did that when it started */
        .total_bytes = total_bytes,
    };

    if (rc == OK && !has_store(c))
        return complain("there is no mailbox in %s", c->dir);
    if (rc < 0 && verb->writes)
        return complain("cannot tell whether a gateway runs: %s", err_text(rc));
    if (runs && verb->writes)
        return complain("a gateway uses %s: stop it, purge, and start it again",
                        c->dir);
    if ((rc = store_lmdb.open(&conf, &c->store)) == OK)
        rc = verb->run(c);
    store_lmdb.close(&c->store);
    if (rc == ERR_DAMAGED && c->output != OUTPUT_JSON)
        fputs("holdfast: a gateway that starts keeps what is sound\n", stderr);
    if (rc < 0 && rc != ERR_INVALID)
        return complain("the mailbox: %s", err_text(rc));
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage_error(const char *why)
{
    fprintf(stderr, "holdfast: %s\n%s", why, help);
    return EXIT_USAGE;
}

static int run_in_dir(struct command *c, const struct verb *verb, const char *file)
{
    struct config *config = NULL;
    int status, rc = config_load(file, stderr, &config);

    if (rc == ERR_NOMEM)
        return complain("%s", err_text(rc));
    if (rc < 0)
        return EXIT_FAILURE;
    if (!c->dir)
        c->dir = config->data_dir;
    status = run(c, verb, config->mailbox_total_bytes);
    config_free(&config);
    return status;
}

int cli_mail(int argc, char **argv)
{
    static const struct option options[] = {
        {"data", required_argument, NULL, 'D'},
        {"json", no_argument, NULL, 'j'},
        {"all", no_argument, NULL, 'a'},
        {"damaged", no_argument, NULL, 'd'},
        {"yes", no_argument, NULL, 'y'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct command c = {.now_ms = clock_wall_ms(), .output = table_output()};
    const struct verb *verb = NULL;
    const char *file = NULL;
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'D':
            c.dir = optarg;
            break;
        case 'c':
            file = optarg;
            break;
        case 'j':
            c.output = OUTPUT_JSON;
            break;
        case 'a':
            c.all = true;
            break;
        case 'd':
            c.damaged = true;
            break;
        case 'y':
            c.yes = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        default:
            return usage_error("what was that?");
        }
    }
    for (size_t i = 0; optind < argc && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[optind], verbs[i].name) == 0)
            verb = &verbs[i];
    if (!verb)
        return usage_error("mail: list, show, check or purge?");
    if (optind + 1 < argc)
        c.id = argv[optind + 1];
    if (optind + 2 < argc || (c.id && !verb->wants_id))
        return usage_error("too many arguments");
    if ((c.all || c.damaged) && (!verb->writes || c.id))
        return usage_error("--all and --damaged stand alone, for purge");
    if (verb->wants_id && !c.id && !c.all && !c.damaged)
        return usage_error("whose? `holdfast mail list` shows the ids");
    return run_in_dir(&c, verb, file);
}
