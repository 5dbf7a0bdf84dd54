#include "server/pubsub.h"

#include "base/glob.h"
#include "base/mem.h"
#include "ds/table.h"
#include "handlers.h"
#include "server/config.h"
#include "server/network.h"
#include "server/session.h"

#include <stdio.h>

enum kind { KIND_CHANNEL, KIND_PATTERN, KIND_SHARD, KIND_COUNT };

/* A channel, pattern or shard channel that somebody listens to. */
struct topic {
    uint64_t hash;
    struct listener_link *listeners, *last; /* in order of subscription */
    size_t count;
    struct topic *next, *prev; /* patterns only: all of them, in order of creation */
    size_t len;
    char name[];
};

/* One session's subscription: in the topic's list and in the session's. */
struct listener_link {
    struct session *session;
    struct topic *topic;
    struct listener_link *next_of_topic, *prev_of_topic;
    struct listener_link *next_of_session, *prev_of_session;
};

struct subscriptions {
    struct listener_link *links[KIND_COUNT]; /* newest first */
    int counts[KIND_COUNT];
};

struct pubsub {
    struct hash_secret secret;
    struct table *topics[KIND_COUNT];
    struct topic *patterns, *last_pattern;
};

static const struct wording {
    const char *subscribe, *unsubscribe;
} wordings[KIND_COUNT] = {
    [KIND_CHANNEL] = {"subscribe", "unsubscribe"},
    [KIND_PATTERN] = {"psubscribe", "punsubscribe"},
    [KIND_SHARD] = {"ssubscribe", "sunsubscribe"},
};

static uint64_t topic_hash(const void *context, const void *item)
{
    (void)context;
    return ((const struct topic *)item)->hash;
}

static bool topic_matches(const void *context, const void *item, const void *key)
{
    const struct topic *topic = item;

    (void)context;
    return span_equal(span_of(topic->name, topic->len), *(const struct span *)key);
}

struct pubsub *pubsub_new(const struct hash_secret *secret)
{
    struct pubsub *pubsub = mem_zalloc(sizeof *pubsub);

    pubsub->secret = *secret;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        pubsub->topics[kind] =
            table_new(&(struct table_hooks){.hash = topic_hash, .matches = topic_matches});
    return pubsub;
}

static struct topic *find_topic(const struct pubsub *pubsub, enum kind kind, struct span name)
{
    if (table_count(pubsub->topics[kind]) == 0) return NULL;
    return table_find(pubsub->topics[kind], hash_keyed(&pubsub->secret, name.ptr, name.len), &name);
}

static struct topic *make_topic(struct pubsub *pubsub, enum kind kind, struct span name)
{
    struct topic *topic = mem_alloc(sizeof *topic + name.len);

    *topic =
        (struct topic){.hash = hash_keyed(&pubsub->secret, name.ptr, name.len), .len = name.len};
    memcpy(topic->name, name.ptr, name.len);
    table_insert(pubsub->topics[kind], topic->hash, topic);
    if (kind == KIND_PATTERN) {
        topic->prev = pubsub->last_pattern;
        if (pubsub->last_pattern != NULL) pubsub->last_pattern->next = topic;
        else pubsub->patterns = topic;
        pubsub->last_pattern = topic;
    }
    return topic;
}

static void drop_topic(struct pubsub *pubsub, enum kind kind, struct topic *topic)
{
    struct span name = span_of(topic->name, topic->len);

    table_remove(pubsub->topics[kind], table_locate(pubsub->topics[kind], topic->hash, &name));
    if (kind == KIND_PATTERN) {
        if (topic->prev != NULL) topic->prev->next = topic->next;
        else pubsub->patterns = topic->next;
        if (topic->next != NULL) topic->next->prev = topic->prev;
        else pubsub->last_pattern = topic->prev;
    }
    mem_free(topic);
}

static struct listener_link *find_link(const struct session *session, enum kind kind,
                                       struct span name)
{
    if (session->subscriptions == NULL) return NULL;
    for (struct listener_link *link = session->subscriptions->links[kind]; link != NULL;
         link = link->next_of_session)
        if (span_equal(span_of(link->topic->name, link->topic->len), name)) return link;
    return NULL;
}

static void subscribe(struct session *session, enum kind kind, struct span name)
{
    struct pubsub *pubsub = session->server->pubsub;

    if (session->subscriptions == NULL)
        session->subscriptions = mem_zalloc(sizeof *session->subscriptions);
    if (find_link(session, kind, name) != NULL) return;
    struct topic *topic = find_topic(pubsub, kind, name);
    if (topic == NULL) topic = make_topic(pubsub, kind, name);
    struct listener_link *link = mem_alloc(sizeof *link);
    struct listener_link **head = &session->subscriptions->links[kind];

    *link = (struct listener_link){
        .session = session, .topic = topic, .prev_of_topic = topic->last, .next_of_session = *head};
    if (topic->last != NULL) topic->last->next_of_topic = link;
    else topic->listeners = link;
    topic->last = link;
    topic->count++;
    if (*head != NULL) (*head)->prev_of_session = link;
    *head = link;
    session->subscriptions->counts[kind]++;
}

static void unsubscribe(struct session *session, enum kind kind, struct listener_link *link)
{
    struct topic *topic = link->topic;

    if (link->prev_of_topic != NULL) link->prev_of_topic->next_of_topic = link->next_of_topic;
    else topic->listeners = link->next_of_topic;
    if (link->next_of_topic != NULL) link->next_of_topic->prev_of_topic = link->prev_of_topic;
    else topic->last = link->prev_of_topic;
    if (link->prev_of_session != NULL)
        link->prev_of_session->next_of_session = link->next_of_session;
    else session->subscriptions->links[kind] = link->next_of_session;
    if (link->next_of_session != NULL)
        link->next_of_session->prev_of_session = link->prev_of_session;
    session->subscriptions->counts[kind]--;
    mem_free(link);
    if (--topic->count == 0) drop_topic(session->server->pubsub, kind, topic);
}

void pubsub_unsubscribe_everything(struct session *session)
{
    if (session->subscriptions == NULL) return;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        while (session->subscriptions->links[kind] != NULL)
            unsubscribe(session, kind, session->subscriptions->links[kind]);
}

void pubsub_release(struct session *session)
{
    pubsub_unsubscribe_everything(session);
    mem_free(session->subscriptions);
    session->subscriptions = NULL;
}

int pubsub_channels_of(const struct session *s)
{
    return s->subscriptions == NULL ? 0 : s->subscriptions->counts[KIND_CHANNEL];
}
int pubsub_patterns_of(const struct session *s)
{
    return s->subscriptions == NULL ? 0 : s->subscriptions->counts[KIND_PATTERN];
}
int pubsub_shards_of(const struct session *s)
{
    return s->subscriptions == NULL ? 0 : s->subscriptions->counts[KIND_SHARD];
}

bool pubsub_subscribed(const struct session *session)
{
    return pubsub_channels_of(session) + pubsub_patterns_of(session) + pubsub_shards_of(session) >
           0;
}

size_t pubsub_memory(const struct session *session)
{
    if (session->subscriptions == NULL) return 0;
    int links =
        pubsub_channels_of(session) + pubsub_patterns_of(session) + pubsub_shards_of(session);
    return sizeof *session->subscriptions + (size_t)links * sizeof(struct listener_link);
}

size_t pubsub_channel_count(const struct server *server)
{
    return table_count(server->pubsub->topics[KIND_CHANNEL]);
}
size_t pubsub_pattern_count(const struct server *server)
{
    return table_count(server->pubsub->topics[KIND_PATTERN]);
}
size_t pubsub_shard_count(const struct server *server)
{
    return table_count(server->pubsub->topics[KIND_SHARD]);
}

/* ---- delivering ------------------------------------------------------------------------------- */

/* A push to a session, outside or inside its own command. CLIENT REPLY silences answers, never pushes; what it silences
 * in the command that runs stays silenced. */
static bool push_begin(struct session *session, int64_t count)
{
    bool muted = session->reply.muted;

    session->reply.muted = false;
    if (session->out.ptr == NULL) network_take_buffer(session->server->network, &session->out);
    reply_push(&session->reply, count);
    session_has_output(session);
    return muted;
}

static int deliver(struct topic *topic, const char *word, const struct span *pattern,
                   struct span channel, struct span message)
{
    int count = 0;

    for (struct listener_link *link = topic->listeners; link != NULL;
         link = link->next_of_topic, count++) {
        struct reply *reply = &link->session->reply;
        bool muted = push_begin(link->session, pattern == NULL ? 3 : 4);
        reply_bulk_cstr(reply, word);
        if (pattern != NULL) reply_bulk(reply, *pattern);
        reply_bulk(reply, channel);
        reply_bulk(reply, message);
        reply->muted = muted;
    }
    return count;
}

int pubsub_publish(struct server *server, struct span channel, struct span message)
{
    struct pubsub *pubsub = server->pubsub;
    struct topic *topic = find_topic(pubsub, KIND_CHANNEL, channel);
    int count = topic == NULL ? 0 : deliver(topic, "message", NULL, channel, message);

    for (topic = pubsub->patterns; topic != NULL; topic = topic->next) {
        struct span pattern = span_of(topic->name, topic->len);
        if (glob_match(pattern, channel, false))
            count += deliver(topic, "pmessage", &pattern, channel, message);
    }
    return count;
}

int pubsub_publish_shard(struct server *server, struct span channel, struct span message)
{
    struct topic *topic = find_topic(server->pubsub, KIND_SHARD, channel);
    return topic == NULL ? 0 : deliver(topic, "smessage", NULL, channel, message);
}

void pubsub_keyspace_event(struct server *server, int db, struct event event, struct span key)
{
    unsigned wanted = (unsigned)server->config->notify_keyspace_events;
    struct buf channel = {0};

    if (!(wanted & event.class)) return;
    if (wanted & EVENT_KEYSPACE) {
        buf_printf(&channel, "__keyspace@%d__:", db);
        buf_append_span(&channel, key);
        pubsub_publish(server, buf_span(&channel), span_of_cstr(event.name));
    }
    if (wanted & EVENT_KEYEVENT) {
        buf_clear(&channel);
        buf_printf(&channel, "__keyevent@%d__:%s", db, event.name);
        pubsub_publish(server, buf_span(&channel), key);
    }
    buf_release(&channel);
}

/* ---- commands --------------------------------------------------------------------------------- */

/* channels and patterns are counted together in the answers; shard channels apart. */
static int64_t answer_count(const struct session *session, enum kind kind)
{
    if (kind == KIND_SHARD) return pubsub_shards_of(session);
    return pubsub_channels_of(session) + pubsub_patterns_of(session);
}

static void answer(struct session *session, enum kind kind, const char *word,
                   const struct span *name)
{
    bool muted = push_begin(session, 3);

    reply_bulk_cstr(&session->reply, word);
    if (name != NULL) reply_bulk(&session->reply, *name);
    else reply_null(&session->reply);
    reply_int64(&session->reply, answer_count(session, kind));
    session->reply.muted = muted;
}

static enum err subscribe_all(struct call *call, enum kind kind)
{
    if (call->flags & CALL_IN_EXEC && call->session->reply.version == 2 &&
        call->flags & CALL_DENY_BLOCKING)
        return call_fail(call, "ERR %s isn't allowed for a DENY BLOCKING client",
                         call->command->name);
    for (int i = 1; i < call->argc; i++) {
        subscribe(call->session, kind, call->argv[i]);
        answer(call->session, kind, wordings[kind].subscribe, &call->argv[i]);
    }
    return OK;
}

static enum err unsubscribe_some(struct call *call, enum kind kind)
{
    struct session *session = call->session;
    const char *word = wordings[kind].unsubscribe;

    for (int i = 1; i < call->argc; i++) {
        struct listener_link *link = find_link(session, kind, call->argv[i]);
        if (link != NULL) unsubscribe(session, kind, link);
        answer(session, kind, word, &call->argv[i]);
    }
    if (call->argc > 1) return OK;
    int count = 0;
    while (session->subscriptions != NULL && session->subscriptions->links[kind] != NULL) {
        struct listener_link *link = session->subscriptions->links[kind];
        struct buf name = {0};
        buf_append(&name, link->topic->name, link->topic->len);
        unsubscribe(session, kind, link);
        struct span span = buf_span(&name);
        answer(session, kind, word, &span);
        buf_release(&name);
        count++;
    }
    if (count == 0) answer(session, kind, word, NULL);
    return OK;
}

enum err cmd_subscribe(struct call *call)
{
    return subscribe_all(call, KIND_CHANNEL);
}
enum err cmd_psubscribe(struct call *call)
{
    return subscribe_all(call, KIND_PATTERN);
}
enum err cmd_ssubscribe(struct call *call)
{
    return subscribe_all(call, KIND_SHARD);
}
enum err cmd_unsubscribe(struct call *call)
{
    return unsubscribe_some(call, KIND_CHANNEL);
}
enum err cmd_punsubscribe(struct call *call)
{
    return unsubscribe_some(call, KIND_PATTERN);
}
enum err cmd_sunsubscribe(struct call *call)
{
    return unsubscribe_some(call, KIND_SHARD);
}

enum err cmd_publish(struct call *call)
{
    int count = pubsub_publish(call_server(call), call->argv[1], call->argv[2]);

    call_effect_verbatim(call);
    reply_int64(call->reply, count);
    return OK;
}

enum err cmd_spublish(struct call *call)
{
    int count = pubsub_publish_shard(call_server(call), call->argv[1], call->argv[2]);

    call_effect_verbatim(call);
    reply_int64(call->reply, count);
    return OK;
}

struct listing {
    struct reply *reply;
    const struct span *pattern; /* NULL: all */
    int64_t count;
};

static void list_topic(void *context, void *item)
{
    struct listing *listing = context;
    const struct topic *topic = item;
    struct span name = span_of(topic->name, topic->len);

    if (listing->pattern != NULL && !glob_match(*listing->pattern, name, false)) return;
    reply_bulk(listing->reply, name);
    listing->count++;
}

static enum err list_topics(struct call *call, enum kind kind)
{
    struct table *table = call_server(call)->pubsub->topics[kind];
    struct listing listing = {.reply = call->reply,
                              .pattern = call->argc == 3 ? &call->argv[2] : NULL};

    if (call->argc > 3) return call_bad_subcommand(call);
    size_t position = reply_defer(call->reply);
    for (size_t i = 0; i < table_buckets(table); i++) table_visit(table, i, list_topic, &listing);
    reply_settle(call->reply, position, REPLY_ARRAY, listing.count);
    return OK;
}

static enum err count_listeners(struct call *call, enum kind kind)
{
    reply_array(call->reply, 2 * (int64_t)(call->argc - 2));
    for (int i = 2; i < call->argc; i++) {
        struct topic *topic = find_topic(call_server(call)->pubsub, kind, call->argv[i]);
        reply_bulk(call->reply, call->argv[i]);
        reply_int64(call->reply, topic == NULL ? 0 : (int64_t)topic->count);
    }
    return OK;
}

enum err cmd_pubsub_channels(struct call *call)
{
    return list_topics(call, KIND_CHANNEL);
}
enum err cmd_pubsub_shardchannels(struct call *call)
{
    return list_topics(call, KIND_SHARD);
}
enum err cmd_pubsub_numsub(struct call *call)
{
    return count_listeners(call, KIND_CHANNEL);
}
enum err cmd_pubsub_shardnumsub(struct call *call)
{
    return count_listeners(call, KIND_SHARD);
}

enum err cmd_pubsub_numpat(struct call *call)
{
    reply_int64(call->reply, (int64_t)pubsub_pattern_count(call_server(call)));
    return OK;
}

enum err cmd_pubsub_help(struct call *call)
{
    static const char *const lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Prints this help.",
        NULL,
    };

    reply_help(call->reply, lines);
    return OK;
}
