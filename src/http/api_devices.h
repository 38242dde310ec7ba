/* api_devices.h - a device as the API shows it. */
#pragma once

#include "base/json.h"
#include "relay/tracker.h"

/* `view`: a struct device_view. */
void device_show(struct json *j, const void *view);

/* {"messages": 0, "bytes": 0} */
void device_write_mailbox(struct json *j, const struct device_view *v);
