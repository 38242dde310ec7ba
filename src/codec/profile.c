#include "codec/profile.h"

#include <string.h>

const struct profile profile_vending = {
    .name = "vending",
    .login = 0x1001,
    .heartbeat = 0x1002,
    .report_count = 1,
    .reports = {0x1003},
    .query = "status",
    .state_at = 3,
    .state_count = 5,
    .states = {{1, "on"}, {2, "paused"}, {3, "cooling"}, {4, "standby"}, {5, "ready"}},
    .command_count = 3,
    .commands =
        {
            {.name = "status", .message = 0x1005},
            {.name = "turn_on",
             .message = 0x1004,
             .serial = 0x0010,
             .has_serial = true,
             .size = 8,
             .body = {0x00, 0x03, 0x01}},
            {.name = "restart", .message = 0x1006},
        },
};

const struct profile_command *profile_find(const struct profile *p, const char *name)
{
    for (size_t i = 0; i < p->command_count; i++)
        if (strcmp(p->commands[i].name, name) == 0)
            return &p->commands[i];
    return NULL;
}

const char *profile_state_name(const struct profile *p, uint8_t code)
{
    for (size_t i = 0; i < p->state_count; i++)
        if (p->states[i].code == code)
            return p->states[i].name;
    return NULL;
}
