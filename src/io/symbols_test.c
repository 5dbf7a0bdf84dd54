#include "io/symbols.h"

#include <criterion/criterion.h>

/* Static: no loader knows it. */
__attribute__((noinline)) static int of_the_file_only(int a)
{
    __asm__ volatile("" : "+r"(a));
    return a + 1;
}

Test(symbols, name_functions_that_are_exported_and_others)
{
    struct symbols symbols;
    size_t offset = 99;

    cr_assert(symbols_open(&symbols));
    cr_assert_eq(of_the_file_only(1), 2);
    const char *name = symbols_name(&symbols, (const char *)of_the_file_only, &offset);
    cr_assert_not_null(name);
    cr_expect_eq(strncmp(name, "of_the_file_only", 16), 0, "%s", name);
    cr_expect_eq(offset, 0);
    name = symbols_name(&symbols, (const char *)symbols_open + 5, &offset);
    cr_assert_not_null(name);
    cr_expect_eq(strncmp(name, "symbols_open", 12), 0, "%s", name);
    cr_expect_eq(offset, 5);
}

Test(symbols, nothing_is_said_of_what_is_no_function_here)
{
    struct symbols symbols;
    size_t offset;
    int local;

    cr_assert(symbols_open(&symbols));
    cr_expect_null(symbols_name(&symbols, &local, &offset));
    cr_expect_null(symbols_name(&symbols, NULL, &offset));
    cr_expect_null(symbols_name(&symbols, (const void *)(uintptr_t)-1, &offset));
}
