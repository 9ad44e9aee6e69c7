/* tests/unit/test_ranking.c - rankings against sorting, positions in a sample against its runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/graph/geometry.h"
#include "app/graph/ranking.h"

struct entry {
    uint32_t key;
    size_t position;
};

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->position < y->position ? -1 : 1;
}

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* Keys that share the bits outside of mask. */
static void check(size_t n, uint32_t mask, uint32_t rest)
{
    uint32_t *key = malloc((n + 1) * sizeof *key);
    struct entry *want = malloc((n + 1) * sizeof *want);
    struct wb_ranking r = { .body = NULL };
    uint64_t seed = n + mask;

    for (size_t i = 0; i < n; i++) {
        key[i] = (next(&seed) & mask) | rest;
        want[i] = (struct entry){ key[i], i };
    }
    qsort(want, n, sizeof *want, compare);
    assert_true(wb_ranking_build(&r, key, n, NULL));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(wb_ranking_position(&r, i), want[i].position);
        assert_true(wb_ranking_count(&r, want[i].key) > i);
        assert_true(want[i].key == UINT32_MAX || wb_ranking_count(&r, want[i].key + 1) <= i);
    }
    assert_int_equal(wb_ranking_count(&r, 0), n);
    wb_ranking_free(&r);
    free(want);
    free(key);
}

static void test_order(void **state)
{
    static const size_t size[] = { 0, 1, 2, 300, 65536, 65537, 100000 };

    (void)state;
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        check(size[i], UINT32_MAX, 0);
        check(size[i], 0x00FF0000, 0x40000000); /* many ties, digits that are all equal */
        check(size[i], 0, UINT32_MAX);
        check(size[i], 0x7, 0);
    }
}

static void test_through_the_cache(void **state)
{
    static const uint32_t key[] = { 5, 9, 5, 1 };
    struct wb_cache *cache = wb_cache_new(1 << 20);
    struct wb_ranking made = { .body = NULL }, found = { .body = NULL };
    struct wb_hash name = wb_hash_bytes("name", 4);

    (void)state;
    assert_false(wb_ranking_recall(&found, cache, name, 4));
    assert_false(wb_ranking_recall(&found, NULL, name, 4));
    assert_true(wb_ranking_build(&made, key, 4, NULL));
    wb_ranking_keep(&made, cache, name);
    assert_false(wb_ranking_recall(&found, cache, name, 5)); /* of another sample */
    assert_true(wb_ranking_recall(&found, cache, name, 4));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(wb_ranking_position(&found, i), wb_ranking_position(&made, i));
    assert_int_equal(wb_ranking_count(&found, 5), 3);
    wb_ranking_free(&found);
    wb_ranking_free(&made);
    wb_cache_free(cache);
}

/* Position by position through the runs of all tiles. */
static void check_entries(const struct wb_shape *shape, enum wb_extent extent)
{
    struct wb_geometry g = wb_geometry_of(shape, extent);
    struct wb_stretch run;
    uint64_t at = 0;

    for (size_t t = 0; t < g.tiles; t++) {
        assert_int_equal(wb_tile_position(&g, t), at);
        for (size_t i = 0; wb_tile_run(&g, t, i, &run); i++)
            for (size_t k = 0; k < run.count; k++, at++)
                if (wb_sample_entry(&g, at) != run.first + k ||
                    wb_sample_before(&g, run.first + k) != at ||
                    wb_sample_before(&g, run.first + k + 1) != at + 1)
                    fail_msg("entry %zu of run %zu of tile %zu", k, i, t);
    }
    assert_int_equal(at, g.visited);
}

static void test_entries_of_a_sample(void **state)
{
    static const struct wb_shape shape[] = {
        { .ndim = 2, .dim = { 3000, 1000 } }, { .ndim = 2, .dim = { 7, 11 } },
        { .ndim = 1, .dim = { 1000001 } },    { .ndim = 3, .dim = { 100, 3, 501 } },
        { .ndim = 2, .dim = { 20, 300000 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        check_entries(&shape[i], WB_EXTENT_SAMPLE);
        check_entries(&shape[i], WB_EXTENT_ALL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_through_the_cache),
        cmocka_unit_test(test_entries_of_a_sample),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
