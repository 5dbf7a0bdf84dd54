#include "server/folder.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "server/config.h"
#include "server/server.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char *folder_path(struct server *server)
{
    const struct config *config = server->config;
    char dir[PATH_MAX];
    struct buf path = {0};

    if (server->folder != NULL) return server->folder;
    if (getcwd(dir, sizeof dir) == NULL) snprintf(dir, sizeof dir, ".");
    unsigned port = (unsigned)(config->port != 0 ? config->port : config->tls_port);
    if (port != 0) buf_printf(&path, "%s/pando-%u", dir, port);
    else
        buf_printf(&path, "%s/pando-%016llx", dir,
                   (unsigned long long)crc64(0, config->unixsocket, strlen(config->unixsocket)));
    buf_append_char(&path, '\0');
    server->folder = path.ptr;
    return server->folder;
}

void folder_take(struct server *server)
{
    server->folder_lock = file_lock_folder(folder_path(server));
    if (server->folder_lock >= 0) return;
    log_warning("The folder %s %s: what memory cannot hold goes to %s-%ld", server->folder,
                server->folder_lock == -EWOULDBLOCK ? "belongs to another process"
                                                    : strerror(-server->folder_lock),
                server->folder, (long)getpid());
    struct buf path = {0};
    buf_printf(&path, "%s-%ld", server->folder, (long)getpid());
    buf_append_char(&path, '\0');
    mem_free(server->folder);
    server->folder = path.ptr;
    journal_set_dir(server->journal, server->folder);
}

void folder_release(struct server *server)
{
    if (server->folder_lock >= 0) file_close(server->folder_lock);
    mem_free(server->folder);
    server->folder = NULL;
}
