#include "base/glob.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static bool matches(const char *pattern, const char *text)
{
    return glob_match(span_of_cstr(pattern), span_of_cstr(text), false);
}

static bool matches_nocase(const char *pattern, const char *text)
{
    return glob_match(span_of_cstr(pattern), span_of_cstr(text), true);
}

/* Each line as KEYS of Redis 7.0.15 answers it. */
Test(glob, as_the_oracle_matches)
{
    static const struct {
        const char *pattern, *text;
        bool expected;
    } cases[] = {
        {"abc", "abc", true},
        {"abc", "abd", false},
        {"a*", "a", true},
        {"*c", "abc", true},
        {"a*c", "abbbc", true},
        {"a*c", "ac", true},
        {"*", "x", true},
        {"**", "x", true},
        {"*", "", false},
        {"**", "", false},
        {"", "", true},
        {"", "a", false},
        {"a?c", "abc", true},
        {"?", "", false},
        {"a??", "ab", false},
        {"[abc]", "b", true},
        {"[abc]", "d", false},
        {"[^abc]", "d", true},
        {"[^abc]", "a", false},
        {"[a-c]", "b", true},
        {"[c-a]", "b", true},
        {"[a-c]x", "bx", true},
        {"[a-]", "a", true},
        {"[a-]", "-", false},
        {"[a-]", "]", true},
        {"[a-]", "_", true},
        {"[a-]b]", "b", true},
        {"[-a]", "-", true},
        {"[]", "a", false},
        {"[]a]", "a", false},
        {"[]a]", "]", false},
        {"[^]", "x", true},
        {"[^]x", "ax", true},
        {"[\\]]", "]", true},
        {"[\\]a]", "a", true},
        {"[\\]", "\\", false},
        {"[abc", "b", true},
        {"[abc", "bc", false},
        {"x[", "x[", false},
        {"x[", "xy", false},
        {"[^", "a", true},
        {"[^a", "b", true},
        {"[a-", "b", false},
        {"[a-", "a", true},
        {"[a-", "-", true},
        {"[a-z", "m", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"a\\", "a\\", true},
        {"\\", "\\", true},
        {"\\\\", "\\", true},
        {"\\a", "a", true},
        {"*\\*", "ab*", true},
        {"*a*b*c", "xaxbxc", true},
        {"*a*b*c", "xaxcxb", false},
        {"*abab", "abaababab", true},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hello", false},
        {"!a", "!a", true},
        {"[!a]", "!", true},
        {"[!a]", "b", false},
        {"a**b", "axxb", true},
        {"*?", "x", true},
        {"?*", "x", true},
        {"*?*?", "x", false},
        {"[^-a]", "-", false},
        {"[a-c-e]", "d", false},
        {"[\\a-c]", "b", false},
        {"[a-\\]", "[", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(matches(cases[i].pattern, cases[i].text), cases[i].expected, "%s %s",
                     cases[i].pattern, cases[i].text);
}

Test(glob, without_case)
{
    cr_expect(matches_nocase("*PoRt*", "tls-port"));
    cr_expect(matches_nocase("[A-C]x", "bX"));
    cr_expect(matches_nocase("[a-c]x", "BX"));
    cr_expect(matches_nocase("\\A", "a"));
    cr_expect_not(matches_nocase("[^a]", "A"));
    cr_expect_not(matches("A*", "ab"));
}

Test(glob, zero_bytes_are_bytes)
{
    cr_expect(glob_match(span_of("a\0*", 3), span_of("a\0bc", 4), false));
    cr_expect_not(glob_match(span_of("a\0c", 3), span_of("a\0b", 3), false));
    cr_expect(glob_match(span_of(NULL, 0), span_of(NULL, 0), false));
    cr_expect_not(glob_match(SPAN("*"), span_of(NULL, 0), false));
}

/* Exponential in a matcher that recurses at each star; here it ends at the step limit. */
Test(glob, hostile_patterns_end, .timeout = 20)
{
    enum { N = 200000 };
    char *pattern = malloc(N), *text = malloc(N);
    for (size_t i = 0; i < N; i++) pattern[i] = i % 2 ? 'a' : '*';
    memset(text, 'a', N);
    cr_expect_not(glob_match(span_of(pattern, N - 2), span_of(text, N / 4), false));
    memset(pattern, 'a', N);
    pattern[0] = '*';
    pattern[N - 1] = 'b';
    cr_expect_not(glob_match(span_of(pattern, N), span_of(text, N), false));
    cr_expect_not(glob_match(span_of(pattern, N), span_of(text, N), true));
    free(pattern);
    free(text);
}

Test(glob, long_texts_and_plain_patterns_stay_exact)
{
    enum { N = 1 << 20 };
    char *text = malloc(N);
    memset(text, 'x', N);
    memcpy(text + N - 10, "needle", 6);
    cr_expect(glob_match(SPAN("*needle*"), span_of(text, N), false));
    cr_expect(glob_match(SPAN("*needle????"), span_of(text, N), true));
    cr_expect_not(glob_match(SPAN("*needle"), span_of(text, N), false));
    free(text);
}
