/* The append only file: the log on disk, as Redis 7.0's files in parts.
 *
 *   off --CONFIG SET appendonly yes, a full sync--> waiting for a base --the base stands--> on
 *    ^            the old files, if any, stay             |                                 |
 *    |            valid until the base stands             v                                 v
 *    +----------------------- CONFIG SET appendonly no -------------------------------------+
 *
 * While it is on, nothing leaves before the files have it: replies and replicas' feeds go as far as
 * aof_reach says. A rewrite is a snapshot (persist/image.h) at an offset where a new incr file begins;
 * when its base stands, the manifest is replaced and the files before it are retired.
 *
 * Files: server/aof_files.c (names, manifest), aof.c (running), aof_rewrite.c, aof_load.c and
 * aof_load_end.c (at start). */
#ifndef PANDO_SERVER_AOF_H
#define PANDO_SERVER_AOF_H

#include "persist/loader.h"
#include "server/aof_recovery.h"
#include "server/server.h"

struct aof *aof_new(struct server *server);

/* At start, instead of dump.rdb: loads what the manifest names, or what of it lies before a moment; `done` is called on
 * the loop once the data set is there. Ends the process where the files cannot be used. */
void aof_load(struct server *server, const struct recovery *recovery,
              void (*done)(struct server *));
bool aof_loading(const struct server *server);
/* While loading: of the file that is being read. */
void aof_loading_progress(const struct server *server, struct loader_progress *out);
/* Before each wait while loading: a slice of replay. Microseconds until the next, -1: not at all. */
int64_t aof_load_slice(struct server *server);

/* Hook of the directives: starts, stops, policy. False with *why where it cannot start. */
bool aof_configure(struct server *server, const char **why);
/* Hook of `dir`: the files of the old one stay, and count there, until the new base stands. False with *why where the new
 * one belongs to another process. */
bool aof_change_folder(struct server *server, const char **why);
void aof_role_changed(struct server *server);
bool aof_is_on(const struct server *server); /* the journal must stay active */
/* On, but what a restart would load is not this data set yet: its first base is to be written. */
bool aof_lacks_base(const struct server *server);
bool aof_base_is_coming(const struct server *server); /* no attempt has failed so far */
/* Before each wait, behind everything that appends: microseconds until it wants to be called again. */
int64_t aof_before_wait(struct server *server);
void aof_cron(struct server *server);
/* Writes and syncs what is there: shutdown. False where that cannot be. */
bool aof_flush(struct server *server);

/* Replies and feeds may go up to this offset of the log; UINT64_MAX: there is no limit. */
uint64_t aof_reach(const struct server *server);
/* Bytes of the log that the file does not have yet; they are part of the log's memory. */
uint64_t aof_unwritten(const struct server *server);
/* appendfsync always: a reply, also to a read, waits for everything before it. */
bool aof_gates_all(const struct server *server);
/* What was appended from this offset on is a message (PUBLISH): nothing is synced for it alone. */
void aof_note_message(struct server *server, uint64_t from);
/* ERR_TEXT with *text, or OK: whether writing commands are refused. */
enum err aof_refusal(const struct server *server, char text[256]);

bool aof_short_of_room(const struct server *server); /* the last write failed for that */

/* The journal has taken another id at the same offset. */
void aof_id_changed(struct server *server);
/* The journal is about to take another history (a full sync): lets go of it. The files of the old one, which stay until
 * there is a new base, are the caller's to read and to free; NULL without any. Afterwards aof_began_anew makes the base. */
struct segments *aof_let_go(struct server *server);
void aof_began_anew(struct server *server);

/* BGREWRITEAOF. */
enum aof_rewrite {
    AOF_REWRITE_STARTED,
    AOF_REWRITE_SCHEDULED,
    AOF_REWRITE_RUNNING,
    AOF_REWRITE_FAILED
};
enum aof_rewrite aof_rewrite(struct server *server);
/* DEBUG LOADAOF: false where the files cannot be read. */
bool aof_reload(struct server *server);

void aof_info(const struct server *server, struct buf *out); /* INFO persistence, aof_* */

#endif
