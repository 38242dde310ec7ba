/* api_devices.h - a device as the API shows it. */
#pragma once

#include "base/json.h"
#include "session/tracker.h"

/* `view`: a struct device_view. */
void device_write(struct json *j, const void *view);
