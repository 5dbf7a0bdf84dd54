#include "ds/name_list.h"

#include "base/check.h"
#include "base/mem.h"

/* The index of the first name that is not before this one. */
static size_t lower_bound(const struct name_list *list, struct span name)
{
    size_t from = 0, to = list->count;

    /* A file holds them in order: each comes last. */
    if (to > 0 && span_compare(name_of(list->items[to - 1]), name) < 0) return to;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (span_compare(name_of(list->items[middle]), name) < 0) from = middle + 1;
        else to = middle;
    }
    return from;
}

void *name_list_find(const struct name_list *list, struct span name)
{
    size_t index = lower_bound(list, name);
    bool found = index < list->count && span_equal(name_of(list->items[index]), name);
    return found ? list->items[index] : NULL;
}

/* Room is a power of two, so the count tells when it is used up. */
static bool is_full(size_t count)
{
    return (count & (count - 1)) == 0;
}

void name_list_insert(struct name_list *list, void *item)
{
    size_t index = lower_bound(list, name_of(item)), count = list->count;

    check(index == count || !span_equal(name_of(list->items[index]), name_of(item)));
    if (is_full(count)) {
        size_t room = count == 0 ? 1 : 2 * count;
        list->items = mem_realloc(list->items, room * sizeof(void *));
    }
    memmove(&list->items[index + 1], &list->items[index], (count - index) * sizeof(void *));
    list->items[index] = item;
    list->count++;
}

void name_list_remove(struct name_list *list, const void *item)
{
    size_t index = lower_bound(list, name_of(item));

    check(index < list->count && list->items[index] == item);
    list->count--;
    memmove(&list->items[index], &list->items[index + 1], (list->count - index) * sizeof(void *));
    if (list->count == 0) name_list_release(list);
    else if (is_full(list->count))
        list->items = mem_realloc(list->items, list->count * sizeof(void *));
}

void name_list_release(struct name_list *list)
{
    mem_free(list->items);
    *list = (struct name_list){0};
}
