#include "sim/terminals/receive.h"
#include "sim/terminals/contact.h"
#include "sim/terminals/message.h"
#include "sim/terminals/traffic.h"
#include "base/reader.h"
#include "codec/checksum.h"
#include "codec/ttms.h"

#define MARK       "$TTMX"
#define MARK_SIZE  5
#define AT_LENGTH  5
#define AT_ADDRESS 7
#define AT_COMMAND 11

/* The terminal's own reading of the format, so that gateway and check do not share
 * their mistakes: size of a frame = what its length field says + what that does not
 * count. */
static const uint8_t uncounted[] = {[TTMS_LENGTH_TOTAL] = 0,
                                    [TTMS_LENGTH_REST] = 7,
                                    [TTMS_LENGTH_CONTENT1] = 13,
                                    [TTMS_LENGTH_CONTENT2] = 14};

/* Sets *size of the first frame, 0 when more bytes are needed; ERR_MALFORMED when the
 * bytes do not begin a frame. */
static int measure(const struct fleet *f, struct slice in, size_t *size)
{
    uint8_t length = settings_length(f->settings);

    *size = 0;
    if (in.size < AT_ADDRESS)
        return OK;
    *size =
        ((size_t)in.data[AT_LENGTH] << 8 | in.data[AT_LENGTH + 1]) + uncounted[length];
    if (memcmp(in.data, MARK, MARK_SIZE) != 0 || *size < TTMS_MIN_FRAME)
        return ERR_MALFORMED;
    if (*size > in.size)
        *size = 0;
    return OK;
}

static void complain_of(struct fleet *f, const struct message *m,
                        const struct terminal *t, const char *what)
{
    fleet_complain(f,
                   "message %llu from %08x to %08x arrived %s (connection %u of %08x)",
                   (unsigned long long)m->number, m->sender, m->target, what, t->epoch,
                   t->id);
}

static const enum tally arrival_tally[] = {
    [ARRIVAL_LATE] = TALLY_REORDERED,    [ARRIVAL_AGAIN] = TALLY_DUPLICATES,
    [ARRIVAL_REPEATED] = TALLY_REPEATED, [ARRIVAL_REFUSED] = TALLY_CONTRADICTED,
    [ARRIVAL_UNKNOWN] = TALLY_DAMAGED,
};

static void on_message(struct fleet *f, struct terminal *t, const struct message *m)
{
    struct flow *flow = &f->flows[m->flow];
    bool waited = t->state == TERMINAL_REGISTERING || m->time_ns < t->online_ns;
    bool awaited;
    enum arrival how = flow_arrive(flow, m->number, t->epoch, &awaited);

    if (awaited)
        traffic_settled(f, flow);
    if (how == ARRIVAL_NEW || how == ARRIVAL_LATE) {
        int64_t took_ns = f->now_ns - m->time_ns;

        fleet_count(f, TALLY_RECEIVED);
        f->last_ns = f->now_ns;
        if (t->role != ROLE_SLOW)
            histogram_record(waited ? &f->waited : &f->latency,
                             took_ns > 0 ? (uint64_t)took_ns : 0);
    }
    if (how != ARRIVAL_NEW) {
        fleet_count(f, arrival_tally[how]);
        if (how != ARRIVAL_AGAIN)
            complain_of(f, m, t, arrival_text(how));
    }
}

static void on_data(struct fleet *f, struct terminal *t, uint32_t sender,
                    struct slice content)
{
    struct message m;

    if (!message_read(content, &m)) {
        fleet_count(f, TALLY_DAMAGED);
        fleet_complain(f, "a message from %08x to %08x arrived damaged", sender, t->id);
    } else if (m.target != t->id || m.sender != sender) {
        fleet_count(f, TALLY_MISROUTED);
        complain_of(f, &m, t, "at the wrong terminal or under a wrong name");
    } else if (m.run != f->run) {
        fleet_count(f, TALLY_STRANGE);
    } else if (m.kind == MESSAGE_PROBE) {
        if (m.number == t->epoch)
            contact_on_registered(f, t);
    } else if (m.flow >= f->flow_count ||
               f->terminals[f->flows[m.flow].sender].id != sender ||
               f->terminals[f->flows[m.flow].target].id != m.target) {
        fleet_count(f, TALLY_DAMAGED);
        complain_of(f, &m, t, "though it was never sent");
    } else {
        on_message(f, t, &m);
    }
}

static void on_decided(struct fleet *f, const struct undecided *u)
{
    struct flow *flow;
    bool contradicted;

    if (u->flow == RECEIPTS_NO_FLOW)
        return;
    flow = &f->flows[u->flow];
    f->news_ns = f->now_ns;
    if (!u->refused) {
        flow_accept(flow, u->number);
        fleet_count(f, TALLY_SAFE);
        return;
    }
    fleet_count(f, TALLY_REFUSED);
    if (flow_refuse(flow, u->number, &contradicted))
        traffic_settled(f, flow);
    if (contradicted) {
        fleet_count(f, TALLY_CONTRADICTED);
        fleet_complain(f, "message %llu from %08x was refused, but had arrived",
                       (unsigned long long)u->number, f->terminals[flow->sender].id);
    }
}

static void on_receipt(struct fleet *f, struct terminal *t, uint8_t command,
                       struct slice content)
{
    struct reader r = reader_of(content);
    uint32_t frame = read_u32(&r);
    struct undecided u;

    if (!f->settings->receipts)
        return; /* nobody asked for them: not checked */
    if (r.bad || r.rest.size > 0 ||
        (command == TTMS_REFUSAL ? receipts_refuse(&t->receipts, frame)
                                 : receipts_decide(&t->receipts, frame)) < 0) {
        fleet_count(f, TALLY_CONTRADICTED);
        fleet_complain(
            f, "%08x got an impossible %s of frame %u; %u are decided, %zu wait", t->id,
            command == TTMS_REFUSAL ? "refusal" : "receipt", frame, t->receipts.decided,
            receipts_waiting(&t->receipts));
        return;
    }
    while (command == TTMS_RECEIPT && receipts_next(&t->receipts, frame, &u))
        on_decided(f, &u);
}

static void on_frame(struct fleet *f, struct terminal *t, struct slice frame)
{
    size_t check = settings_length(f->settings) == TTMS_LENGTH_CONTENT2 ? 2 : 1;
    struct reader r = reader_of(slice_from(frame, AT_ADDRESS));
    uint32_t address = read_u32(&r);
    uint8_t command = read_u8(&r);
    struct slice content = {0};

    if (r.rest.size >= check)
        content = slice_of(r.rest.data, r.rest.size - check);
    if (checksum_xor(frame) != 0) { /* the check byte makes it 0 */
        fleet_count(f, TALLY_DAMAGED);
        fleet_complain(f, "a frame to %08x arrived with a wrong check byte", t->id);
    } else if (command == TTMS_DATA) {
        on_data(f, t, address, content);
    } else if (command == TTMS_HEARTBEAT && address == t->id) {
        fleet_count(f, TALLY_ECHOES);
        if (f->settings->confirm == CONFIRM_ECHO)
            contact_on_registered(f, t);
    } else if ((command == TTMS_RECEIPT || command == TTMS_REFUSAL) && address == 0) {
        on_receipt(f, t, command, content);
    } else {
        fleet_count(f, TALLY_DAMAGED);
        fleet_complain(f, "a frame with command %02x and address %08x came to %08x",
                       command, address, t->id);
    }
}

int receive_some(struct fleet *f, struct terminal *t, size_t limit)
{
    struct slice in = {0};
    size_t size = 0;
    int rc = peer_read(&t->peer, &f->scratch, limit, &in);

    if (rc == ERR_BUSY)
        return rc;
    f->now_ns = loop_now_ns();
    while (rc == OK && (rc = measure(f, in, &size)) == OK && size > 0) {
        on_frame(f, t, slice_of(in.data, size));
        in = slice_from(in, size);
    }
    if (rc == ERR_MALFORMED) {
        fleet_count(f, TALLY_DAMAGED);
        fleet_complain(f, "%08x lost the frames: no $TTMX where one should begin",
                       t->id);
    }
    if (rc < 0 || (rc = peer_keep(&t->peer, in)) < 0) {
        contact_on_lost(f, t);
        return ERR_CLOSED;
    }
    return OK;
}
