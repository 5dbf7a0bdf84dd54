#include "persist/encoder.h"
#include "base/check.h"
#include "base/mem.h"
#include "persist/commands.h"
#include "store/access_clock.h"
#include "store/value_rdb.h"

void encoder_init(struct encoder *encoder, const struct image_options *options,
                  const struct snapshot_figures *figures, int databases,
                  void (*sink)(void *context, const void *ptr, size_t len),
                  void (*leased)(void *context, const struct entry *entry), void *context)
{
    *encoder = (struct encoder){
        .clock = options->clock,
        .lfu_decay_minutes = options->lfu_decay_minutes,
        .now_ms = options->now_ms,
        .db = -1,
        .commands = options->commands,
        .settings = options->settings,
        .leased = leased,
        .context = context,
    };
    encoder->databases = databases;
    encoder->dbs = mem_zalloc((size_t)databases * sizeof *encoder->dbs);
    for (int db = 0; db < databases; db++) {
        encoder->dbs[db].keys = figures->keys_per_db[db];
        encoder->dbs[db].expires = figures->expires_per_db[db];
    }
    rdb_writer_init(&encoder->writer, options->compress, options->checksum);
    rdb_writer_set_sink(&encoder->writer, sink, context);
}

void encoder_release(struct encoder *encoder)
{
    rdb_writer_release(&encoder->writer);
    buf_release(&encoder->pending);
    mem_free(encoder->dbs);
}

/* The order of fields is Redis'. */
void encoder_begin(struct encoder *encoder, const struct image_options *options)
{
    struct rdb_writer *writer = &encoder->writer;

    if (options->commands) {
        for (size_t i = 0; i < options->function_count; i++)
            commands_write_function(writer, options->functions[i]);
        return;
    }
    rdb_write_header(writer);
    rdb_write_aux(writer, "redis-ver", SPAN("7.0.15"));
    rdb_write_aux_int64(writer, "redis-bits", 64);
    rdb_write_aux_int64(writer, "ctime", options->now_ms / 1000);
    rdb_write_aux_int64(writer, "used-mem", (int64_t)options->used_memory);
    if (options->repl_id != NULL) {
        rdb_write_aux_int64(writer, "repl-stream-db", options->repl_stream_db);
        rdb_write_aux(writer, "repl-id", span_of_cstr(options->repl_id));
        rdb_write_aux_int64(writer, "repl-offset", options->repl_offset);
    }
    rdb_write_aux_int64(writer, "aof-base", options->aof_base);
    for (size_t i = 0; i < options->function_count; i++)
        rdb_write_function(writer, options->functions[i]);
    rdb_writer_flush(writer);
}

static void select_db(struct encoder *encoder, int db)
{
    if (encoder->db == db) return;
    encoder->db = db;
    rdb_write_select(&encoder->writer, (uint64_t)db);
    /* Pre-images of other databases come in between: the sizes are told the first time only. */
    if (!encoder->dbs[db].announced) {
        encoder->dbs[db].announced = true;
        rdb_write_resize(&encoder->writer, encoder->dbs[db].keys, encoder->dbs[db].expires);
    }
}

/* A value that was copied as a body is made anew: its pointer says nothing any more. */
static void encode_copied(struct encoder *encoder, const struct snapshot_record *record,
                          const struct entry *entry)
{
    struct value_target target = {entry_key(entry), entry_deadline(entry), &encoder->settings};
    struct rdb_reader reader;
    struct entry *made = NULL;

    rdb_reader_init_span(&reader, snapshot_record_body(record));
    check(value_rdb_read(&reader, value_rdb_type(entry), &target, &made) == OK);
    rdb_reader_release(&reader);
    commands_write_entry(&encoder->writer, made);
    entry_free(made);
}

static void encode_commands(struct encoder *encoder, const struct snapshot_record *record,
                            const struct entry *entry)
{
    if (encoder->db != (int)record->db) {
        encoder->db = (int)record->db;
        commands_write_select(&encoder->writer, encoder->db);
    }
    if (entry_has_pointer(entry) && !record->leased) encode_copied(encoder, record, entry);
    else commands_write_entry(&encoder->writer, entry);
    encoder->keys++;
}

static void encode(struct encoder *encoder, const struct snapshot_record *record,
                   const struct entry *entry)
{
    struct rdb_writer *writer = &encoder->writer;
    int64_t deadline = entry_deadline(entry);

    check(record->db < (uint32_t)encoder->databases);
    if (encoder->commands) {
        encode_commands(encoder, record, entry);
        return;
    }
    select_db(encoder, (int)record->db);
    if (deadline != NO_DEADLINE) rdb_write_deadline(writer, deadline);
    if (encoder->clock == IMAGE_CLOCK_IDLE)
        rdb_write_idle(writer,
                       (uint64_t)access_clock_idle_seconds(encoder->now_ms, entry_clock(entry)));
    else if (encoder->clock == IMAGE_CLOCK_FREQUENCY)
        rdb_write_frequency(writer, access_clock_frequency(encoder->now_ms, entry_clock(entry),
                                                           encoder->lfu_decay_minutes));
    rdb_write_byte(writer, value_rdb_type(entry));
    rdb_write_string(writer, entry_key(entry));
    if (entry_has_pointer(entry) && !record->leased)
        value_rdb_write_flat(writer, entry, snapshot_record_body(record));
    else value_rdb_write(writer, entry);
    encoder->keys++;
}

/* Encodes the whole records at the front; returns their bytes. */
static size_t encode_whole(struct encoder *encoder, const char *ptr, size_t len)
{
    size_t done = 0;

    while (len - done >= sizeof(struct snapshot_record)) {
        const struct snapshot_record *record = (const struct snapshot_record *)(ptr + done);

        check(record->bytes > sizeof *record && record->bytes % 8 == 0);
        if (record->bytes > len - done) break;
        const struct entry *entry = snapshot_record_entry(record);
        if (encoder->stop == NULL || !*encoder->stop) encode(encoder, record, entry);
        if (record->leased) encoder->leased(encoder->context, entry);
        done += record->bytes;
    }
    return done;
}

/* Records are multiples of 8 bytes, so what starts aligned stays aligned. Pieces that come out of a
 * spool are aligned or not as its blocks are cut: they are taken as they lie where they can be. */
void encoder_feed(struct encoder *encoder, const void *ptr, size_t len)
{
    const char *from = ptr;

    if (encoder->pending.len == 0 && (uintptr_t)from % 8 == 0) {
        size_t done = encode_whole(encoder, from, len);
        from += done;
        len -= done;
    }
    if (len == 0) return;
    buf_append(&encoder->pending, from, len);
    buf_drop_front(&encoder->pending,
                   encode_whole(encoder, encoder->pending.ptr, encoder->pending.len));
}

enum err encoder_end(struct encoder *encoder)
{
    if (encoder->pending.len > 0) return ERR_CORRUPT;
    if (encoder->commands) rdb_writer_flush(&encoder->writer);
    else rdb_write_end(&encoder->writer);
    return OK;
}
