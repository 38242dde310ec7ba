#include "sim/terminals/settings.h"
#include "sim/args.h"
#include "sim/peer.h"
#include "sim/terminals/message.h"
#include "codec/ttms.h"

#include <string.h>

#define WHO            "holdfast-sim terminals"
#define PER_ADDRESS    10000 /* the gateway's default for max_per_address */
#define DEFAULT_WINDOW 64
#define DEFAULT_SLOW   1000
#define MAX_COUNT      1000000

static int read_reconnect(void *settings, const char *first, const char *second)
{
    struct settings *s = settings;

    s->ending = ENDING_BOTH;
    if (second && strcmp(second, "RST") == 0)
        s->ending = ENDING_RST;
    else if (second && strcmp(second, "FIN") == 0)
        s->ending = ENDING_FIN;
    else if (second)
        return ERR_INVALID;
    if (args_number(first, &s->reconnect_s) < 0 || s->reconnect_s < 0.001)
        return ERR_INVALID;
    return OK;
}

static int read_slow_reader(void *settings, const char *first, const char *second)
{
    struct settings *s = settings;

    s->slow_bytes_per_s = DEFAULT_SLOW;
    if (second && args_bytes(second, &s->slow_bytes_per_s) < 0)
        return ERR_INVALID;
    return args_count(first, &s->slow_readers);
}

#define AT(member) offsetof(struct settings, member)
#define HEADING(text)                                                                  \
    {                                                                                  \
        .help = (text)                                                                 \
    }

static const struct arg table[] = {
    HEADING("Fleet"),
    {"address", ARG_TEXT, AT(address_text), "HOST:PORT",
     "the gateway's terminal listener (127.0.0.1:7222)"},
    {"count", ARG_COUNT, AT(count), "N", "terminals (100)"},
    {"first-id", ARG_COUNT, AT(first_id), "ID",
     "id of the first; the others follow (1)"},
    {"length", ARG_CHOICE, AT(dialect), DIALECTS,
     "what their length field counts (total)"},
    {"heartbeat", ARG_TIME, AT(heartbeat_ns), "TIME", "between two heartbeats (10s)"},
    {"connect-rate", ARG_NUMBER, AT(connect_rate), "RATE",
     "connections begun per second (as fast as it goes)"},
    {"source-addresses", ARG_COUNT, AT(source_addresses), "N",
     "connect from 127.0.0.1 to 127.0.0.N, on loopback one for each\n"
     "10,000 terminals, which is what the gateway accepts of each"},
    {"confirm", ARG_CHOICE, AT(confirm), CONFIRMS,
     "how a terminal knows that it is registered: a message to itself\n"
     "came back; its heartbeat was echoed (listener: reply_heartbeats);\n"
     "or it just believes it (probe)"},
    {"receipts", ARG_FLAG, AT(receipts), NULL,
     "the listener sends receipts: what it called safe must arrive,\n"
     "whatever happened; what it refused must not"},

    HEADING("Load"),
    {"pattern", ARG_CHOICE, AT(pattern), PATTERNS,
     "who sends to whom: two to each other; each to the next; each to 8\n"
     "partners at random; all to the first; nobody, only heartbeats (pairs)"},
    {"rate", ARG_NUMBER, AT(rate), "RATE",
     "messages per second, all together (one per terminal)"},
    {"flood", ARG_FLAG, AT(flood), NULL,
     "as fast as the windows allow, instead of --rate"},
    {"window", ARG_COUNT, AT(window), "N",
     "most messages under way per sender; 0: no limit\n"
     "(no limit; with --flood the larger of 64 and four bursts)"},
    {"burst", ARG_COUNT, AT(burst), "N", "messages per write (1)"},
    {"size", ARG_BYTES, AT(size), "BYTES", "of a whole frame on the wire (64)"},
    {"traps", ARG_FLAG, AT(traps), NULL,
     "payloads full of $TTMS; not for listeners with length: ignore"},
    {"time", ARG_TIME, AT(time_ns), "TIME", "how long to send (10s)"},
    {"messages", ARG_COUNT, AT(messages), "N", "end after so many instead"},
    {"settle", ARG_TIME, AT(settle_ns), "TIME",
     "how long to wait at the end for what is still under way (10s)"},

    HEADING("Behaviours"),
    {"reconnect", ARG_PAIR, 0, "SECONDS[:RST|FIN]",
     "connections last SECONDS on average, then end (by reset or in\n"
     "order, or now this, now that), and the terminal comes back",
     read_reconnect},
    {"away", ARG_TIME, AT(away_ns), "TIME", "how long it stays away (200ms)"},
    {"half-open", ARG_COUNT, AT(half_open), "N",
     "N terminals freeze one after another as if their cable were cut,\n"
     "and come back on a second connection while the first looks alive"},
    {"frozen", ARG_TIME, AT(frozen_ns), "TIME", "how long they stay so (2s)"},
    {"slow-reader", ARG_PAIR, 0, "N[:BYTES_PER_S]",
     "N terminals read no faster than that (1000); 0: not at all before\n"
     "the end. They have no part in the latency",
     read_slow_reader},
    {"restart-storm", ARG_FLAG, AT(restart_storm), NULL,
     "the gateway will be restarted: all come back at once, and the time\n"
     "until the last is registered again is measured"},

    HEADING("Program"),
    {"threads", ARG_COUNT, AT(threads), "N",
     "each runs its own share of the fleet, with its own pattern (1)"},
    {"seed", ARG_COUNT, AT(seed), "N", "for the random choices (by the clock)"},
    {"json", ARG_FLAG, AT(json), NULL, "the result as one JSON object"},
    {"quiet", ARG_FLAG, AT(quiet), NULL,
     "no progress line, and no table if all is well"},
    {"help", ARG_FLAG, AT(help), NULL, "this text"},
};

static const char examples[] =
    "\nExamples\n"
    "  holdfast-sim terminals --flood --burst 16\n"
    "      how much goes through?\n"
    "  holdfast-sim terminals --count 2000 --rate 50k --time 1min\n"
    "      and how long does a message take at a given load?\n"
    "  holdfast-sim terminals --count 15000 --pattern none --time 1h\n"
    "      an idle fleet, to measure memory; prints the rate of registrations\n"
    "  holdfast-sim terminals --pattern random --rate 20k --reconnect 5\n"
    "      does anything get lost while terminals come and go?\n"
    "  holdfast-sim terminals --rate 20k --receipts --restart-storm --time 30s\n"
    "      then kill -9 the gateway; what it called safe must arrive\n"
    "\nExit status: 0 every promise was kept, 1 one was broken, 2 it could not run.\n";

void settings_print_help(FILE *out)
{
    fputs("usage: " WHO " [OPTION]...\n\n"
          "Simulates terminals that register, beat, and send each other messages "
          "through\n"
          "a gateway, and checks of every message that it arrives once, in order and\n"
          "undamaged. Latency counts from the moment a message was meant to be sent\n"
          "(--rate) or was sent (--flood).\n",
          out);
    args_print_help(table, ARRAY_LEN(table), out);
    fputs(examples, out);
}

uint8_t settings_length(const struct settings *s)
{
    return (uint8_t)(TTMS_LENGTH_TOTAL + s->dialect);
}

bool settings_have_faults(const struct settings *s)
{
    return s->reconnect_s > 0 || s->half_open || s->slow_readers || s->restart_storm;
}

static size_t smallest_frame(const struct settings *s)
{
    return ttms_formed_size(MESSAGE_HEAD, settings_length(s));
}

/* What is wrong with the combination, or NULL. */
static const char *find_fault(const struct settings *s)
{
    uint64_t per_thread = s->threads ? s->count / s->threads : 0;

    if (s->count < 1 || s->count > MAX_COUNT)
        return "--count must be 1 .. 1M";
    if (s->threads < 1 || s->threads > 64 || per_thread < 1)
        return "--threads must be 1 .. 64 and not above --count";
    if (s->pattern != PATTERN_NONE && per_thread < 2)
        return "a terminal needs another to talk to: --count must be at least 2 per "
               "thread (or use --pattern none)";
    if (s->first_id < 1 || s->first_id + s->count > UINT32_MAX)
        return "--first-id must be at least 1, and all ids must fit in 32 bits";
    if (s->flood && s->rate > 0)
        return "choose one of --flood and --rate";
    if (s->burst < 1 || s->burst > 4096)
        return "--burst must be 1 .. 4096";
    if (s->window && s->window < s->burst)
        return "--window must not be smaller than --burst";
    if (s->size < smallest_frame(s))
        return "--size is too small: a frame holds 36 bytes of bookkeeping, so it has "
               "at "
               "least 49 bytes (50 with --length content2)";
    if (s->size > 65535)
        return "--size must not exceed 65535, what the length field can say";
    if (s->heartbeat_ns < 1000000)
        return "--heartbeat must be at least 1ms";
    if (s->half_open + s->slow_readers > s->count)
        return "--half-open and --slow-reader together exceed --count";
    if (s->source_addresses > 250)
        return "--source-addresses must not exceed 250";
    return NULL;
}

static bool is_loopback(const struct sockaddr_in *a)
{
    return ntohl(a->sin_addr.s_addr) >> 24 == 127;
}

int settings_read(struct settings *s, int argc, char **argv, FILE *errors)
{
    const char *fault;

    *s = (struct settings){
        .address_text = "127.0.0.1:7222",
        .count = 100,
        .first_id = 1,
        .threads = 1,
        .heartbeat_ns = 10000000000,
        .window = UINT64_MAX,
        .burst = 1,
        .size = 64,
        .time_ns = 10000000000,
        .settle_ns = 10000000000,
        .away_ns = 200000000,
        .frozen_ns = 2000000000,
    };
    if (args_parse(table, ARRAY_LEN(table), argc, argv, s, WHO, errors) < 0)
        return ERR_INVALID;
    if (s->help)
        return OK;
    if (peer_parse_address(s->address_text, &s->address) < 0) {
        fprintf(errors,
                WHO ": --address %s: expected an IPv4 HOST:PORT such as "
                    "127.0.0.1:7222\n",
                s->address_text);
        return ERR_INVALID;
    }
    if (s->window == UINT64_MAX)
        s->window = !s->flood                       ? 0
                    : 4 * s->burst > DEFAULT_WINDOW ? 4 * s->burst
                                                    : DEFAULT_WINDOW;
    if (!s->flood && s->rate <= 0)
        s->rate = (double)s->count;
    if (!s->source_addresses && s->count > PER_ADDRESS && is_loopback(&s->address))
        s->source_addresses = (s->count + PER_ADDRESS - 1) / PER_ADDRESS;
    if ((fault = find_fault(s))) {
        fprintf(errors, WHO ": %s\n", fault);
        return ERR_INVALID;
    }
    return OK;
}
