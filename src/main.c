/* From the command line to the gateway, or to a command for people. */
#include "base/log.h"
#include "cli/commands.h"
#include "config/config.h"
#include "config/suggest.h"
#include "gateway.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
    const char *name, *text;
    int (*run)(int argc, char **argv);
} commands[] = {
#define X(name, text) {"holdfast " #name, text, cli_##name},
    CLI_COMMANDS(X)
#undef X
};

static const char help[] =
    "usage: holdfast [OPTIONS]             run the gateway, in the foreground\n"
    "       holdfast -t [OPTIONS]          check the settings and show what they do\n"
    "       holdfast COMMAND ...           ask a running one; see below\n"
    "\n"
    "Keeps a fleet of TCP devices connected, relays their messages and loses none,\n"
    "commands them over HTTP and knows who is there. Without a configuration it "
    "serves,\n"
    "on 127.0.0.1, relay terminals (7222), heartbeat clients (14000), vending "
    "machines\n"
    "(8001), vehicle terminals of JT/T 808 (6808), requests (9000) and HTTP (8002), "
    "with\n"
    "its data in ./holdfast-data.\n"
    "\n"
    "  -c, --config FILE      settings, in YAML; etc/holdfast.yaml shows them all\n"
    "  -t, --test             check the settings and exit\n"
    "      --data DIR         keep the data there, whatever the settings say\n"
    "      --log-level LEVEL  error, warn, info (default) or debug\n"
    "  -T, --topics LIST      let every line of these topics pass, such as net,codec\n"
    "      --help-config      list all settings with default, range and meaning\n"
    "      --version          print the version\n"
    "  -h, --help             print this\n"
    "\n"
    "Signals: TERM or INT drains and ends, a second one ends at once; HUP reads the\n"
    "configuration again.\n"
    "Exit status: 0 ended in order; 1 a failure while running; 2 the command line or\n"
    "the configuration is wrong.\n"
    "\n"
    "Commands; each has its own --help:\n";

enum { OPTION_DATA = 256, OPTION_LEVEL, OPTION_HELP_CONFIG, OPTION_VERSION };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"data", required_argument, NULL, OPTION_DATA},
    {"log-level", required_argument, NULL, OPTION_LEVEL},
    {"topics", required_argument, NULL, 'T'},
    {"help-config", optional_argument, NULL, OPTION_HELP_CONFIG},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int usage_error(void)
{
    fputs("`holdfast --help` tells how to use it.\n", stderr);
    return EXIT_USAGE;
}

/* Output that could not be written (a full disk, a closed pipe) is a failure too. */
static int finish_output(void)
{
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_help(void)
{
    fputs(help, stdout);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        printf("  %-16s %s\n", commands[i].name, commands[i].text);
    return finish_output();
}

static int print_version(void)
{
    puts("holdfast " HOLDFAST_VERSION);
    return finish_output();
}

/* `man` is how docs/update-reference gets the manual page's part. */
static int print_settings(const char *form)
{
    if (form && strcmp(form, "man") == 0)
        config_print_manual(stdout);
    else
        config_print_reference(stdout);
    return finish_output();
}

static bool check_log_options(const struct gateway_options *o)
{
    enum log_level level;
    uint32_t topics;

    if (o->log_level && log_parse_level(o->log_level, &level) < 0) {
        fprintf(stderr, "holdfast: there is no log level `%s`\n", o->log_level);
        return false;
    }
    if (o->log_topics && log_parse_topics(o->log_topics, &topics) < 0) {
        fprintf(stderr, "holdfast: there is a topic in `%s` that does not exist\n",
                o->log_topics);
        return false;
    }
    return true;
}

/* What follows "holdfast " in the table. */
static const char *short_name(const struct command *c)
{
    return strchr(c->name, ' ') + 1;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(short_name(&commands[i]), name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    struct suggestion near = suggest_for(name);

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        suggest_consider(&near, short_name(&commands[i]));
    if (find_command(name))
        fprintf(stderr, "holdfast: `%s` comes first: holdfast %s ...\n", name, name);
    else if (near.best)
        fprintf(stderr, "holdfast: there is no command `%s`; did you mean `%s`?\n",
                name, near.best);
    else
        fprintf(stderr, "holdfast: there is no command `%s`\n", name);
    return usage_error();
}

static int run_gateway(int argc, char **argv)
{
    struct gateway_options options = {0};
    bool only_check = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:tT:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.file = optarg;
            break;
        case 't':
            only_check = true;
            break;
        case OPTION_DATA:
            options.data_dir = optarg;
            break;
        case OPTION_LEVEL:
            options.log_level = optarg;
            break;
        case 'T':
            options.log_topics = optarg;
            break;
        case OPTION_HELP_CONFIG:
            return print_settings(optarg);
        case OPTION_VERSION:
            return print_version();
        case 'h':
            return print_help();
        default:
            return usage_error();
        }
    }
    if (optind < argc)
        return unknown_command(argv[optind]);
    if (!check_log_options(&options))
        return usage_error();
    return only_check ? gateway_check(&options) : gateway_run(&options);
}

/* Started with a standard stream closed, the next file to be opened would take its
 * number, and the log would be written into it. */
static void hold_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    const struct command *command = argc > 1 ? find_command(argv[1]) : NULL;

    hold_standard_streams();
    if (!command)
        return run_gateway(argc, argv);
    argv[1] = (char *)command->name; /* getopt complains under that name */
    return command->run(argc - 1, argv + 1);
}
