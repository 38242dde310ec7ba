#include "sim/devices/settings.h"
#include "sim/args.h"
#include "sim/peer.h"

#include <stdlib.h>
#include <string.h>

#define PER_ADDRESS   10000 /* the gateway's default for max_per_address */
#define MAX_COUNT     1000000
#define MAX_EXTRA     200 /* with those that all have they are counted in a byte */
#define STATE_WORDS   "mixed|on|paused|cooling|standby|ready"
#define VERSION_WORDS "2013|2019|mixed"

static const char *const hows[] = {
#define X(name, word) word,
    HOWS(X)
#undef X
};

static int read_manner(void *settings, const char *first, const char *second)
{
    struct plant_settings *s = settings;
    struct manner *m = &s->manners[s->manner_count];
    const char *how = second ? second : first;

    if (s->manner_count == MANNERS_MAX - 1)
        return ERR_INVALID;
    *m = (struct manner){.how = HOW_LATER};
    if (second) {
        char share[16];
        size_t size = strcspn(first, "%");

        if (first[size] != '%' || first[size + 1] || size >= sizeof(share))
            return ERR_INVALID;
        memcpy(share, first, size);
        share[size] = '\0';
        if (args_number(share, &m->share) < 0 || m->share <= 0 || m->share > 100)
            return ERR_INVALID;
    }
    for (uint8_t i = 0; i < ARRAY_LEN(hows); i++)
        if (i != HOW_LATER && strcmp(how, hows[i]) == 0)
            m->how = i;
    s->manner_count++;
    return m->how == HOW_LATER ? args_time(how, &m->delay_ns) : OK;
}

#define AT(member) offsetof(struct plant_settings, member)
#define HEADING(text)                                                                  \
    {                                                                                  \
        .help = (text)                                                                 \
    }

#define COMMON_BEHAVIOUR                                                               \
    {"heartbeat", ARG_TIME, AT(heartbeat_ns), "TIME", "between two of them (20s)"},    \
        {"report", ARG_TIME, AT(report_ns), "TIME", "between two reports (0: none)"},  \
        {"answer",                                                                     \
         ARG_PAIR,                                                                     \
         0,                                                                            \
         "[SHARE%:]HOW",                                                               \
         "how a SHARE of the devices (all the others) answers commands:\n"             \
         "now (default), a TIME (so much later), twice, never, serial (with\n"         \
         "another one than asked), refuse, unsupported (jt808). Give it for\n"         \
         "each share",                                                                 \
         read_manner},                                                                 \
    {                                                                                  \
        "away", ARG_TIME, AT(away_ns), "TIME",                                         \
            "who is restarted is away for so long (0: it stays connected)"             \
    }

#define COMMON_PROGRAM                                                                 \
    HEADING("Program"),                                                                \
        {"time", ARG_TIME, AT(time_ns), "TIME", "how long; 0: until Ctrl-C (1min)"},   \
        {"commands", ARG_COUNT, AT(commands), "N", "end after so many instead"},       \
        {"json", ARG_FLAG, AT(json), NULL, "the result as one JSON object"},           \
        {"quiet", ARG_FLAG, AT(quiet), NULL,                                           \
         "no progress line, and no result if all is well"},                            \
    {                                                                                  \
        "help", ARG_FLAG, AT(help), NULL, "this text"                                  \
    }

#define COMMON_CROWD(default_address)                                                  \
    {"address", ARG_TEXT, AT(address_text), "HOST:PORT",                               \
     "the gateway's listener (" default_address ")"},                                  \
        {"count", ARG_COUNT, AT(count), "N", "devices (10)"},                          \
        {"ramp", ARG_TIME, AT(ramp_ns), "TIME", "one more so often (1ms)"},            \
    {                                                                                  \
        "source-addresses", ARG_COUNT, AT(source_addresses), "N",                      \
            "connect from 127.0.0.1 to 127.0.0.N, on loopback one for each\n"          \
            "10,000 devices, which is what the gateway accepts of each"                \
    }

static const struct arg devices_table[] = {
    HEADING("Devices"),
    COMMON_CROWD("127.0.0.1:8001"),
    {"first-id", ARG_TEXT, AT(first_id), "ID",
     "8 characters; the digits at its end count up (T9000010)"},
    HEADING("Behaviour"),
    {"state", ARG_CHOICE, AT(state), STATE_WORDS, "what they are at first (ready)"},
    {"on", ARG_TIME, AT(on_ns), "TIME",
     "who was turned on is on for so long, then ready again (0: for ever)"},
    COMMON_BEHAVIOUR,
    COMMON_PROGRAM,
};

static const struct arg jt808_table[] = {
    HEADING("Terminals"),
    COMMON_CROWD("127.0.0.1:6808"),
    {"first-id", ARG_TEXT, AT(first_id), "DIGITS",
     "the first one's phone number; they count up (13900000000)"},
    {"version", ARG_CHOICE, AT(version), VERSION_WORDS,
     "of the standard that they speak (2013)"},
    {"extra-parameters", ARG_COUNT, AT(extra_parameters), "N",
     "so many more, of 32 bytes each: from about 28 on an answer with all\n"
     "of them takes several packages"},
    HEADING("Behaviour"),
    {"lose-packages", ARG_FLAG, AT(loses_packages), NULL,
     "the last package of an answer is not sent until it is asked for"},
    COMMON_BEHAVIOUR,
    COMMON_PROGRAM,
};

void plant_settings_help(bool is_jt808, FILE *out)
{
    if (is_jt808) {
        fputs("usage: holdfast-sim jt808 [OPTION]...\n\n"
              "Simulates vehicle terminals of JT/T 808: they register, prove who they "
              "are, beat,\nreport where they are, hold parameters, and answer commands "
              "as they are told to.\n",
              out);
        args_print_help(jt808_table, ARRAY_LEN(jt808_table), out);
    } else {
        fputs("usage: holdfast-sim devices [OPTION]...\n\n"
              "Simulates vending machines: they log in, beat, hold a state, and answer "
              "commands\nas they are told to.\n",
              out);
        args_print_help(devices_table, ARRAY_LEN(devices_table), out);
    }
    fputs("\nExit status: 0 all went as it should; 1 the gateway broke the protocol, "
          "ended a\nconnection, or did not answer; 2 it could not run.\n",
          out);
}

const struct manner *plant_settings_manner(const struct plant_settings *s,
                                           uint64_t place)
{
    double at = ((double)place + 0.5) * 100 / (double)s->count;
    unsigned i = 0;

    for (; i + 1 < s->manner_count; i++) {
        if (at < s->manners[i].share)
            break;
        at -= s->manners[i].share;
    }
    return &s->manners[i];
}

/* Those with a share first, then the one for all the rest. Returns what is wrong, or
 * NULL. */
static const char *order_manners(struct plant_settings *s)
{
    struct manner rest = {.how = HOW_NOW};
    unsigned kept = 0, rests = 0;
    double shares = 0;

    for (unsigned i = 0; i < s->manner_count; i++) {
        struct manner m = s->manners[i];

        shares += m.share;
        if (m.share > 0)
            s->manners[kept++] = m;
        else
            rest = m;
        rests += m.share <= 0;
    }
    s->manners[kept++] = rest;
    s->manner_count = kept;
    if (rests > 1)
        return "only one --answer can be without a share";
    return shares > 100 ? "the shares of --answer exceed 100%" : NULL;
}

unsigned plant_settings_digits(const char *id)
{
    size_t size = strlen(id), digits = 0;

    while (digits < size && id[size - digits - 1] >= '0' &&
           id[size - digits - 1] <= '9')
        digits++;
    return (unsigned)digits;
}

static const char *find_fault_of_id(const struct plant_settings *s)
{
    size_t size = strlen(s->first_id);
    unsigned digits = plant_settings_digits(s->first_id);
    unsigned room = s->is_jt808 ? PHONE_DIGITS : digits;
    uint64_t last = s->count - 1 + strtoull(s->first_id + size - digits, NULL, 10);

    if (s->is_jt808 && (digits != size || digits < 1 || digits > PHONE_DIGITS))
        return "--first-id has 1 to 12 digits";
    if (!s->is_jt808 && size != 8)
        return "--first-id has 8 characters";
    for (; room > 0; room--)
        last /= 10;
    return last ? "--first-id does not leave room for so many" : NULL;
}

/* What is wrong with the combination, or NULL. */
static const char *find_fault(const struct plant_settings *s)
{
    if (s->count < 1 || s->count > MAX_COUNT)
        return "--count must be 1 .. 1M";
    if (s->heartbeat_ns < 1000000)
        return "--heartbeat must be at least 1ms";
    if (s->report_ns && s->report_ns < 1000000)
        return "--report must be at least 1ms, or 0";
    if (s->source_addresses > 250)
        return "--source-addresses must not exceed 250";
    if (s->extra_parameters > MAX_EXTRA)
        return "--extra-parameters must not exceed 200";
    return find_fault_of_id(s);
}

int plant_settings_read(struct plant_settings *s, bool is_jt808, int argc, char **argv,
                        FILE *errors)
{
    const struct arg *table = is_jt808 ? jt808_table : devices_table;
    size_t length = is_jt808 ? ARRAY_LEN(jt808_table) : ARRAY_LEN(devices_table);
    const char *fault;

    *s = (struct plant_settings){
        .who = is_jt808 ? "holdfast-sim jt808" : "holdfast-sim devices",
        .is_jt808 = is_jt808,
        .address_text = is_jt808 ? "127.0.0.1:6808" : "127.0.0.1:8001",
        .first_id = is_jt808 ? "13900000000" : "T9000010",
        .count = 10,
        .state = 5,
        .ramp_ns = 1000000,
        .heartbeat_ns = 20000000000,
        .time_ns = INT64_MAX,
    };
    if (args_parse(table, length, argc, argv, s, s->who, errors) < 0)
        return ERR_INVALID;
    if (s->help)
        return OK;
    if (peer_parse_address(s->address_text, &s->address) < 0) {
        fprintf(errors, "%s: --address %s: expected an IPv4 HOST:PORT\n", s->who,
                s->address_text);
        return ERR_INVALID;
    }
    if (s->time_ns == INT64_MAX)
        s->time_ns = s->commands ? 0 : 60000000000;
    if (!s->source_addresses && s->count > PER_ADDRESS &&
        ntohl(s->address.sin_addr.s_addr) >> 24 == 127)
        s->source_addresses = (s->count + PER_ADDRESS - 1) / PER_ADDRESS;
    if ((fault = find_fault(s)) || (fault = order_manners(s))) {
        fprintf(errors, "%s: %s\n", s->who, fault);
        return ERR_INVALID;
    }
    return OK;
}
