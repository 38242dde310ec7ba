/* heartbeat.h - clients that report that they live (docs/protocol-heartbeat.md). */
#pragma once

#include "codec/heartbeat.h"
#include "relay/session.h"

/* A listener's settings: what struct listener's `conf` points to. */
struct heartbeat_settings {
    struct session_settings common;
    struct framing framing;
};

extern const struct session_ops heartbeat_ops;
