/* The matcher against the definition by recursion, on short inputs. The first byte says how long
 * the pattern is; every byte is mapped to a small alphabet, so that matches are common. */
#include "base/ascii.h"
#include "base/check.h"
#include "base/glob.h"
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A class as a set of characters: the model's own reading of "[...". Returns the index behind it.
 */
static size_t read_class(struct span pattern, size_t at, bool nocase, bool members[256])
{
    bool negated = at < pattern.len && pattern.ptr[at] == '^', listed[256] = {false};
    if (negated) at++;
    while (at < pattern.len && pattern.ptr[at] != ']') {
        size_t left = pattern.len - at;
        int from, to;
        if (pattern.ptr[at] == '\\' && left >= 2) {
            from = to = (unsigned char)pattern.ptr[at + 1];
            at += 2;
        } else if (left >= 3 && pattern.ptr[at + 1] == '-') {
            from = (unsigned char)pattern.ptr[at];
            to = (unsigned char)pattern.ptr[at + 2];
            at += 3;
        } else {
            from = to = (unsigned char)pattern.ptr[at++];
        }
        int low = from < to ? from : to, high = from < to ? to : from;
        if (nocase) {
            low = ascii_lower((char)low);
            high = ascii_lower((char)high);
        }
        for (int c = low; c <= high; c++) listed[c] = true;
    }
    for (int c = 0; c < 256; c++) members[c] = listed[nocase ? ascii_lower((char)c) : c] != negated;
    return at < pattern.len ? at + 1 : at;
}

static bool model(struct span pattern, size_t p, struct span text, size_t t, bool nocase)
{
    if (p == pattern.len) return t == text.len;
    if (pattern.ptr[p] == '*') {
        for (size_t skip = t; skip <= text.len; skip++)
            if (model(pattern, p + 1, text, skip, nocase)) return true;
        return false;
    }
    if (t == text.len) return false;
    bool members[256] = {false};
    size_t next = p + 1;
    if (pattern.ptr[p] == '?') {
        memset(members, true, sizeof members);
    } else if (pattern.ptr[p] == '[') {
        next = read_class(pattern, p + 1, nocase, members);
    } else {
        char literal = pattern.ptr[p];
        if (literal == '\\' && next < pattern.len) literal = pattern.ptr[next++];
        members[(unsigned char)literal] = true;
        if (nocase) members[ascii_lower(literal)] = members[ascii_upper(literal)] = true;
    }
    return members[(unsigned char)text.ptr[t]] && model(pattern, next, text, t + 1, nocase);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char alphabet[] = "abcABC-^]\\*?[[*z";
    if (size < 2 || size > 26) return 0;
    bool nocase = data[0] & 1;
    size_t pattern_len = (data[0] >> 1) % size;
    char *bytes = malloc(size - 1);
    if (bytes == NULL) return 0;
    for (size_t i = 0; i + 1 < size; i++) bytes[i] = alphabet[data[i + 1] % 16];
    if (pattern_len > size - 1) pattern_len = size - 1;
    struct span pattern = span_of(bytes, pattern_len);
    struct span text = span_of(bytes + pattern_len, size - 1 - pattern_len);
    bool expected = text.len == 0 ? pattern.len == 0 : model(pattern, 0, text, 0, nocase);
    check(glob_match(pattern, text, nocase) == expected);
    free(bytes);
    return 0;
}
