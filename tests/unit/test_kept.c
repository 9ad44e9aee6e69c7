/* tests/unit/test_kept.c - what stays in memory between passes: places, claims, and no file read
 * twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/graph/eval.h"
#include "app/graph/kept.h"
#include "app/graph/node.h"

#define ROWS 300
#define COLUMNS 1000
#define ENTRIES ((size_t)ROWS * COLUMNS)
#define TENSORS 2

/* Two F32 tensors of some tiles each in one file. */
struct fixture {
    char dir[64], path[128];
    struct wb_ckpt *ck;
    struct wb_node *node[TENSORS];
    const struct wb_node *source[TENSORS];
    struct wb_geometry geometry;
};

static float value_of(size_t i)
{
    return 1.0f + (float)(i % 1009);
}

static void write_file(const char *path, float factor)
{
    char header[256] = { 0 };
    uint64_t len;
    FILE *file = fopen(path, "r+b");

    if (file == NULL)
        file = fopen(path, "wb");
    assert_non_null(file);
    snprintf(header + 8, sizeof header - 8,
             "{\"a\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]},"
             "\"b\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}}",
             ROWS, COLUMNS, ENTRIES * 4, ROWS, COLUMNS, ENTRIES * 4, ENTRIES * 8);
    len = strlen(header + 8);
    while (len % 8 != 0)
        header[8 + len++] = ' ';
    memcpy(header, &len, 8);
    fwrite(header, 1, 8 + len, file);
    for (size_t i = 0; i < TENSORS * ENTRIES; i++)
        fwrite(&(float){ factor * value_of(i) }, sizeof(float), 1, file);
    assert_int_equal(fclose(file), 0);
}

static void setup(struct fixture *f)
{
    struct wb_err err;

    strcpy(f->dir, "/tmp/wb-kept-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/model.safetensors", f->dir);
    write_file(f->path, 1);
    f->ck = wb_ckpt_open(f->dir, &err);
    assert_non_null(f->ck);
    for (size_t i = 0; i < TENSORS; i++) {
        f->source[i] = f->node[i] = wb_node_source(f->ck, i, "test", &err);
        assert_non_null(f->node[i]);
    }
    f->geometry = wb_geometry_of(&wb_ckpt_info(f->ck, 0)->shape, WB_EXTENT_ALL);
    assert_true(f->geometry.tiles > 2);
}

static void teardown(struct fixture *f)
{
    struct wb_err err;

    for (size_t i = 0; i < TENSORS; i++)
        wb_node_unref(f->node[i]);
    wb_ckpt_unref(f->ck);
    wb_remove_tree(f->dir, &err);
}

static void test_claims(void **state)
{
    struct fixture f;
    struct wb_kept_pool *pool = wb_kept_pool_new((size_t)16 << 20);
    struct wb_kept *kept;
    struct wb_kept_tensor *t;
    bool filled = true;
    uint8_t *place;

    (void)state;
    setup(&f);
    kept = wb_kept_new(pool, f.source, TENSORS);
    assert_non_null(kept);
    t = wb_kept_find(kept, f.node[0], &f.geometry);
    assert_non_null(t);
    assert_int_equal(t->tiles, f.geometry.tiles);
    place = wb_kept_claim(t, 1, &filled);
    assert_non_null(place);
    assert_false(filled);
    assert_null(wb_kept_claim(t, 1, &filled)); /* somebody is at it */
    wb_kept_done(t, 1, false);
    assert_ptr_equal(wb_kept_claim(t, 1, &filled), place);
    assert_false(filled); /* it was not read */
    wb_kept_done(t, 1, true);
    assert_ptr_equal(wb_kept_claim(t, 1, &filled), place);
    assert_true(filled);
    assert_null(wb_kept_claim(t, f.geometry.tiles, &filled));
    wb_kept_free(pool, kept);
    wb_kept_pool_free(pool);
    teardown(&f);
}

/* Tiles cut in another way have no place. */
static void test_other_geometry(void **state)
{
    struct fixture f;
    struct wb_kept_pool *pool = wb_kept_pool_new((size_t)16 << 20);
    struct wb_shape flat = { .ndim = 1, .dim = { ENTRIES } };
    struct wb_geometry other = wb_geometry_of(&flat, WB_EXTENT_ALL);
    struct wb_kept *kept;

    (void)state;
    setup(&f);
    kept = wb_kept_new(pool, f.source, 1);
    assert_null(wb_kept_find(kept, f.node[0], &other));
    assert_null(wb_kept_find(kept, f.node[1], &f.geometry));
    assert_null(wb_kept_find(NULL, f.node[0], &f.geometry));
    wb_kept_free(pool, kept);
    wb_kept_pool_free(pool);
    teardown(&f);
}

/* Every byte of every place is written: no two share one, and a stretch is used again. */
static void fill(struct fixture *f, struct wb_kept *kept, int byte)
{
    bool filled;

    for (size_t i = 0; i < TENSORS; i++) {
        struct wb_kept_tensor *t = wb_kept_find(kept, f->node[i], &f->geometry);

        for (size_t k = 0; t != NULL && k < t->tiles; k++)
            memset(wb_kept_claim(t, k, &filled), byte, 4 * wb_tile_count(&f->geometry, k));
    }
}

static void check_filled(struct fixture *f, struct wb_kept *kept, int byte)
{
    for (size_t i = 0; i < TENSORS; i++) {
        struct wb_kept_tensor *t = wb_kept_find(kept, f->node[i], &f->geometry);

        for (size_t k = 0; t != NULL && k < t->tiles; k++)
            for (size_t b = 0; b < 4 * wb_tile_count(&f->geometry, k); b++)
                assert_int_equal(t->bytes[k * t->tile_bytes + b], byte);
    }
}

static void test_room(void **state)
{
    struct fixture f;
    struct wb_kept_pool *pool = wb_kept_pool_new(ENTRIES * 4 * TENSORS * 2);
    struct wb_kept *first, *second, *third;
    size_t from;

    (void)state;
    setup(&f);
    first = wb_kept_new(pool, f.source, TENSORS);
    second = wb_kept_new(pool, f.source, TENSORS); /* a little less than it wants */
    assert_non_null(second);
    assert_true(second->tensor[0].tiles < f.geometry.tiles);
    third = wb_kept_new(pool, f.source, TENSORS);
    fill(&f, first, 1);
    fill(&f, second, 2);
    check_filled(&f, first, 1);
    check_filled(&f, second, 2);
    from = first->from;
    wb_kept_free(pool, first);
    first = wb_kept_new(pool, f.source, TENSORS);
    assert_int_equal(first->from, from);
    fill(&f, first, 3);
    check_filled(&f, second, 2);
    wb_kept_free(pool, second);
    wb_kept_free(pool, third);
    wb_kept_free(pool, first);
    wb_kept_pool_free(pool);
    pool = wb_kept_pool_new(64); /* for no tile */
    assert_null(wb_kept_new(pool, f.source, TENSORS));
    wb_kept_pool_free(pool);
    assert_null(wb_kept_new(NULL, f.source, TENSORS));
    assert_null(wb_kept_pool_new(0));
    teardown(&f);
}

/* Writing, and what happens at the first block. */
struct output {
    const char *path;
    float *at;
    bool begun;
    atomic_bool *cancel;
};

static bool put(void *ctx, size_t target, uint64_t offset, const void *bytes, size_t n,
                struct wb_err *err)
{
    struct output *out = ctx;

    (void)target;
    (void)err;
    memcpy((char *)out->at + offset, bytes, n);
    if (!out->begun && out->path != NULL)
        write_file(out->path, 7);
    if (out->cancel != NULL)
        atomic_store(out->cancel, true);
    out->begun = true;
    return true;
}

static bool done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    (void)ctx;
    (void)target;
    (void)hash;
    (void)err;
    return true;
}

/* a - max(a): two passes. */
static bool evaluate(struct fixture *f, struct output *out, uint64_t budget_bytes,
                     struct wb_err *err)
{
    struct wb_node *most = wb_node_reduce(WB_REDUCE_MAX, WB_AXIS_ALL, f->node[0], NULL, err);
    struct wb_node *less = wb_node_binary(WB_BINARY_sub, f->node[0], most, err);
    struct wb_target target = { .node = less, .write = true, .dtype = WB_DTYPE_F32 };
    struct wb_sink sink = { .ctx = out, .put = put, .done = done };
    struct wb_eval how = { .threads = 1, .budget_bytes = budget_bytes, .cancel = out->cancel };
    bool ok = wb_evaluate(&how, &target, 1, &sink, err);

    wb_node_unref(most);
    wb_node_unref(less);
    return ok;
}

/* The file has other values from the first written block on: who reads it again sees them. */
static size_t seen_again(uint64_t budget_bytes)
{
    struct fixture f;
    struct output out = { .at = calloc(ENTRIES, sizeof(float)) };
    struct wb_err err;
    size_t other = 0;

    setup(&f);
    out.path = f.path;
    if (!evaluate(&f, &out, budget_bytes, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < ENTRIES; i++)
        other += out.at[i] != value_of(i) - 1009;
    free(out.at);
    teardown(&f);
    return other;
}

static void test_no_file_is_read_twice(void **state)
{
    size_t none = seen_again(1), some = seen_again(ENTRIES * 4);

    (void)state;
    assert_int_equal(seen_again((uint64_t)64 << 20), 0);
    assert_true(none > ENTRIES / 2);
    assert_true(some > 0 && some < none); /* half of the budget: half of the tensor */
}

static void test_cancelled(void **state)
{
    struct fixture f;
    atomic_bool cancel = false;
    struct output out = { .at = calloc(ENTRIES, sizeof(float)), .cancel = &cancel };
    struct wb_err err;

    (void)state;
    setup(&f);
    assert_false(evaluate(&f, &out, 0, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    free(out.at);
    teardown(&f);
}

/* A file that was cut is an error of the first pass; nothing of it is taken for read. */
static void test_cut_file(void **state)
{
    struct fixture f;
    struct output out = { .at = calloc(ENTRIES, sizeof(float)) };
    struct wb_err err;

    (void)state;
    setup(&f);
    assert_int_equal(truncate(f.path, 4096), 0);
    assert_false(evaluate(&f, &out, 0, &err));
    assert_int_equal(err.code, WB_EFORMAT);
    free(out.at);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claims),    cmocka_unit_test(test_other_geometry),
        cmocka_unit_test(test_room),      cmocka_unit_test(test_no_file_is_read_twice),
        cmocka_unit_test(test_cancelled), cmocka_unit_test(test_cut_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
