#include "sim/requests/settings.h"
#include "sim/args.h"
#include "sim/peer.h"

#define WHO      "holdfast-sim requests"
#define MAX_SIZE (512u << 20)

static int read_size(void *settings, const char *first, const char *second)
{
    struct request_settings *s = settings;

    if (args_bytes(first, &s->min_size) < 0)
        return ERR_INVALID;
    s->max_size = s->min_size;
    return second ? args_bytes(second, &s->max_size) : OK;
}

#define AT(member) offsetof(struct request_settings, member)
#define HEADING(text)                                                                  \
    {                                                                                  \
        .help = (text)                                                                 \
    }

static const struct arg table[] = {
    HEADING("Load"),
    {"address", ARG_TEXT, AT(address_text), "HOST:PORT",
     "the gateway's nbnet listener (127.0.0.1:9000)"},
    {"connections", ARG_COUNT, AT(connections), "N", "at the same time (50)"},
    {"depth", ARG_COUNT, AT(depth), "N", "requests under way on each connection (1)"},
    {"size", ARG_PAIR, 0, "BYTES[:BYTES]",
     "of a body; two: at random between them (64)", read_size},
    {"logic", ARG_CHOICE, AT(logic), LOGICS,
     "what the service does with a body (echo)"},
    {"time", ARG_TIME, AT(time_ns), "TIME", "how long to ask (10s)"},
    {"requests", ARG_COUNT, AT(requests), "N", "end after so many instead"},
    {"patience", ARG_TIME, AT(patience_ns), "TIME",
     "how long to wait at the end for answers that are missing (10s)"},
    {"may-close", ARG_FLAG, AT(may_close), NULL,
     "the service may close a connection instead of answering: count that,\n"
     "connect again, and call it no failure"},

    HEADING("Program"),
    {"seed", ARG_COUNT, AT(seed), "N", "for sizes and bodies (by the clock)"},
    {"json", ARG_FLAG, AT(json), NULL, "the result as one JSON object"},
    {"quiet", ARG_FLAG, AT(quiet), NULL,
     "no progress line, and no table if all is well"},
    {"help", ARG_FLAG, AT(help), NULL, "this text"},
};

void request_settings_print_help(FILE *out)
{
    fputs(
        "usage: " WHO " [OPTION]...\n\n"
        "Asks a request/answer service (ten decimal digits, then the body) and checks\n"
        "every byte of every answer, and their order. Latency counts from a request's\n"
        "sending to its answer's last byte.\n",
        out);
    args_print_help(table, ARRAY_LEN(table), out);
    fputs("\nExamples\n"
          "  holdfast-sim requests --connections 1000 --depth 16\n"
          "      how many small requests go through?\n"
          "  holdfast-sim requests --size 1:100KiB --logic reverse --time 1min\n"
          "      are bodies of all sizes answered rightly?\n"
          "\nExit status: 0 every answer was right, 1 one was not, or is missing, 2 it "
          "could\nnot run.\n",
          out);
}

static int check(const struct request_settings *s, FILE *errors)
{
    const char *wrong = NULL;

    if (s->connections == 0 || s->connections > 1000000)
        wrong = "--connections: 1 to 1000000";
    else if (s->depth == 0 || s->depth > DEPTH_MAX)
        wrong = "--depth: 1 to 1024";
    else if (s->min_size == 0 || s->max_size < s->min_size || s->max_size > MAX_SIZE)
        wrong = "--size: 1 to 512 MiB, the smaller one first";
    else if (s->time_ns <= 0)
        wrong = "--time: more than nothing";
    if (!wrong)
        return OK;
    fprintf(errors, WHO ": %s\n", wrong);
    return ERR_INVALID;
}

int request_settings_read(struct request_settings *s, int argc, char **argv,
                          FILE *errors)
{
    *s = (struct request_settings){
        .address_text = "127.0.0.1:9000",
        .connections = 50,
        .depth = 1,
        .min_size = 64,
        .max_size = 64,
        .time_ns = INT64_C(10000000000),
        .patience_ns = INT64_C(10000000000),
    };
    if (args_parse(table, ARRAY_LEN(table), argc, argv, s, WHO, errors) < 0)
        return ERR_INVALID;
    if (s->help)
        return OK;
    if (peer_parse_address(s->address_text, &s->address) < 0) {
        fprintf(errors, WHO ": --address: `%s` is not HOST:PORT\n", s->address_text);
        return ERR_INVALID;
    }
    return check(s, errors);
}
