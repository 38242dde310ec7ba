#include "config/http.h"
#include "base/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN_LEAST 16
#define TOKEN_MOST  1024

static void report(struct reading *r, const char *advice, const char *what)
{
    problem_report(&r->problems, r->config->http_token_file_place, advice,
                   "the token in `%s` cannot be used: %s", r->config->http_token_file,
                   what);
}

/* What is wrong with it, or NULL. It is never shown. */
static const char *find_fault(const char *token, size_t n)
{
    if (n < TOKEN_LEAST)
        return "it has fewer than 16 characters";
    if (n >= TOKEN_MOST)
        return "it is too long";
    for (size_t i = 0; i < n; i++) {
        if (!isgraph((unsigned char)token[i]) || (unsigned char)token[i] > 0x7e)
            return "it is not a single word of plain characters";
    }
    return NULL;
}

static int read_token(struct reading *r, int fd)
{
    char text[TOKEN_MOST + 1];
    ssize_t n = file_read(fd, text, sizeof(text) - 1);
    const char *fault;

    if (n < 0) {
        report(r, NULL, strerror(errno));
        return OK;
    }
    while (n > 0 && strchr("\r\n", text[n - 1]))
        n--;
    text[n] = '\0';
    if ((fault = find_fault(text, (size_t)n)))
        report(r, "`openssl rand -hex 32` makes a good one", fault);
    else if (!(r->config->http_token = strdup(text)))
        return ERR_NOMEM;
    explicit_bzero(text, sizeof(text));
    return OK;
}

static int open_token(struct reading *r)
{
    int fd = open(r->config->http_token_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int rc = OK;

    if (fd < 0 || fstat(fd, &st) < 0)
        report(r, "name a file with the token in it", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        report(r, "name a file with the token in it", "this is no file");
    else if (st.st_mode & 077)
        report(r, "chmod 600 it", "others than its owner may read or write it");
    else
        rc = read_token(r, fd);
    if (fd >= 0)
        close(fd);
    return rc;
}

int http_check(struct reading *r)
{
    const struct listener_config *l = &r->config->http;

    for (size_t i = 0; i < r->config->listener_count; i++) {
        const struct listener_config *o = &r->config->listeners[i];

        if (read_is_same_address(o, l))
            problem_report(&r->problems, l->place, "give each its own port",
                           "`http` has the address of `%s`, %s", o->name,
                           o->address_text);
    }
    if (strspn(r->config->http_sender, "0123456789abcdefABCDEF") != 8 ||
        strlen(r->config->http_sender) != 8)
        problem_report(&r->problems, r->config->http_sender_place,
                       "sender: an id of relay terminals; default ffffffff",
                       "`%s` is not eight hexadecimal digits", r->config->http_sender);
    if (r->config->http_token_file)
        return open_token(r);
    if (l->address_size > 0 && !config_is_loopback(l))
        problem_report(&r->problems, l->place,
                       "add `token_file: FILE` beside it, with a token that requests "
                       "must bring, or serve 127.0.0.1 alone",
                       "`%s` can be reached from other machines, and no token is asked "
                       "for",
                       l->address_text);
    return OK;
}
