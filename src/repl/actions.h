/* What the replication machines want done: a list of actions, in order.
 *
 * The machines (primary.h, replica.h, failover.h) know no socket, no clock and no file. A driver
 * tells them what happened and gets a list of actions back; it carries them out one after the
 * other, in the order of the list. Bulk bytes never pass through an action: it says "feed peer 3 up
 * to offset 81300" or "bytes 17 to 4096 of what you just gave me belong to the image". Only short
 * protocol text is carried, in one buffer beside the list.
 *
 *      driver                                          machine
 *      bytes arrived, timer, log advanced,   ---->     state changes, decisions
 *      snapshot begun, connection gone
 *      send, feed, close, apply, load        <----     struct repl_actions
 *
 * Rules for a driver
 *   1. Actions run in order and before the next event is told to any machine. What is durable must
 *      be so before the action behind it runs: a change of the log's id (ADOPT, RENAME_ID,
 *      SHIFT_ID) before the SEND that follows it.
 *   2. A peer is known by the id the driver gave it; REPL_LINK_ID is the link to our own primary.
 *      An action for a peer whose connection has gone meanwhile is skipped. After REPL_CLOSE the
 *      machine has forgotten the peer already. END_SNAPSHOT may speak of one that never began.
 *   3. Carrying out an action may itself be an event (a connect that fails at once): tell it after
 *      the list is done.
 *   4. repl_actions_clear between batches; texts and ranges are valid until then. */
#ifndef PANDO_REPL_ACTIONS_H
#define PANDO_REPL_ACTIONS_H

#include "base/buf.h"
#include <stdint.h>

#define REPL_LINK_ID 0 /* ids of peers start at 1 */

enum repl_action_kind {
    /* ---- to a peer, or to our primary (peer == REPL_LINK_ID) ---- */
    REPL_SEND,  /* text: protocol text, behind whatever was sent to this peer before */
    REPL_CLOSE, /* text: the reason. Closes the connection, its cursors with it; value 1: after what
                 * was sent before has gone out. On the link: cancels a connect that is under way
                 * and drops what was read but not applied (apply_reset); comes also when the driver
                 * said that the link has gone */

    /* ---- the primary's side ---- */
    REPL_ACTIVATE,   /* journal_activate: the first reader of the log has come */
    REPL_DEACTIVATE, /* journal_deactivate: repl-backlog-ttl is over */
    REPL_APPEND,     /* text: one whole unit (PING, GETACK) to append to the log, between units */
    REPL_START_SNAPSHOT, /* snapshot, value (REPL_CONTENT_*): begin one at the end of the current
                          * unit; answer with primary_snapshot_begun or primary_snapshot_failed */
    REPL_END_SNAPSHOT,   /* snapshot: no replica needs it any more; stop it unless someone else does
                          */
    REPL_PIN,    /* peer, offset: open the peer's cursor on the log there (closing one it had) */
    REPL_ATTACH, /* peer, snapshot, text: send the text (the payload's header), then the image from
                  * its head to its end; tell primary_image_progress now and then,
                  * primary_image_sent once */
    REPL_FEED,   /* peer, offset: the log may go to the peer, from its cursor up to this offset */
    REPL_ACKED,  /* peer, offset: its acknowledged offset moved: WAITs may be over */
    REPL_PAUSE_WRITES, /* a failover begins: writing commands, expiry and eviction stand still */
    REPL_RESUME_WRITES,

    /* ---- the replica's side ---- */
    REPL_CONNECT, /* text: host; port: answer with replica_connected or replica_connect_failed */
    REPL_IMAGE_BEGIN, /* value: bytes of the image, -1 when its end is marked. A snapshot begins to
                         arrive */
    REPL_IMAGE_BYTES, /* image bytes: repl_action_bytes */
    REPL_IMAGE_END,   /* the image is whole: verify, finish loading, then replica_loaded or
                         replica_load_failed */
    REPL_IMAGE_ABORT, /* throw away what arrived and what was loaded of it; the old data stands */
    REPL_APPLY, /* bytes of the stream: repl_action_bytes, for apply_feed; then replica_applied */
    REPL_ADOPT, /* text: id, offset: put the loaded keyspaces in place of the old ones and
                 * journal_adopt, in one step; with AOF on the new manifest is in place before the
                 * next action */
    REPL_RENAME_ID, /* text: journal_rename_id */

    /* ---- both ---- */
    REPL_SHIFT_ID, /* journal_shift_id: a promotion */
    REPL_ROLE,     /* value: 1 replica, 0 primary. Policies of the store, blocked clients, log mark,
                      persistence */
};

enum { REPL_CONTENT_DATA = 1, REPL_CONTENT_FUNCTIONS = 2, REPL_CONTENT_ALL = 3 };

struct repl_action {
    enum repl_action_kind kind;
    uint32_t snapshot;
    uint64_t peer;
    uint64_t offset;
    int64_t value;
    int port;
    bool from_input; /* the range below lies in the bytes of this call, not in the text buffer */
    size_t at, len;  /* the range; see repl_action_bytes */
};

/* Zero-initialised is empty and valid. */
struct repl_actions {
    struct repl_action *items;
    size_t count, capacity;
    struct buf text;
};

void repl_actions_release(struct repl_actions *actions);
void repl_actions_clear(struct repl_actions *actions); /* keeps the memory */

/* The text of an action, or the image or stream bytes that it speaks of; `input` is the span that
 * was given to replica_received in the call that made the action. Valid until more actions are
 * added. */
struct span repl_action_bytes(const struct repl_actions *actions, const struct repl_action *action,
                              struct span input);

/* For the machines: appends an action; the pointer is valid until the next one is added. */
struct repl_action *repl_act(struct repl_actions *actions, enum repl_action_kind kind,
                             uint64_t peer);
/* The same with a text. */
struct repl_action *repl_act_text(struct repl_actions *actions, enum repl_action_kind kind,
                                  uint64_t peer, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *repl_action_name(enum repl_action_kind kind); /* "FEED": traces and tests */

#endif
