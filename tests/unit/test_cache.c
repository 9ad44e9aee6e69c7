/* tests/unit/test_cache.c - the cache of results: what stays, what goes, what is borrowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/graph/cache.h"

#define BLOCK 1000 /* bytes of an entry; with its own fields a little more */

static struct wb_hash key_of(uint64_t i)
{
    return wb_hash_bytes(&i, sizeof i);
}

static void put(struct wb_cache *cache, uint64_t i)
{
    unsigned char block[BLOCK];

    memset(block, (int)(i & 255), sizeof block);
    wb_cache_put_bytes(cache, key_of(i), block, sizeof block);
}

static bool has(struct wb_cache *cache, uint64_t i)
{
    unsigned char block[BLOCK], want[BLOCK];

    memset(want, (int)(i & 255), sizeof want);
    if (!wb_cache_get_bytes(cache, key_of(i), block, sizeof block))
        return false;
    assert_memory_equal(block, want, sizeof block);
    return true;
}

static void test_many_entries(void **state)
{
    struct wb_cache *cache = wb_cache_new((uint64_t)64 << 20);

    (void)state;
    for (uint64_t i = 0; i < 20000; i++) /* more than the table begins with */
        put(cache, i);
    for (uint64_t i = 0; i < 20000; i++)
        assert_true(has(cache, i));
    assert_false(has(cache, 20000));
    assert_int_equal(wb_cache_counts(cache).entries, 20000);
    put(cache, 7);
    assert_int_equal(wb_cache_counts(cache).entries, 20000);
    wb_cache_clear(cache);
    assert_int_equal(wb_cache_counts(cache).bytes, 0);
    assert_false(has(cache, 7));
    wb_cache_free(cache);
}

static void test_oldest_goes_first(void **state)
{
    struct wb_cache *cache = wb_cache_new(10 * BLOCK);

    (void)state;
    for (uint64_t i = 0; i < 9; i++)
        put(cache, i);
    wb_cache_begin(cache);
    assert_true(has(cache, 0)); /* used again: younger than the others */
    for (uint64_t i = 100; i < 105; i++)
        put(cache, i);
    assert_true(has(cache, 0));
    assert_false(has(cache, 1));
    for (uint64_t i = 100; i < 105; i++)
        assert_true(has(cache, i));
    assert_true(wb_cache_counts(cache).bytes <= 10 * BLOCK);
    wb_cache_free(cache);
}

/* The same round of work again and again, twice as large as the cache: half of it stays. */
static void test_a_large_round_keeps_a_part(void **state)
{
    struct wb_cache *cache = wb_cache_new(20 * BLOCK);
    unsigned hits = 0;

    (void)state;
    for (int round = 0; round < 4; round++) {
        hits = 0;
        wb_cache_begin(cache);
        for (uint64_t i = 0; i < 40; i++)
            if (has(cache, i))
                hits++;
            else
                put(cache, i);
    }
    assert_in_range(hits, 15, 20);
    wb_cache_free(cache);
}

static void test_borrowed_outlives_its_entry(void **state)
{
    struct wb_cache *cache = wb_cache_new(10 * BLOCK);
    struct wb_cached first, second;
    const unsigned char *bytes;

    (void)state;
    assert_false(wb_cache_borrow(cache, key_of(5), &first));
    wb_cache_return(&first);
    put(cache, 5);
    assert_true(wb_cache_borrow(cache, key_of(5), &first));
    assert_true(wb_cache_borrow(cache, key_of(5), &second));
    assert_int_equal(first.n, BLOCK);
    wb_cache_return(&first);
    assert_null(first.bytes);
    wb_cache_clear(cache);
    bytes = second.bytes;
    for (size_t i = 0; i < BLOCK; i++)
        assert_int_equal(bytes[i], 5);
    wb_cache_return(&second);
    wb_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_oldest_goes_first),
        cmocka_unit_test(test_a_large_round_keeps_a_part),
        cmocka_unit_test(test_borrowed_outlives_its_entry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
