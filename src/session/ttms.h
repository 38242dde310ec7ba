/* ttms.h - the conversation with a relay terminal (docs/protocol-ttms.md). */
#pragma once

#include "codec/ttms.h"
#include "relay/session.h"

/* A listener's settings: what struct listener's `conf` points to. */
struct ttms_settings {
    struct session_settings common;
    struct ttms_conf codec;
    enum ttms_check checksum;
    bool durable; /* store before forwarding */
    bool receipts;
    bool reply_heartbeats;
};

extern const struct session_ops ttms_ops;

/* enum ttms_length: how this connection's frames count their length. */
uint8_t ttms_length_of(const struct conn *c);
