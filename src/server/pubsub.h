/* Publish and subscribe: channels, patterns, shard channels; and keyspace events, which are publications. */
#ifndef PANDO_SERVER_PUBSUB_H
#define PANDO_SERVER_PUBSUB_H

#include "server/server.h"

struct pubsub *pubsub_new(const struct hash_secret *secret);

/* Delivers to all who listen; returns the number of deliveries. Does not touch the journal. */
int pubsub_publish(struct server *server, struct span channel, struct span message);
int pubsub_publish_shard(struct server *server, struct span channel, struct span message);
/* Observer of the store: publishes a keyspace event where notify-keyspace-events asks for it. */
void pubsub_keyspace_event(struct server *server, int db, struct event event, struct span key);

bool pubsub_subscribed(const struct session *session);       /* to anything */
int pubsub_channels_of(const struct session *session);       /* sub= */
int pubsub_patterns_of(const struct session *session);       /* psub= */
int pubsub_shards_of(const struct session *session);         /* ssub= */
void pubsub_unsubscribe_everything(struct session *session); /* silently */
void pubsub_release(struct session *session);                /* the same, and frees: close */
size_t pubsub_memory(const struct session *session);
size_t pubsub_channel_count(const struct server *server);
size_t pubsub_pattern_count(const struct server *server);
size_t pubsub_shard_count(const struct server *server);

#endif
