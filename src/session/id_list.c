#include "session/id_list.h"

#include <ctype.h>
#include <stdlib.h>

struct id_list {
    char *text; /* what the slices point to */
    struct slice *ids;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    size_t common = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->data, y->data, common);

    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* What a line names; empty: nothing. */
static struct slice id_in(const char *line, size_t size)
{
    const char *note = memchr(line, '#', size);

    if (note)
        size = (size_t)(note - line);
    while (size && isspace((unsigned char)line[size - 1]))
        size--;
    while (size && isspace((unsigned char)*line)) {
        line++;
        size--;
    }
    while (size > 1 && *line == '0') {
        line++;
        size--;
    }
    return slice_of(line, size);
}

static size_t lines_of(const char *text)
{
    size_t n = 1;

    while ((text = strchr(text, '\n'))) {
        text++;
        n++;
    }
    return n;
}

int id_list_new(const char *text, struct id_list **out)
{
    struct id_list *l = calloc(1, sizeof(*l));

    if (!l || !(l->text = strdup(text)) ||
        !(l->ids = calloc(lines_of(text), sizeof(*l->ids)))) {
        id_list_free(&l);
        return ERR_NOMEM;
    }
    for (const char *line = l->text; *line;) {
        size_t size = strcspn(line, "\n");
        struct slice id = id_in(line, size);

        if (id.size)
            l->ids[l->count++] = id;
        line += size + (line[size] == '\n');
    }
    qsort(l->ids, l->count, sizeof(*l->ids), compare);
    *out = l;
    return OK;
}

void id_list_free(struct id_list **l)
{
    if (!*l)
        return;
    free((*l)->ids);
    free((*l)->text);
    free(*l);
    *l = NULL;
}

bool id_list_has(const struct id_list *l, const struct id *id)
{
    struct slice wanted = slice_of(id->text, id->length);

    return bsearch(&wanted, l->ids, l->count, sizeof(*l->ids), compare) != NULL;
}
