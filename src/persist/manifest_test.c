/* The errors are those of Redis 7.0.15 for the same files. */
#include "persist/manifest.h"

#include <criterion/criterion.h>

static struct manifest manifest;

static const char *fault_of(const char *text)
{
    static struct manifest_fault fault;
    enum err err = manifest_parse(span_of_cstr(text), &manifest, &fault);

    if (err == OK) return "";
    return fault.why;
}

static void expect_text(const char *expected)
{
    struct buf out = {0};

    manifest_format(&manifest, &out);
    buf_append_char(&out, '\0');
    cr_assert_str_eq(out.ptr, expected);
    buf_release(&out);
}

static void end(void)
{
    manifest_release(&manifest);
}

TestSuite(manifest, .fini = end);

Test(manifest, what_is_written_is_read_back)
{
    cr_assert_str_eq(manifest_add_base(&manifest, "a.aof", true), "a.aof.1.base.rdb");
    cr_assert_str_eq(manifest_add_incr(&manifest, "a.aof"), "a.aof.1.incr.aof");
    cr_assert_str_eq(manifest_add_incr(&manifest, "a.aof"), "a.aof.2.incr.aof");
    static const char text[] = "file a.aof.1.base.rdb seq 1 type b\n"
                               "file a.aof.1.incr.aof seq 1 type i\n"
                               "file a.aof.2.incr.aof seq 2 type i\n";
    expect_text(text);
    manifest_release(&manifest);
    cr_assert_str_eq(fault_of(text), "");
    expect_text(text);
    cr_assert_eq(manifest_incr_count(&manifest), 2);
    cr_assert_str_eq(manifest_incr(&manifest, 0)->name, "a.aof.1.incr.aof");
    cr_assert_str_eq(manifest_incr(&manifest, -1)->name, "a.aof.2.incr.aof");
    cr_assert_null(manifest_incr(&manifest, 2));
}

Test(manifest, a_rewrite_makes_history)
{
    manifest_add_base(&manifest, "a", true);
    manifest_add_incr(&manifest, "a");
    manifest_add_incr(&manifest, "a");
    manifest_add_incr(&manifest, "a");
    manifest_add_base(&manifest, "a", false);
    manifest_retire_incr(&manifest, 1);
    expect_text("file a.2.base.aof seq 2 type b\n"
                "file a.1.base.rdb seq 1 type h\n"
                "file a.1.incr.aof seq 1 type h\n"
                "file a.2.incr.aof seq 2 type h\n"
                "file a.3.incr.aof seq 3 type i\n");
    cr_assert_eq(manifest_history_count(&manifest), 3);
    struct manifest copy;
    manifest_copy(&copy, &manifest);
    manifest_drop_history(&manifest);
    expect_text("file a.2.base.aof seq 2 type b\nfile a.3.incr.aof seq 3 type i\n");
    cr_assert_str_eq(manifest_add_base(&copy, "a", true), "a.3.base.rdb");
    manifest_release(&copy);
}

Test(manifest, names_with_blanks_are_quoted)
{
    manifest_add_incr(&manifest, "my \"file\"");
    expect_text("file \"my \\\"file\\\".1.incr.aof\" seq 1 type i\n");
    manifest_release(&manifest);
    cr_assert_str_eq(fault_of("file \"my \\\"file\\\".1.incr.aof\" seq 1 type i\n"), "");
    cr_assert_str_eq(manifest_incr(&manifest, 0)->name, "my \"file\".1.incr.aof");
}

Test(manifest, pairs_of_others_and_comments_are_passed_over)
{
    cr_assert_str_eq(fault_of("# a comment\nx y file a seq 1 type i later 7\n"), "");
    cr_assert_eq(manifest_incr_count(&manifest), 1);
}

Test(manifest, faults)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "Found an empty AOF manifest"},
        {"file a seq 1 type x\n", "Unknown AOF file type"},
        {"file a seq 1\n", "Invalid AOF manifest file format"},
        {"file a seq x type i\n", "Invalid AOF manifest file format"},
        {"file a seq 1 type i foo\n", "Invalid AOF manifest file format"},
        {"\nfile a seq 1 type i\n", "Invalid AOF manifest file format"},
        {"file \"a b seq 1 type i\n", "Invalid AOF manifest file format"},
        {"file a/b seq 1 type i\n", "File can't be a path, just a filename"},
        {"file a seq 1 type i", "The AOF manifest file contains too long line"},
        {"file a seq 1 type b\nfile b seq 2 type b\n", "Found duplicate base file information"},
        {"file a seq 2 type i\nfile b seq 2 type i\n", "Found a non-monotonic sequence number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_str_eq(fault_of(cases[i].text), cases[i].why, "%s", cases[i].text);
}
