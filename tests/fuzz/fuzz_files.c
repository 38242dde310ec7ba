/* fuzz_files.c - any bytes in the files that a configuration names.
 *
 *   input: kind | the file's bytes
 *   kind   even: the token of HTTP; odd: the ids that may register
 *
 * A token that is taken is one word, and all of the file. Of a list that is taken each
 * line's id is on it; what was not read makes it refused. */
#include "config/config.h"
#include "session/id_list.h"

#include "named.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct named conf, file;

static void write_conf(bool is_list)
{
    char text[256];
    int n = snprintf(text, sizeof(text),
                     is_list ? "listen: {v: {protocol: jt808, address: '127.0.0.1:1', "
                               "registration: list, registration_list: '%s'}}\n"
                             : "http: {token_file: '%s'}\n",
                     file.path);

    named_write(&conf, text, (size_t)n);
}

static void check_token(const char *token, const uint8_t *data, size_t size)
{
    size_t n = strlen(token);

    assert(n >= 16 && n <= size && memcmp(token, data, n) == 0);
    for (size_t i = 0; i < n; i++)
        assert(isgraph((unsigned char)token[i]));
    for (size_t i = n; i < size; i++)
        assert(data[i] == '\r' || data[i] == '\n');
}

static void check_line(const struct id_list *list, struct slice line)
{
    const uint8_t *hash = memchr(line.data, '#', line.size);
    struct slice text = hash ? slice_of(line.data, (size_t)(hash - line.data)) : line;
    struct id id;

    while (text.size && (isblank(text.data[0]) || text.data[0] == '0'))
        text = slice_from(text, 1);
    while (text.size && isspace(text.data[text.size - 1]))
        text.size--;
    if (text.size && id_make(PROTOCOL_JT808, text, &id) == OK)
        assert(id_list_has(list, &id));
}

static void check_list(const char *ids, const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct id_list *list;

    assert(strlen(ids) == size && (size == 0 || memcmp(ids, data, size) == 0));
    if (id_list_new(ids, &list) < 0)
        abort();
    while (rest.size) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        size_t n = end ? (size_t)(end - rest.data) : rest.size;

        check_line(list, slice_of(rest.data, n));
        rest = slice_from(rest, end ? n + 1 : n);
    }
    id_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    bool is_list = size > 0 && data[0] % 2;
    char *said = NULL;
    size_t n;
    FILE *errors;

    if (size == 0)
        return 0;
    named_write(&file, data + 1, size - 1);
    write_conf(is_list);
    if (!(errors = open_memstream(&said, &n)))
        abort();
    if (config_load(conf.path, errors, &config) == OK && is_list)
        check_list(config->listeners[0].registration_ids, data + 1, size - 1);
    else if (config)
        check_token(config->http_token, data + 1, size - 1);
    fclose(errors);
    assert(config || n > 0);
    config_free(&config);
    free(said);
    return 0;
}
