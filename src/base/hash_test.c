#include "base/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static const char digits[] = "123456789";

/* The check values of the catalogue of CRCs for "123456789". */
Test(hash, crc_check_values)
{
    cr_expect_eq(crc64(0, digits, 9), 0xe9c6d914c4b8d9cau);
    cr_expect_eq(crc32c(0, digits, 9), 0xe3069283u);
    cr_expect_eq(crc64(0, "", 0), 0);
    cr_expect_eq(crc32c(0, "", 0), 0);
}

Test(hash, crcs_continue)
{
    unsigned char bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * i >> 3);
    uint64_t whole = crc64(0, bytes, sizeof bytes);
    uint32_t whole32 = crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += 61) {
        cr_expect_eq(crc64(crc64(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
        cr_expect_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole32);
    }
}

/* CRC-64 bit by bit from its definition: reflected, polynomial ad93d23594c935a9, no inversion. */
Test(hash, crc64_equals_its_definition)
{
    unsigned char bytes[517];
    uint64_t expected = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37 + (i >> 4));
        expected ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            expected = expected & 1 ? expected >> 1 ^ 0x95ac9329ac4bc9b5u : expected >> 1;
        cr_expect_eq(crc64(0, bytes, i + 1), expected);
    }
}

Test(hash, digests)
{
    unsigned char out[32];
    char hex[65];
    sha1("abc", 3, out);
    for (int i = 0; i < 20; i++) snprintf(hex + 2 * i, 3, "%02x", out[i]);
    cr_expect_str_eq(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
    sha256("abc", 3, out);
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", out[i]);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* SipHash-1-3 values made by CPython 3.11, whose str and bytes hash it is: PYTHONHASHSEED=0 gives
 * the secret 0,0 and PYTHONHASHSEED=1 the other one. The text is the first `len` of
 * "abc...xyz0123". */
Test(hash, siphash_vectors)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123";
    static const struct {
        size_t len;
        uint64_t zero, one;
    } vectors[] = {
        {1, 0x407448d2b89b1813u, 0xd6300bc9f7cc0e73u},
        {2, 0x555508cbc6add439u, 0xb8561ee67cd5b166u},
        {3, 0xc03bc3a0042630f2u, 0xbf3a636edf177675u},
        {4, 0xe3d1d5fdd52aae89u, 0xf840209c1638e72du},
        {5, 0x251f3c725bd784a2u, 0xe4ae1b1275391974u},
        {6, 0x62207e654289df28u, 0x51c966b6c8a9a82fu},
        {7, 0x6db12aae9070f506u, 0x2cc75771f0205010u},
        {8, 0x3f7b849c0b8e35eau, 0xfd3011ff3947e7f4u},
        {9, 0xf89b34a3d11eb6e5u, 0x6d3c39f07e99250cu},
        {10, 0xf47c264806c40ff1u, 0xb59e132e53e7aa57u},
        {11, 0x14215fc65e2c3bd4u, 0x5ac71306f1febc68u},
        {12, 0x83275255f37565c1u, 0xbbf0a670c3ff926au},
        {13, 0x954aa964997ae4e6u, 0xc7ea427d7305c7e9u},
        {14, 0xfdbd7fa99ace11dau, 0x3f89db1472ceb35cu},
        {15, 0x1fd27a29b0e9dc7au, 0x2d206ad17faa7e20u},
        {16, 0x94f60d3d29e6a312u, 0x7c36c062bdd04f5bu},
        {17, 0x61c47e6da27eacccu, 0x654fe4149055335au},
        {18, 0xb26bb0c0ba2d6627u, 0x4f574d1ccbaa9abfu},
        {23, 0xd9c26100b33ee39cu, 0x478fb192237bb359u},
        {24, 0x42acf3a099aff2dcu, 0x7dbc151d7b9209b7u},
        {25, 0x4c771fbb675d0ec4u, 0x66e78d6a94c6a316u},
        {30, 0xd00983fa05838912u, 0xfbadd96dd08c99a9u},
    };
    const struct hash_secret zero = {0, 0}, one = {0xaed66ce184be2329u, 0xebe9bbf1f1499052u};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        cr_expect_eq(hash_keyed(&zero, text, vectors[i].len), vectors[i].zero, "%zu", i);
        cr_expect_eq(hash_keyed(&one, text, vectors[i].len), vectors[i].one, "%zu", i);
    }
}

Test(hash, reads_only_its_bytes_at_any_address)
{
    const struct hash_secret secret = {17, 4};
    char *area = malloc(64);
    for (size_t len = 0; len < 40; len++) {
        uint64_t expected = 0;
        for (size_t shift = 0; shift < 8; shift++) {
            memset(area, (int)shift + 1, 64); /* what is around must not matter */
            for (size_t i = 0; i < len; i++) area[shift + i] = (char)(i * 11);
            uint64_t hash = hash_keyed(&secret, area + shift, len);
            if (shift == 0) expected = hash;
            cr_expect_eq(hash, expected);
        }
    }
    free(area);
}
