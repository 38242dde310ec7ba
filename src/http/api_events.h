/* api_events.h - events as the API tells them: read, waited for, streamed. */
#pragma once

#include "base/json.h"
#include "http/server.h"
#include "journal/journal.h"

struct api;
struct http_request;
struct params;

void event_write(const struct api *a, struct json *j, const struct event *e);
const char *event_word(uint8_t kind);

/* Which events. */
struct event_filter {
    uint32_t kinds;   /* a bit for each; 0: all */
    uint8_t protocol; /* 0: any */
    uint8_t length;   /* 0: any device */
    char text[ID_TEXT_MAX];
};

/* A gap concerns everybody. */
bool event_fits(const struct event_filter *f, uint8_t kind, const struct id *device);

/* Long polls (api_events.c) and streams (api_stream.c): something was published; ten
 * times a second; the end. */
void polls_news(struct api *a);
void polls_tick(struct api *a, int64_t now_ms);
void polls_fini(struct api *a);

/* True: no event ever had this cursor, and the request is refused. */
bool events_refuse(struct api *a, http_handle h, uint64_t after);

/* `after` is what the request says; ignored if it has a Last-Event-ID. */
void streams_begin(struct api *a, const struct http_request *q, const struct params *p,
                   const struct event_filter *filter);
void streams_news(struct api *a);
void streams_tick(struct api *a, int64_t now_ms);
