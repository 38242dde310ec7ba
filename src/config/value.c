#include "config/value.h"
#include "base/address.h"
#include "base/hex.h"
#include "config/amount.h"
#include "config/suggest.h"

#include <stdarg.h>
#include <stdlib.h>

int value_complain(struct value_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->what, sizeof(error->what), format, args);
    va_end(args);
    return ERR_INVALID;
}

static void store(void *field, size_t size, uint64_t value)
{
    uint8_t v1 = (uint8_t)value;
    uint32_t v4 = (uint32_t)value;

    memcpy(field,
           size == 1   ? (void *)&v1
           : size == 4 ? (void *)&v4
                       : (void *)&value,
           size);
}

static int set_amount(const struct schema_key *key, const char *text, void *field,
                      struct value_error *error)
{
    uint64_t value;
    int rc = amount_read(key, text, &value, error);

    if (rc == OK)
        store(field, key->size, value);
    return rc;
}

static int find_word(const struct schema_key *key, const char *text, unsigned *value,
                     struct value_error *error)
{
    struct suggestion near = suggest_for(text);

    for (const struct schema_word *w = key->words; w->word; w++) {
        if (strcmp(w->word, text) == 0) {
            *value = w->value;
            return OK;
        }
        suggest_consider(&near, w->word);
    }
    if (near.best)
        return value_complain(error, "`%s` is not known here; did you mean `%s`?", text,
                              near.best);
    return value_complain(error, "`%s` is not known here", text);
}

/* "net,codec": each one adds its bit. */
static int set_words(const struct schema_key *key, const char *text, uint32_t *field,
                     struct value_error *error)
{
    char word[64];
    unsigned value = 0;
    int rc;

    while (*text) {
        size_t n = strcspn(text, ", ");

        if (n >= sizeof(word))
            return value_complain(error, "`%s` is not known here", text);
        memcpy(word, text, n);
        word[n] = '\0';
        if ((rc = find_word(key, word, &value, error)) < 0)
            return rc;
        *field |= BIT(value);
        text += n;
        text += strspn(text, ", ");
    }
    return OK;
}

static int set_bool(const char *text, bool *field, struct value_error *error)
{
    static const char *const meant[][2] = {
        {"yes", "true"},
        {"on", "true"},
        {"no", "false"},
        {"off", "false"},
    };

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *field = text[0] == 't';
        return OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(meant); i++) {
        if (strcasecmp(text, meant[i][0]) == 0)
            return value_complain(error,
                                  "`%s` is neither true nor false; did you mean `%s`?",
                                  text, meant[i][1]);
    }
    return value_complain(error, "`%s` is neither true nor false", text);
}

static int set_text(const char *text, char **field, struct value_error *error)
{
    char *copy = NULL;

    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return value_complain(error, "there is a control character in `%s`", text);
    }
    if (*text && !(copy = strdup(text)))
        return ERR_NOMEM;
    free(*field);
    *field = copy;
    return OK;
}

/* One more of a list. */
static int add_text(const char *text, char **field, struct value_error *error)
{
    char *joined = NULL;
    int rc;

    if (strpbrk(text, ", "))
        return value_complain(error, "write a list: [a, b]");
    if (!*text || !*field)
        return set_text(text, field, error);
    if (asprintf(&joined, "%s,%s", *field, text) < 0)
        return ERR_NOMEM;
    rc = set_text(joined, field, error);
    free(joined);
    return rc;
}

static int parse_address(const char *text, struct listener_config *l,
                         struct value_error *error)
{
    l->address_size = 0;
    if (!*text)
        return OK; /* none */
    return address_parse(text, &l->address, &l->address_size, error->what,
                         sizeof(error->what));
}

static int set_name(const char *text, char *field, size_t size,
                    struct value_error *error)
{
    if (strlen(text) >= size)
        return value_complain(error, "`%s` is too long: the most are %zu characters",
                              text, size - 1);
    memset(field, 0, size);
    memcpy(field, text, strlen(text));
    return OK;
}

static int set_message(const char *text, uint16_t *field, struct value_error *error)
{
    const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;
    int high = hex_byte(digits), low = high < 0 ? -1 : hex_byte(digits + 2);

    if (low < 0 || digits[4])
        return value_complain(error, "`%s` is not four hexadecimal digits", text);
    *field = (uint16_t)(high << 8 | low);
    return OK;
}

static int add_message(const char *text, uint16_t *field, size_t room,
                       struct value_error *error)
{
    size_t n = 0;

    while (n < room && field[n])
        n++;
    if (n == room)
        return value_complain(error, "these are too many: the most are %zu", room);
    return set_message(text, &field[n], error);
}

static int set_bytes(const char *text, uint8_t *field, size_t room,
                     struct value_error *error)
{
    size_t n = 0;

    for (text += strspn(text, " "); *text; text += 2 + strspn(text + 2, " ")) {
        int byte = hex_byte(text);

        if (byte < 0)
            return value_complain(error, "`%.8s` is no byte of two hexadecimal digits",
                                  text);
        if (n == room)
            return value_complain(error, "these are too many bytes: the most are %zu",
                                  room);
        field[1 + n++] = (uint8_t)byte;
    }
    field[0] = (uint8_t)n;
    return OK;
}

int value_set(const struct schema_key *key, const char *text, void *owner,
              struct value_error *error)
{
    void *field = (char *)owner + key->offset;
    unsigned word = 0;
    int rc;

    switch (key->type) {
    case SCHEMA_TEXT:
        return set_text(text, field, error);
    case SCHEMA_BOOL:
        return set_bool(text, field, error);
    case SCHEMA_COUNT:
    case SCHEMA_SIZE:
    case SCHEMA_DURATION:
        return set_amount(key, text, field, error);
    case SCHEMA_WORD:
        if ((rc = find_word(key, text, &word, error)) == OK)
            store(field, key->size, word);
        return rc;
    case SCHEMA_WORDS:
        return set_words(key, text, field, error);
    case SCHEMA_TEXTS:
        return add_text(text, field, error);
    case SCHEMA_ADDRESS:
        if ((rc = parse_address(text,
                                CONTAINER_OF(field, struct listener_config,
                                             address_text),
                                error)) < 0)
            return rc;
        return set_text(text, field, error);
    case SCHEMA_NAME:
        return set_name(text, field, key->size, error);
    case SCHEMA_MESSAGE:
        return set_message(text, field, error);
    case SCHEMA_MESSAGES:
        return add_message(text, field, key->size / sizeof(uint16_t), error);
    case SCHEMA_BYTES:
        return set_bytes(text, field, PROFILE_BODY_MAX, error);
    case SCHEMA_GROUP:
    case SCHEMA_NAMED:
        break;
    }
    return ERR_INVALID;
}

static void list_words(const struct schema_word *words, char *out, size_t size)
{
    size_t n = 0;

    for (const struct schema_word *w = words; w->word && n < size; w++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", w == words ? "" : ", ",
                              w->word);
}

const char *value_describe(const struct schema_key *key, char *out, size_t size)
{
    char list[256] = "";

    switch (key->type) {
    case SCHEMA_TEXT:
        snprintf(out, size, "a text");
        break;
    case SCHEMA_BOOL:
        snprintf(out, size, "true or false");
        break;
    case SCHEMA_COUNT:
    case SCHEMA_SIZE:
    case SCHEMA_DURATION:
        amount_describe(key, out, size);
        break;
    case SCHEMA_WORD:
        list_words(key->words, list, sizeof(list));
        snprintf(out, size, "%s%s", key->words[1].word ? "one of " : "", list);
        break;
    case SCHEMA_WORDS:
        list_words(key->words, list, sizeof(list));
        snprintf(out, size, "a list, any of %s", list);
        break;
    case SCHEMA_TEXTS:
        snprintf(out, size, "a list of texts");
        break;
    case SCHEMA_ADDRESS:
        snprintf(out, size, "127.0.0.1:7222, 0.0.0.0:7222 or \"[::1]:7222\"");
        break;
    case SCHEMA_NAME:
        snprintf(out, size, "a name");
        break;
    case SCHEMA_MESSAGE:
        snprintf(out, size, "four hexadecimal digits");
        break;
    case SCHEMA_MESSAGES:
        snprintf(out, size, "a list of four hexadecimal digits each");
        break;
    case SCHEMA_BYTES:
        snprintf(out, size, "bytes of two hexadecimal digits, blanks between them");
        break;
    case SCHEMA_GROUP:
        snprintf(out, size, "further keys");
        break;
    case SCHEMA_NAMED:
        snprintf(out, size, "names, each with keys of its own");
        break;
    }
    return out;
}

const char *value_default(const struct schema_key *key, uint8_t protocol)
{
    const char *fallback = schema_fallback(key, protocol);

    if (!fallback || *fallback)
        return fallback;
    return schema_is_list(key) ? "[]" : "not set";
}
