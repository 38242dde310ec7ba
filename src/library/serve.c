/* libholdfast: the core of a service process, for a program of the user's. It owns
 * nothing of that program but what it is lent while hf_serve() runs. */
#include "service/serve.h"
#include "base/address.h"
#include "base/log.h"
#include "library/options.h"
#include "supervisor/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

const char *hf_version(void)
{
    return HOLDFAST_VERSION;
}

/* ---- stopping ---- */

/* The descriptor is made once and kept: somebody may be about to write to it. */
static struct {
    _Atomic int fd;
    _Atomic pid_t process; /* whose it is: a child's own comes with its hf_serve() */
    _Atomic bool is_asked;
    _Atomic bool listens;
} stop = {.fd = -1};

void hf_stop(void)
{
    int before = errno;
    uint64_t one = 1;

    stop.is_asked = true;
    if (stop.listens && stop.process == getpid())
        (void)!TEMP_FAILURE_RETRY(write(stop.fd, &one, sizeof(one)));
    errno = before;
}

static int prepare_stop(void)
{
    uint64_t asked;
    bool is_ours = stop.fd >= 0 && stop.process == getpid();

    if (!is_ours && stop.fd >= 0)
        close(stop.fd);
    if (!is_ours)
        stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop.fd < 0)
        return -1;
    stop.process = getpid();
    /* What was meant for an earlier run. */
    (void)!TEMP_FAILURE_RETRY(read(stop.fd, &asked, sizeof(asked)));
    return 0;
}

static void begin_listening(void)
{
    stop.listens = true;
    if (stop.is_asked)
        hf_stop(); /* again: nobody heard it */
}

static void end_listening(void)
{
    stop.listens = false;
    stop.is_asked = false;
}

static void on_signal(int number)
{
    (void)number;
    hf_stop();
}

struct handlers {
    struct sigaction term, interrupt, pipe;
};

static void take_signals(struct handlers *former)
{
    struct sigaction stops = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction none = {.sa_handler = SIG_IGN}; /* nobody reads our log any more */

    sigaction(SIGTERM, &stops, &former->term);
    sigaction(SIGINT, &stops, &former->interrupt);
    sigaction(SIGPIPE, &none, &former->pipe);
}

static void give_back_signals(const struct handlers *former)
{
    sigaction(SIGTERM, &former->term, NULL);
    sigaction(SIGINT, &former->interrupt, NULL);
    sigaction(SIGPIPE, &former->pipe, NULL);
}

/* ---- listening ---- */

int hf_listen(const char *address)
{
    struct sockaddr_storage at;
    socklen_t size;
    char why[256];
    int fd, error;

    if (address_parse(address, &at, &size, why, sizeof(why)) < 0) {
        log_error(MAIN, "listener failed: %s", why);
        errno = EINVAL;
        return -1;
    }
    if ((fd = sockets_listen(&at, size)) < 0) {
        error = errno;
        log_error(MAIN, "listener failed address=%s: %s", address, strerror(error));
        errno = error;
    }
    return fd;
}

static bool does_listen(int fd)
{
    int yes = 0;
    socklen_t size = sizeof(yes);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes;
}

/* The one that was given, or a new one. */
static int find_socket(const struct hf_options *o)
{
    int flags;

    if (o->listen_fd == HF_BY_ADDRESS)
        return hf_listen(o->address);
    if (!does_listen(o->listen_fd)) {
        log_error(MAIN, "service refused reason=options: nothing listens at listen_fd");
        errno = EINVAL;
        return -1;
    }
    flags = fcntl(o->listen_fd, F_GETFL);
    return fcntl(o->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -1 : o->listen_fd;
}

/* ---- serving ---- */

static int check_service(const struct hf_service *service)
{
    const char *wrong = service ? answers_check(service) : "there is none";

    if (!wrong)
        return OK;
    log_error(MAIN, "service refused: %s", wrong);
    return ERR_INVALID;
}

static void on_ready(void *user)
{
    const struct serve_conf *conf = user;
    char text[SOCKETS_TEXT_MAX];

    log_info(MAIN, "service %s ready address=%s", conf->name,
             sockets_text(conf->listen_fd, text, sizeof(text)));
}

static int run(const struct hf_service *service, const struct hf_options *o,
               const struct framing *framing, int listen_fd)
{
    struct serve_conf conf = {
        .name = service->name,
        .listen_fd = listen_fd,
        .stop_fd = stop.fd,
        .framing = framing,
        .service = service,
        .argument = o->argument,
        .max_connections = o->max_connections,
        .max_per_address = o->max_per_address,
        .output_limit = o->output_limit,
        .read_timeout_ms = o->read_timeout_ms,
        .drain_timeout_ms = o->drain_timeout_ms,
        .ready = on_ready,
        .user = &conf,
    };
    struct handlers former;
    int rc;

    if (!o->leave_signals)
        take_signals(&former);
    begin_listening();
    rc = serve_run(&conf);
    end_listening();
    if (!o->leave_signals)
        give_back_signals(&former);
    return rc;
}

/* Says it as the C library does. */
static int answer(int rc)
{
    if (rc == OK)
        return 0;
    errno = rc == ERR_INVALID ? ECANCELED : rc == ERR_NOMEM ? ENOMEM : EIO;
    return -1;
}

static int serve(const struct hf_service *service, const struct hf_options *given)
{
    struct hf_options o;
    struct framing framing;
    int listen_fd, rc;

    if (options_read(given, &o) < 0 || check_service(service) < 0 ||
        options_make_framing(&o, &framing) < 0) {
        errno = EINVAL;
        return -1;
    }
    log_setup((enum log_level)o.log_level, 0);
    log_redirect(o.log_fd);
    if (prepare_stop() < 0 || (listen_fd = find_socket(&o)) < 0)
        return -1;
    rc = answer(run(service, &o, &framing, listen_fd));
    if (listen_fd != o.listen_fd)
        close(listen_fd);
    return rc;
}

int hf_serve(const struct hf_service *service, const struct hf_options *options)
{
    static _Atomic bool is_busy;
    int rc;

    if (atomic_exchange(&is_busy, true)) {
        errno = EBUSY;
        return -1;
    }
    rc = serve(service, options);
    is_busy = false;
    return rc;
}
