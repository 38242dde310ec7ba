/* What a configuration comes to, for people. */
#include "config/config.h"
#include "base/id.h"

static const char *const registration_words[] = {
#define X(name, word, text) [REGISTRATION_##name] = word,
    REGISTRATIONS(X)
#undef X
};

static const char *reach(const struct listener_config *l)
{
    return config_is_loopback(l) ? "this machine only" : "open to the network";
}

/* 30min, 90s, 1500ms: the largest unit that says it exactly. */
static const char *duration_text(int64_t ms, char *out, size_t size)
{
    static const struct {
        int64_t ms;
        const char *word;
    } units[] = {{3600000, "h"}, {60000, "min"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;

    while (ms % units[i].ms)
        i++;
    snprintf(out, size, "%lld%s", (long long)(ms / units[i].ms), units[i].word);
    return out;
}

static void describe_presence(const struct presence_policy *p, FILE *out)
{
    char a[32], b[32];

    switch ((enum presence_rule)p->rule) {
    case PRESENCE_RULE_NONE:
        break;
    case PRESENCE_RULE_CURSOR:
        fprintf(out,
                "; presence by %u strikes of %u intervals of %s, back after %u, "
                "closed after %s",
                p->strikes, p->threshold, duration_text(p->interval_ms, a, sizeof(a)),
                p->recover, duration_text(p->leave_hold_ms, b, sizeof(b)));
        break;
    case PRESENCE_RULE_TIMEOUT:
        fprintf(out, "; closed after %s of silence",
                duration_text(p->timeout_ms, a, sizeof(a)));
        break;
    }
}

static void describe_service(const struct listener_config *l, FILE *out)
{
    fprintf(out, "; %s answers in ", l->logic);
    if (l->processes)
        fprintf(out, "%u process%s", l->processes, l->processes == 1 ? "" : "es");
    else
        fprintf(out, "a process per core");
}

static void describe_commands(const struct listener_config *l, FILE *out)
{
    char a[32];

    if (l->protocol == PROTOCOL_DEVICE)
        fprintf(out, "; profile %s", l->profile_name);
    else
        fprintf(out, "; registration %s", registration_words[l->registration]);
    if (l->commands.retries)
        fprintf(out, ", commands repeated %u time%s, first after %s",
                l->commands.retries, l->commands.retries == 1 ? "" : "s",
                duration_text(l->commands.retry_ms, a, sizeof(a)));
}

static void describe_listener(const struct listener_config *l, FILE *out)
{
    fprintf(out, "  listener    %s: %s on %s, %s", l->name, protocol_word(l->protocol),
            l->address_text, reach(l));
    if (l->protocol == PROTOCOL_TTMS)
        fprintf(out, "; length %s, durability %s%s%s",
                ttms_length_word((uint8_t)l->length),
                l->durability == DURABILITY_ALL ? "all" : "offline",
                l->receipts ? ", receipts" : "",
                l->reply_heartbeats ? ", replies to heartbeats" : "");
    if (l->protocol == PROTOCOL_NBNET)
        describe_service(l, out);
    if (l->protocol == PROTOCOL_DEVICE || l->protocol == PROTOCOL_JT808)
        describe_commands(l, out);
    describe_presence(&l->presence, out);
    fputc('\n', out);
}

void config_describe(const struct config *c, FILE *out)
{
    char shards[16] = "one per core";

    if (c->shards > 0)
        snprintf(shards, sizeof(shards), "%u", c->shards);
    fprintf(out, "  data in     %s\n", c->data_dir);
    fprintf(out, "  shards      %s\n", shards);
    if (c->user)
        fprintf(out, "  user        %s\n", c->user);
    for (size_t i = 0; i < c->listener_count; i++)
        describe_listener(&c->listeners[i], out);
    if (c->http.address_size > 0)
        fprintf(out, "  http        http://%s, %s%s\n", c->http.address_text,
                reach(&c->http), c->http_token ? ", with a token" : "");
    else
        fprintf(out, "  http        off\n");
}
