#include "sim/heartbeats/script.h"
#include "sim/args.h"

#include <string.h>

#define LONGEST_STEP 1000000

static const char *const words[] = {
#define X(name, word) word,
    SCRIPT_DEEDS(X)
#undef X
};

const char *deed_word(enum deed deed)
{
    return words[deed];
}

static int parse_share(const char *text, double *out)
{
    char number[16];
    size_t n = strcspn(text, "%");

    if (n >= sizeof(number) || strcmp(text + n, "%") != 0)
        return ERR_INVALID;
    memcpy(number, text, n);
    number[n] = '\0';
    if (args_number(number, out) < 0 || *out <= 0 || *out > 100)
        return ERR_INVALID;
    return OK;
}

/* One step, from `text` to the comma or the end: "silent 16". */
static int parse_step(const char *text, size_t size, struct script *s)
{
    char step[32];
    char *word, *number, *rest;
    uint64_t intervals;

    if (size >= sizeof(step) || s->steps == SCRIPT_STEPS_MAX)
        return ERR_INVALID;
    memcpy(step, text, size);
    step[size] = '\0';
    word = strtok_r(step, " ", &rest);
    number = strtok_r(NULL, " ", &rest);
    if (!word || !number || strtok_r(NULL, " ", &rest) ||
        args_count(number, &intervals) < 0 || intervals < 1 || intervals > LONGEST_STEP)
        return ERR_INVALID;
    for (uint8_t i = 0; i < DEED_COUNT; i++) {
        if (strcmp(word, words[i]) != 0)
            continue;
        s->step[s->steps].deed = i;
        s->step[s->steps++].intervals = (uint32_t)intervals;
        s->intervals += (uint32_t)intervals;
        return OK;
    }
    return ERR_INVALID;
}

int script_parse(const char *share, const char *steps, struct script *out)
{
    *out = (struct script){0};
    if (share && parse_share(share, &out->share) < 0)
        return ERR_INVALID;
    for (;;) {
        size_t n = strcspn(steps, ",");

        if (parse_step(steps, n, out) < 0)
            return ERR_INVALID;
        if (!steps[n])
            return OK;
        steps += n + 1;
    }
}

enum deed script_at(const struct script *script, uint64_t interval)
{
    uint32_t at = (uint32_t)(interval % script->intervals);
    uint32_t i = 0;

    while (at >= script->step[i].intervals)
        at -= script->step[i++].intervals;
    return script->step[i].deed;
}
