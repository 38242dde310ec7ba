/* key_value.c - a store in memory, of one process, whose requests are lines:
 *
 *     set colour dark blue    ->  ok
 *     get colour              ->  = dark blue
 *     get size                ->  none
 *
 * It closes the connection of who says anything else. */
#define _GNU_SOURCE 1
#include <holdfast/serve.h>

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    char *key, *value;
};

struct store {
    void *tree; /* of items */
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

static void free_item(void *p)
{
    struct item *e = p;

    free(e->key);
    free(e->value);
    free(e);
}

static int start(const char *argument, void **state)
{
    (void)argument;
    *state = calloc(1, sizeof(struct store));
    return *state ? 0 : -1;
}

static void stop(void *state)
{
    struct store *store = state;

    tdestroy(store->tree, free_item);
    free(store);
}

static struct item *find(struct store *store, char *key)
{
    struct item wanted = {.key = key};
    struct item **found = tfind(&wanted, &store->tree, by_key);

    return found ? *found : NULL;
}

/* Takes `key` and `value`. False: memory is out. */
static int put(struct store *store, char *key, char *value)
{
    struct item *e = find(store, key);

    if (e) {
        free(e->value);
        free(key);
        e->value = value;
        return 1;
    }
    if (!(e = malloc(sizeof(*e)))) {
        free(key);
        free(value);
        return 0;
    }
    *e = (struct item){key, value};
    if (tsearch(e, &store->tree, by_key))
        return 1;
    free_item(e);
    return 0;
}

static void answer_value(struct hf_request *request, const struct item *e)
{
    size_t size = e ? strlen(e->value) : 0;
    char *out;

    if (!e)
        hf_answer(request, "none", 4);
    else if ((out = hf_answer_room(request, 2 + size)))
        memcpy(mempcpy(out, "= ", 2), e->value, size);
}

static void logic(void *state, struct hf_request *request)
{
    char *key = NULL, *value = NULL;
    size_t size;
    const char *body = hf_request_body(request, &size);
    char *line = strndup(body, size);

    if (line && sscanf(line, "set %ms %m[^\n]", &key, &value) == 2) {
        if (put(state, key, value))
            hf_answer(request, "ok", 2);
        key = value = NULL;
    } else if (line && sscanf(line, "get %ms", &key) == 1) {
        answer_value(request, find(state, key));
    } else {
        hf_close(request);
    }
    free(key);
    free(value);
    free(line);
}

static const struct hf_service service = {HF_SERVICE_HEAD, .name = "key_value",
                                          .start = start, .stop = stop, .logic = logic};

int main(int argc, char **argv)
{
    struct hf_options options;

    hf_options_init(&options);
    if (argc > 1)
        options.address = argv[1];
    options.length = HF_LENGTH_NONE;
    options.end = "\n";
    options.end_size = 1;
    options.max_frame = 64 * 1024;
    return hf_serve(&service, &options) == 0 ? 0 : 1;
}
