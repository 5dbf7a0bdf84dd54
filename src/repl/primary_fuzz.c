/* Peers that lie, and a driver whose events come in any order: the primary's machine must keep its
 * promises and its figures sane. */
#include "repl/primary_state.h"
#include "repl/test_rig.h"

#include "base/check.h"

#define PEERS 6

struct input {
    const uint8_t *at, *end;
};

static unsigned byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static const char *const words[] = {
    "ack",
    "listening-port",
    "ip-address",
    "capa",
    "eof",
    "psync2",
    "pando",
    "rdb-only",
    "rdb-filter-only",
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "functions",
    "getack",
    "*",
    "failover",
    "\"",
    "7000",
    "x",
};

struct promises { /* what the peers may rely on */
    uint64_t fed[PEERS + 1];
    bool silent[PEERS + 1];     /* the mark is out, no ACK came */
    uint32_t running, complete; /* the newest snapshots of that kind */
};

/* A command made of words, of small numbers, and of our own id. */
static void command(struct rig *rig, struct input *input, struct promises *kept, const char *name)
{
    char line[512];
    const unsigned argc = byte(input) % 6;
    int len = snprintf(line, sizeof(line), "%s", name);
    for (unsigned i = 0; i < argc; i++) {
        const unsigned which = byte(input);
        if (which < 160)
            len += snprintf(line + len, sizeof(line) - (size_t)len, " %s",
                            words[which % (sizeof(words) / sizeof(words[0]))]);
        else if (which < 200)
            len +=
                snprintf(line + len, sizeof(line) - (size_t)len, " %s", journal_id(rig->journal));
        else
            len += snprintf(line + len, sizeof(line) - (size_t)len, " %d",
                            (int)(journal_end(rig->journal)) + (int)which - 228);
    }
    if (strncmp(line, "psync", 5) == 0 && argc < 2) return; /* the dispatcher's arity */
    const uint64_t peer = 1 + byte(input) % PEERS;
    if (strncmp(line, "replconf ack", 12) == 0) kept->silent[peer] = false;
    rig_ask(rig, peer, line);
}

static void observe(struct rig *rig, struct promises *kept)
{
    for (size_t i = 0; i < rig->out.count; i++) {
        const struct repl_action *action = &rig->out.items[i];
        const uint64_t peer = action->peer <= PEERS ? action->peer : 0;
        if (action->kind == REPL_SEND) check(!kept->silent[peer]);
        if (action->kind == REPL_SEND && action->len == 40) kept->silent[peer] = true;
        if (action->kind == REPL_PIN) {
            check(action->offset >= journal_first(rig->journal) &&
                  action->offset <= journal_end(rig->journal));
            kept->fed[peer] = action->offset;
        }
        if (action->kind == REPL_FEED) {
            check(!kept->silent[peer] && action->offset > kept->fed[peer]);
            check(action->offset <= journal_end(rig->journal));
            kept->fed[peer] = action->offset;
        }
        if (action->kind == REPL_CLOSE) kept->silent[peer] = false;
        if (action->kind == REPL_START_SNAPSHOT) kept->running = action->snapshot;
    }
    rig_do(rig);
    struct peer_figures figures;
    for (int n = 0; n < primary_peers(rig->primary); n++) {
        primary_peer(rig->primary, n, rig->now_ms, &figures);
        check(figures.ack_offset <= journal_end(rig->journal) &&
              figures.lag_bytes <= journal_end(rig->journal));
        check(figures.lag_s >= 0 && figures.lag_ms >= 0 && figures.percent <= 100 &&
              figures.eta_ms >= -1);
        check(figures.bytes_per_s >= 0 && figures.sync_ms >= 0);
    }
    check(primary_good_replicas(rig->primary, rig->now_ms) <=
          primary_replicas_online(rig->primary));
}

static void step(struct rig *rig, struct input *input, struct promises *kept)
{
    const unsigned which = byte(input) % 21;
    const uint64_t peer = 1 + byte(input) % PEERS;
    switch (which) {
    case 0:
    case 1: command(rig, input, kept, "replconf"); break;
    case 2:
    case 3: command(rig, input, kept, "psync"); break;
    case 4: command(rig, input, kept, "sync"); break;
    case 5: {
        char line[64];
        snprintf(line, sizeof(line), "replconf ack %u", byte(input));
        kept->silent[peer] = false;
        rig_ask(rig, peer, line);
        break;
    }
    case 6:
        primary_peer_gone(rig->primary, peer, "gone", rig->now_ms, &rig->out);
        kept->silent[peer] = false;
        break;
    case 7:
    case 8: rig->now_ms += byte(input) * 50; /* fall through */
    case 9: primary_timer(rig->primary, rig->now_ms, &rig->out); break;
    case 10:
        if (journal_active(rig->journal)) rig_append(rig, byte(input));
        break;
    case 11:
        primary_snapshot_failed(rig->primary, kept->running, "broken", rig->now_ms, &rig->out);
        break;
    case 12:
    case 13:
        if (kept->running > kept->complete && journal_active(rig->journal)) {
            primary_snapshot_begun(rig->primary, kept->running, journal_end(rig->journal),
                                   rig->now_ms, &rig->out);
            kept->complete = kept->running;
        }
        break;
    case 14:
        primary_snapshot_done(rig->primary, kept->complete, byte(input), rig->now_ms, &rig->out);
        break;
    case 15: primary_image_progress(rig->primary, peer, byte(input), rig->now_ms); break;
    case 16: { /* a driver says so only of an image that is complete */
        const struct peer *at = primary_find(rig->primary, peer);
        const struct shared_snapshot *of =
            at != NULL ? primary_snapshot(rig->primary, at->snapshot) : NULL;
        if (of != NULL && of->state == SNAPSHOT_COMPLETE)
            primary_image_sent(rig->primary, peer, rig->now_ms, &rig->out);
        break;
    }
    case 17: primary_byte_ceiling(rig->primary, rig->now_ms, &rig->out); break;
    case 18:
        primary_set_upstream(rig->primary, (enum primary_upstream)(byte(input) % 3), rig->now_ms);
        break;
    case 20:
        primary_snapshot_short_of_room(rig->primary, kept->running, rig->now_ms, &rig->out);
        break;
    case 19: primary_drop_all(rig->primary, "history", rig->now_ms, &rig->out); break;
    default: break;
    }
    if (which == 19) memset(kept->silent, 0, sizeof(kept->silent));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig rig;
    struct input input = {data, data + size};
    struct promises kept = {0};
    const unsigned settings = byte(&input);
    rig_init(&rig, settings % 2 != 0 ? 100 : 0);
    rig.config.diskless = settings & 2;
    rig.config.diskless_delay_ms = settings & 4 ? 1000 : 0;
    rig.config.backlog_ttl_ms = settings & 8 ? 2000 : 3600000;
    rig.config.snapshots_max = 1 + settings / 16 % 4;
    rig.config.timeout_ms = 3000;
    while (input.at < input.end) {
        step(&rig, &input, &kept);
        observe(&rig, &kept);
    }
    rig_release(&rig);
    return 0;
}
