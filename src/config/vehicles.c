#include "config/vehicles.h"
#include "base/id.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define LIST_MOST   (64u << 20) /* bytes */
#define DIGITS_MOST 20

/* The number of the first line that is no id; 0: there is none. Blank lines, and what
 * follows a #, are not looked at. */
static unsigned find_fault(const char *text)
{
    for (unsigned line = 1; *text; line++) {
        size_t n = strspn(text, " \t");
        size_t digits = strspn(text + n, "0123456789abcdefABCDEF");

        text += n + digits;
        text += strspn(text, " \t\r");
        if (digits > DIGITS_MOST || !strchr("#\n", *text))
            return line;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return 0;
}

static void report(struct reading *r, const struct listener_config *l, const char *what)
{
    problem_report(&r->problems, l->registration_place,
                   "name a file with an id a line: the digits of the terminal's phone",
                   "`%s` cannot be used: %s", l->registration_list, what);
}

static int read_list(struct reading *r, struct listener_config *l, FILE *file)
{
    char what[64];
    size_t size = 0;
    ssize_t n = getdelim(&l->registration_ids, &size, '\0', file);
    unsigned fault;

    if (n < 0) {
        if (!feof(file)) { /* it could not be read, or found no memory */
            report(r, l, strerror(errno));
            return OK;
        }
        free(l->registration_ids); /* an empty file is an empty list */
        return (l->registration_ids = strdup("")) ? OK : ERR_NOMEM;
    }
    if (strlen(l->registration_ids) != (size_t)n) {
        report(r, l, "there is a NUL byte in it"); /* what follows would not count */
    } else if ((size_t)n > LIST_MOST) {
        report(r, l, "it has more than 64 MiB");
    } else if ((fault = find_fault(l->registration_ids))) {
        snprintf(what, sizeof(what), "line %u is not an id", fault);
        report(r, l, what);
    }
    return OK;
}

static int check(struct reading *r, struct listener_config *l)
{
    bool wants = l->registration == REGISTRATION_LIST;
    FILE *file;
    int rc;

    if (l->protocol != PROTOCOL_JT808 || (!wants && !l->registration_list))
        return OK;
    if (!l->registration_list) {
        problem_report(&r->problems, l->place, "registration_list: FILE",
                       "`%s` has `registration: list`, and no `registration_list`",
                       l->name);
        return OK;
    }
    if (!(file = fopen(l->registration_list, "re"))) {
        report(r, l, strerror(errno));
        return OK;
    }
    rc = read_list(r, l, file);
    fclose(file);
    return rc;
}

int vehicles_check(struct reading *r)
{
    int rc = OK;

    for (size_t i = 0; i < r->config->listener_count && rc == OK; i++)
        rc = check(r, &r->config->listeners[i]);
    return rc;
}
