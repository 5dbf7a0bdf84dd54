/* The process around the server: log destination, daemon, pid file, signals, title, supervision. */
#ifndef PANDO_SERVER_LIFE_H
#define PANDO_SERVER_LIFE_H

#include "server/server.h"

/* Before the server exists: log destination and level from the configuration. False (a line on stderr) where the log file
 * cannot be opened. */
bool life_open_log(const struct config *config);
void life_daemonize(void); /* detaches from the terminal */
/* SIGTERM and SIGINT reach the loop; SIGHUP, SIGPIPE and SIGXFSZ (a file over its limit: the write fails, which is
 * handled) are ignored. Before any thread is made. */
void life_block_signals(void);
void life_watch_signals(struct server *server);
void life_write_pidfile(struct server *server); /* a warning where it cannot be written */
/* Tells systemd or upstart (directive supervised). */
bool life_is_supervised(const struct config *config);
const char *life_supervised_name(const struct config *config);    /* "no", "systemd", "upstart" */
void life_notify(const struct config *config, const char *state); /* "READY=1\nSTATUS=..." */
/* The process title by proc-title-template overwrites the memory of argv and environ: this moves the environment away
 * and returns a copy of argv, which everything later uses. */
char **life_keep_title_room(int argc, char **argv);
void life_set_title(struct server *server);
/* The path of the program, absolute; static. */
const char *life_executable(void);
int life_read_oom_score(void); /* as it is now; 0 where it cannot be read */
void life_set_oom_score(struct server *server);
void life_disable_huge_pages(struct server *server); /* disable-thp, for this process */

#endif
