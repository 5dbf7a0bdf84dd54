#include "base/log.h"

#include "base/check.h"
#include <criterion/criterion.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/pando-log-test-XXXXXX";
static char text[20000];

static void to_file(void)
{
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert(log_set_path(path));
}

static void forget(void)
{
    log_set_path("");
    unlink(path);
}

static const char *logged(void)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static bool matches(const char *line, const char *pattern)
{
    regex_t regex;
    cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool result = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return result;
}

Test(log, line_format, .init = to_file, .fini = forget)
{
    log_set_role('S');
    log_notice("a replica %d", 7);
    cr_expect(
        matches(logged(),
                "^[0-9]+:S [0-3][0-9] [A-Z][a-z]{2} 20[0-9]{2} [0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\."
                "[0-9]{3} \\* a replica 7\n$"),
        "%s", text);
}

Test(log, marks_and_levels, .init = to_file, .fini = forget)
{
    log_set_level(LOG_LEVEL_NOTICE);
    log_debug("hidden");
    log_verbose("hidden");
    log_notice("one");
    log_warning("two");
    cr_expect(matches(logged(), " \\* one\n.* # two\n$"), "%s", text);
    cr_expect_null(strstr(text, "hidden"));
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("three");
    log_verbose("four");
    cr_expect(matches(logged(), " \\. three\n.* - four\n$"), "%s", text);
}

Test(log, long_lines_are_cut_and_end, .init = to_file, .fini = forget)
{
    char many[9000];
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = 0;
    log_notice("%s", many);
    log_notice("next");
    logged();
    cr_expect_lt(strlen(text), 5000);
    cr_expect(matches(text, "xxx\n[0-9]+:.* next\n$"));
}

Test(log, follows_a_renamed_file_and_keeps_the_old_path_on_failure, .init = to_file, .fini = forget)
{
    cr_expect_not(log_set_path("/nonexistent/folder/log"));
    log_notice("first");
    cr_expect_not_null(strstr(logged(), "first"));
    unlink(path);
    log_notice("second");
    cr_expect_null(strstr(logged(), "first"));
    cr_expect_not_null(strstr(text, "second"));
    log_raw("raw", 3);
    cr_expect(matches(logged(), "second\nraw$"));
}

Test(log, a_failed_check_aborts, .signal = SIGABRT)
{
    log_set_path("/dev/null");
    check(1 + 1 == 2);
    check(1 + 1 == 3);
}
