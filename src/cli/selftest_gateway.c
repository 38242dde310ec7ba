/* A gateway of our own: this same program, on a port that was free, to be killed. */
#include "cli/selftest_inside.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 15000

static const char config[] =
    "data_dir: %s/data\n"
    "supervisor: {max_restart_delay: 0s}\n"
    "http: {address: \"\"}\n"
    "mailbox: {max_messages: 100000000, max_bytes: 64GiB, total_bytes: 64GiB}\n"
    "listen:\n"
    "  terminals: {protocol: ttms, address: \"127.0.0.1:%u\", receipts: true,\n"
    "              durability: %s}\n";

/* One that nobody had a moment ago. 0: there is none. */
static uint16_t find_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &size) < 0)
        a.sin_port = 0;
    if (fd >= 0)
        close(fd);
    return ntohs(a.sin_port);
}

static FILE *open_in(const struct gateway_under_test *g, const char *name,
                     const char *mode)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", g->name, name);
    return fopen(path, mode);
}

int gateway_prepare(struct gateway_under_test *g, const char *name, bool durable)
{
    uint16_t port = find_port();
    FILE *file;

    *g = (struct gateway_under_test){
        .name = name,
        .address = {.sin_family = AF_INET,
                    .sin_port = htons(port),
                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
    };
    if (!port || mkdir(name, 0700) < 0 || !(file = open_in(g, "holdfast.yaml", "we")))
        return ERR_IO;
    fprintf(file, config, name, port, durable ? "all" : "offline");
    return fclose(file) == 0 ? OK : ERR_IO;
}

static _Noreturn void become_gateway(const struct gateway_under_test *g)
{
    char config_path[64], log_path[64];
    int log;

    snprintf(config_path, sizeof(config_path), "%s/holdfast.yaml", g->name);
    snprintf(log_path, sizeof(log_path), "%s/log", g->name);
    log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    (void)setpgid(0, 0); /* what ends us shall not end it, and we kill all of it */
    execl("/proc/self/exe", "holdfast", "-c", config_path, (char *)NULL);
    _exit(127);
}

static bool listens(const struct gateway_under_test *g)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)&g->address,
                                  sizeof(g->address)) == 0;

    if (fd >= 0)
        close(fd);
    return yes;
}

static void show_log(const struct gateway_under_test *g)
{
    FILE *file = open_in(g, "log", "re");
    char line[512];

    fprintf(stderr, "holdfast: the gateway under test does not start; its log says:\n");
    while (file && fgets(line, sizeof(line), file))
        fprintf(stderr, "  %s", line);
    if (file)
        fclose(file);
}

int gateway_begin(struct gateway_under_test *g)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    if ((g->pid = fork()) == 0)
        become_gateway(g);
    if (g->pid < 0) {
        g->pid = 0;
        return ERR_IO;
    }
    (void)setpgid(g->pid, g->pid);
    while (clock_mono_ms() < until_ms) {
        if (listens(g))
            return OK;
        if (waitpid(g->pid, NULL, WNOHANG) == g->pid)
            break;
        usleep(2000);
    }
    show_log(g);
    gateway_kill(g);
    return ERR_IO;
}

/* The worker becomes our child when the supervisor is gone (selftest.c asks for that).
 */
static void finish(struct gateway_under_test *g, int signal)
{
    if (g->pid == 0)
        return;
    (void)kill(signal == SIGKILL ? -g->pid : g->pid, signal);
    while (waitpid(-g->pid, NULL, 0) > 0 || errno == EINTR)
        ;
    g->pid = 0;
}

void gateway_kill(struct gateway_under_test *g)
{
    finish(g, SIGKILL);
}

void gateway_end(struct gateway_under_test *g)
{
    finish(g, SIGTERM);
}
