#include "cli/mail_inside.h"

#include <stdlib.h>
#include <unistd.h>

#define PURGE_AT_ONCE 10000 /* records per transaction */

static bool is_confirmed(const struct command *c, size_t count)
{
    char answer[16] = "";

    if (c->yes || count == 0)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fputs("holdfast: nothing was removed: say --yes\n", stderr);
        return false;
    }
    printf("Remove %zu messages for good? [y/N] ", count);
    fflush(stdout);
    if (!fgets(answer, sizeof(answer), stdin))
        return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}

static int remove_slice(struct store *store, const struct place *places, size_t count)
{
    const struct store_engine *engine = store->engine;
    int rc = engine->begin(store);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++) {
        rc = engine->remove(store, places[i].seq);
        if (rc < 0 && rc != ERR_NOTFOUND) {
            engine->abort(store);
            return rc;
        }
    }
    return engine->commit(store);
}

int mail_purge(struct command *c)
{
    struct places p;
    int rc = mail_find(c, &p);
    size_t done = 0;

    if (rc == OK && !is_confirmed(c, p.count))
        rc = ERR_INVALID;
    while (rc == OK && done < p.count) {
        size_t n = p.count - done < PURGE_AT_ONCE ? p.count - done : PURGE_AT_ONCE;

        rc = remove_slice(c->store, p.all + done, n);
        done += rc == OK ? n : 0;
    }
    if (rc != ERR_INVALID) {
        if (c->output == OUTPUT_JSON)
            printf("{\"removed\":%zu}\n", done);
        else
            printf("%zu messages removed\n", done);
    }
    free(p.all);
    return rc;
}
