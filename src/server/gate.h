/* Reply gates: replies that may not leave before the log's files have what they tell of (server/aof.h).
 *
 *   session->out   sent | may leave | waits for offset a | waits for offset b
 *                       ^ out_sent  ^ end[0]             ^ end[1]
 *
 * A connection's replies leave in order, so behind one that waits all wait, pushes included. Two gates a
 * session are enough: what comes while two stand joins the later one, and that one's offset is passed
 * soon after. Where nothing is gated, nothing of this costs anything. Engine thread only. */
#ifndef PANDO_SERVER_GATE_H
#define PANDO_SERVER_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct server;

struct gates { /* in a session */
    int count;
    size_t end[2];      /* bytes of session->out that the gate lets pass */
    uint64_t offset[2]; /* of the log: what it waits for */
};

/* How many bytes of session->out may leave now. New bytes since the last call get their gate: the end of the log
 * (appendfsync always), or what the session itself wrote last. */
size_t gate_open(struct session *session);
/* The first `bytes` of session->out were dropped. */
void gate_dropped(struct gates *gates, size_t bytes);
/* Puts the session among those that are written again when the files have caught up. */
void gate_wait(struct session *session);
void gate_forget(struct session *session); /* it is closed */
/* The files have caught up, or nothing is held back any more: sessions that wait are written again. */
void gates_moved(struct server *server);

#endif
