/* schemas.h - what the bodies of the API say, described for programs (JSON Schema). */
#pragma once

#include "base/json.h"

/* "schemas": {...}, of the names that routes.c uses. */
void schemas_write(struct json *j);
