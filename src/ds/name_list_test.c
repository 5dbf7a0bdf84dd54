#include "base/mem.h"
#include "ds/name_list.h"
#include <criterion/criterion.h>
#include <stdio.h>

struct named {
    struct span name;
    char bytes[24];
};

static struct named *named(int number)
{
    struct named *item = mem_alloc(sizeof *item);
    int len = snprintf(item->bytes, sizeof item->bytes, "%d", number);
    item->name = span_of(item->bytes, (size_t)len);
    return item;
}

Test(name_list, keeps_names_in_the_order_of_their_bytes)
{
    enum { COUNT = 1000 };
    struct name_list list = {0};

    for (int i = 0; i < COUNT; i++) name_list_insert(&list, named(i * 7919 % COUNT));
    cr_assert_eq(list.count, COUNT);
    for (size_t i = 1; i < COUNT; i++)
        cr_assert_lt(span_compare(name_of(list.items[i - 1]), name_of(list.items[i])), 0);
    cr_assert_null(name_list_find(&list, SPAN("1000")));
    for (int i = 0; i < COUNT; i++) {
        struct named *same = named(i * 13 % COUNT), *found = name_list_find(&list, same->name);
        cr_assert(span_equal(found->name, same->name));
        name_list_remove(&list, found);
        cr_assert_null(name_list_find(&list, same->name));
        mem_free(found);
        mem_free(same);
    }
    cr_assert_null(list.items);
    name_list_release(&list);
}

Test(name_list, a_name_may_be_empty_or_hold_zero_bytes)
{
    struct named empty = {.name = {NULL, 0}}, zero = {.name = SPAN("\0")},
                 two = {.name = SPAN("\0\0")};
    struct name_list list = {0};

    name_list_insert(&list, &two);
    name_list_insert(&list, &empty);
    name_list_insert(&list, &zero);
    cr_assert_eq(list.items[0], &empty);
    cr_assert_eq(list.items[1], &zero);
    cr_assert_eq(name_list_find(&list, SPAN("\0")), &zero);
    cr_assert_eq(name_list_find(&list, SPAN("")), &empty);
    name_list_release(&list);
}
