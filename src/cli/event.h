/* event.h - one of the gateway's events as a line of text. */
#pragma once

#include "cli/table.h"

#include <jansson.h>

/* Whose events are shown: everybody's lines name the device. */
enum event_scope { EVENT_OF_ALL, EVENT_OF_ONE };

/* For eyes with the local time of day, elsewhere with the time as it came. */
void event_print(const json_t *event, enum output output, enum event_scope scope);

/* That events were missed: those before `oldest`, the oldest one that is still kept. */
void event_print_missed(uint64_t oldest, enum output output);
