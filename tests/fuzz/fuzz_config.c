/* fuzz_config.c - any file as the configuration.
 *
 *   input: the file's bytes
 *
 * It is taken or refused: refused with words that name a place in it, and the same way
 * when it is read again. What is taken can be described and compared. */
#include "config/config.h"

#include "named.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct named file;

/* Its answer, and the words that came with it; the caller frees both. */
static int load(struct config **config, char **words)
{
    size_t size;
    FILE *errors = open_memstream(words, &size);
    int rc;

    if (!errors)
        abort();
    rc = config_load(file.path, errors, config);
    fclose(errors);
    assert((rc == OK) == (*config != NULL));
    assert(rc == OK || rc == ERR_INVALID || rc == ERR_IO);
    assert(rc == OK || strncmp(*words, file.path, strlen(file.path)) == 0);
    return rc;
}

static void use(const struct config *config, const struct config *again)
{
    FILE *nowhere = fopen("/dev/null", "w");

    if (!nowhere)
        abort();
    config_describe(config, nowhere);
    fclose(nowhere);
    assert(config_is_same_work(config, again));
    for (size_t i = 0; i < config->listener_count; i++)
        (void)config_is_loopback(&config->listeners[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *first = NULL, *second = NULL;
    char *said = NULL, *said_again = NULL;
    int rc;

    named_write(&file, data, size);
    rc = load(&first, &said);
    assert(load(&second, &said_again) == rc);
    assert(strcmp(said, said_again) == 0);
    if (rc == OK)
        use(first, second);
    config_free(&first);
    config_free(&second);
    free(said);
    free(said_again);
    return 0;
}
