/* A sorted list of things with names: the groups of a stream, the consumers of a group.
 *
 * What is in the list begins with a struct span, its name, and keeps it as long as it is in. Names are
 * ordered as bytes, a shorter one before what it begins: the order in which Redis lists them.
 * The list is an array of pointers: there are few names, they seldom come or go, and they are
 * looked up and listed all the time. */
#ifndef PANDO_DS_NAME_LIST_H
#define PANDO_DS_NAME_LIST_H

#include "base/span.h"

struct name_list { /* zero is an empty list */
    void **items;
    size_t count;
};

static inline struct span name_of(const void *item)
{
    return *(const struct span *)item;
}

/* The item of that name, NULL where there is none. */
void *name_list_find(const struct name_list *list, struct span name);
/* Its name must not be in the list yet. */
void name_list_insert(struct name_list *list, void *item);
/* Takes an item out; it must be in. */
void name_list_remove(struct name_list *list, const void *item);
/* Frees the array, not the items. */
void name_list_release(struct name_list *list);

#endif
