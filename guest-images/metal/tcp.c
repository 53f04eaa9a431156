/*
 * TCP (RFC 9293) for a machine that only answers: passive open, data in order, retransmission with backoff
 * (RFC 6298), slow start, congestion avoidance and fast recovery (RFC 5681, 6582), zero-window probes, keep-alive.
 *
 *   (listening) ── SYN ──► SYN_RECEIVED ── ACK ──► ESTABLISHED ── FIN ──► LAST_ACK ── ACK of our FIN ──► gone
 *                                                 answers what is buffered, then sends its FIN
 *
 * The peer always closes first, so there is no FIN_WAIT and no TIME_WAIT here. Left out on purpose: window scaling,
 * timestamps, SACK, urgent data, delayed ACKs; segments out of order are dropped and acknowledged as such.
 *
 * `echo` sends back what comes: its receive window is the room in the send buffer, so a peer that does not read is
 * held back. `counter` sends lines of twelve bytes, "00000000000\n", "00000000001\n", … from 0 on each connection:
 * a byte that is lost or comes twice breaks the sequence.
 */
#include "tcp.h"
#include "net.h"

#define CONNECTIONS 64
#define BUFFER_BYTES 16384u
#define LINE_BYTES 12u
#define OUR_MSS 1460u
#define RTO_MIN_MS 200u
#define RTO_MAX_MS 60000u
#define RTO_FIRST_MS 1000u
#define SYN_TRIES 5
#define TRIES 15
#define KEEPALIVE_MS 60000u
#define KEEPALIVE_PROBE_MS 10000u
#define KEEPALIVE_PROBES 6

enum { T_FROM = 0, T_TO = 2, T_SEQ = 4, T_ACK = 8, T_OFFSET = 12, T_FLAGS = 13, T_WINDOW = 14, T_CHECK = 16, T_BYTES = 20 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum state { FREE, SYN_RECEIVED, ESTABLISHED, LAST_ACK };

struct connection {
    enum state state;
    u8 mac[6], is_counter, ack_now, fin_wanted, fin_sent, recovering, timing, timer_on;
    u16 peer_port, port;
    u32 peer, mss;
    u32 una, next, max;              /* SND.UNA, SND.NXT, the highest ever sent */
    u32 window, window_seq, window_ack, window_max;
    u32 rcv_next, rcv_edge;          /* RCV.NXT, the right edge of the window that was offered */
    u32 cwnd, ssthresh, recover, dup_acks;
    u32 rto, srtt8, rttvar4, timed_seq, timed_ms; /* ms; srtt × 8, rttvar × 4 */
    u32 deadline_ms, tries, heard_ms, probes;
    u32 head, buffered;              /* ring: first byte not acknowledged, how many from there */
    u32 lines;
    u8 ring[BUFFER_BYTES];
};

u16 tcp_echo_port, tcp_counter_port;
u32 tcp_lines_per_ms;

static struct connection table[CONNECTIONS];
static u32 out_words[(1514 + 2 + 3) / 4];

static inline int before(u32 a, u32 b) { return (s32)(a - b) < 0; }
static inline u32 least(u32 a, u32 b) { return a < b ? a : b; }
static inline u32 most(u32 a, u32 b) { return a > b ? a : b; }

static void send_segment(const u8 *mac, u32 to, u16 from_port, u16 to_port, u32 seq, u32 ack, u32 flags, u32 window, u32 options, u32 data)
{
    u8 *frame = (u8 *)out_words, *t = frame + ETH_BYTES + IP_BYTES;
    u32 bytes = T_BYTES + options + data;
    put16(t + T_FROM, from_port);
    put16(t + T_TO, to_port);
    put32(t + T_SEQ, seq);
    put32(t + T_ACK, ack);
    t[T_OFFSET] = (u8)((T_BYTES + options) << 2);
    t[T_FLAGS] = (u8)flags;
    put16(t + T_WINDOW, window);
    put32(t + T_CHECK, 0);
    put16(t + T_CHECK, net_fold(net_sum(t, bytes, net_pseudo(net_address, to, PROTO_TCP, bytes))));
    net_send_ip(frame, mac, to, PROTO_TCP, bytes);
}

/* The window to offer now: its right edge never goes back, and moves only by a step worth telling (RFC 9293 3.8.6.2.2). */
static u32 offered_window(struct connection *c)
{
    u32 edge = c->rcv_next + (c->is_counter ? BUFFER_BYTES : BUFFER_BYTES - c->buffered);
    if ((s32)(edge - c->rcv_edge) >= (s32)least(OUR_MSS, BUFFER_BYTES / 2)) c->rcv_edge = edge;
    return before(c->rcv_edge, c->rcv_next) ? 0 : c->rcv_edge - c->rcv_next;
}

/* Sends `data` bytes of the buffer from sequence number `seq` on. */
static void transmit(struct connection *c, u32 seq, u32 data, u32 flags)
{
    u8 *payload = (u8 *)out_words + ETH_BYTES + IP_BYTES + T_BYTES;
    u32 options = 0;
    if (flags & SYN) {
        put32(payload, 0x02040000 | OUR_MSS);
        options = 4;
    } else if (data > 0) {
        u32 at = (c->head + (seq - c->una)) % BUFFER_BYTES, first = least(data, BUFFER_BYTES - at);
        memcpy(payload, c->ring + at, first);
        memcpy(payload + first, c->ring, data - first);
    }
    c->ack_now = 0;
    send_segment(c->mac, c->peer, c->port, c->peer_port, seq, c->rcv_next, flags | ACK, offered_window(c), options, data);
}

static void arm(struct connection *c)
{
    c->timer_on = 1;
    c->deadline_ms = clock_ms + c->rto;
}

static void reset(struct connection *c)
{
    send_segment(c->mac, c->peer, c->port, c->peer_port, c->next, c->rcv_next, RST | ACK, 0, 0, 0);
    c->state = FREE;
}

static void output(struct connection *c)
{
    for (;;) {
        u32 flight = c->next - c->una, limit = least(c->window, c->cwnd);
        if (c->state == SYN_RECEIVED || flight > c->buffered) break; /* the second: our FIN is out */
        u32 left = c->buffered - flight;
        u32 n = flight < limit ? least(least(left, c->mss), limit - flight) : 0;
        /* Silly windows are waited out (RFC 9293 3.8.6.2.1): a full segment, all there is, or half of the widest window. */
        if (n > 0 && n < c->mss && n < left && n < c->window_max / 2 && flight > 0) n = 0;
        int fin = c->fin_wanted && n == left;
        if (n == 0 && !fin) break;
        u32 seq = c->next;
        c->next += n + (fin ? 1 : 0);
        if (fin) c->fin_sent = 1;
        if (!c->timing && !before(seq, c->max)) { /* Karn: never time what was sent before */
            c->timing = 1;
            c->timed_seq = c->next;
            c->timed_ms = clock_ms;
        }
        if (before(c->max, c->next)) c->max = c->next;
        transmit(c, seq, n, (n == left ? PSH : 0) | (fin ? FIN : 0));
        if (!c->timer_on) arm(c);
        if (fin) break;
    }
    /* Something waits and nothing is out: the peer's window is shut, the timer becomes the probe's. */
    if (c->state != SYN_RECEIVED && c->buffered > 0 && c->next == c->una && !c->timer_on) arm(c);
    if (c->ack_now) transmit(c, c->next, 0, 0);
}

/* RFC 6298, section 2, in milliseconds. */
static void took_rtt(struct connection *c, u32 ms)
{
    if (ms == 0) ms = 1;
    if (c->srtt8 == 0) {
        c->srtt8 = ms << 3;
        c->rttvar4 = ms << 1;
    } else {
        s32 error = (s32)ms - (s32)(c->srtt8 >> 3);
        c->srtt8 = (u32)((s32)c->srtt8 + error);
        if (error < 0) error = -error;
        c->rttvar4 = (u32)((s32)c->rttvar4 + error - (s32)(c->rttvar4 >> 2));
    }
    c->rto = least(most((c->srtt8 >> 3) + most(1, c->rttvar4), RTO_MIN_MS), RTO_MAX_MS);
}

/* Sends the first segment that was not acknowledged once more. */
static void retransmit_first(struct connection *c)
{
    u32 n = least(c->buffered, c->mss);
    int fin = c->fin_sent && n == c->buffered;
    c->timing = 0;
    transmit(c, c->una, n, PSH | (fin ? FIN : 0));
    arm(c);
}

static void halve(struct connection *c)
{
    c->ssthresh = most((c->next - c->una) / 2, 2 * c->mss);
}

/* An acknowledgement of something new: una < ack ≤ max. */
static void acknowledged(struct connection *c, u32 ack)
{
    u32 bytes = ack - c->una, data = least(bytes, c->buffered);
    c->head = (c->head + data) % BUFFER_BYTES;
    c->buffered -= data;
    c->una = ack;
    if (before(c->next, ack)) c->next = ack;
    if (c->timing && !before(ack, c->timed_seq)) {
        c->timing = 0;
        took_rtt(c, clock_ms - c->timed_ms);
    }
    c->tries = 0;
    c->dup_acks = 0;
    if (c->recovering && before(ack, c->recover)) {
        retransmit_first(c); /* RFC 6582: a partial acknowledgement names the next hole */
    } else {
        if (c->recovering) c->cwnd = c->ssthresh;
        else if (c->cwnd < c->ssthresh) c->cwnd += least(data, c->mss);
        else c->cwnd += most(1, c->mss * c->mss / c->cwnd);
        c->cwnd = least(c->cwnd, 65535);
        c->recovering = 0;
    }
    c->timer_on = 0;
    if (c->next != c->una) arm(c);
}

static void duplicate_ack(struct connection *c)
{
    if (++c->dup_acks != 3 || c->recovering) return;
    halve(c);
    c->cwnd = c->ssthresh;
    c->recover = c->max;
    c->recovering = 1;
    retransmit_first(c);
}

static u32 take_data(struct connection *c, const u8 *data, u32 bytes)
{
    if (c->is_counter) return bytes;
    u32 n = least(bytes, BUFFER_BYTES - c->buffered), at = (c->head + c->buffered) % BUFFER_BYTES;
    u32 first = least(n, BUFFER_BYTES - at);
    memcpy(c->ring + at, data, first);
    memcpy(c->ring, data + first, n - first);
    c->buffered += n;
    return n;
}

static u32 mss_option(const u8 *segment, u32 header)
{
    for (u32 at = T_BYTES; at + 1 < header && segment[at] != 0;) {
        if (segment[at] == 1) { at++; continue; }
        if (segment[at] == 2 && segment[at + 1] == 4 && at + 4 <= header) return most(get16(segment + at + 2), 64);
        if (segment[at + 1] < 2) break;
        at += segment[at + 1];
    }
    return 536;
}

static void open(struct connection *c, const u8 *mac, u32 peer, const u8 *segment, u32 header)
{
    static u32 secret = 0x9E3779B9;
    memset(c, 0, (u32)&((struct connection *)0)->ring);
    memcpy(c->mac, mac, 6);
    c->state = SYN_RECEIVED;
    c->peer = peer;
    c->peer_port = get16(segment + T_FROM);
    c->port = get16(segment + T_TO);
    c->is_counter = c->port == tcp_counter_port;
    c->mss = least(mss_option(segment, header), OUR_MSS);
    c->rcv_next = get32(segment + T_SEQ) + 1;
    c->rcv_edge = c->rcv_next;
    c->window = c->window_max = get16(segment + T_WINDOW);
    c->cwnd = 10 * c->mss; /* RFC 6928 */
    c->ssthresh = 65535;
    c->rto = RTO_FIRST_MS;
    c->heard_ms = clock_ms;
    /* RFC 9293 3.4.1: a clock of 4 µs, and something of the connection's own. */
    secret = secret * 1664525 + 1013904223;
    c->una = ((u32)clock_us >> 2) + ((peer ^ (u32)c->peer_port << 16 ^ c->port ^ secret) * 0x9E3779B1u);
    c->next = c->max = c->una + 1;
    transmit(c, c->una, 0, SYN);
    arm(c);
}

static struct connection *find(u32 peer, u16 peer_port, u16 port)
{
    for (struct connection *c = table; c < table + CONNECTIONS; c++)
        if (c->state != FREE && c->peer == peer && c->peer_port == peer_port && c->port == port) return c;
    return 0;
}

/* A segment for which there is no connection (RFC 9293 3.10.7.1 and 3.10.7.2). */
static void take_stranger(const u8 *mac, u32 peer, const u8 *segment, u32 header, u32 length)
{
    u32 flags = segment[T_FLAGS];
    u16 from = get16(segment + T_FROM), to = get16(segment + T_TO);
    if (flags & RST) return;
    if ((flags & (SYN | ACK)) == SYN && (to == tcp_echo_port || to == tcp_counter_port)) {
        for (struct connection *c = table; c < table + CONNECTIONS; c++)
            if (c->state == FREE) {
                open(c, mac, peer, segment, header);
                return;
            }
        return; /* all taken: the peer asks again */
    }
    if (flags & ACK) send_segment(mac, peer, to, from, get32(segment + T_ACK), 0, RST, 0, 0, 0);
    else send_segment(mac, peer, to, from, 0, get32(segment + T_SEQ) + length, RST | ACK, 0, 0, 0);
}

void tcp_take(const u8 *mac, u32 peer, const u8 *segment, u32 bytes)
{
    if (bytes < T_BYTES) return;
    u32 header = (segment[T_OFFSET] >> 4) * 4u;
    if (header < T_BYTES || header > bytes) return;
    if (net_fold(net_sum(segment, bytes, net_pseudo(peer, net_address, PROTO_TCP, bytes))) != 0) return;
    u32 flags = segment[T_FLAGS], seq = get32(segment + T_SEQ), ack = get32(segment + T_ACK);
    u32 window = get16(segment + T_WINDOW), data = bytes - header;
    u32 length = data + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    struct connection *c = find(peer, get16(segment + T_FROM), get16(segment + T_TO));
    if (!c) {
        take_stranger(mac, peer, segment, header, length);
        return;
    }

    /* RFC 5961: a reset counts at exactly RCV.NXT; one elsewhere in the window, and any SYN, is asked to prove itself. */
    u32 room = before(c->rcv_edge, c->rcv_next) ? 0 : c->rcv_edge - c->rcv_next;
    if (flags & RST) {
        if (seq == c->rcv_next) c->state = FREE;
        else if (seq - c->rcv_next < room) transmit(c, c->next, 0, 0);
        return;
    }
    if (flags & SYN) {
        if (c->state == SYN_RECEIVED && seq + 1 == c->rcv_next) transmit(c, c->una, 0, SYN);
        else transmit(c, c->next, 0, 0);
        return;
    }
    if (!(flags & ACK)) return;
    memcpy(c->mac, mac, 6);
    c->heard_ms = clock_ms;
    c->probes = 0;

    if (c->state == SYN_RECEIVED) {
        if (ack != c->next) {
            send_segment(mac, peer, c->port, c->peer_port, ack, 0, RST, 0, 0, 0);
            return;
        }
        c->state = ESTABLISHED;
        c->una = ack;
        c->timer_on = 0;
        c->tries = 0;
        c->rto = RTO_FIRST_MS;
        c->window_seq = seq - 1;
        c->window_ack = ack;
    } else if (before(c->max, ack)) {
        transmit(c, c->next, 0, 0);
        return;
    } else if (before(c->una, ack)) {
        acknowledged(c, ack);
    } else if (ack == c->una && length == 0 && window == c->window && window > 0 && c->max != c->una) {
        duplicate_ack(c);
    }
    if (before(c->window_seq, seq) || (c->window_seq == seq && !before(ack, c->window_ack))) {
        int opened = c->window == 0 && window > 0;
        c->window = window;
        c->window_max = most(c->window_max, window);
        c->window_seq = seq;
        c->window_ack = ack;
        if (opened) { /* what a probe took along goes again from its start */
            c->next = c->una;
            c->timer_on = 0;
            c->tries = 0;
        }
    }
    if (c->state == LAST_ACK && c->fin_sent && c->una == c->max && c->buffered == 0) {
        c->state = FREE;
        return;
    }

    if (length > 0) {
        const u8 *text = segment + header;
        c->ack_now = 1;
        if (before(seq, c->rcv_next)) { /* what we have is cut off in front */
            u32 known = c->rcv_next - seq;
            if (known > data) {
                flags &= ~FIN;
                known = data;
            }
            text += known;
            data -= known;
            seq += known;
        }
        if (seq == c->rcv_next && c->state == ESTABLISHED) {
            u32 taken = take_data(c, text, data);
            c->rcv_next += taken;
            if ((flags & FIN) && taken == data) {
                c->rcv_next++;
                c->state = LAST_ACK;
                c->fin_wanted = 1;
            }
        }
    } else if (before(seq, c->rcv_next)) {
        c->ack_now = 1; /* a keep-alive of the peer's */
    }
    /* A window that was shut has opened by enough to be worth telling. */
    if (!c->is_counter && room < OUR_MSS && BUFFER_BYTES - c->buffered >= BUFFER_BYTES / 2) c->ack_now = 1;
    output(c);
}

static void expired(struct connection *c)
{
    c->timer_on = 0;
    if (c->state == SYN_RECEIVED) {
        if (++c->tries > SYN_TRIES) {
            c->state = FREE;
            return;
        }
        c->rto = least(c->rto * 2, RTO_MAX_MS);
        transmit(c, c->una, 0, SYN);
        arm(c);
        return;
    }
    if (++c->tries > TRIES) {
        reset(c);
        return;
    }
    c->rto = least(c->rto * 2, RTO_MAX_MS);
    c->timing = 0;
    if (c->window == 0 && c->buffered > 0) { /* RFC 9293 3.8.6.1: one byte, to be told the window */
        if (c->next == c->una) c->next++;
        if (before(c->max, c->next)) c->max = c->next;
        transmit(c, c->una, 1, 0);
        c->tries = 0; /* a peer that answers probes may keep its window shut as long as it likes */
        if (clock_ms - c->heard_ms > 2 * RTO_MAX_MS) reset(c);
        else arm(c);
        return;
    }
    halve(c);
    c->cwnd = c->mss;
    c->next = c->una;
    c->recovering = 0;
    c->dup_acks = 0;
    output(c);
}

static void keep_alive(struct connection *c)
{
    if (clock_ms - c->heard_ms < KEEPALIVE_MS + c->probes * KEEPALIVE_PROBE_MS) return;
    if (c->probes++ >= KEEPALIVE_PROBES) reset(c);
    else transmit(c, c->una - 1, 0, 0);
}

static void add_lines(struct connection *c, u32 lines)
{
    u32 was = c->buffered;
    for (; lines > 0 && BUFFER_BYTES - c->buffered >= LINE_BYTES; lines--) {
        u8 line[LINE_BYTES];
        u32 number = c->lines++;
        line[LINE_BYTES - 1] = '\n';
        for (u32 i = LINE_BYTES - 1; i-- > 0; number /= 10) line[i] = (u8)('0' + number % 10);
        u32 at = (c->head + c->buffered) % BUFFER_BYTES, first = least(LINE_BYTES, BUFFER_BYTES - at);
        memcpy(c->ring + at, line, first);
        memcpy(c->ring, line + first, LINE_BYTES - first);
        c->buffered += LINE_BYTES;
    }
    if (c->buffered != was) output(c);
}

void tcp_work(u32 passed_ms)
{
    for (struct connection *c = table; c < table + CONNECTIONS; c++) {
        if (c->state == FREE) continue;
        if (c->timer_on && !before(clock_ms, c->deadline_ms)) expired(c);
        if (c->state == ESTABLISHED && c->is_counter) add_lines(c, passed_ms * tcp_lines_per_ms);
        if (c->state == ESTABLISHED && c->max == c->una) keep_alive(c);
    }
}
