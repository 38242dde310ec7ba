#include "config/place.h"

#include <libfyaml.h>

struct config_place place_of(struct fy_node *node)
{
    struct fy_token *token = fy_node_get_scalar_token(node);
    const struct fy_mark *from = token ? fy_token_start_mark(token) : NULL;
    const struct fy_mark *to = token ? fy_token_end_mark(token) : NULL;
    struct config_place place = {0};

    if (!from || from->line < 0)
        return place;
    place.line = (unsigned)from->line + 1;
    place.column = (unsigned)from->column + 1;
    place.width = 1;
    if (to && to->line == from->line && to->column > from->column)
        place.width = (unsigned)(to->column - from->column);
    /* The quotes belong to it for whoever looks at the line. */
    if (fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED ||
        fy_token_scalar_style(token) == FYSS_DOUBLE_QUOTED) {
        place.column--;
        place.width += 2;
    }
    return place;
}

/* Behind a key and its colon in the same line: where a list or a mapping begins, of
 * which the library does not tell. */
static struct config_place place_behind(struct slice file, struct fy_node *key)
{
    struct fy_token *token = fy_node_get_scalar_token(key);
    const struct fy_mark *end = token ? fy_token_end_mark(token) : NULL;
    struct config_place place = place_of(key);
    size_t i = end ? end->input_pos : file.size;

    place.column += place.width;
    if (i < file.size && strchr("\"'", file.data[i]))
        i++; /* its closing quote is within its width */
    for (; i < file.size; i++, place.column++) {
        if (file.data[i] == '[' || file.data[i] == '{')
            return (struct config_place){place.line, place.column, 1};
        if (!strchr(": ", file.data[i]))
            break;
    }
    return place_of(key);
}

struct config_place place_of_value(struct slice file, struct fy_node_pair *pair)
{
    struct fy_node *value = fy_node_pair_value(pair);
    struct config_place place = {0};

    if (value && fy_node_is_scalar(value))
        place = place_of(value);
    return place.line ? place : place_behind(file, fy_node_pair_key(pair));
}
