/* The store against its toy model: any order of writes, whole-table changes, expiry and snapshots.
 */
#include "store/store_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_world(struct world *world)
{
    check(world->broken == NULL);
    check(model_agrees(&world->model, world->store));
    for (int db = 0; db < MODEL_DATABASES; db++) keyspace_check(store_keyspace(world->store, db));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world; /* too large for the stack */
    world_start(&world, (struct choices){.ptr = data, .len = size, .from_bytes = true});
    for (unsigned step = 0; choices_left(&world.choices); step++) {
        world_step(&world);
        check(world.broken == NULL);
        if (step % 256 == 255) check_world(&world);
    }
    check_world(&world);
    /* What still runs must come to its end as promised. */
    for (int i = 0; i < SNAPSHOTS_MAX; i++) {
        struct witness *witness = &world.witnesses[i];
        if (witness->snapshot == NULL) continue;
        while (!snapshot_walk(witness->snapshot, 1000, 10)) {}
        check(witness_agrees(witness));
    }
    world_end(&world);
    return 0;
}
