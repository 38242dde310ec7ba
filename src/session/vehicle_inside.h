/* vehicle_inside.h - what the files of the conversation with vehicle terminals share.
 *
 *   vehicle.c           which message gets which answer; who may say it
 *   vehicle_proof.c     registering, and showing the token
 *   vehicle_packages.c  messages in several packages; asking for the missing ones
 *   vehicle_reports.c   reports, and their answers when they are safe
 *   vehicle_dialect.c   how a terminal is commanded
 *   vehicles.c          what the terminals of a shard share
 *
 *              register                      its token
 *   CLAIMS <------------> waits for the disk  ---------> PROVED
 *      ^                                                   |
 *      '------------------ registers again ----------------'
 *
 * Until it has proved who it is, nothing that a connection says is stored, told, or
 * counts as an answer, and no other connection suffers from it. */
#pragma once

#include "codec/jt808.h"
#include "journal/journal.h"
#include "relay/part.h"
#include "session/device_inside.h"
#include "session/vehicles.h"

/* One connection's. Moves with it to another shard, where nobody points to it. */
struct vehicle {
    struct conn *conn;             /* the timer's */
    struct credential *credential; /* PROVED: that of session->self; else NULL */
    struct timer timer;      /* to look for missing packages, and at `prove_by_ms` */
    int64_t prove_by_ms;     /* when it registers again; else 0: net/ waits for it */
    struct device_head head; /* PROVED: of its newest frame, without those of others */
    struct id id;            /* CLAIMS: who it was when it spoke last */
    char token[TOKEN_SIZE];  /* the one that it was given; wiped when it has shown it */
    uint16_t given_serial;   /* of the message that asked for it */
    uint16_t shown_serial;   /* ... that showed it */
    uint8_t tries;           /* to prove who it is, in vain */
    uint8_t proof;           /* counts its proofs: a due answer is for one of them */
    uint16_t due;            /* answers that wait for the disk, or behind such */
    bool is_full : 1;        /* held until fewer do */
    bool has_token : 1;
    bool awaits_token : 1; /* the disk has not got it yet */
    bool awaits_proof : 1; /* ... does not know yet that it was shown */
    bool warned_unproved : 1, warned_foreign : 1, warned_packages : 1;
};

/* A message with all its packages. */
struct vehicle_message {
    uint16_t message;
    uint16_t serial; /* of its first package */
    bool is_2019;
    struct slice body;
};

struct vehicles {
    struct part part;
    struct relay *relay;
    struct credentials *credentials;
    struct buf due;  /* of struct due_answer (vehicle_reports.c), in order */
    struct buf body; /* of a message to a terminal */
    struct vehicles_stats stats;
};

static inline struct vehicle *vehicle_of(const struct conn *c)
{
    return device_session_of(c)->vehicle;
}

static inline struct vehicles *vehicles_of(const struct conn *c)
{
    return relay_of(c)->vehicles;
}

/* A header has no version before 2019; 0 stands for that. */
static inline uint8_t vehicle_version(const struct device_head *h)
{
    if (h->form != DEVICE_ID_BCD10)
        return 0;
    return h->version ? h->version : 1;
}

/* ---- vehicle.c ---- */

/* Sends `message` with what is in vehicles->body. */
void vehicle_say(struct conn *c, uint16_t message);
/* 8001, behind the answers that wait for the disk. */
void vehicle_answer(struct conn *c, uint16_t serial, uint16_t message,
                    enum jt808_result result);
/* ... at once. */
void vehicle_answer_now(struct conn *c, uint16_t serial, uint16_t message,
                        enum jt808_result result);
/* ... unless such a message never gets one. */
void vehicle_refuse(struct conn *c, uint16_t serial, uint16_t message,
                    enum jt808_result result);
/* PROVED -> CLAIMS. */
void vehicle_let_go(struct conn *c);
/* Sets the timer anew. `at_ms`: for packages; INT64_MAX: nothing is awaited. */
void vehicle_arm(struct vehicle *v, int64_t at_ms);

/* ---- vehicle_proof.c ---- */

/* CLAIMS: what may be said then. False: the connection moved, or is closing. */
bool vehicle_claim(struct conn *c, const struct device_frame *f, struct slice in);
void vehicle_log_refused(const struct conn *c, const struct device_frame *f,
                         const char *why);
/* For one who claims to be v->id. False: the connection is closing. */
bool vehicle_register(struct conn *c, const struct vehicle_message *m, bool is_proved);
/* It has shown its token once: it may show it again, in vain, too. */
void vehicle_authenticate_again(struct conn *c, const struct vehicle_message *m);
/* For credentials_conf: the disk has the token, or not; it knows that it was shown. */
void vehicle_issued(void *vehicles, uint64_t waiter, int rc);
void vehicle_proved(void *vehicles, uint64_t waiter, struct credential *p, int rc);

/* ---- vehicle_packages.c ---- */

/* True: *m is whole. False: more is to come, or the package was refused. */
bool vehicle_join(struct conn *c, const struct device_frame *f,
                  struct vehicle_message *m);
/* Asks for what is missing, and forgets what is too old. Returns when to look again. */
int64_t vehicle_ask(struct conn *c);

/* ---- vehicle_reports.c ---- */

void vehicle_report(struct conn *c, const struct vehicle_message *m,
                    enum jt808_result result);
/* An answer in its turn, when others are due. `is_last`: the connection ends then. */
void vehicle_answer_in_turn(struct conn *c, uint16_t serial, uint16_t message,
                            enum jt808_result result, bool is_last);
feed_settled vehicle_settled; /* user: the vehicles */

/* ---- vehicle_dialect.c ---- */

extern const struct dialect vehicle_dialect;
