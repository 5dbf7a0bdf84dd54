/* The one door for writes. Each function below is: door_open (look up, deal with an expired key,
 * take the bucket for the snapshots), the change, door_close (count, tell the observers). */
#include "base/check.h"
#include "store/store_internal.h"

/* One passage through the door. */
struct door {
    struct store *store;
    struct keyspace *keyspace;
    int db;
    const struct key *key;
    struct table_place place; /* of `entry`, and the home bucket in any case */
    struct entry *entry;      /* what stands there, or NULL */
    bool seen;                /* there is an entry, and it counts: not expired and hidden */
};

/* `find_flags`: FIND_WRITE, or FIND_EXPIRED where a key past its deadline is like any other. */
static void door_open_for(struct door *door, struct store *store, int db, const struct key *key,
                          unsigned find_flags)
{
    *door = (struct door){.store = store, .keyspace = keyspace_of(store, db), .db = db, .key = key};
    door->place = keyspace_locate(door->keyspace, key);
    if (door->place.bucket != NULL) {
        door->entry = table_at(door->place);
        enum fate fate = store_fate(store, door->entry, find_flags);
        door->seen = fate == FATE_SEEN;
        if (__builtin_expect(fate == FATE_DELETE, 0)) {
            store_expire(store, db, door->place, false);
            door->entry = NULL;
            door->place = keyspace_locate(door->keyspace, key);
        }
    }
    take_bucket(door->keyspace, door->place.index);
}

static void door_open(struct door *door, struct store *store, int db, const struct key *key)
{
    door_open_for(door, store, db, key, FIND_WRITE);
}

/* Tells what happened to a key that is now there, or not any more. */
static void door_close(const struct door *door, bool is_new, uint64_t changes, struct event event)
{
    struct store *store = door->store;
    store->dirty += changes;
    store_tell_changed(store, door->db, door->key->name);
    if (is_new) store_tell_event(store, door->db, EVENT(EVENT_NEW, "new"), door->key->name);
    store_tell_event(store, door->db, event, door->key->name);
}

void store_tell_changed(struct store *store, int db, struct span name)
{
    if (store->observer.changed != NULL) store->observer.changed(store->observer.context, db, name);
}

void store_tell_event(struct store *store, int db, struct event event, struct span name)
{
    if (event.class != 0 && store->observer.event != NULL)
        store->observer.event(store->observer.context, db, event, name);
}

static void tell_ready(const struct door *door, enum value_type type)
{
    const struct store_observer *observer = &door->store->observer;
    if (type != TYPE_STRING && observer->ready != NULL)
        observer->ready(observer->context, door->db, door->key->name, type);
}

/* The deadline that `ttl` means for the key behind this door. */
static int64_t door_deadline(const struct door *door, int64_t ttl)
{
    if (ttl != TTL_KEEP) return ttl;
    return door->seen ? entry_deadline(door->entry) : NO_DEADLINE;
}

/* The access clock that the key has after this passage. */
static uint32_t door_clock(const struct door *door)
{
    if (!door->seen) return store_clock_now(door->store);
    return store_touched_clock(door->store, entry_clock(door->entry));
}

/* Puts another entry in the place of what stands there, if anything. */
static void door_place(const struct door *door, struct entry *made)
{
    int64_t before = door->entry != NULL ? entry_deadline(door->entry) : NO_DEADLINE;
    store_note_due(door->store, before, entry_deadline(made));
    if (door->entry == NULL) {
        keyspace_add(door->keyspace, door->key->hash, made);
        return;
    }
    struct entry *old = keyspace_replace_at(door->keyspace, door->place, door->key->hash, made);
    store_free_entry(door->store, old, door->store->policy.lazy_server_del);
}

/* The entry was changed in place, from one deadline to another. */
static void door_changed_in_place(const struct door *door, int64_t before, int64_t after,
                                  uint32_t clock)
{
    entry_set_clock(door->entry, clock);
    store_note_due(door->store, before, after);
    keyspace_note_deadline(door->keyspace, door->key->hash, before, after);
}

void store_put_string(struct store *store, int db, const struct key *key, struct span value,
                      int64_t ttl, struct event event)
{
    struct door door;
    door_open(&door, store, db, key);
    int64_t deadline = door_deadline(&door, ttl);
    uint32_t clock = door_clock(&door);
    int64_t before = door.entry != NULL ? entry_deadline(door.entry) : NO_DEADLINE;

    if (door.entry != NULL && entry_overwrite_string(door.entry, deadline, value)) {
        door_changed_in_place(&door, before, deadline, clock);
    } else {
        struct entry *made = entry_new_string(key->name, deadline, value, false);
        entry_set_clock(made, clock);
        door_place(&door, made);
    }
    door_close(&door, !door.seen, 1, event);
}

void store_put_int64(struct store *store, int db, const struct key *key, int64_t value, int64_t ttl,
                     struct event event)
{
    struct door door;
    door_open(&door, store, db, key);
    int64_t deadline = door_deadline(&door, ttl);
    uint32_t clock = door_clock(&door);
    int64_t before = door.entry != NULL ? entry_deadline(door.entry) : NO_DEADLINE;

    if (door.entry != NULL && entry_overwrite_int64(door.entry, deadline, value)) {
        door_changed_in_place(&door, before, deadline, clock);
    } else {
        struct entry *made = entry_new_int64(key->name, deadline, value);
        entry_set_clock(made, clock);
        door_place(&door, made);
    }
    door_close(&door, !door.seen, 1, event);
}

void store_edit_string(struct store *store, int db, const struct key *key, size_t len,
                       string_edit *edit, void *context, struct event event)
{
    struct door door;
    door_open(&door, store, db, key);
    uint32_t clock = door_clock(&door);
    bool copied = false;
    char *bytes;
    struct entry *made;

    if (door.seen) {
        made = entry_resize_string(door.entry, len, &bytes, &copied);
        table_replace(door.place, made);
    } else {
        made = entry_new_string(key->name, NO_DEADLINE, SPAN(""), true);
        made = entry_resize_string(made, len, &bytes, &copied);
        door_place(&door, made);
    }
    if (copied) snapshot_count_lease_copied(store);
    entry_set_clock(made, clock);
    uint64_t changes = edit(context, bytes, len);
    check(changes > 0 || door.seen);
    if (changes > 0) door_close(&door, !door.seen, changes, event);
}

/* ---- containers in place ------------------------------------------------------------------------ */

/* A value that somebody leases is replaced by a copy: whoever opens the door does not wait. */
static void edit_own_value(struct store_edit *edit)
{
    struct entry *e = edit->entry;
    if (!entry_has_pointer(e) || !value_shared(entry_pointer(e))) return;
    enum encoding encoding = entry_encoding(e);
    void *leased = entry_pointer(e), *copy = value_ops(encoding)->copy(leased);
    memcpy((uint8_t *)entry_payload(e), &copy, sizeof(copy));
    value_give_up(encoding, leased, &edit->store->leaving_bytes);
    snapshot_count_lease_copied(edit->store);
}

enum err store_edit_find(struct store *store, int db, const struct key *key, enum value_type type,
                         struct store_edit *edit)
{
    struct door door;
    door_open(&door, store, db, key);
    *edit = (struct store_edit){.store = store,
                                .keyspace = door.keyspace,
                                .db = db,
                                .key = *key,
                                .place = door.place,
                                .is_new = !door.seen};
    if (!door.seen) return OK;
    if (entry_type(door.entry) != type) return ERR_WRONG_TYPE;
    edit->entry = door.entry;
    entry_set_clock(edit->entry, door_clock(&door));
    edit_own_value(edit);
    return OK;
}

enum err store_edit_make(struct store *store, int db, const struct key *key, enum value_type type,
                         struct store_edit *edit)
{
    TRY(store_edit_find(store, db, key, type, edit));
    if (edit->entry != NULL) return OK;
    edit->entry = container_ops(type)->empty(key->name, &store->settings);
    entry_set_clock(edit->entry, store_clock_now(store));
    return OK;
}

void store_edit_open(struct store *store, int db, const struct key *key, enum value_type type,
                     struct store_edit *edit)
{
    check(store_edit_make(store, db, key, type, edit) == OK);
}

/* Puts a container that the edit has made into the keyspace. */
static void edit_add(const struct store_edit *edit)
{
    struct door door = {.store = edit->store,
                        .keyspace = edit->keyspace,
                        .db = edit->db,
                        .key = &edit->key,
                        .place = edit->place,
                        .entry = edit->place.bucket != NULL ? table_at(edit->place) : NULL};
    door_place(&door, edit->entry);
    store_tell_changed(edit->store, edit->db, edit->key.name);
    store_tell_event(edit->store, edit->db, EVENT(EVENT_NEW, "new"), edit->key.name);
}

bool store_edit_close(struct store_edit *edit, uint64_t changes, struct event event)
{
    struct store *store = edit->store;
    struct entry *e = edit->entry;
    const struct container_ops *ops = container_ops(entry_type(e));
    enum value_type type = entry_type(e);
    bool empty = ops->count(e) == 0 && !ops->stays_when_empty;

    edit->entry = NULL;
    if (edit->is_new && (changes == 0 || empty)) {
        check(changes == 0 || !empty);
        entry_free(e);
        return false;
    }
    if (!edit->is_new) {
        table_replace(edit->place, e); /* it may have moved */
        if (changes == 0) return true;
        if (!edit->beside) store_tell_changed(store, edit->db, edit->key.name);
    } else {
        edit->entry = e;
        edit_add(edit);
    }
    store->dirty += changes;
    if ((edit->is_new || edit->ready) && store->observer.ready != NULL)
        store->observer.ready(store->observer.context, edit->db, edit->key.name, type);
    store_tell_event(store, edit->db, event, edit->key.name);
    if (!empty) return true;
    e = keyspace_take_at(edit->keyspace, edit->place);
    store_note_due(store, entry_deadline(e), NO_DEADLINE);
    store_free_entry(store, e, store->policy.lazy_server_del);
    store_tell_event(store, edit->db, EVENT(EVENT_GENERIC, "del"), edit->key.name);
    return false;
}

static void put_entry(struct store *store, int db, const struct key *key, struct entry *entry,
                      bool overwrites, struct event event)
{
    check(span_equal(entry_key(entry), key->name));
    struct door door;
    door_open_for(&door, store, db, key, overwrites ? FIND_WRITE : FIND_EXPIRED);
    bool is_new = !door.seen || !overwrites;
    bool appears = is_new || entry_type(door.entry) != entry_type(entry);
    entry_set_clock(entry, overwrites ? door_clock(&door) : store_clock_now(store));
    door_place(&door, entry);
    if (appears) tell_ready(&door, entry_type(entry));
    door_close(&door, is_new, 1, event);
}

void store_put_entry(struct store *store, int db, const struct key *key, struct entry *entry,
                     struct event event)
{
    put_entry(store, db, key, entry, false, event);
}

void store_put_result(struct store *store, int db, const struct key *key, struct entry *entry,
                      struct event event)
{
    put_entry(store, db, key, entry, true, event);
}

static bool remove_seen(const struct door *door, bool lazy, struct event event)
{
    if (!door->seen) return false;
    struct entry *old = keyspace_take_at(door->keyspace, door->place);
    store_note_due(door->store, entry_deadline(old), NO_DEADLINE);
    store_free_entry(door->store, old, lazy);
    door_close(door, false, 1, event);
    return true;
}

bool store_remove(struct store *store, int db, const struct key *key, enum removal how,
                  struct event event)
{
    struct door door;
    door_open(&door, store, db, key);
    return remove_seen(&door, how == REMOVE_LAZY, event);
}

bool store_vacate(struct store *store, int db, const struct key *key)
{
    struct door door;
    door_open_for(&door, store, db, key, FIND_EXPIRED);
    return remove_seen(&door, store->policy.lazy_server_del, EVENT(EVENT_GENERIC, "del"));
}

void store_set_deadline(struct store *store, int db, const struct key *key, int64_t deadline_ms,
                        struct event event)
{
    struct door door;
    door_open(&door, store, db, key);
    check(door.seen);
    int64_t before = entry_deadline(door.entry);
    uint32_t clock = door_clock(&door);
    door.entry = entry_with_deadline(door.entry, deadline_ms);
    table_replace(door.place, door.entry);
    door_changed_in_place(&door, before, deadline_ms, clock);
    door_close(&door, false, 1, event);
}

void store_move(struct store *store, int from_db, const struct key *from, int to_db,
                const struct key *to, struct event from_event, struct event to_event)
{
    struct door source;
    door_open(&source, store, from_db, from);
    check(source.seen);
    check(from_db != to_db || !span_equal(from->name, to->name));
    uint32_t clock = door_clock(&source);
    struct entry *moved = keyspace_take_at(source.keyspace, source.place);

    struct door target;
    door_open(&target, store, to_db, to);
    if (!span_equal(from->name, to->name))
        moved = entry_remake(moved, to->name, entry_deadline(moved));
    store_note_due(store, entry_deadline(moved), NO_DEADLINE);
    entry_set_clock(moved, clock);
    door_place(&target, moved);
    tell_ready(&target, entry_type(moved));

    store->dirty++;
    store_tell_changed(store, from_db, from->name);
    store_tell_changed(store, to_db, to->name);
    store_tell_event(store, to_db, EVENT(EVENT_NEW, "new"), to->name);
    store_tell_event(store, from_db, from_event, from->name);
    store_tell_event(store, to_db, to_event, to->name);
}

void store_set_clock(struct store *store, int db, const struct key *key, uint32_t clock)
{
    struct entry *e = keyspace_find(keyspace_of(store, db), key);
    if (e != NULL) entry_set_clock(e, clock);
}

bool store_may_lease(const struct store *store)
{
    if (__atomic_load_n(&store->leases_out, __ATOMIC_ACQUIRE) > 0) return true;
    for (int i = 0; i < SNAPSHOTS_MAX; i++)
        if (store->snapshots[i] != NULL) return true;
    return false;
}

bool store_would_wait(struct store *store, int db, const struct key *key)
{
    struct keyspace *keyspace = keyspace_of(store, db);
    struct table_place place = keyspace_locate(keyspace, key);
    if (place.bucket == NULL) return false;
    const struct entry *e = table_at(place);
    if (!entry_has_pointer(e)) return false;
    take_bucket(keyspace, place.index);
    return value_shared(entry_pointer(e));
}
