/* report.h - figures for people, and a line that shows how a run goes. */
#pragma once

#include "sim/histogram.h"
#include "base/compiler.h"

#include <stdbool.h>
#include <stdio.h>

#define REPORT_TEXT 32

/* "1,234,567"; "1.23 ms". Both return `text`. */
const char *report_count(uint64_t n, char text[REPORT_TEXT]);
const char *report_time(uint64_t ns, char text[REPORT_TEXT]);

/* p50 .. max, for people and as a JSON object of nanoseconds. */
void report_percentiles(FILE *out, const struct histogram *h);
void report_percentiles_json(FILE *out, const struct histogram *h);

/* Rewrites one line on standard error, if that is a terminal; an empty text clears it.
 */
bool report_is_live(void);
PRINTF(1, 2) void report_progress(const char *format, ...);
