#include "sim/heartbeats/options.h"
#include "sim/args.h"
#include "sim/peer.h"
#include "codec/heartbeat.h"

#include <string.h>

#define WHO         "holdfast-sim heartbeats"
#define PER_ADDRESS 10000 /* the gateway's default for max_per_address */
#define MAX_COUNT   1000000

static int read_script(void *options, const char *first, const char *second)
{
    struct options *o = options;

    if (o->script_count == SCRIPTS_MAX - 1)
        return ERR_INVALID;
    return script_parse(second ? first : NULL, second ? second : first,
                        &o->scripts[o->script_count++]);
}

#define AT(member) offsetof(struct options, member)
#define HEADING(text)                                                                  \
    {                                                                                  \
        .help = (text)                                                                 \
    }

static const struct arg table[] = {
    HEADING("Clients"),
    {"address", ARG_TEXT, AT(address_text), "HOST:PORT",
     "the gateway's heartbeat listener (127.0.0.1:14000)"},
    {"count", ARG_COUNT, AT(count), "N", "clients (10)"},
    {"ramp", ARG_TIME, AT(ramp_ns), "TIME", "one more so often (100ms)"},
    {"interval", ARG_TIME, AT(interval_ns), "TIME", "between two messages (10s)"},
    {"double-encoding", ARG_FLAG, AT(double_encoding), NULL,
     "the object's text as a JSON string, as deployed clients send it"},
    {"ip", ARG_TEXT, AT(ip), "ADDRESS", "what they report as theirs (127.0.0.1)"},
    {"first-port", ARG_COUNT, AT(first_port), "PORT",
     "the first connects from PORT, the next from PORT+1 ...: so each has\n"
     "the same name when it comes back (any port: a new name each time)"},
    {"source-addresses", ARG_COUNT, AT(source_addresses), "N",
     "connect from 127.0.0.1 to 127.0.0.N, on loopback one for each\n"
     "10,000 clients, which is what the gateway accepts of each"},

    HEADING("Behaviour"),
    {"script", ARG_PAIR, 0, "[SHARE%:]STEPS",
     "what a SHARE of the clients (all the others) does, over and over:\n"
     "\"alive 5, silent 16, away 2\". `alive 5`: a message in each of five\n"
     "intervals; `leave`, `close`: the same, claiming that; `silent`:\n"
     "nothing; `away`: not even a connection. Give it for each share",
     read_script},

    HEADING("Program"),
    {"time", ARG_TIME, AT(time_ns), "TIME", "how long; 0: until Ctrl-C (1min)"},
    {"messages", ARG_COUNT, AT(messages), "N", "end after so many instead"},
    {"json", ARG_FLAG, AT(json), NULL, "the result as one JSON object"},
    {"quiet", ARG_FLAG, AT(quiet), NULL,
     "no progress line, and no result if all is well"},
    {"help", ARG_FLAG, AT(help), NULL, "this text"},
};

static const char examples[] =
    "\nExamples\n"
    "  holdfast-sim heartbeats --count 100\n"
    "      a hundred clients that stay alive\n"
    "  holdfast-sim heartbeats --interval 1s --first-port 20000 --time 0 \\\n"
    "      --script '20%:alive 5, silent 16, alive 6' --script '20%:silent 60, alive "
    "9' \\\n"
    "      --script '10%:alive 4, away 3'\n"
    "      all moves there are, at a listener with presence: {interval: 1s,\n"
    "      leave_hold: 30s}\n"
    "\nExit status: 0 all went as it should, 1 the gateway sent something, or without "
    "a\n"
    "script ended a connection; 2 it could not run.\n";

void options_print_help(FILE *out)
{
    fputs("usage: " WHO " [OPTION]...\n\n"
          "Simulates clients that report that they live: one message per interval, or "
          "as a\n"
          "script says, so that the gateway sees them come, leave, recover and go.\n",
          out);
    args_print_help(table, ARRAY_LEN(table), out);
    fputs(examples, out);
}

const struct script *options_script(const struct options *o, uint64_t place)
{
    double at = ((double)place + 0.5) * 100 / (double)o->count;
    unsigned i = 0;

    for (; i + 1 < o->script_count; i++) {
        if (at < o->scripts[i].share)
            break;
        at -= o->scripts[i].share;
    }
    return &o->scripts[i];
}

bool options_provoke(const struct options *o)
{
    return o->script_count > 1 || o->scripts[0].steps > 1;
}

/* Those with a share first, then the one for all the rest: stay alive if none is
 * given. Returns what is wrong, or NULL. */
static const char *order_scripts(struct options *o)
{
    struct script rest = {0};
    unsigned kept = 0;
    double shares = 0;

    for (unsigned i = 0; i < o->script_count; i++) {
        shares += o->scripts[i].share;
        if (o->scripts[i].share > 0)
            o->scripts[kept++] = o->scripts[i];
        else if (rest.steps)
            return "only one --script can be without a share";
        else
            rest = o->scripts[i];
    }
    if (shares > 100)
        return "the shares of the scripts exceed 100%";
    if (!rest.steps && script_parse(NULL, "alive 1", &rest) < 0)
        return "out of luck"; /* never */
    o->scripts[kept++] = rest;
    o->script_count = kept;
    return NULL;
}

/* What is wrong with the combination, or NULL. */
static const char *find_fault(const struct options *o)
{
    if (o->count < 1 || o->count > MAX_COUNT)
        return "--count must be 1 .. 1M";
    if (o->interval_ns < 1000000)
        return "--interval must be at least 1ms";
    if (o->first_port && (o->first_port > 65535 || o->first_port + o->count > 65536))
        return "with --first-port all ports must fit in 65535";
    if (o->source_addresses > 250)
        return "--source-addresses must not exceed 250";
    if (strlen(o->ip) < 1 || strlen(o->ip) > HEARTBEAT_IP_MAX)
        return "--ip has 1 to 45 characters";
    if (strpbrk(o->ip, "\"\\"))
        return "--ip holds no quotes or backslashes";
    return NULL;
}

int options_read(struct options *o, int argc, char **argv, FILE *errors)
{
    const char *fault;

    *o = (struct options){
        .address_text = "127.0.0.1:14000",
        .count = 10,
        .ramp_ns = 100000000,
        .interval_ns = 10000000000,
        .ip = "127.0.0.1",
        .time_ns = INT64_MAX,
    };
    if (args_parse(table, ARRAY_LEN(table), argc, argv, o, WHO, errors) < 0)
        return ERR_INVALID;
    if (o->help)
        return OK;
    if (peer_parse_address(o->address_text, &o->address) < 0) {
        fprintf(errors,
                WHO ": --address %s: expected an IPv4 HOST:PORT such as "
                    "127.0.0.1:14000\n",
                o->address_text);
        return ERR_INVALID;
    }
    if (o->time_ns == INT64_MAX)
        o->time_ns = o->messages ? 0 : 60000000000;
    if (!o->source_addresses && o->count > PER_ADDRESS &&
        ntohl(o->address.sin_addr.s_addr) >> 24 == 127)
        o->source_addresses = (o->count + PER_ADDRESS - 1) / PER_ADDRESS;
    if ((fault = find_fault(o)) || (fault = order_scripts(o))) {
        fprintf(errors, WHO ": %s\n", fault);
        return ERR_INVALID;
    }
    return OK;
}
