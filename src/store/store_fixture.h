/* For the store's tests: a store whose observer writes down what it was told, and short words for using
 * it. */
#ifndef PANDO_STORE_STORE_FIXTURE_H
#define PANDO_STORE_STORE_FIXTURE_H

#include "store/store_model.h"
#include <criterion/criterion.h>

#define NOW MODEL_NOW

/* A store whose observer writes down what it was told. */
struct fixture {
    struct store *store;
    struct buf told;
    void (*rubbish_free[8])(void *); /* what the reclaimer got and has not freed */
    void *rubbish[8];
    int rubbish_count;
};

static inline void tell(struct fixture *fixture, int db, const char *what, struct span name)
{
    buf_printf(&fixture->told, "%s%d:%s:%.*s", fixture->told.len > 0 ? " " : "", db, what,
               (int)name.len, name.ptr);
}

static inline void on_changed(void *context, int db, struct span name)
{
    tell(context, db, "~", name);
}
static inline void on_event(void *context, int db, struct event event, struct span name)
{
    tell(context, db, event.name, name);
}
static inline void on_ready(void *context, int db, struct span name, enum value_type type)
{
    tell(context, db, value_type_name(type), name);
}
static inline void on_effect(void *context, int db, int argc, const struct span *argv)
{
    cr_assert_eq(argc, 2);
    tell(context, db, argv[0].len == 3 ? "DEL" : "UNLINK", argv[1]);
}
static inline void on_replacing(void *context, int db, struct keyspace *from, struct keyspace *to)
{
    char counts[32];
    int len = snprintf(counts, sizeof(counts), "%zu>%zu", keyspace_count(from), keyspace_count(to));
    tell(context, db, "replacing", span_of(counts, (size_t)len));
}

static inline struct fixture start(void)
{
    const struct hash_secret secret = {1, 2};
    return (struct fixture){.store = store_new(4, &secret, NOW)};
}

static inline void write_down(struct fixture *fixture)
{
    struct store_observer observer = {on_changed, on_replacing, on_event,
                                      on_ready,   on_effect,    fixture};
    store_observe(fixture->store, &observer);
}

static inline void finish(struct fixture *fixture)
{
    buf_release(&fixture->told);
    store_free(fixture->store);
}

/* What was told since the last call. */
static inline void expect_told(struct fixture *fixture, const char *wanted)
{
    cr_assert(span_equal(buf_span(&fixture->told), span_of_cstr(wanted)),
              "told \"%.*s\", not \"%s\"", (int)fixture->told.len, fixture->told.ptr, wanted);
    buf_clear(&fixture->told);
}

static inline struct key key_of(const struct fixture *fixture, const char *name)
{
    return store_key(fixture->store, span_of_cstr(name));
}

static inline void set(struct fixture *fixture, int db, const char *name, const char *value,
                       int64_t ttl)
{
    struct key key = key_of(fixture, name);
    store_put_string(fixture->store, db, &key, span_of_cstr(value), ttl,
                     EVENT(EVENT_STRING, "set"));
}

static inline const struct entry *find(struct fixture *fixture, int db, const char *name,
                                       unsigned flags)
{
    struct key key = key_of(fixture, name);
    return store_find(fixture->store, db, &key, flags);
}

static inline void expect_value(struct fixture *fixture, int db, const char *name,
                                const char *wanted)
{
    char scratch[NUM_INT64_CHARS];
    const struct entry *e = find(fixture, db, name, FIND_NO_EVENT | FIND_EXPIRED);
    cr_assert_eq(e == NULL, wanted == NULL, "%s", name);
    if (e != NULL)
        cr_assert(span_equal(entry_string(e, scratch), span_of_cstr(wanted)), "%s", name);
}

static inline bool removed(struct fixture *fixture, int db, const char *name)
{
    struct key key = key_of(fixture, name);
    return store_remove(fixture->store, db, &key, REMOVE_NOW, EVENT(EVENT_GENERIC, "del"));
}

static inline uint64_t fill_x(void *context, char *bytes, size_t len)
{
    (void)context;
    memset(bytes, 'x', len);
    return 1;
}

#endif
