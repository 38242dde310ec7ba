#include "config/text.h"
#include "base/file.h"
#include "config/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST (1u << 20)

static const struct config_place nowhere = {0};

static int refuse_io(struct problems *p)
{
    problem_report(p, nowhere,
                   errno == ENOENT ? "name an existing file with -c, or leave -c away "
                                     "to run with the defaults"
                   : errno == EACCES
                       ? "make it readable for the user who starts the gateway"
                       : NULL,
                   "cannot read the configuration: %s", strerror(errno));
    return ERR_IO;
}

static int read_all(struct problems *p, int fd)
{
    uint8_t *bytes = malloc(LARGEST + 1);
    ssize_t n;

    if (!bytes)
        return ERR_NOMEM;
    p->text.data = bytes;
    if ((n = file_read(fd, bytes, LARGEST + 1)) < 0)
        return refuse_io(p);
    p->text.size = (size_t)n;
    if (p->text.size > LARGEST) {
        problem_report(p, nowhere, NULL, "the configuration is larger than 1 MiB");
        return ERR_INVALID;
    }
    return OK;
}

static int check_utf8(struct problems *p)
{
    struct config_place at = {.line = 1, .column = 1, .width = 1};
    size_t i = 0;

    while (i < p->text.size) {
        size_t n = utf8_measure(slice_from(p->text, i));

        if (n == 0 || p->text.data[i] == 0) {
            problem_report(p, at, "save the file as UTF-8 text",
                           "byte 0x%02x is not text", p->text.data[i]);
            return ERR_INVALID;
        }
        if (p->text.data[i] == '\n') {
            at.line++;
            at.column = 1;
        } else {
            at.column++;
        }
        i += n;
    }
    return OK;
}

int text_read(struct problems *p)
{
    int fd = open(p->file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    int rc = ERR_IO;

    if (fd < 0)
        return refuse_io(p);
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        problem_report(p, nowhere, "name the file inside it", "this is a directory");
        goto out;
    }
    if ((rc = read_all(p, fd)) < 0)
        goto out;
    rc = check_utf8(p);
out:
    close(fd);
    return rc;
}
