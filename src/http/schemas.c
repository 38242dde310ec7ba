#include "http/schemas.h"
#include "device/ticket.h"

/* Members of a time, or null. */
#define TIME "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"

static const char before_states[] =
    "\"schemas\":{"
    "\"accepted\":{\"type\":\"object\",\"properties\":{"
    "\"accepted\":{\"type\":\"boolean\"},\"stored\":{\"type\":\"boolean\"}}},"
    "\"message\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"required\":[\"body\"],\"properties\":{"
    "\"body\":{\"type\":\"string\",\"pattern\":\"^([0-9a-fA-F]{2})*$\"}}},"
    "\"command\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"oneOf\":[{\"required\":[\"command\"]},{\"required\":[\"message_id\"]}],"
    "\"properties\":{"
    "\"command\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":31},"
    "\"args\":{\"type\":\"object\"},"
    "\"message_id\":{\"oneOf\":["
    "{\"type\":\"integer\",\"minimum\":0,\"maximum\":65535},"
    "{\"type\":\"string\",\"pattern\":\"^[0-9a-fA-F]{4}$\"}]},"
    "\"body\":{\"type\":\"string\",\"pattern\":\"^([0-9a-fA-F]{2})*$\"},"
    "\"not_before\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"not_after\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"only_if\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":31},"
    "\"supersede\":{\"type\":\"boolean\"}}},"
    "\"tickets\":{\"type\":\"object\",\"properties\":{\"tickets\":{"
    "\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/ticket\"}}}},"
    "\"ticket\":{\"type\":\"object\",\"properties\":{"
    "\"ticket\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}$\"},"
    "\"device\":{\"type\":\"string\"},\"protocol\":{\"type\":\"string\"},"
    "\"command\":{\"type\":[\"string\",\"null\"]},"
    "\"message\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{4}$\"},"
    "\"reason\":{\"type\":[\"string\",\"null\"]},"
    "\"created\":" TIME ",\"not_before\":" TIME ",\"expires\":" TIME ",\"sent\":" TIME
    ",\"acknowledged\":" TIME ",\"ended\":" TIME ","
    "\"sendings\":{\"type\":\"integer\"},\"durable\":{\"type\":\"boolean\"},"
    "\"answer\":{\"type\":[\"object\",\"null\"],\"properties\":{"
    "\"message\":{\"type\":\"string\"},\"serial\":{\"type\":\"integer\"},"
    "\"body\":{\"type\":[\"string\",\"null\"]},\"size\":{\"type\":\"integer\"},"
    "\"decoded\":{}}},"
    "\"found\":{\"type\":\"object\",\"properties\":{"
    "\"state\":{\"type\":[\"string\",\"null\"]},\"code\":{\"type\":\"integer\"}}},"
    "\"state\":{\"type\":\"string\",\"enum\":[";

static const char behind_states[] = "]}}}}";

/* `"queued","sent",...`, the first without the comma. */
#define X(name, number, word, text) ",\"" word "\""
static const char states[] = TICKET_STATES(X);
#undef X

void schemas_write(struct json *j)
{
    const struct slice parts[] = {
        slice_of(before_states, sizeof(before_states) - 1),
        slice_of(states + 1, sizeof(states) - 2),
        slice_of(behind_states, sizeof(behind_states) - 1),
    };
    struct buf text = {0};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (buf_try_append(&text, parts[i]) < 0)
            j->failed = true;
    if (!j->failed)
        json_raw(j, buf_peek(&text));
    buf_fini(&text);
}
