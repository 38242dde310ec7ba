/* device.h - devices that speak in 7E frames: those that a profile describes
 * (docs/protocol-device.md), and vehicle terminals (docs/protocol-jt808.md). */
#pragma once

#include "codec/packages.h"
#include "codec/profile.h"
#include "config/config.h"
#include "relay/session.h"
#include "session/id_list.h"

/* A listener's settings: what struct listener's `conf` points to. */
struct device_settings {
    struct session_settings common;
    struct framing framing;
    uint8_t form; /* enum device_id_form */
    struct packages_limits packages;
    struct profile profile; /* of device_ops */
    /* Of vehicle_ops: */
    uint8_t registration;         /* enum registration */
    struct id_list *may_register; /* LIST; NULL: nobody */
};

extern const struct session_ops device_ops;  /* by a profile */
extern const struct session_ops vehicle_ops; /* JT/T 808 */
