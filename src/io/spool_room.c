#include "io/spool_room.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdatomic.h>

struct spool_room {
    atomic_int refs;
    _Atomic uint64_t bytes_max, used;
    _Atomic size_t memory;
};

struct spool_room *spool_room_new(uint64_t bytes_max)
{
    struct spool_room *room = mem_zalloc(sizeof *room);

    room->refs = 1;
    room->bytes_max = bytes_max;
    return room;
}

void spool_room_hold(struct spool_room *room)
{
    room->refs++;
}

void spool_room_drop(struct spool_room *room)
{
    if (room == NULL || --room->refs > 0) return;
    check(room->used == 0 && room->memory == 0);
    mem_free(room);
}

void spool_room_set_max(struct spool_room *room, uint64_t bytes_max)
{
    room->bytes_max = bytes_max;
}

uint64_t spool_room_max(const struct spool_room *room)
{
    return room->bytes_max;
}

uint64_t spool_room_used(const struct spool_room *room)
{
    return room->used;
}

bool spool_room_take(struct spool_room *room, uint64_t bytes)
{
    uint64_t max = room->bytes_max, used = room->used;

    do {
        if (max != 0 && (used >= max || bytes > max - used)) return false;
    } while (!atomic_compare_exchange_weak(&room->used, &used, used + bytes));
    return true;
}

void spool_room_give(struct spool_room *room, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub(&room->used, bytes);

    check(before >= bytes);
}

void spool_room_add_memory(struct spool_room *room, size_t bytes)
{
    room->memory += bytes;
}

void spool_room_sub_memory(struct spool_room *room, size_t bytes)
{
    room->memory -= bytes;
}

size_t spool_room_memory(const struct spool_room *room)
{
    return room->memory;
}

uint64_t spool_room_left(const struct spool_room *room)
{
    uint64_t max = room->bytes_max, used = room->used;

    if (max == 0) return UINT64_MAX;
    return used < max ? max - used : 0;
}
