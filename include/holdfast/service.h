/* service.h - one function: bytes in, bytes out.
 *
 * A service answers requests. The event loop, the framing, the time-outs and the
 * processes are somebody else's business: those of a Holdfast gateway that loads the
 * service as a plug-in, or of a program of your own that calls hf_serve()
 * (holdfast/serve.h).
 *
 *     static void reverse(void *state, struct hf_request *request)
 *     {
 *         size_t size;
 *         const unsigned char *in = hf_request_body(request, &size);
 *         unsigned char *out = hf_answer_room(request, size);
 *
 *         for (size_t i = 0; out && i < size; i++)
 *             out[i] = in[size - 1 - i];
 *     }
 *
 *     HF_EXPORT const struct hf_service holdfast_service = {
 *         HF_SERVICE_HEAD, .name = "reverse", .logic = reverse};
 *
 * Each process calls its service from one thread, one request at a time. Requests of
 * one connection are answered in the order of their coming. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HF_EXPORT __attribute__((visibility("default")))

/* Raised when a service built for the former version would not work any more. What is
 * added at the struct's end is told by its size. */
#define HF_SERVICE_VERSION 1
#define HF_SERVICE_HEAD    HF_SERVICE_VERSION, sizeof(struct hf_service)

struct hf_request; /* valid until logic() returns */
struct hf_later;

struct hf_service {
    uint32_t version; /* HF_SERVICE_VERSION */
    uint32_t size;    /* sizeof(struct hf_service) */
    const char *name; /* for logs; lives as long as the service */

    /* Optional. In each process, before its first request. `argument` is what the
     * settings say (may be ""); *state is given to the other functions. Anything but 0:
     * this process cannot serve; it ends, and is not started again. May block. */
    int (*start)(const char *argument, void **state);

    /* Optional. After the last request, when the process ends in order. */
    void (*stop)(void *state);

    /* Answers one request: by hf_answer() or hf_answer_room(), later by
     * hf_answer_later(), or not at all by hf_close(). A request that got none of these
     * closes its connection. It must not block: nobody else is served meanwhile. */
    void (*logic)(void *state, struct hf_request *request);
};

/* What a plug-in exports, under this name. */
extern HF_EXPORT const struct hf_service holdfast_service;

/* The request's bytes; never empty. */
HF_EXPORT const void *hf_request_body(const struct hf_request *request, size_t *size);

/* "192.0.2.7:40110", "[2001:db8::1]:40110"; valid as long as the request. */
HF_EXPORT const char *hf_request_peer(struct hf_request *request);

/* A number for the request's connection, unique in this process. */
HF_EXPORT uint64_t hf_request_connection(const struct hf_request *request);

/* The answer, copied. 0, or -1: it does not fit the framing, memory is out, or there is
 * an answer already; the connection is closed then. */
HF_EXPORT int hf_answer(struct hf_request *request, const void *bytes, size_t size);

/* The answer, to be written to the room that is returned before logic() returns. NULL
 * as above. */
HF_EXPORT void *hf_answer_room(struct hf_request *request, size_t size);

/* No answer: the connection is closed, after what was answered before. */
HF_EXPORT void hf_close(struct hf_request *request);

/* The answer comes later, from any thread. The connection's next request waits for it,
 * other connections do not. NULL as above. The request's body is gone when logic()
 * returns: copy what you need. Use it once, by one of the two functions below; what is
 * not used before stop() returns is lost. */
HF_EXPORT struct hf_later *hf_answer_later(struct hf_request *request);

/* Any thread. A connection that is gone by then does not mind. -1: memory is out, or
 * the answer does not fit the framing: the connection is closed. */
HF_EXPORT int hf_later_answer(struct hf_later *later, const void *bytes, size_t size);
HF_EXPORT void hf_later_close(struct hf_later *later);

#ifdef __cplusplus
}
#endif
