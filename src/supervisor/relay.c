#include "supervisor/relay.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PIPE_BYTES     (1 << 20)
#define CLOSE_TRIES    20
#define CLOSE_PAUSE_MS 50

int relay_open(struct relay *r)
{
    int ends[2];

    memset(r, 0, sizeof(*r));
    r->in = r->out = -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return ERR_IO;
    r->in = ends[0];
    r->out = ends[1];
    /* A burst of lines should fit; without the right to enlarge it, 64 KiB must do. */
    (void)fcntl(r->in, F_SETPIPE_SZ, PIPE_BYTES);
    log_redirect(r->out);
    return OK;
}

struct pollfd relay_wants(const struct relay *r)
{
    if (r->blocked)
        return (struct pollfd){.fd = STDERR_FILENO, .events = POLLOUT};
    return (struct pollfd){.fd = r->in, .events = POLLIN};
}

static bool can_write(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) > 0;
}

/* How much of the buffer may go: whole lines, or all of a line that fills it. */
static size_t count_ripe(const struct relay *r)
{
    const char *last = memrchr(r->bytes, '\n', r->used);

    if (last)
        return (size_t)(last - r->bytes) + 1;
    return r->used == sizeof(r->bytes) ? r->used : 0;
}

static void pass_on(struct relay *r, size_t ripe)
{
    ssize_t n = TEMP_FAILURE_RETRY(write(STDERR_FILENO, r->bytes, ripe));

    /* An error means that nobody will ever read it: as good as passed on. */
    if (n > 0 && (size_t)n < ripe)
        ripe = (size_t)n;
    memmove(r->bytes, r->bytes + ripe, r->used - ripe);
    r->used -= ripe;
}

static void fill(struct relay *r)
{
    ssize_t n = read(r->in, r->bytes + r->used, sizeof(r->bytes) - r->used);

    if (n > 0)
        r->used += (size_t)n;
}

void relay_turn(struct relay *r, short events)
{
    size_t ripe;

    if (!events)
        return;
    if (!r->blocked)
        fill(r);
    r->blocked = false;
    while ((ripe = count_ripe(r)) > 0) {
        if (!can_write()) {
            r->blocked = true;
            return;
        }
        pass_on(r, ripe);
    }
}

void relay_close(struct relay *r)
{
    struct pollfd p;

    if (r->in < 0)
        return;
    log_redirect(STDERR_FILENO);
    close(r->out);
    for (int i = 0; i < CLOSE_TRIES; i++) {
        p = relay_wants(r);
        if (poll(&p, 1, CLOSE_PAUSE_MS) <= 0)
            continue;
        if (!r->blocked && !(p.revents & POLLIN))
            break; /* empty, and nobody writes any more */
        relay_turn(r, p.revents);
        i = r->blocked ? i : 0;
    }
    if (r->used > 0 && can_write())
        pass_on(r, r->used);
    close(r->in);
    r->in = r->out = -1;
}
