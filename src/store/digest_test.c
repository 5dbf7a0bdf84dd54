/* DEBUG DIGEST's figures: those that Redis 7.0.15 gave for the same data. */
#include "store/digest.h"
#include "store/store_model.h"
#include <criterion/criterion.h>

static void expect_hex(const unsigned char figure[static DIGEST_BYTES], const char *wanted)
{
    char hex[2 * DIGEST_BYTES + 1];
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(hex + 2 * i, 3, "%02x", figure[i]);
    cr_assert_str_eq(hex, wanted);
}

static void expect_digest(const struct store *store, const char *wanted)
{
    unsigned char figure[DIGEST_BYTES];
    digest_store(store, figure);
    expect_hex(figure, wanted);
}

static uint64_t append(void *context, char *bytes, size_t len)
{
    struct span tail = *(struct span *)context;
    memcpy(bytes + len - tail.len, tail.ptr, tail.len);
    return 1;
}

Test(digest, is_that_of_redis_for_strings)
{
    static char long_value[100000];
    const struct hash_secret secret = {3, 4};
    struct store *store = store_new(8, &secret, MODEL_NOW);
    struct key k = store_key(store, SPAN("k")), counter = store_key(store, SPAN("counter"));
    struct key big = store_key(store, SPAN("long")), sparse = store_key(store, SPAN("sparse"));
    struct key neg = store_key(store, SPAN("neg")), empty = store_key(store, SPAN(""));
    struct span y = SPAN("y"), end = SPAN("end");
    unsigned char figure[DIGEST_BYTES];

    expect_digest(store, "0000000000000000000000000000000000000000");
    store_put_string(store, 0, &k, SPAN("v"), TTL_CLEAR, NO_EVENT);
    expect_digest(store, "264ccf65edec66bccfa7cc659414ccca432057d2");
    store_put_string(store, 0, &counter, SPAN("41"), TTL_CLEAR, NO_EVENT);
    store_put_int64(store, 0, &counter, 42, TTL_KEEP, NO_EVENT);
    expect_digest(store, "384d881bd71d106e27535c351169786a26b25e37");
    store_put_string(store, 7, &k, SPAN("v"), MODEL_NOW + 10000000, NO_EVENT);
    expect_digest(store, "aa7328c0688b9056dbe940cfce19e1a334230c94");
    memset(long_value, 'x', sizeof(long_value));
    store_put_string(store, 1, &big, span_of(long_value, 100000), TTL_CLEAR, NO_EVENT);
    expect_digest(store, "1125aad121e615ad966e2b3c791c91aab4397d54");
    store_edit_string(store, 1, &big, 100001, append, &y, NO_EVENT);
    store_edit_string(store, 1, &sparse, 8, append, &end, NO_EVENT);
    expect_digest(store, "6dbdf2b571047bda904ad8e12302f16a768288c1");
    store_set_deadline(store, 0, &k, MODEL_NOW + 1000, NO_EVENT);
    expect_digest(store, "90fd4619b65b783acda5ecac4993f474d37c4381");
    store_set_deadline(store, 0, &k, NO_DEADLINE, NO_EVENT);
    expect_digest(store, "6dbdf2b571047bda904ad8e12302f16a768288c1");
    store_swap(store, 0, 7);
    expect_digest(store, "42e1b756c39af6154746e2adca356f6831ecec07");
    digest_value(store_find(store, 0, &k, 0), figure);
    expect_hex(figure, "311b17018163335616e089f6b951c82c477335ac");
    digest_value(NULL, figure);
    expect_hex(figure, "0000000000000000000000000000000000000000");
    store_put_string(store, 0, &neg, SPAN("x"), TTL_CLEAR, NO_EVENT);
    store_put_string(store, 0, &neg, SPAN("-9223372036854775808"), TTL_CLEAR, NO_EVENT);
    store_put_string(store, 0, &empty, SPAN(""), TTL_CLEAR, NO_EVENT);
    expect_digest(store, "bf55010d9b48df4a645c9e46b97c0be26c5e5c13");
    store_free(store);
}

Test(digest, tells_any_two_data_sets_apart_and_only_those)
{
    const struct hash_secret secret = {1, 2}, other_secret = {5, 6};
    unsigned char one[DIGEST_BYTES], other[DIGEST_BYTES];
    struct store *a = store_new(2, &secret, MODEL_NOW), *b = store_new(2, &other_secret, MODEL_NOW);
    char buffer[48];
    for (int i = 0; i < 500; i++) {
        struct key key = store_key(a, model_name(i, buffer));
        store_put_int64(a, i % 2, &key, i, TTL_CLEAR, NO_EVENT);
    }
    for (int i = 499; i >= 0; i--) { /* another order, another secret */
        struct key key = store_key(b, model_name(i, buffer));
        store_put_int64(b, i % 2, &key, i, TTL_CLEAR, NO_EVENT);
    }
    digest_store(a, one);
    digest_store(b, other);
    cr_assert_arr_eq(one, other, DIGEST_BYTES);
    struct key key = store_key(b, model_name(7, buffer));
    store_put_int64(b, 1, &key, 8, TTL_CLEAR, NO_EVENT);
    digest_store(b, other);
    cr_assert_arr_neq(one, other, DIGEST_BYTES);
    store_free(a);
    store_free(b);
}
