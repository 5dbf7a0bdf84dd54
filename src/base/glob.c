/* Each element of a pattern but the star takes exactly one character, so when an element fails only
 * the last star needs to be tried one character further: no recursion, at worst pattern by text. */
#include "base/glob.h"

#include "base/ascii.h"

/* Steps beyond a multiple of both lengths: enough for any honest pattern on a short text. */
#define STEPS_FLOOR    1000000
#define STEPS_PER_BYTE 64

/* Reads the character class behind '[' at pattern[at]; returns the index behind it. A class that is
 * not closed ends with the pattern. */
static size_t match_class(struct span pattern, size_t at, unsigned char c, bool nocase,
                          bool *matched)
{
    const char *p = pattern.ptr;
    bool negated = at < pattern.len && p[at] == '^', found = false;
    if (negated) at++;
    for (;; at++) {
        if (at >= pattern.len) break;
        if (p[at] == ']') {
            at++;
            break;
        }
        unsigned char low = (unsigned char)p[at], high;
        if (low == '\\' && at + 1 < pattern.len) {
            high = low = (unsigned char)p[++at];
        } else if (at + 2 < pattern.len && p[at + 1] == '-') {
            high = (unsigned char)p[at + 2];
            at += 2;
        } else {
            high = low;
        }
        if (low > high) {
            unsigned char swap = low;
            low = high;
            high = swap;
        }
        if (nocase) {
            low = ascii_lower((char)low);
            high = ascii_lower((char)high);
        }
        found |= c >= low && c <= high;
    }
    *matched = found != negated;
    return at;
}

/* Matches the one element at pattern[at], no star, against c; returns the index behind it. */
static size_t match_one(struct span pattern, size_t at, unsigned char c, bool nocase, bool *matched)
{
    char element = pattern.ptr[at];
    if (nocase) c = ascii_lower((char)c);
    if (element == '?') {
        *matched = true;
        return at + 1;
    }
    if (element == '[') return match_class(pattern, at + 1, c, nocase, matched);
    if (element == '\\' && at + 1 < pattern.len) element = pattern.ptr[++at];
    *matched = (nocase ? ascii_lower(element) : (unsigned char)element) == c;
    return at + 1;
}

/* Where behind a star the text may go on: the next place of the literal that follows it. */
static size_t skip_to_literal(struct span pattern, size_t at, struct span text, size_t from)
{
    char literal = pattern.ptr[at];
    if (literal == '?' || literal == '[' || literal == '\\') return from;
    const char *found = memchr(text.ptr + from, literal, text.len - from);
    return found == NULL ? text.len : (size_t)(found - text.ptr);
}

bool glob_match(struct span pattern, struct span text, bool nocase)
{
    const size_t none = (size_t)-1;
    if (text.len == 0) return pattern.len == 0;      /* as PSUBSCRIBE * does not get channel "" */
    size_t p = 0, t = 0, star = none, star_text = 0; /* star: index behind the last one */
    size_t steps = STEPS_FLOOR + STEPS_PER_BYTE * (pattern.len + text.len);
    while (t < text.len) {
        if (steps-- == 0) return false;
        if (p < pattern.len && pattern.ptr[p] == '*') {
            while (p < pattern.len && pattern.ptr[p] == '*') p++;
            if (p == pattern.len) return true;
            star = p;
            star_text = t = nocase ? t : skip_to_literal(pattern, p, text, t);
            continue;
        }
        bool matched = false;
        size_t next = p;
        if (p < pattern.len)
            next = match_one(pattern, p, (unsigned char)text.ptr[t], nocase, &matched);
        if (matched) {
            p = next;
            t++;
        } else if (star == none) {
            return false;
        } else {
            p = star;
            star_text++;
            if (!nocase && star_text < text.len)
                star_text = skip_to_literal(pattern, p, text, star_text);
            t = star_text;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*') p++;
    return p == pattern.len;
}
