#include "config/config.h"
#include "base/id.h"
#include "codec/ttms.h"

#include "unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "t.yaml"

static void write_file(const char *bytes, size_t n)
{
    FILE *f = fopen(FILE_NAME, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static struct config *load(const char *yaml)
{
    struct config *c = NULL;

    write_file(yaml, strlen(yaml));
    assert_int_equal(config_load(FILE_NAME, stderr, &c), OK);
    return c;
}

static void refuse_bytes(const char *bytes, size_t n, int error, const char *words)
{
    struct config *c = NULL;
    char *said = NULL;
    size_t size;
    FILE *errors = open_memstream(&said, &size);

    write_file(bytes, n);
    assert_int_equal(config_load(FILE_NAME, errors, &c), error);
    assert_null(c);
    fclose(errors);
    assert_string_equal(said, words);
    free(said);
}

static void refuse(const char *yaml, const char *words)
{
    refuse_bytes(yaml, strlen(yaml), ERR_INVALID, words);
}

static void without_a_file_each_protocol_has_a_listener_on_loopback(void **state)
{
    const struct sockaddr_in *in;
    struct config *c;

    (void)state;
    assert_int_equal(config_load(NULL, stderr, &c), OK);
    assert_string_equal(c->data_dir, "./holdfast-data");
    assert_null(c->user);
    assert_null(c->file);
    assert_int_equal(c->listener_count, 5);
    assert_string_equal(c->listeners[4].name, "answers");
    assert_int_equal(c->listeners[4].protocol, PROTOCOL_NBNET);
    assert_int_equal(c->listeners[4].framing.made.length.digits, 10);
    assert_int_equal(c->listeners[4].framing.made.max_frame, (16 << 20) + 10);
    assert_string_equal(c->listeners[3].name, "vehicles");
    assert_int_equal(c->listeners[3].protocol, PROTOCOL_JT808);
    assert_int_equal(c->listeners[3].id_form, DEVICE_ID_JT808);
    assert_int_equal(c->listeners[3].registration, REGISTRATION_OPEN);
    assert_int_equal(c->listeners[3].commands.retries, 2);
    assert_string_equal(c->listeners[3].address_text, "127.0.0.1:6808");
    assert_string_equal(c->listeners[2].name, "devices");
    assert_int_equal(c->listeners[2].protocol, PROTOCOL_DEVICE);
    assert_int_equal(c->listeners[2].id_form, DEVICE_ID_ASCII8);
    assert_int_equal(c->listeners[2].presence.rule, PRESENCE_RULE_TIMEOUT);
    assert_string_equal(c->listeners[2].address_text, "127.0.0.1:8001");
    assert_string_equal(c->listeners[1].name, "clients");
    assert_int_equal(c->listeners[1].protocol, PROTOCOL_HEARTBEAT);
    assert_string_equal(c->listeners[1].address_text, "127.0.0.1:14000");
    assert_string_equal(c->listeners[0].name, "terminals");
    assert_int_equal(c->listeners[0].protocol, PROTOCOL_TTMS);
    assert_int_equal(c->listeners[0].length, TTMS_LENGTH_AUTO);
    in = (const struct sockaddr_in *)&c->listeners[0].address;
    assert_int_equal(in->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(in->sin_port, htons(7222));
    assert_int_equal(c->log_level, LOG_INFO);
    assert_int_equal(c->stuck_timeout_ms, 10000);
    assert_int_equal(c->mailbox_max_age_ms, 7ll * 24 * 3600 * 1000);
    assert_int_equal(c->mailbox_total_bytes, 10ull << 30);
    config_free(&c);
    assert_null(c);
    config_free(&c);
}

static void every_kind_of_value_is_read(void **state)
{
    struct config *c =
        load("data_dir: /x y\n"
             "shards: 3\n"
             "log: {level: debug, topics: [net, codec]}\n"
             "limits:\n"
             "  output_limit: 65536\n"
             "mailbox: {max_age: 90min, max_bytes: 2 GiB}\n"
             "listen:\n"
             "  a-1: {protocol: ttms, address: '[::1]:80', receipts: true,\n"
             "        length: content2, checksum: strict, durability: all,\n"
             "        read_timeout: 1500ms, register_timeout: 2m}\n"
             "  b:\n"
             "    protocol: ttms\n"
             "    address: 0.0.0.0:7223\n");

    (void)state;
    assert_string_equal(c->data_dir, "/x y");
    assert_int_equal(c->data_dir_place.line, 1);
    assert_int_equal(c->data_dir_place.column, 11);
    assert_int_equal(c->shards, 3);
    assert_int_equal(c->log_level, LOG_DEBUG);
    assert_int_equal(c->log_topics, BIT(LOG_T_NET) | BIT(LOG_T_CODEC));
    assert_int_equal(c->output_limit, 65536);
    assert_int_equal(c->mailbox_max_age_ms, 90 * 60 * 1000);
    assert_int_equal(c->mailbox_max_bytes, 2ull << 30);
    assert_int_equal(c->listener_count, 2);
    assert_string_equal(c->listeners[0].name, "a-1");
    assert_int_equal(c->listeners[0].address.ss_family, AF_INET6);
    assert_true(c->listeners[0].receipts);
    assert_false(c->listeners[0].reply_heartbeats);
    assert_int_equal(c->listeners[0].length, TTMS_LENGTH_CONTENT2);
    assert_int_equal(c->listeners[0].checksum, TTMS_CHECK_STRICT);
    assert_int_equal(c->listeners[0].durability, DURABILITY_ALL);
    assert_int_equal(c->listeners[0].read_timeout_ms, 1500);
    assert_int_equal(c->listeners[0].register_timeout_ms, 120000);
    assert_int_equal(c->listeners[1].register_timeout_ms, 30000);
    assert_int_equal(c->listeners[1].place.line, 13);
    config_free(&c);
}

static void topics_may_be_one_word_or_many(void **state)
{
    struct config *c = load("log: {topics: 'net, session'}");

    (void)state;
    assert_int_equal(c->log_topics, BIT(LOG_T_NET) | BIT(LOG_T_SESSION));
    config_free(&c);
    c = load("log: {topics: []}");
    assert_int_equal(c->log_topics, 0);
    config_free(&c);
}

static void a_group_with_all_its_keys_commented_out_is_fine(void **state)
{
    struct config *c =
        load("limits:\n#  output_limit: 1MiB\nlisten: {a: {protocol: ttms}}");

    (void)state;
    assert_int_equal(c->output_limit, 1 << 20);
    config_free(&c);
    c = load("{}");
    assert_int_equal(c->listener_count, 5);
    config_free(&c);
}

static void a_misspelt_key_is_shown_with_what_was_meant(void **state)
{
    (void)state;
    refuse("supervisor:\n  stuck_timeuot: 10s\n",
           "t.yaml:2:3: unknown key `stuck_timeuot` in `supervisor`\n"
           "      stuck_timeuot: 10s\n"
           "      ^~~~~~~~~~~~~\n"
           "    did you mean `stuck_timeout`?\n");
}

static void a_key_in_the_wrong_group_is_sent_to_its_own(void **state)
{
    (void)state;
    refuse("output_limit: 1MiB\n", "t.yaml:1:1: unknown key `output_limit`\n"
                                   "    output_limit: 1MiB\n"
                                   "    ^~~~~~~~~~~~\n"
                                   "    it belongs to limits\n");
}

static void a_key_like_no_other_gets_the_list(void **state)
{
    (void)state;
    refuse("limits: {zzz: 1}\n",
           "t.yaml:1:10: unknown key `zzz` in `limits`\n"
           "    limits: {zzz: 1}\n"
           "             ^~~\n"
           "    known here: max_connections max_per_address output_limit\n");
}

static void all_problems_come_in_one_pass(void **state)
{
    (void)state;
    refuse(
        "shards: many\n"
        "log: {level: inof}\n"
        "supervisor: {drain_timeout: 30, stuck_timeout: 10 parsecs}\n"
        "limits: {output_limit: 1MB, max_connections: -1, max_per_address: 1.5}\n"
        "mailbox: {max_age: 99999999d, max_messages: 99999999999999999999}\n",
        "t.yaml:1:9: `many` is not a whole number\n"
        "    shards: many\n"
        "            ^~~~\n"
        "    shards: a whole number, 0 to 256; default 0\n"
        "t.yaml:2:14: `inof` is not known here; did you mean `info`?\n"
        "    log: {level: inof}\n"
        "                 ^~~~\n"
        "    level: one of error, warn, info, debug; default info\n"
        "t.yaml:3:29: `30` has no unit\n"
        "    supervisor: {drain_timeout: 30, stuck_timeout: 10 parsecs}\n"
        "                                ^~\n"
        "    drain_timeout: 100ms to 1h, a whole number with ms, s, min, h or d; "
        "default "
        "10s\n"
        "t.yaml:3:48: `10 parsecs` is not a duration: there is no unit `parsecs`\n"
        "    supervisor: {drain_timeout: 30, stuck_timeout: 10 parsecs}\n"
        "                                                   ^~~~~~~~~~\n"
        "    stuck_timeout: 2s to 1h, a whole number with ms, s, min, h or d; default "
        "10s\n"
        "t.yaml:4:24: `1MB` is not a size: there is no unit `MB`; did you mean `MiB`?\n"
        "    limits: {output_limit: 1MB, max_connections: -1, max_per_address: 1.5}\n"
        "                           ^~~\n"
        "    output_limit: 4KiB to 1GiB, a number of bytes or with KiB, MiB, GiB or "
        "TiB; "
        "default 1MiB\n"
        "t.yaml:4:46: `-1` is not a whole number\n"
        "    limits: {output_limit: 1MB, max_connections: -1, max_per_address: 1.5}\n"
        "                                                 ^~\n"
        "    max_connections: a whole number, 0 to 16000000; default 0\n"
        "t.yaml:4:67: `1.5` is not a whole number: take a smaller unit\n"
        "    limits: {output_limit: 1MB, max_connections: -1, max_per_address: 1.5}\n"
        "                                                                      ^~~\n"
        "    max_per_address: a whole number, 0 to 16000000; default 10000\n"
        "t.yaml:5:20: `99999999d` is too large: the most is 36500d\n"
        "    mailbox: {max_age: 99999999d, max_messages: 99999999999999999999}\n"
        "                       ^~~~~~~~~\n"
        "    max_age: 0s to 36500d, a whole number with ms, s, min, h or d; default "
        "7d\n"
        "t.yaml:5:45: `99999999999999999999` is too large\n"
        "    mailbox: {max_age: 99999999d, max_messages: 99999999999999999999}\n"
        "                                                ^~~~~~~~~~~~~~~~~~~~\n"
        "    max_messages: a whole number, 1 to 1000000000; default 10000\n");
}

static void a_value_of_the_wrong_shape_is_refused(void **state)
{
    (void)state;
    refuse("user: [joe]\nmailbox: 5\ndata_dir:\nshards: {a: 1}\n",
           "t.yaml:1:7: `user` wants a single value\n"
           "    user: [joe]\n"
           "          ^\n"
           "    user: a text; default not set\n"
           "t.yaml:2:10: `mailbox` wants keys of its own, not a value\n"
           "    mailbox: 5\n"
           "             ^\n"
           "    write its keys below it, indented by two blanks\n"
           "t.yaml:3:1: `data_dir` has no value\n"
           "    data_dir:\n"
           "    ^~~~~~~~\n"
           "    data_dir: a text; default ./holdfast-data\n"
           "t.yaml:4:9: `shards` wants a single value\n"
           "    shards: {a: 1}\n"
           "            ^\n"
           "    shards: a whole number, 0 to 256; default 0\n");
}

static void json_is_yaml_too(void **state)
{
    (void)state;
    refuse("{\"shards\": [1], \"log\": {\"level\": \"inof\"}}\n",
           "t.yaml:1:12: `shards` wants a single value\n"
           "    {\"shards\": [1], \"log\": {\"level\": \"inof\"}}\n"
           "               ^\n"
           "    shards: a whole number, 0 to 256; default 0\n"
           "t.yaml:1:34: `inof` is not known here; did you mean `info`?\n"
           "    {\"shards\": [1], \"log\": {\"level\": \"inof\"}}\n"
           "                                     ^~~~~~\n"
           "    level: one of error, warn, info, debug; default info\n");
}

static void the_ends_of_a_range_are_allowed(void **state)
{
    struct config *c = load("shards: 256\nsupervisor: {stuck_timeout: 2s}\n");

    (void)state;
    config_free(&c);
    c = load("shards: 0\nsupervisor: {stuck_timeout: 1h}\n");
    config_free(&c);
    refuse(
        "shards: 257\nsupervisor: {stuck_timeout: 1999ms}\n",
        "t.yaml:1:9: `257` is too large: the most is 256\n"
        "    shards: 257\n"
        "            ^~~\n"
        "    shards: a whole number, 0 to 256; default 0\n"
        "t.yaml:2:29: `1999ms` is too small: the least is 2s\n"
        "    supervisor: {stuck_timeout: 1999ms}\n"
        "                                ^~~~~~\n"
        "    stuck_timeout: 2s to 1h, a whole number with ms, s, min, h or d; default "
        "10s\n");
}

static void yes_is_neither_true_nor_false(void **state)
{
    (void)state;
    refuse("listen: {a: {protocol: ttms, receipts: yes}}",
           "t.yaml:1:40: `yes` is neither true nor false; did you mean `true`?\n"
           "    listen: {a: {protocol: ttms, receipts: yes}}\n"
           "                                           ^~~\n"
           "    receipts: true or false; default false\n");
}

static void a_key_given_twice_is_refused(void **state)
{
    (void)state;
    refuse("shards: 1\nuser: joe\nshards: 2\n",
           "t.yaml:3:1: `shards` is there already, in line 1\n"
           "    shards: 2\n"
           "    ^~~~~~\n"
           "    keep one of them\n");
}

static void an_address_says_what_is_wrong_with_it(void **state)
{
    static const char *const cases[][2] = {
        {"localhost:7222", "is not a numeric address; names are not looked up"},
        {"7222", "is not an address with a port"},
        {"127.0.0.1:", "has no port from 0 to 65535 behind the last colon"},
        {"127.0.0.1:65536", "has no port from 0 to 65535 behind the last colon"},
        {"127.0.0.1: 1", "has no port from 0 to 65535 behind the last colon"},
        {"127.0.0.256:1", "is not a numeric address; names are not looked up"},
        {"[::1:1", "is not a numeric address; names are not looked up"},
        {"::1:7222", "needs brackets: \"[::1]:7222\""},
        {":7222",
         "does not say which address: 127.0.0.1:7222 serves this machine alone, "
         "0.0.0.0:7222 every interface"},
        {"*:7222",
         "does not say which address: 127.0.0.1:7222 serves this machine alone, "
         "0.0.0.0:7222 every interface"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *a = cases[i][0];
        char yaml[256], words[512];

        snprintf(yaml, sizeof(yaml),
                 "listen:\n a:\n  protocol: ttms\n  address: '%s'\n", a);
        snprintf(words, sizeof(words),
                 "t.yaml:4:12: `%s` %s\n"
                 "      address: '%s'\n"
                 "               ^%.*s\n"
                 "    address: 127.0.0.1:7222, 0.0.0.0:7222 or \"[::1]:7222\"; default "
                 "127.0.0.1:7222\n",
                 a, cases[i][1], a, (int)strlen(a) + 1, "~~~~~~~~~~~~~~~~~~~~~~~~~~~~");
        refuse(yaml, words);
    }
}

static void listeners_are_checked_against_each_other(void **state)
{
    (void)state;
    refuse("listen:\n"
           "  a: {protocol: ttms}\n"
           "  b: {protocol: ttms, address: '127.0.0.1:7222'}\n"
           "  c: {address: '127.0.0.1:1'}\n"
           "  D!: {protocol: ttms}\n",
           "t.yaml:3:32: `b` has the address of `a`, 127.0.0.1:7222\n"
           "      b: {protocol: ttms, address: '127.0.0.1:7222'}\n"
           "                                   ^~~~~~~~~~~~~~~~\n"
           "    give each listener its own port\n"
           "t.yaml:4:3: listener `c` lacks `protocol`\n"
           "      c: {address: '127.0.0.1:1'}\n"
           "      ^\n"
           "    What is spoken here. `ttms` is the terminal relay, `heartbeat` the "
           "service that clients report to, `nbnet` the request/answer service.\n"
           "t.yaml:5:3: `D!` cannot be the name of a listener\n"
           "      D!: {protocol: ttms}\n"
           "      ^~\n"
           "    a-z, A-Z, 0-9, _, - and ., at most 31\n");
    refuse("listen: {}\n", "t.yaml:1:1: there is no listener\n"
                           "    listen: {}\n"
                           "    ^~~~~~\n"
                           "    add one, or remove `listen` to get the default ones\n");
}

static void each_protocol_has_its_own_defaults(void **state)
{
    struct config *c = load("listen: {a: {protocol: ttms}, b: {protocol: heartbeat}}");
    const struct listener_config *a = &c->listeners[0], *b = &c->listeners[1];

    (void)state;
    assert_string_equal(a->address_text, "127.0.0.1:7222");
    assert_int_equal(a->max_frame, 1 << 20);
    assert_int_equal(a->presence.rule, PRESENCE_RULE_NONE);
    assert_int_equal(b->protocol, PROTOCOL_HEARTBEAT);
    assert_string_equal(b->address_text, "127.0.0.1:14000");
    assert_int_equal(b->max_frame, 4096);
    assert_int_equal(b->read_timeout_ms, 30000);
    assert_int_equal(b->presence.rule, PRESENCE_RULE_CURSOR);
    assert_int_equal(b->presence.interval_ms, 10000);
    assert_int_equal(b->presence.threshold, 5);
    assert_int_equal(b->presence.strikes, 3);
    assert_int_equal(b->presence.recover, 5);
    assert_int_equal(b->presence.leave_hold_ms, 30 * 60 * 1000);
    assert_int_equal(b->presence.rejoin, PRESENCE_LEAVE);
    config_free(&c);
}

static void presence_is_a_group_in_a_listener(void **state)
{
    struct config *c = load("listen:\n"
                            "  a:\n"
                            "    presence: {rule: timeout, timeout: 90s}\n"
                            "    protocol: heartbeat\n"
                            "  b: {protocol: ttms, presence: }\n");

    (void)state;
    assert_int_equal(c->listeners[0].presence.rule, PRESENCE_RULE_TIMEOUT);
    assert_int_equal(c->listeners[0].presence.timeout_ms, 90000);
    assert_int_equal(c->listeners[1].presence.rule, PRESENCE_RULE_NONE);
    config_free(&c);
    refuse("listen: {a: {protocol: ttms, presence: {strikes: 0, rul: x}}}",
           "t.yaml:1:50: `0` is too small: the least is 1\n"
           "    listen: {a: {protocol: ttms, presence: {strikes: 0, rul: x}}}\n"
           "                                                     ^\n"
           "    strikes: a whole number, 1 to 10000; default 3\n"
           "t.yaml:1:53: unknown key `rul` in `listen.*.presence`\n"
           "    listen: {a: {protocol: ttms, presence: {strikes: 0, rul: x}}}\n"
           "                                                        ^~~\n"
           "    did you mean `rule`?\n");
}

static void a_key_of_another_protocol_is_refused(void **state)
{
    (void)state;
    refuse("listen: {a: {receipts: true, protocol: heartbeat, lenght: auto}}",
           "t.yaml:1:14: a heartbeat listener has no `receipts`\n"
           "    listen: {a: {receipts: true, protocol: heartbeat, lenght: auto}}\n"
           "                 ^~~~~~~~\n"
           "    only listeners have it of: ttms\n"
           "t.yaml:1:51: unknown key `lenght` in `listen.*`\n"
           "    listen: {a: {receipts: true, protocol: heartbeat, lenght: auto}}\n"
           "                                                      ^~~~~~\n"
           "    known here: protocol address register_timeout read_timeout max_frame "
           "presence\n");
}

static void a_protocol_that_is_not_known_hides_no_other_mistake(void **state)
{
    (void)state;
    refuse("listen: {a: {protocol: hartbeat, receipts: true, max_frame: 1}}",
           "t.yaml:1:24: `hartbeat` is not known here; did you mean `heartbeat`?\n"
           "    listen: {a: {protocol: hartbeat, receipts: true, max_frame: 1}}\n"
           "                           ^~~~~~~~\n"
           "    protocol: one of ttms, heartbeat, device, jt808, nbnet\n"
           "t.yaml:1:61: `1` is too small: the least is 64\n"
           "    listen: {a: {protocol: hartbeat, receipts: true, max_frame: 1}}\n"
           "                                                                ^\n"
           "    max_frame: 64 to 512MiB, a number of bytes or with KiB, MiB, GiB or "
           "TiB\n");
}

static void a_listeners_name_is_short_and_plain(void **state)
{
    char name[] = "Aa0_-.Aa0_-.Aa0_-.Aa0_-.Aa0_-.X\0";
    char yaml[256], words[512];
    struct config *c;

    (void)state;
    snprintf(yaml, sizeof(yaml), "listen: {%s: {protocol: ttms}}", name);
    c = load(yaml);
    assert_string_equal(c->listeners[0].name, name);
    config_free(&c);
    name[LISTENER_NAME_MAX] = 'X';
    snprintf(yaml, sizeof(yaml), "listen:\n %s: {protocol: ttms}", name);
    snprintf(words, sizeof(words),
             "t.yaml:2:2: `%s` cannot be the name of a listener\n"
             "     %s: {protocol: ttms}\n"
             "     ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
             "    a-z, A-Z, 0-9, _, - and ., at most 31\n",
             name, name);
    refuse(yaml, words);
}

static void two_listeners_may_both_ask_for_any_port(void **state)
{
    struct config *c = load("listen: {a: {protocol: ttms, address: '127.0.0.1:0'},\n"
                            "         b: {protocol: ttms, address: '127.0.0.1:0'}}\n");

    (void)state;
    assert_int_equal(c->listener_count, 2);
    config_free(&c);
}

static const struct framing *framing_of(const char *keys)
{
    static struct framing made;
    char yaml[256];
    struct config *c;

    snprintf(yaml, sizeof(yaml),
             "listen: {a: {protocol: nbnet, max_frame: 100, framing: {%s}}}\n", keys);
    c = load(yaml);
    made = c->listeners[0].framing.made;
    config_free(&c);
    return &made;
}

static void a_framing_is_declared(void **state)
{
    const struct framing *f;

    (void)state;
    f = framing_of("length: u16le, counts: frame, end: '\\r\\x03'");
    assert_int_equal(f->length.form, FRAMING_U16_LE);
    assert_int_equal(f->length.adjust, 0);
    assert_int_equal(f->length.min, 5);
    assert_int_equal(f->length.max, 104);
    assert_int_equal(f->end.size, 2);
    assert_memory_equal(f->end.bytes, "\r\x03", 2);
    assert_int_equal(f->max_frame, 104);
    f = framing_of("length: none, end: ;");
    assert_int_equal(f->length.form, FRAMING_NO_LENGTH);
    assert_int_equal(f->max_frame, 101);
    f = framing_of("digits: 4");
    assert_int_equal(f->length.digits, 4);
    assert_int_equal(f->length.adjust, 4);
    assert_int_equal(f->length.max, 100);
}

static void a_framing_that_frames_nothing_is_refused(void **state)
{
    (void)state;
    refuse("listen:\n  a: {protocol: nbnet, framing: {length: none}}\n",
           "t.yaml:2:42: `a` declares neither a length field nor an end\n"
           "      a: {protocol: nbnet, framing: {length: none}}\n"
           "                                             ^~~~\n"
           "    docs/framing.md has examples\n");
    refuse("listen:\n  a: {protocol: nbnet, framing: {end: '\\q'}}\n",
           "t.yaml:2:39: `a` declares an escape that is none of \\n \\r \\t \\0 \\\\ "
           "\\xNN\n"
           "      a: {protocol: nbnet, framing: {end: '\\q'}}\n"
           "                                          ^~~~\n"
           "    docs/framing.md has examples\n");
}

static void devices_with_the_ids_of_jt808_speak_that(void **state)
{
    struct config *c = load("listen:\n"
                            "  a: {protocol: device, id: jt808}\n"
                            "  b: {protocol: device, id: bcd6, address: '[::1]:1'}\n"
                            "  c: {protocol: device, id: bcd6, profile: vending,\n"
                            "      address: '[::1]:2'}\n"
                            "  d: {protocol: jt808, id: bcd10, address: '[::1]:3'}\n");

    (void)state;
    assert_int_equal(c->listeners[0].protocol, PROTOCOL_JT808);
    assert_string_equal(c->listeners[0].address_text, "127.0.0.1:6808");
    assert_int_equal(c->listeners[0].commands.retries, 2);
    assert_int_equal(c->listeners[1].protocol, PROTOCOL_JT808);
    assert_int_equal(c->listeners[1].id_form, DEVICE_ID_BCD6);
    assert_int_equal(c->listeners[2].protocol, PROTOCOL_DEVICE);
    assert_int_equal(c->listeners[2].id_form, DEVICE_ID_BCD6);
    assert_int_equal(c->listeners[2].profile.login, 0x1001);
    assert_int_equal(c->listeners[3].id_form, DEVICE_ID_BCD10);
    config_free(&c);
    refuse("listen: {a: {protocol: jt808, id: ascii8}}\n",
           "t.yaml:1:10: `a` has `id: ascii8`, which JT/T 808 has not\n"
           "    listen: {a: {protocol: jt808, id: ascii8}}\n"
           "             ^\n"
           "    write jt808, bcd6 or bcd10; or `protocol: device`\n");
}

static void a_profile_says_what_messages_mean(void **state)
{
    struct config *c =
        load("listen:\n"
             "  a: {protocol: device, profile: kettle}\n"
             "profiles:\n"
             "  kettle:\n"
             "    login: 0x2001\n"
             "    reports: [2003, 20ff]\n"
             "    state_at: 1\n"
             "    states: {cold: 0, hot: 255}\n"
             "    query: temperature\n"
             "    commands:\n"
             "      temperature: {message: 2005}\n"
             "      boil: {message: 2006, body: 01 0aFF, serial: 0010}\n");
    const struct profile *p = &c->listeners[0].profile;

    (void)state;
    assert_string_equal(p->name, "kettle");
    assert_int_equal(p->login, 0x2001);
    assert_int_equal(p->heartbeat, 0);
    assert_int_equal(p->report_count, 2);
    assert_int_equal(p->reports[1], 0x20ff);
    assert_int_equal(p->state_at, 1);
    assert_int_equal(p->state_count, 2);
    assert_string_equal(profile_state_name(p, 255), "hot");
    assert_int_equal(p->command_count, 2);
    assert_false(p->commands[0].has_serial);
    assert_int_equal(p->commands[1].message, 0x2006);
    assert_int_equal(p->commands[1].size, 3);
    assert_memory_equal(p->commands[1].body, "\x01\x0a\xff", 3);
    assert_true(p->commands[1].has_serial);
    assert_int_equal(p->commands[1].serial, 0x10);
    config_free(&c);
}

static void a_profile_of_the_built_in_name_replaces_it(void **state)
{
    struct config *a = load("{}");
    struct config *b = load("profiles: {vending: {login: 3001}}");

    (void)state;
    assert_int_equal(a->listeners[2].profile.login, 0x1001);
    assert_int_equal(b->listeners[2].profile.login, 0x3001);
    assert_int_equal(b->listeners[2].profile.command_count, 0);
    assert_false(config_is_same_work(a, b));
    config_free(&a);
    config_free(&b);
}

static void a_profile_says_what_is_wrong_with_it(void **state)
{
    (void)state;
    refuse(
        "profiles:\n"
        "  x:\n"
        "    login: 10\n"
        "    states: {on: 256}\n"
        "    query: statsu\n"
        "    commands:\n"
        "      status: {body: 0g}\n",
        "t.yaml:3:12: `10` is not four hexadecimal digits\n"
        "        login: 10\n"
        "               ^~\n"
        "    login: four hexadecimal digits\n"
        "t.yaml:4:18: `256` is too large: the most is 255\n"
        "        states: {on: 256}\n"
        "                     ^~~\n"
        "    NAME: a whole number, 0 to 255\n"
        "t.yaml:7:22: `0g` is no byte of two hexadecimal digits\n"
        "          status: {body: 0g}\n"
        "                         ^~\n"
        "    body: bytes of two hexadecimal digits, blanks between them\n"
        "t.yaml:7:7: the command `status` lacks `message`\n"
        "          status: {body: 0g}\n"
        "          ^~~~~~\n"
        "    The message that is sent, and that answers it.\n"
        "t.yaml:2:3: the `query` of `x` is `statsu`, which is not among its commands\n"
        "      x:\n"
        "      ^\n"
        "    did you mean `status`?\n");
    refuse("listen: {a: {protocol: device, profile: vendign}}\n",
           "t.yaml:1:41: there is no profile `vendign`\n"
           "    listen: {a: {protocol: device, profile: vendign}}\n"
           "                                            ^~~~~~~\n"
           "    did you mean `vending`?\n");
}

static void write_list(const char *text)
{
    FILE *file = fopen("ids", "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void who_may_register_stands_in_a_file(void **state)
{
    static const char yaml[] = "listen: {v: {protocol: jt808, registration: list,"
                               " registration_list: ids}}\n";
    struct config *a, *b;

    (void)state;
    write_list("# ours\n013912344329\n  866496077582164 # a lorry\n\n");
    a = load(yaml);
    assert_int_equal(a->listeners[0].registration, REGISTRATION_LIST);
    assert_non_null(strstr(a->listeners[0].registration_ids, "866496077582164"));
    write_list("013912344329");
    b = load(yaml);
    assert_false(config_is_same_work(a, b));
    config_free(&a);
    config_free(&b);
    write_list("1\n2 3\n");
    refuse(yaml, "t.yaml:1:70: `ids` cannot be used: line 2 is not an id\n"
                 "    listen: {v: {protocol: jt808, registration: list,"
                 " registration_list: ids}}\n"
                 "                                                     "
                 "                    ^~~\n"
                 "    name a file with an id a line: the digits of the terminal's "
                 "phone\n");
    unlink("ids");
}

static void an_empty_file_is_refused(void **state)
{
    static const char words[] =
        "t.yaml: the configuration is empty\n"
        "    write what shall differ from the defaults, or `{}` for nothing\n";

    (void)state;
    refuse("", words);
    refuse("# only a comment\n", words);
    refuse("---\n", words);
}

static void what_is_no_yaml_is_shown_where_it_stops(void **state)
{
    static const char advice[] =
        "    YAML: `key: value`, indented by blanks; a value that "
        "begins with [ or * wants quotes\n";
    char words[512];

    (void)state;
    snprintf(words, sizeof(words), "%s%s",
             "t.yaml:2:1: tab character may not be used as indentation\n"
             "     output_limit: 1MiB\n"
             "    ^\n",
             advice);
    refuse("limits:\n\toutput_limit: 1MiB\n", words);
    snprintf(words, sizeof(words), "%s%s",
             "t.yaml:1:8: double-quoted scalar without closing quote\n"
             "    user: \"joe\n"
             "           ^\n",
             advice);
    refuse("user: \"joe\n", words);
    snprintf(words, sizeof(words), "%s%s",
             "t.yaml:2:7: flow sequence without a closing bracket\n"
             "      x: [\n"
             "          ^\n",
             advice);
    refuse("listen: {\n  x: [\n", words);
}

static void a_file_without_keys_is_refused(void **state)
{
    (void)state;
    refuse("hello\n", "t.yaml:1:1: the configuration is not a list of keys\n"
                      "    hello\n"
                      "    ^\n"
                      "    write `key: value` lines\n");
}

#define OTHERS                                                                         \
    "devices: {protocol: device}, vehicles: {protocol: jt808}, answers: {protocol: "   \
    "nbnet}}"

static void a_reload_knows_what_is_new_to_the_worker(void **state)
{
    static const struct {
        const char *yaml;
        bool same;
    } cases[] = {
        {"shards: 0", true},
        {"log: {level: debug, topics: [net]}", true},
        {"supervisor: {max_restarts: 5, stuck_timeout: 3s, max_restart_delay: 1s}",
         true},
        {"listen: {terminals: {protocol: ttms}, clients: {protocol: "
         "heartbeat}, " OTHERS,
         true},
        {"listen: {terminals: {protocol: ttms}, " OTHERS, false},
        {"listen: {terminals: {protocol: ttms}, clients: {protocol: heartbeat},"
         " answers: {protocol: nbnet, framing: {digits: 9}}}",
         false},
        {"shards: 1", false},
        {"user: joe", false},
        {"data_dir: /x", false},
        {"mailbox: {max_age: 8d}", false},
        {"listen: {terminals: {protocol: ttms, receipts: true},"
         " clients: {protocol: heartbeat}, " OTHERS,
         false},
        {"listen: {terminals: {protocol: ttms, address: '127.0.0.1:1'},"
         " clients: {protocol: heartbeat}, " OTHERS,
         false},
        {"listen: {other: {protocol: ttms}, clients: {protocol: heartbeat}, " OTHERS,
         false},
        {"listen: {terminals: {protocol: ttms}, clients: {protocol: heartbeat},"
         " answers: {protocol: nbnet}, b: {protocol: ttms, address: '[::1]:1'}}",
         false},
        {"listen: {terminals: {protocol: ttms}, clients: {protocol: heartbeat,"
         " presence: {strikes: 4}}, " OTHERS,
         false},
    };
    struct config *a = load("{}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config *b = load(cases[i].yaml);

        assert_int_equal(config_is_same_work(a, b), cases[i].same);
        assert_int_equal(config_is_same_work(b, a), cases[i].same);
        config_free(&b);
    }
    config_free(&a);
}

static void more_than_one_document_is_refused(void **state)
{
    (void)state;
    refuse("shards: 1\n---\nshards: 2\n",
           "t.yaml: there is more than one document in the file\n"
           "    remove the `---` between them\n");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    (void)state;
    refuse_bytes("user: \xff\n", 8, ERR_INVALID,
                 "t.yaml:1:7: byte 0xff is not text\n"
                 "    user: ?\n"
                 "          ^\n"
                 "    save the file as UTF-8 text\n");
    refuse_bytes("a\nuser: j\0\n", 11, ERR_INVALID,
                 "t.yaml:2:8: byte 0x00 is not text\n"
                 "    user: j?\n"
                 "           ^\n"
                 "    save the file as UTF-8 text\n");
    refuse_bytes("# \xed\xa0\x80\n", 6, ERR_INVALID,
                 "t.yaml:1:3: byte 0xed is not text\n"
                 "    # ???\n"
                 "      ^\n"
                 "    save the file as UTF-8 text\n");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    refuse("user: \"\\e[31mred\"\n",
           "t.yaml:1:7: there is a control character in `?[31mred`\n"
           "    user: \"\\e[31mred\"\n"
           "          ^~~~~~~~~~~\n"
           "    user: a text; default not set\n");
}

static void the_caret_counts_characters_not_bytes(void **state)
{
    (void)state;
    refuse("{user: \xc3\xa9\xc3\xa9, shards: x}\n",
           "t.yaml:1:20: `x` is not a whole number\n"
           "    {user: \xc3\xa9\xc3\xa9, shards: x}\n"
           "                       ^\n"
           "    shards: a whole number, 0 to 256; default 0\n");
}

static void what_cannot_be_read_is_refused(void **state)
{
    struct config *c = NULL;
    char *said = NULL;
    size_t size;
    FILE *errors = open_memstream(&said, &size);

    (void)state;
    assert_int_equal(config_load("missing.yaml", errors, &c), ERR_IO);
    assert_int_equal(config_load("/", errors, &c), ERR_IO);
    fclose(errors);
    assert_string_equal(
        said, "missing.yaml: cannot read the configuration: No such file or "
              "directory\n"
              "    name an existing file with -c, or leave -c away to run with "
              "the defaults\n"
              "/: this is a directory\n"
              "    name the file inside it\n");
    free(said);
}

static int enter_temporary_directory(void **state)
{
    static char dir[] = "/tmp/holdfast-test-XXXXXX";

    *state = dir;
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int leave_temporary_directory(void **state)
{
    unlink(FILE_NAME);
    return rmdir(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file_each_protocol_has_a_listener_on_loopback),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(topics_may_be_one_word_or_many),
        cmocka_unit_test(a_group_with_all_its_keys_commented_out_is_fine),
        cmocka_unit_test(a_misspelt_key_is_shown_with_what_was_meant),
        cmocka_unit_test(a_key_in_the_wrong_group_is_sent_to_its_own),
        cmocka_unit_test(a_key_like_no_other_gets_the_list),
        cmocka_unit_test(all_problems_come_in_one_pass),
        cmocka_unit_test(a_value_of_the_wrong_shape_is_refused),
        cmocka_unit_test(json_is_yaml_too),
        cmocka_unit_test(the_ends_of_a_range_are_allowed),
        cmocka_unit_test(yes_is_neither_true_nor_false),
        cmocka_unit_test(a_key_given_twice_is_refused),
        cmocka_unit_test(an_address_says_what_is_wrong_with_it),
        cmocka_unit_test(listeners_are_checked_against_each_other),
        cmocka_unit_test(each_protocol_has_its_own_defaults),
        cmocka_unit_test(presence_is_a_group_in_a_listener),
        cmocka_unit_test(a_key_of_another_protocol_is_refused),
        cmocka_unit_test(a_protocol_that_is_not_known_hides_no_other_mistake),
        cmocka_unit_test(a_listeners_name_is_short_and_plain),
        cmocka_unit_test(two_listeners_may_both_ask_for_any_port),
        cmocka_unit_test(a_framing_is_declared),
        cmocka_unit_test(a_framing_that_frames_nothing_is_refused),
        cmocka_unit_test(devices_with_the_ids_of_jt808_speak_that),
        cmocka_unit_test(a_profile_says_what_messages_mean),
        cmocka_unit_test(a_profile_of_the_built_in_name_replaces_it),
        cmocka_unit_test(a_profile_says_what_is_wrong_with_it),
        cmocka_unit_test(who_may_register_stands_in_a_file),
        cmocka_unit_test(an_empty_file_is_refused),
        cmocka_unit_test(what_is_no_yaml_is_shown_where_it_stops),
        cmocka_unit_test(a_file_without_keys_is_refused),
        cmocka_unit_test(a_reload_knows_what_is_new_to_the_worker),
        cmocka_unit_test(more_than_one_document_is_refused),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(the_caret_counts_characters_not_bytes),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };

    return cmocka_run_group_tests(tests, enter_temporary_directory,
                                  leave_temporary_directory);
}
