/* Loading as a whole: the file's bytes, the YAML library, then the table's keys. */
#include "config/config.h"
#include "config/http.h"
#include "config/read.h"
#include "config/text.h"
#include "config/vehicles.h"

#include <arpa/inet.h>
#include <libfyaml.h>
#include <stdlib.h>

#define YAML_ADVICE                                                                    \
    "YAML: `key: value`, indented by blanks; a value that begins with [ or * wants "   \
    "quotes"

/* What is missing is missed at the end of the file: show the end of its last line. */
static struct config_place pull_back(struct slice text, struct config_place place)
{
    struct config_place end = {.line = 1, .column = 1, .width = 1};

    while (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n') {
            end.line++;
            end.column = 1;
        } else if ((text.data[i] & 0xc0) != 0x80) {
            end.column++;
        }
    }
    return place.line > end.line ? end : place;
}

/* What the library could not do for want of memory it does not tell: then there is an
 * error, and the document is cut off or missing. */
static void report_syntax(struct reading *r, struct fy_diag *diag)
{
    struct fy_diag_error *e;
    void *position = NULL;
    unsigned before = r->problems.count;

    while ((e = fy_diag_errors_iterate(diag, &position))) {
        struct config_place place = {.width = 1};

        if (e->line > 0 && e->column > 0) {
            place.line = (unsigned)e->line;
            place.column = (unsigned)e->column;
        }
        place = pull_back(r->problems.text, place);
        problem_report(&r->problems, place, YAML_ADVICE, "%s", e->msg);
    }
    if (r->problems.count == before)
        r->rc = ERR_NOMEM;
}

static bool has_failed(struct fy_parser *parser, struct fy_diag *diag)
{
    return fy_diag_got_error(diag) || fy_parser_get_stream_error(parser);
}

static void read_document(struct reading *r, struct fy_parser *parser,
                          struct fy_diag *diag)
{
    const struct config_place nowhere = {0}, beginning = {1, 1, 1};
    struct fy_document *document = fy_parse_load_document(parser);
    struct fy_node *root = document ? fy_document_root(document) : NULL;
    struct fy_document *second = NULL;

    if (has_failed(parser, diag)) {
        report_syntax(r, diag);
    } else if (!root || fy_node_is_null(root)) {
        problem_report(&r->problems, nowhere,
                       "write what shall differ from the defaults, or `{}` for nothing",
                       "the configuration is empty");
    } else if (!fy_node_is_mapping(root)) {
        problem_report(&r->problems, beginning, "write `key: value` lines",
                       "the configuration is not a list of keys");
    } else {
        read_tree(r, root);
        if ((second = fy_parse_load_document(parser)))
            problem_report(&r->problems, nowhere, "remove the `---` between them",
                           "there is more than one document in the file");
        else if (has_failed(parser, diag))
            report_syntax(r, diag);
    }
    fy_parse_document_destroy(parser, second);
    fy_parse_document_destroy(parser, document);
}

static void parse_text(struct reading *r)
{
    struct fy_diag_cfg diag_cfg;
    struct fy_diag *diag;
    struct fy_parser *parser = NULL;
    struct slice text = r->problems.text;

    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    if (!(diag = fy_diag_create(&diag_cfg))) {
        r->rc = ERR_NOMEM;
        return;
    }
    fy_diag_set_collect_errors(diag, true);
    parser = fy_parser_create(&(struct fy_parse_cfg){
        /* Duplicate keys pass here, and are reported with their places by us. */
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS |
                 FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = diag,
    });
    if (!parser || fy_parser_set_string(parser, (const char *)text.data, text.size) < 0)
        r->rc = ERR_NOMEM;
    else
        read_document(r, parser, diag);
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
}

int config_load(const char *file, FILE *errors, struct config **out)
{
    struct reading r = {.problems = {.out = errors, .file = file}};
    int rc = ERR_NOMEM;

    if (!(r.config = calloc(1, sizeof(*r.config))) ||
        (file && !(r.config->file = strdup(file))))
        goto fail;
    read_defaults(&r);
    if (file) {
        if ((rc = text_read(&r.problems)) < 0)
            goto fail;
        parse_text(&r);
    } else {
        read_default_listeners(&r);
    }
    read_find_profiles(&r);
    if ((rc = r.rc) < 0 || (rc = http_check(&r)) < 0 || (rc = vehicles_check(&r)) < 0)
        goto fail;
    if (r.problems.count > 0) {
        rc = ERR_INVALID;
        goto fail;
    }
    free((void *)r.problems.text.data);
    *out = r.config;
    return OK;
fail:
    free((void *)r.problems.text.data);
    config_free(&r.config);
    return rc;
}

void config_free(struct config **config)
{
    struct config *c = *config;

    if (!c)
        return;
    for (size_t i = 0; i < c->listener_count; i++) {
        free(c->listeners[i].name);
        free(c->listeners[i].address_text);
        free(c->listeners[i].logic);
        free(c->listeners[i].argument);
        free(c->listeners[i].framing.end);
        free(c->listeners[i].profile_name);
        free(c->listeners[i].registration_list);
        free(c->listeners[i].registration_ids);
    }
    free(c->listeners);
    free(c->profiles);
    free(c->file);
    free(c->data_dir);
    free(c->user);
    free(c->http.address_text);
    free(c->http_token_file);
    free(c->http_token);
    free(c->http_hosts);
    free(c->http_sender);
    free(c);
    *config = NULL;
}

const char *config_where(const struct config *config, struct config_place place,
                         char *out, size_t size)
{
    if (place.line > 0)
        snprintf(out, size, "%s:%u:%u", config->file, place.line, place.column);
    else
        snprintf(out, size, "default");
    return out;
}

bool config_is_loopback(const struct listener_config *l)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&l->address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&l->address;

    if (l->address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
}
