#include "cmd/command.h"
#include <stdint.h>
#include <strings.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "tools/commands.py hashes little-endian words");

#define EACH_BYTE(value) ((uint64_t)(value)*0x0101010101010101ull)

/* Upper-case ASCII letters of eight bytes made lower case, the others left alone. */
static uint64_t fold(uint64_t word)
{
    uint64_t low7 = word & EACH_BYTE(0x7f);
    uint64_t from_a = low7 + EACH_BYTE(0x80 - 'A');
    uint64_t behind_z = low7 + EACH_BYTE(0x7f - 'Z');
    uint64_t upper = (from_a & ~behind_z & ~word) & EACH_BYTE(0x80);

    return word | upper >> 2;
}

static uint64_t load(const char *ptr, size_t len)
{
    uint64_t word = 0;

    memcpy(&word, ptr, len);
    return word;
}

/* A name's first and last bytes as two folded words; words_of() in tools/commands.py does the same. Up
 * to COVERED_LENGTH bytes they hold the whole name. */
#define COVERED_LENGTH 16
struct name_words {
    uint64_t first, last;
};

static inline struct name_words words_of(struct span name)
{
    const char *ptr = name.ptr;
    size_t len = name.len;

    if (len >= 8) return (struct name_words){fold(load(ptr, 8)), fold(load(ptr + len - 8, 8))};
    if (len >= 4) return (struct name_words){fold(load(ptr, 4)), fold(load(ptr + len - 4, 4))};
    return (struct name_words){fold((uint64_t)(uint8_t)ptr[0] |
                                    (uint64_t)(uint8_t)ptr[len / 2] << 8 |
                                    (uint64_t)(uint8_t)ptr[len - 1] << 16),
                               0};
}

const struct command *command_find(struct span name)
{
    const struct command *command;
    struct name_words words, known;
    unsigned __int128 product;
    uint64_t hash;
    unsigned slot, row;

    if (name.len == 0) return NULL;
    words = words_of(name);
    product = (unsigned __int128)(words.first ^ command_hash.seed ^ name.len) *
              (words.last ^ 0x9e3779b97f4a7c15ull);
    hash = (uint64_t)product ^ (uint64_t)(product >> 64);
    slot = ((uint32_t)(hash >> 32) ^
            command_hash.displacements[hash & command_hash.displacement_mask]) &
           command_hash.slot_mask;
    row = command_hash.slots[slot];
    if (row == 0) return NULL;

    command = &command_table[row - 1];
    if (command->name_length != name.len) return NULL;
    known = words_of(span_of(command->name, name.len));
    if (words.first != known.first || words.last != known.last) return NULL;
    if (name.len <= COVERED_LENGTH) return command;
    return span_equal_nocase(name, span_of(command->name, name.len)) ? command : NULL;
}

const struct command *command_find_sub(const struct command *container, struct span word)
{
    for (int i = 0; i < container->subcommand_count; i++) {
        const struct command *sub = &container->subcommands[i];
        if (sub->word_length == word.len &&
            span_equal_nocase(word, span_of(sub->word, sub->word_length)))
            return sub;
    }
    return NULL;
}

const struct command *command_find_full(struct span name)
{
    const char *bar = name.len == 0 ? NULL : memchr(name.ptr, '|', name.len);
    if (bar == NULL) return command_find(name);

    size_t head = (size_t)(bar - name.ptr);
    const struct command *container = command_find(span_of(name.ptr, head));
    return container == NULL ? NULL
                             : command_find_sub(container, span_of(bar + 1, name.len - head - 1));
}

static const char *const flag_words[] = {
    "write",
    "readonly",
    "denyoom",
    "admin",
    "pubsub",
    "noscript",
    "blocking",
    "loading",
    "stale",
    "skip_monitor",
    "skip_slowlog",
    "asking",
    "fast",
    "no_auth",
    NULL,
    "no_async_loading",
    "no_multi",
    "movablekeys",
    "allow_busy",
    NULL,
    "no_mandatory_keys",
};
static const char *const category_words[CATEGORY_COUNT] = {
    "keyspace", "read",   "write",       "set",       "sortedset",  "list",        "hash",
    "string",   "bitmap", "hyperloglog", "geo",       "stream",     "pubsub",      "admin",
    "fast",     "slow",   "blocking",    "dangerous", "connection", "transaction", "scripting",
};
static const char *const key_flag_words[] = {
    "RO",     "RW",     "OW",      "RM",         "access",         "update",
    "insert", "delete", "not_key", "incomplete", "variable_flags",
};

#define WORD(words, bit)                                                                           \
    ((bit) >= 0 && (size_t)(bit) < sizeof(words) / sizeof *(words) ? (words)[bit] : NULL)

const char *command_flag_word(int bit)
{
    return WORD(flag_words, bit);
}
const char *command_category_word(int bit)
{
    return WORD(category_words, bit);
}
const char *key_flag_word(int bit)
{
    return WORD(key_flag_words, bit);
}

uint32_t command_category_find(struct span word)
{
    for (int bit = 0; bit < CATEGORY_COUNT; bit++)
        if (span_is(word, category_words[bit])) return 1u << bit;
    return 0;
}
