/* The replica's input from a hostile primary: any bytes, in any pieces, at any time. The node keeps
 * its log or takes one whole; nothing asserts, nothing is read beyond the input. */
#include "repl/apply.h"
#include "repl/test_rig.h"

#include "base/check.h"

/* How far a good primary would have brought the link: the fuzzer goes on from there. */
static const char *const openings[] = {
    "",
    "+PONG\r\n",
    "+PONG\r\n+OK\r\n+OK\r\n",
    "+PONG\r\n+OK\r\n+OK pando\r\n",
    "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC 0123456789012345678901234567890123456789 50\r\n",
    "+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC 0123456789012345678901234567890123456789 50\r\n$20\r\n",
    ("+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC 0123456789012345678901234567890123456789 50\r\n"
     "$EOF:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n"),
    "+PONG\r\n+OK\r\n+OK\r\n-ERR no psync\r\n$4\r\nabcd",
    "+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n",
    "+PONG\r\n+OK\r\n+OK pando\r\n+CONTINUE 9876543210987654321098765432109876543210\r\n+ONLINE "
    "150\r\n",
};

struct world {
    struct rig rig;
    struct apply *apply;
    uint64_t image_bytes, fate;
    bool image_open, loading;
};

static bool run(void *context, int place, int db, int argc, const struct span *argv,
                char reason[static 192])
{
    (void)context;
    check(db >= 0 && argc > 0 && place < APPLY_LOT);
    /* Some commands cannot be applied. */
    if (argv[0].len % 7 != 6) return true;
    snprintf(reason, 192, "not today");
    return false;
}

static void perform(struct world *world, struct span input)
{
    struct rig *rig = &world->rig;
    for (size_t i = 0; i < rig->out.count; i++) {
        const struct repl_action action = rig->out.items[i];
        const struct span bytes = repl_action_bytes(&rig->out, &action, input);
        uint64_t sum = 0;
        for (size_t n = 0; n < bytes.len; n++) sum += (unsigned char)bytes.ptr[n];
        world->fate += sum;
        switch (action.kind) {
        case REPL_IMAGE_BEGIN:
            check(!world->image_open);
            world->image_open = true;
            world->image_bytes = 0;
            break;
        case REPL_IMAGE_BYTES:
            check(world->image_open && !world->loading);
            world->image_bytes += bytes.len;
            break;
        case REPL_IMAGE_END:
            check(world->image_open);
            world->loading = true;
            break;
        case REPL_IMAGE_ABORT:
            check(world->image_open);
            world->image_open = world->loading = false;
            break;
        case REPL_ADOPT:
            check(world->loading);
            world->image_open = world->loading = false;
            apply_reset(world->apply);
            break;
        case REPL_CLOSE: apply_reset(world->apply); break;
        case REPL_APPLY: {
            struct apply_result result;
            apply_feed(world->apply, bytes, &result);
            journal_publish(rig->journal);
            if (result.failed)
                replica_apply_failed(rig->replica, result.reason, rig->now_ms, &rig->out);
            else
                replica_applied(rig->replica, journal_end(rig->journal), result.getack, rig->now_ms,
                                &rig->out);
            break;
        }
        default: break;
        }
        rig_carry_out(rig, &action, input);
    }
    repl_actions_clear(&rig->out);
}

static void check_figures(struct world *world)
{
    struct replica_figures figures;
    replica_figures(world->rig.replica, world->rig.now_ms, &figures);
    check(figures.percent >= -1 && figures.percent <= 100 && figures.eta_ms >= -1 &&
          figures.bytes_per_s >= 0);
    check(figures.applied_offset <= figures.read_offset &&
          figures.sync_left <= (uint64_t)INT64_MAX);
    check(figures.syncing ==
          (figures.state >= REPLICA_WAIT_HEADER && figures.state <= REPLICA_LOADING));
}

static void receive(struct world *world, struct span bytes)
{
    struct rig *rig = &world->rig;
    while (bytes.len > 0) {
        if (!replica_wants_bytes(rig->replica)) {
            if (!world->loading) return;
            if (world->fate % 3 == 0)
                replica_load_failed(rig->replica, "torn", rig->now_ms, &rig->out);
            else replica_loaded(rig->replica, rig->now_ms, &rig->out);
            perform(world, bytes);
            continue;
        }
        const size_t taken = replica_received(rig->replica, bytes, rig->now_ms, &rig->out);
        check(taken <= bytes.len);
        perform(world, bytes);
        check_figures(world);
        if (taken == 0) return;
        bytes = span_of(bytes.ptr + taken, bytes.len - taken);
    }
}

static void connect_link(struct world *world)
{
    struct rig *rig = &world->rig;
    while (replica_state(rig->replica) != REPLICA_CONNECTING) {
        rig->now_ms += 1000;
        replica_timer(rig->replica, rig->now_ms, &rig->out);
        perform(world, span_of("", 0));
    }
    replica_connected(rig->replica, rig->now_ms, &rig->out);
    perform(world, span_of("", 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {0};
    const struct apply_executor executor = {.run = run, .context = &world};
    if (size < 2) return 0;
    rig_init(&world.rig, 100);
    world.rig.config.password = data[0] & 0x80 ? "secret" : NULL;
    world.apply = apply_new(world.rig.journal, &executor, 4096);
    role_follow(world.rig.role, "10.0.0.1", 6379, world.rig.now_ms, &world.rig.out);
    perform(&world, span_of("", 0));
    connect_link(&world);
    receive(&world, span_of_cstr(openings[data[0] % (sizeof(openings) / sizeof(openings[0]))]));
    for (size_t at = 1; at < size;) {
        /* Pieces of any length; now and then the link breaks or time passes. */
        const unsigned control = data[at++];
        size_t len = control % 64;
        if (len > size - at) len = size - at;
        if (control >= 250) {
            replica_gone(world.rig.replica, "reset", world.rig.now_ms, &world.rig.out);
            perform(&world, span_of("", 0));
        } else if (control >= 240) {
            world.rig.now_ms += 700;
            replica_timer(world.rig.replica, world.rig.now_ms, &world.rig.out);
            perform(&world, span_of("", 0));
        }
        if (replica_state(world.rig.replica) <= REPLICA_CONNECT) connect_link(&world);
        receive(&world, span_of(data + at, len));
        at += len;
    }
    apply_free(world.apply);
    rig_release(&world.rig);
    return 0;
}
