#include "server/migrate_links.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/num.h"

static void close_link(struct migrate_link *link)
{
    dialogue_close(&link->dialogue);
    buf_release(&link->name);
    mem_free(link);
}

void migrate_links_drop(struct migrate_links *links, struct migrate_link *link)
{
    struct migrate_link **at = &links->first;

    while (*at != link) {
        check(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    links->count--;
    close_link(link);
}

void migrate_links_drop_idle(struct migrate_links *links, int64_t now_ms)
{
    for (struct migrate_link *link = links->first, *next; link != NULL; link = next) {
        next = link->next;
        if (now_ms - link->used_ms > MIGRATE_LINK_IDLE_MS) migrate_links_drop(links, link);
    }
}

static void drop_longest_idle(struct migrate_links *links)
{
    struct migrate_link *oldest = links->first;

    for (struct migrate_link *link = links->first; link != NULL; link = link->next)
        if (link->used_ms < oldest->used_ms) oldest = link;
    migrate_links_drop(links, oldest);
}

static enum migrate_link_error connect_new(struct span host, struct span port, int64_t timeout_ms,
                                           struct migrate_link **out)
{
    struct socket_addresses addresses;
    int64_t number;
    struct buf name = {0};

    /* A port that is none is tried in vain, as in Redis: the host is looked at first. */
    if (!num_parse_int64(port, &number) || number < 0 || number > 65535) number = 0;
    buf_append_span(&name, host);
    buf_append_char(&name, '\0');
    int error = socket_resolve(name.ptr, (int)number, false, &addresses);
    buf_release(&name);
    if (error != 0) return MIGRATE_LINK_NO_HOST;
    struct migrate_link *link = mem_zalloc(sizeof *link);
    link->db = -1;
    if (dialogue_open(&link->dialogue, &addresses, timeout_ms) != 0) {
        mem_free(link);
        return MIGRATE_LINK_NOT_CONNECTED;
    }
    *out = link;
    return MIGRATE_LINK_OK;
}

static struct migrate_link *find(const struct migrate_links *links, struct span name)
{
    struct migrate_link *link = links->first;
    while (link != NULL && !span_equal(buf_span(&link->name), name)) link = link->next;
    return link;
}

static void add(struct migrate_links *links, struct migrate_link *link, struct span name)
{
    if (links->count == MIGRATE_LINKS_MAX) drop_longest_idle(links);
    buf_append_span(&link->name, name);
    link->next = links->first;
    links->first = link;
    links->count++;
}

enum migrate_link_error migrate_links_get(struct migrate_links *links, struct span host,
                                          struct span port, int64_t timeout_ms, int64_t now_ms,
                                          struct migrate_link **out)
{
    struct buf name = {0};
    enum migrate_link_error error = MIGRATE_LINK_OK;

    buf_append_span(&name, host);
    buf_append_char(&name, ':');
    buf_append_span(&name, port);
    struct migrate_link *link = find(links, buf_span(&name));
    if (link != NULL && !dialogue_is_quiet(&link->dialogue)) {
        migrate_links_drop(links, link);
        link = NULL;
    }
    if (link == NULL) {
        error = connect_new(host, port, timeout_ms, &link);
        if (error == MIGRATE_LINK_OK) add(links, link, buf_span(&name));
    }
    buf_release(&name);
    if (error != MIGRATE_LINK_OK) return error;
    link->used_ms = now_ms;
    *out = link;
    return MIGRATE_LINK_OK;
}
