/* The node's own folder, dir/pando-<port>: spools and, later, id and epochs. Several nodes may share one `dir`: each has its
 * own folder, under a lock held for life, and never touches another's. */
#ifndef PANDO_SERVER_FOLDER_H
#define PANDO_SERVER_FOLDER_H

struct server;

/* Its absolute path, fixed at the first call (the directives `dir` and `port` as they stand at start). */
const char *folder_path(struct server *server);
/* Makes and locks it. Where another process holds the lock, or it cannot be made, spools get a folder with this process's
 * id in its name instead, and the log says so. */
void folder_take(struct server *server);
void folder_release(struct server *server);

#endif
