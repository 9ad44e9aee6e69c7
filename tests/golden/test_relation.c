/* tests/golden/test_relation.c - what headers tell about two models, and which tensors differ. */
#include "app/probe/relation.h"
#include "tests/golden/made.h"

static struct pipe pipe_;

static struct wb_model *opened(const char *path)
{
    struct wb_err err;
    struct wb_model *m = wb_model_open(path, pipe_.set, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

static struct wb_model *made_open(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", pipe_.dir, name);
    return opened(path);
}

static void says(const struct wb_model *a, const struct wb_model *b, const char *name,
                 const char *what)
{
    struct wb_relation r;

    wb_relation_of(a, b, name, &r);
    assert_string_equal(r.says, what);
}

static void test_same_shapes(void **state)
{
    struct wb_model *base = opened("tests/data/zoo/base"), *math = opened("tests/data/zoo/math");
    struct wb_model *again = opened("tests/data/zoo/base");
    struct wb_relation r;

    (void)state;
    wb_relation_of(math, base, "base", &r);
    assert_true(r.same_family);
    assert_int_equal(r.tensors, 74);
    assert_int_equal(r.named, 74);
    assert_int_equal(r.shaped, 74);
    assert_int_equal(r.typed, 74);
    assert_int_equal(r.same, 0);
    assert_int_equal(r.layers, 8);
    assert_string_equal(r.says, "shapes as base, 74 of 74");
    says(again, base, "base", "shapes as base, 74 of 74, the same bytes");
    wb_model_unref(base);
    wb_model_unref(math);
    wb_model_unref(again);
}

#define LAYER(n)                                                        \
    { "model.layers." #n ".self_attn.q_proj.weight", { 2, { 4, 4 } } }, \
    {                                                                   \
        "model.layers." #n ".mlp.up_proj.weight",                       \
        {                                                               \
            2,                                                          \
            {                                                           \
                8, 4                                                    \
            }                                                           \
        }                                                               \
    }

static void test_layers(void **state)
{
    static const struct made three[] = { LAYER(10), LAYER(0), LAYER(1), LAYER(2), LAYER(3) };
    static const struct made one[] = { LAYER(0), LAYER(1), LAYER(2) };
    static const struct made other[] = { LAYER(0),
                                         LAYER(1),
                                         { "model.layers.2.self_attn.q_proj.weight",
                                           { 2, { 4, 8 } } },
                                         { "model.layers.2.mlp.up_proj.weight", { 2, { 8, 4 } } } };
    struct recipe r = { 1, 2, 0.1, 1, 0, WB_DTYPE_F32 };
    struct wb_model *long_one, *short_one, *wide_one, *half_one,
        *vit = opened("tests/data/zoo/vit-base");
    struct wb_relation rel;

    (void)state;
    made_model(&pipe_, "long", r, three, 10);
    made_model(&pipe_, "short", r, one, 6);
    made_model(&pipe_, "wide", r, other, 6);
    long_one = made_open("long");
    short_one = made_open("short");
    wide_one = made_open("wide");
    r.dtype = WB_DTYPE_F16;
    made_model(&pipe_, "half", r, one, 6);
    half_one = made_open("half");
    says(half_one, short_one, "short", "shapes as short, 6 of 6, 6 of another dtype");
    says(short_one, long_one, "base", "3 layers, base has 11: model.layers.3 is missing");
    says(long_one, short_one, "base", "11 layers, base has 3: model.layers.3 is only here");
    says(wide_one, short_one, "short",
         "5 of 6 shapes as short: model.layers.2.self_attn.q_proj.weight is [4, 8], there [4, 4]");
    wb_relation_of(vit, short_one, "short", &rel);
    assert_false(rel.same_family);
    assert_int_equal(rel.named, 0);
    assert_non_null(strstr(rel.says, "no name in common"));
    assert_int_equal(rel.only, wb_model_count(vit));
    assert_int_equal(rel.other_only, 6);
    wb_model_unref(long_one);
    wb_model_unref(short_one);
    wb_model_unref(wide_one);
    wb_model_unref(half_one);
    wb_model_unref(vit);
}

static void test_base(void **state)
{
    static const struct made one[] = { LAYER(0) };
    struct recipe r = { 1, 2, 0.1, 1, 0, WB_DTYPE_F32 };
    struct pipe_writer w = { 0 };
    float *x = made_values(&r, 16, 0);
    struct wb_model *open[5];

    (void)state;
    made_model(&pipe_, "Small-1B", r, one, 2);
    made_add(&w, one[0].name, &one[0].shape, WB_DTYPE_F32, x);
    made_write(&pipe_, &w, "tuned", "{\"_name_or_path\": \"someone/Small-1B\"}");
    free(x);
    open[0] = opened("tests/data/zoo/math");
    open[1] = made_open("tuned");
    open[2] = opened("tests/data/zoo/base");
    open[3] = made_open("Small-1B");
    open[4] = opened("tests/data/zoo/german+tests/data/zoo/lora-math");
    assert_string_equal(wb_relation_base_name(open[1]), "someone/Small-1B");
    assert_null(wb_relation_base_name(open[0]));
    assert_int_equal(wb_relation_base(open[1], open, 5), 3);
    assert_int_equal(wb_relation_base(open[0], open, 5), 2); /* of its shapes, called base */
    assert_int_equal(wb_relation_base(open[2], open, 5), -1);
    assert_int_equal(wb_relation_base(open[3], open, 5), -1);
    assert_int_equal(wb_relation_base(open[4], open, 5), 2);
    wb_model_unref(open[1]);
    open[1] = opened("tests/data/zoo/german");
    assert_int_equal(wb_relation_base(open[4], open, 5), 1); /* what the adapter lies over */
    for (int i = 0; i < 5; i++)
        wb_model_unref(open[i]);
}

static enum wb_difference_kind kind_of(const struct wb_difference_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->tensor[i].name, name) == 0)
            return list->tensor[i].kind;
    fail_msg("no %s", name);
    return WB_DIFFERENCE_KINDS;
}

static void test_differences(void **state)
{
    static const float x[] = { 1, 2, 3, 4 }, y[] = { 1, 2, 3, 5 };
    static const uint8_t raw[2][4] = { { 1, 2, 3, 4 }, { 1, 2, 3, 5 } };
    const struct wb_shape four = { 1, { 4 } }, square = { 2, { 2, 2 } };
    struct wb_difference_list list;
    struct wb_eval how = { .threads = 2 };
    struct pipe_writer w = { 0 };
    struct wb_model *a, *b;
    atomic_bool cancel = true;
    struct wb_err err;

    (void)state;
    made_add(&w, "same", &four, WB_DTYPE_F32, x);
    made_add(&w, "other", &four, WB_DTYPE_F32, x);
    made_add(&w, "narrow", &four, WB_DTYPE_BF16, x);
    made_add(&w, "narrow other", &four, WB_DTYPE_BF16, x);
    made_add(&w, "shape", &four, WB_DTYPE_F32, x);
    made_add(&w, "only a", &four, WB_DTYPE_F32, x);
    pipe_write_add(&w, "bytes", &four, "U8", raw[0], 4);
    pipe_write_add(&w, "other bytes", &four, "U8", raw[0], 4);
    pipe_write_add(&w, "retyped", &four, "U8", raw[0], 4);
    made_write(&pipe_, &w, "left", NULL);
    made_add(&w, "same", &four, WB_DTYPE_F32, x);
    made_add(&w, "other", &four, WB_DTYPE_F32, y);
    made_add(&w, "narrow", &four, WB_DTYPE_F32, x);
    made_add(&w, "narrow other", &four, WB_DTYPE_F32, y);
    made_add(&w, "shape", &square, WB_DTYPE_F32, x);
    made_add(&w, "only b", &four, WB_DTYPE_F32, x);
    pipe_write_add(&w, "bytes", &four, "U8", raw[0], 4);
    pipe_write_add(&w, "other bytes", &four, "U8", raw[1], 4);
    pipe_write_add(&w, "retyped", &four, "I8", raw[0], 4);
    made_write(&pipe_, &w, "right", NULL);
    a = made_open("left");
    b = made_open("right");
    if (!wb_difference_find(&how, a, b, &list, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(list.count, 10);
    assert_int_equal(kind_of(&list, "same"), WB_SAME_BYTES);
    assert_int_equal(kind_of(&list, "other"), WB_DIFFERENT);
    assert_int_equal(kind_of(&list, "narrow"), WB_SAME_VALUES);
    assert_int_equal(kind_of(&list, "narrow other"), WB_DIFFERENT);
    assert_int_equal(kind_of(&list, "shape"), WB_RESHAPED);
    assert_int_equal(kind_of(&list, "only a"), WB_ONLY_A);
    assert_int_equal(kind_of(&list, "only b"), WB_ONLY_B);
    assert_int_equal(kind_of(&list, "bytes"), WB_SAME_BYTES);
    assert_int_equal(kind_of(&list, "other bytes"), WB_DIFFERENT);
    assert_int_equal(kind_of(&list, "retyped"), WB_DIFFERENT);
    assert_int_equal(list.kinds[WB_DIFFERENT], 4);
    wb_difference_free(&list);
    assert_true(wb_difference_find(&how, a, a, &list, &err));
    assert_int_equal(list.kinds[WB_SAME_SOURCE], 9);
    wb_difference_free(&list);
    how.cancel = &cancel;
    assert_false(wb_difference_find(&how, a, b, &list, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    wb_model_unref(a);
    wb_model_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_shapes),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_differences),
    };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
