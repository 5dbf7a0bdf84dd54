/* RDB on the server's side: loading at start, SAVE, BGSAVE, save points, and the walking of every image that is being
 * made (also those for replicas: server/replication.c starts them through persistence_start_image). */
#ifndef PANDO_SERVER_PERSISTENCE_H
#define PANDO_SERVER_PERSISTENCE_H

#include "persist/image.h"
#include "persist/loader.h"
#include "server/server.h"

struct persistence *persistence_new(struct server *server);

/* Begins to load dbfilename where there is one; server->loading is set until it is done. `done` is called on the loop once
 * the data set is there (at once where there is nothing to load). Ends the process where the file cannot be used. */
void persistence_load(struct server *server, void (*done)(struct server *));
struct loader *persistence_loader(const struct server *server); /* NULL unless loading at start */

/* Starts an image of the data set as it stands now, walked between batches. `ready` (may be NULL) as in image_options. The
 * caller owns it and calls persistence_drop_image. NULL when too many run. */
struct image *persistence_start_image(struct server *server, bool keep_head, void (*ready)(void *),
                                      void *context);
/* The base of an AOF: the same without a place in the log. */
struct image *persistence_start_base(struct server *server);
/* The same at once, in this thread: dir/name. */
bool persistence_save_base(struct server *server, const char *dir, const char *name,
                           char error[256]);
/* How files are loaded here: the caller adds what is special, and who is told. */
struct loader_options persistence_loader_options(const struct server *server);
/* Puts what a loader built in place of the data: databases, functions, figures. */
void persistence_take_data(struct server *server, struct loader_outcome *outcome);
void persistence_drop_image(struct server *server, struct image *image);
int persistence_images(const struct server *server); /* under way */

/* Before each wait: a slice of walking. Returns the microseconds until it wants to go on: 0 at once, -1 not at all. */
int64_t persistence_walk(struct server *server);
void persistence_cron(struct server *server); /* save points, delayed BGSAVE */

bool persistence_refuses_writes(const struct server *server); /* MISCONF */
/* BGSAVE. OK, or an error text in *error. */
bool persistence_background_save(struct server *server, const char **error);
/* SAVE and shutdown: everything in this thread. */
bool persistence_save_now(struct server *server, char error[256]);
bool persistence_has_save_points(const struct server *server);
void persistence_abort_background_save(struct server *server);
bool persistence_saving(const struct server *server);

struct persistence_figures { /* INFO persistence */
    bool saving, last_save_ok;
    int64_t last_save_s, last_duration_s, current_started_ms;
    uint64_t saves;
    uint64_t keys_expired_at_load, keys_loaded_at_load;
    uint64_t keys_processed, keys_total; /* of the running image, 0 */
    double percent;
    /* The engine's longest walk slice in us: the snapshot's share of latency. */
    int64_t longest_slice_us;
};
void persistence_reset_figures(struct server *server); /* CONFIG RESETSTAT: counts and records */
void persistence_figures(const struct server *server, struct persistence_figures *out);

enum err cmd_save(struct call *call);
enum err cmd_bgsave(struct call *call);
enum err cmd_lastsave(struct call *call);

#endif
