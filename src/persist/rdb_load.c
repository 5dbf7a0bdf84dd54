#include "persist/rdb_load.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "store/value_rdb.h"
#include <stdio.h>

#define EMPTY_KEYS_SAID 10

#define SAY(load, ...)  ((load)->options->silent ? (void)0 : log_notice(__VA_ARGS__))

/* ---- keys ----------------------------------------------------------------------------------- */

static struct keyspace *keyspace_of(struct rdb_load *load, int db)
{
    return load->outcome->keyspaces[db];
}

/* Puts the decoded entries into their keyspaces. */
static enum err insert_ahead(struct rdb_load *load)
{
    for (int i = 0; i < load->ahead_count; i++) {
        struct rdb_load_item *item = &load->ahead[i];
        if (keyspace_insert(item->keyspace, item->hash, item->entry)) continue;

        struct span name = entry_key(item->entry);
        load->reader->key = (struct span){0};
        rdb_fail(load->reader, ERR_CORRUPT, "RDB has duplicated key '%.*s' in DB %d",
                 (int)(name.len < 64 ? name.len : 64), name.ptr, item->db);
        for (; i < load->ahead_count; i++) entry_free(load->ahead[i].entry);
        load->ahead_count = 0;
        return ERR_CORRUPT;
    }
    load->outcome->keys_loaded += (uint64_t)load->ahead_count;
    *load->keys = load->outcome->keys_loaded;
    uint64_t keys = (uint64_t)load->ahead_count;
    load->ahead_count = 0;
    if (keys > 0 && load->pause != NULL && !load->pause(load->context, keys))
        return rdb_fail(load->reader, ERR_IO, "Loading was stopped");
    return OK;
}

static void note_expired(struct rdb_load *load, struct span name)
{
    uint32_t head[2] = {(uint32_t)load->db, (uint32_t)name.len};

    buf_append(&load->outcome->expired, head, sizeof head);
    buf_append_span(&load->outcome->expired, name);
    *load->keys_expired = ++load->outcome->keys_expired;
}

static uint32_t clock_of(const struct rdb_load *load)
{
    const struct loader_options *options = load->options;

    if (options->lfu && load->frequency >= 0)
        return access_clock_of_frequency(options->now_ms, (uint8_t)load->frequency);
    if (!options->lfu && load->idle >= 0) return access_clock_of_idle(options->now_ms, load->idle);
    return load->fresh_clock;
}

static void key_is_done(struct rdb_load *load)
{
    load->reader->key = (struct span){0};
    load->deadline = NO_DEADLINE;
    load->idle = load->frequency = -1;
}

/* Containers without elements: old versions could write them. The texts are Redis', tools look for
 * them. */
static void skip_empty(struct rdb_load *load, struct span name)
{
    if (load->outcome->keys_empty++ < EMPTY_KEYS_SAID)
        SAY(load, "rdbLoadObject skipping empty key: %.*s", (int)(name.len < 128 ? name.len : 128),
            name.ptr);
    key_is_done(load);
}

static enum err read_key(struct rdb_load *load, uint8_t type)
{
    const struct loader_options *options = load->options;
    struct entry *entry = NULL;
    struct span name;

    /* Types that cannot be loaded are named before their bytes are touched. */
    load->doing = "read-key";
    TRY(rdb_read_string(load->reader, &name));
    buf_clear(&load->key);
    buf_append_span(&load->key, name);
    if (load->key.ptr == NULL) buf_reserve(&load->key, 1);
    name = buf_span(&load->key);
    load->reader->key = name;
    if (load->watch != NULL) load->watch->key(load->watch->context);
    load->doing = "read-object-value";
    enum err err =
        value_rdb_read(load->reader, type,
                       &(struct value_target){name, load->deadline, &options->settings}, &entry);
    if (err == ERR_EMPTY_VALUE) {
        skip_empty(load, name);
        return OK;
    }
    if (err != OK) return err;

    if (load->watch != NULL) {
        load->watch->value(load->watch->context, load->deadline);
        entry_free(entry);
        key_is_done(load);
        return OK;
    }
    if (options->drop_expired && load->deadline != NO_DEADLINE &&
        load->deadline < options->now_ms) {
        note_expired(load, name);
        entry_free(entry);
    } else {
        struct keyspace *keyspace = keyspace_of(load, load->db);
        uint64_t hash = keyspace_key(keyspace, name).hash;
        entry_set_clock(entry, clock_of(load));
        table_prefetch_bucket(keyspace->table, hash);
        load->ahead[load->ahead_count++] = (struct rdb_load_item){keyspace, hash, entry, load->db};
    }
    key_is_done(load);
    if (load->ahead_count == load->ahead_max) TRY(insert_ahead(load));
    return OK;
}

/* ---- facts about the file ------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, struct span text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;

    if (len > 0) memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static void say_age(struct rdb_load *load)
{
    int64_t age = load->options->now_ms / 1000 - load->outcome->created_s;

    SAY(load, "RDB age %lld seconds", (long long)(age < 0 ? 0 : age));
}

/* Unknown fields, and known ones with odd values, are passed over, as Redis does. */
static void note_aux(struct rdb_load *load, struct span name, struct span value)
{
    struct loader_outcome *outcome = load->outcome;
    int64_t number = 0;
    bool is_number = num_parse_int64(value, &number);

    if (span_equal(name, SPAN("redis-ver"))) {
        copy_text(outcome->redis_version, sizeof outcome->redis_version, value);
        SAY(load, "Loading RDB produced by version %s", outcome->redis_version);
    } else if (span_equal(name, SPAN("ctime")) && is_number) {
        outcome->created_s = number;
        say_age(load);
    } else if (span_equal(name, SPAN("used-mem")) && is_number && number >= 0) {
        outcome->used_memory = (uint64_t)number;
        *load->used_memory = (uint64_t)number;
        SAY(load, "RDB memory usage when created %.2f Mb", (double)number / (1024 * 1024));
    } else if (span_equal(name, SPAN("repl-stream-db")) && is_number) {
        bool in_range = number >= 0 && number < load->options->databases;
        outcome->repl_stream_db = in_range ? (int)number : -1;
    } else if (span_equal(name, SPAN("repl-id")) && value.len == 40) {
        copy_text(outcome->repl_id, sizeof outcome->repl_id, value);
    } else if (span_equal(name, SPAN("repl-offset")) && is_number) {
        outcome->repl_offset = number;
        outcome->has_repl = true;
    } else if (span_equal(name, SPAN("aof-base")) && is_number) {
        outcome->aof_base = number != 0;
        if (outcome->aof_base) SAY(load, "RDB is base AOF");
    }
}

static enum err read_aux(struct rdb_load *load)
{
    char name[32];
    struct span text;

    TRY(rdb_read_string(load->reader, &text));
    copy_text(name, sizeof name, text);
    TRY(rdb_read_string(load->reader, &text));
    if (load->watch != NULL) load->watch->aux(load->watch->context, span_of_cstr(name), text);
    note_aux(load, span_of_cstr(name), text);
    return OK;
}

static enum err read_function(struct rdb_load *load)
{
    struct loader_outcome *outcome = load->outcome;
    struct span code;

    TRY(rdb_read_string(load->reader, &code));
    outcome->functions =
        mem_realloc(outcome->functions, (outcome->function_count + 1) * sizeof *outcome->functions);
    outcome->functions[outcome->function_count] = (struct buf){0};
    buf_append_span(&outcome->functions[outcome->function_count++], code);
    return OK;
}

/* A module's 64-bit id: nine characters of six bits each, then ten bits of version. */
static enum err refuse_module(struct rdb_load *load, const char *what)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t id = 0;
    char name[10] = {0};

    TRY(rdb_read_length(load->reader, &id));
    for (int i = 0; i < 9; i++) name[i] = letters[id >> (58 - 6 * i) & 63];
    return rdb_fail(load->reader, ERR_CORRUPT,
                    "The RDB file contains %s data I can't load: no matching module '%s'", what,
                    name);
}

static enum err select_db(struct rdb_load *load)
{
    uint64_t db = 0;

    TRY(rdb_read_length(load->reader, &db));
    if (load->watch != NULL) {
        load->watch->db(load->watch->context, db);
        return OK;
    }
    if (db >= (uint64_t)load->options->databases)
        return rdb_fail(load->reader, ERR_CORRUPT,
                        "Data file was created with a server configured to handle more than %d "
                        "databases",
                        load->options->databases);
    load->db = (int)db;
    return OK;
}

static enum err read_sizes(struct rdb_load *load)
{
    uint64_t keys = 0, expires = 0;

    TRY(rdb_read_length(load->reader, &keys));
    TRY(rdb_read_length(load->reader, &expires));
    *load->keys_expected += keys;
    return OK;
}

/* ---- the stream ----------------------------------------------------------------------------- */

static enum err read_deadline(struct rdb_load *load, bool seconds)
{
    uint32_t s = 0;
    uint64_t ms = 0;

    if (seconds) {
        TRY(rdb_read_u32(load->reader, &s));
        load->deadline = (int64_t)(int32_t)s * 1000;
    } else {
        TRY(rdb_read_u64(load->reader, &ms));
        load->deadline = (int64_t)ms;
    }
    if (load->deadline == -1) load->deadline = NO_DEADLINE; /* as Redis reads it */
    return OK;
}

static enum err read_access(struct rdb_load *load, uint8_t opcode)
{
    uint64_t idle = 0;
    uint8_t frequency = 0;

    if (opcode == RDB_OP_FREQ) {
        TRY(rdb_read_byte(load->reader, &frequency));
        load->frequency = frequency;
    } else {
        TRY(rdb_read_length(load->reader, &idle));
        load->idle = idle > INT32_MAX ? INT32_MAX : (int64_t)idle;
    }
    return OK;
}

/* Everything up to the EOF opcode. */
static enum err read_parts(struct rdb_load *load)
{
    uint8_t opcode = 0;

    for (;;) {
        load->doing = "read-type";
        TRY(rdb_read_byte(load->reader, &opcode));
        load->type = opcode;
        switch (opcode) {
        case RDB_OP_EOF: return OK;
        case RDB_OP_EXPIRETIME: TRY(read_deadline(load, true)); break;
        case RDB_OP_EXPIRETIME_MS: TRY(read_deadline(load, false)); break;
        case RDB_OP_FREQ:
        case RDB_OP_IDLE: TRY(read_access(load, opcode)); break;
        case RDB_OP_SELECTDB: TRY(select_db(load)); break;
        case RDB_OP_RESIZEDB: TRY(read_sizes(load)); break;
        case RDB_OP_AUX: TRY(read_aux(load)); break;
        case RDB_OP_FUNCTION2: TRY(read_function(load)); break;
        case RDB_OP_FUNCTION_RC:
            return rdb_fail(load->reader, ERR_CORRUPT, "Pre-release function format not supported");
        case RDB_OP_MODULE_AUX: return refuse_module(load, "AUX module");
        case RDB_TYPE_MODULE:
        case RDB_TYPE_MODULE_2:
            TRY(rdb_skip_string(load->reader));
            return refuse_module(load, "module");
        default:
            if (value_rdb_type_name(opcode) == NULL)
                return rdb_fail(load->reader, ERR_CORRUPT, "Unknown RDB opcode or type %u", opcode);
            TRY(read_key(load, opcode));
        }
    }
}

static enum err read_all(struct rdb_load *load)
{
    struct loader_outcome *outcome = load->outcome;
    bool summed = false;

    TRY(rdb_read_header(load->reader, &outcome->version));
    outcome->is_rdb = true;
    TRY(read_parts(load));
    TRY(insert_ahead(load));
    load->doing = "check-sum";
    TRY(rdb_read_end(load->reader, outcome->version, &summed));
    if (!summed && outcome->version >= 5)
        SAY(load, "RDB file was saved with checksum disabled: no check performed.");
    outcome->bytes = rdb_reader_offset(load->reader);
    outcome->has_repl = outcome->has_repl && outcome->repl_id[0] != '\0';
    return OK;
}

static void say_done(const struct rdb_load *load)
{
    const struct loader_outcome *outcome = load->outcome;

    SAY(load, "Done loading RDB, keys loaded: %llu, keys expired: %llu.",
        (unsigned long long)outcome->keys_loaded, (unsigned long long)outcome->keys_expired);
    if (outcome->keys_empty > 0)
        SAY(load, "Done loading RDB, empty keys skipped: %llu.",
            (unsigned long long)outcome->keys_empty);
}

enum err rdb_load_run(struct rdb_load *load)
{
    const struct loader_options *options = load->options;
    struct loader_outcome *outcome = load->outcome;
    enum err err;

    load->deadline = NO_DEADLINE;
    load->idle = load->frequency = -1;
    load->doing = "start";
    load->type = -1;
    load->fresh_clock = options->lfu
                            ? access_clock_of_frequency(options->now_ms, ACCESS_FREQUENCY_NEW)
                            : access_clock_of_idle(options->now_ms, 0);
    outcome->repl_stream_db = -1;
    outcome->databases = options->databases;
    outcome->keyspaces = mem_alloc((size_t)options->databases * sizeof(struct keyspace *));
    for (int db = 0; db < options->databases; db++)
        outcome->keyspaces[db] = keyspace_new(&options->settings.secret, options->now_ms);

    err = read_all(load);
    if (err == OK) say_done(load);
    if (err != OK && !options->silent)
        log_warning("Internal error in RDB reading offset %llu -> %s",
                    (unsigned long long)rdb_reader_offset(load->reader), load->reader->error);
    for (int i = 0; i < load->ahead_count; i++) entry_free(load->ahead[i].entry);
    load->ahead_count = 0;
    buf_release(&load->key);
    return err;
}
