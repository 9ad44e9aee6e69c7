/* tests/golden/test_edges.c - merges at the ends of their parameters, with models that say nothing, and refused. */
#include <glob.h>

#include "tests/golden/made.h"
#include "tests/unit/near.h"

#define NEAR 2e-6 /* a few float32 roundings of values up to about 8 */

static struct pipe pipe_;

static void expect_vector(const char *text, size_t n, const float *want)
{
    struct wb_model *m = made_run(&pipe_, text);
    struct pipe_data got = golden_fetch(&pipe_, m, "w");

    assert_int_equal(got.n, n);
    if (!near_f32(n, got.x, want, NEAR))
        fail_msg("%s", text);
    free(got.x);
    wb_model_unref(m);
}

/* The script fails, or what it makes cannot be evaluated; the message has all of `words` (NULL-terminated). */
static void expect_error(const char *text, const char *const *words)
{
    struct wb_err err;
    struct wb_model *m = made_try(&pipe_, text, &err);

    if (m != NULL) {
        uint8_t **bytes = pipe_bytes(&pipe_.how, m, false, &err);

        if (bytes != NULL)
            fail_msg("no error: %s", text);
        wb_model_unref(m);
    }
    for (size_t i = 0; words[i] != NULL; i++)
        if (strstr(err.msg, words[i]) == NULL)
            fail_msg("\"%s\" is not in: %s\n%s", words[i], err.msg, text);
}

/* Steps that give less than was asked for say so. */
static void test_warnings(void **state)
{
    static const struct {
        const char *text, *word;
    } step[] = {
        { "'ties', {density = 0, ", "trimmed to nothing" },
        { "'ties', {density = 0.1, scope = 'model', ", "trimmed to nothing" },
        { "'ties', {definition = 'official', K = 0.01, ", "the largest survives" },
        { "'breadcrumbs', {", "density 1 drops nothing" },
    };
    static const float base[] = { 1, 1, 1, 1 }, x[] = { 5, 2, -2, 1 };

    (void)state;
    made_vector(&pipe_, "e0", 4, base);
    made_vector(&pipe_, "ex", 4, x);
    for (size_t i = 0; i < sizeof step / sizeof step[0]; i++) {
        struct wb_model *m = made_run_format(
            &pipe_, "return wb.merge(%sbase = M'e0', models = {M'ex'}})", step[i].text);
        bool found = false;

        for (size_t k = 0; k < wb_model_warning_count(m); k++)
            found = found || strstr(wb_model_warning(m, k), step[i].word) != NULL;
        if (!found)
            fail_msg("%s: no warning of \"%s\"", step[i].text, step[i].word);
        wb_model_unref(m);
    }
}

static void test_edges(void **state)
{
    static const float base[] = { 1, 1, 1, 1 }, x[] = { 5, 2, -2, 1 }, y[] = { 3, -7, 2, 1 },
                       none[] = { 0, 0, 0, 0 };
    static const float trimmed[] = { 5, 1, -2, 1 }, one[] = { 5, 1, 1, 1 },
                       half[] = { 3, 1.5f, -0.5f, 1 };
    static const float mean[] = { 4, -2.5f, 0, 1 }, middle[] = { 1, 2, -2, 1 },
                       double_middle[] = { 1, 3, -5, 1 };
    static const float official_one[] = { 5, -7, 1, 1 }, clamped[] = { 4, 1, -2, 1 };

    (void)state;
    made_vector(&pipe_, "e0", 4, base);
    made_vector(&pipe_, "ex", 4, x);
    made_vector(&pipe_, "ey", 4, y);
    made_vector(&pipe_, "ez", 4, none);
    /* linear: nothing to mix; pulled toward the base by its weight */
    expect_vector("return wb.merge('linear', {models = {M'ex'}})", 4, x);
    expect_vector("return wb.merge('linear', {models = {M'ex', M'e0'}})", 4, half);
    expect_vector("return wb.merge('linear', {models = {M'ex', M'ey'}})", 4, mean);
    /* task_arithmetic: W0 + lambda w d; lambda 0 is the base */
    expect_vector(
        "return wb.merge('task_arithmetic', {base = M'e0', models = {M'ex'}, lambda = 0.5})", 4,
        half);
    expect_vector(
        "return wb.merge('task_arithmetic', {base = M'e0', models = {M'ex', M'ey'}, lambda = 0})",
        4, base);
    /* arcs: ends, one model, zero tensors */
    expect_vector("return wb.merge('slerp', {base = M'ex', models = {M'ey'}, t = 0})", 4, x);
    expect_vector("return wb.merge('slerp', {base = M'ex', models = {M'ey'}, t = 1})", 4, y);
    expect_vector("return wb.merge('nuslerp', {models = {M'ex'}})", 4, x);
    expect_vector("return wb.merge('nuslerp', {models = {M'ex', M'ey'}, weight = {1, 0}})", 4, x);
    expect_vector("return wb.merge('nuslerp', {models = {M'ex', M'ey'}, weight = {0, 1}})", 4, y);
    expect_vector("return wb.merge('multislerp', {models = {M'ex'}})", 4, x);
    expect_vector("return wb.merge('multislerp', {base = M'e0', models = {M'e0', M'e0', M'e0'}})",
                  4, base);
    expect_vector("return wb.merge('karcher', {models = {M'ex'}})", 4, x);
    expect_vector("return wb.merge('karcher', {models = {M'ez', M'ez', M'ez'}})", 4, none);
    /* model_stock: agreeing models as they are, the base where one is the base */
    expect_vector("return wb.merge('model_stock', {base = M'e0', models = {M'ex', M'ex'}})", 4, x);
    expect_vector("return wb.merge('model_stock', {base = M'e0', models = {M'ex', M'e0'}})", 4,
                  base);
    expect_vector("return wb.merge('model_stock', {base = M'e0', models = {M'e0', M'e0'}})", 4,
                  base);
    /* ties: trimmed model, copies too; density 0 is the base; one entry survives of an official K near 0 */
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex'}, density = 0.5})", 4,
                  trimmed);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex', M'ex'}, density = 0.5})",
                  4, trimmed);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex', M'ey'}, density = 0})",
                  4, base);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex'}, definition = "
                  "'official', K = 0.001})",
                  4, one);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex', M'ey'}, definition = "
                  "'official', K = 0.001})",
                  4, official_one);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex'}, definition = "
                  "'official', K = 100})",
                  4, x);
    expect_vector("return wb.merge('ties', {base = M'e0', models = {M'ex', M'ex'}, definition = "
                  "'official', K = 1})",
                  4, x);
    /* dare: density 0 is the base, 1 drops nothing */
    expect_vector(
        "return wb.merge('dare_linear', {base = M'e0', models = {M'ex', M'ey'}, density = 0})", 4,
        base);
    expect_vector(
        "return wb.merge('dare_ties', {base = M'e0', models = {M'ex', M'ey'}, density = 0})", 4,
        base);
    expect_vector("return wb.merge('dare_linear', {base = M'e0', models = {M'ex'}, density = 1})",
                  4, x);
    /* breadcrumbs: a band, twice for two copies; density 0 the base, 1 everything */
    expect_vector("return wb.merge('breadcrumbs', {base = M'e0', models = {M'ex'}, density = 0.5, "
                  "gamma = 0.25})",
                  4, middle);
    expect_vector("return wb.merge('breadcrumbs', {base = M'e0', models = {M'ex', M'ex'}, density "
                  "= 0.5, gamma = 0.25})",
                  4, double_middle);
    expect_vector(
        "return wb.merge('breadcrumbs', {base = M'e0', models = {M'ex'}, density = 0, gamma = 0})",
        4, base);
    expect_vector("return wb.merge('breadcrumbs', {base = M'e0', models = {M'ex'}, density = 1, "
                  "gamma = 0.5})",
                  4, x);
    /* pcb: a model equal to the base is neutral; the largest magnitude becomes the second largest */
    expect_vector("return wb.merge('pcb', {base = M'e0', models = {M'e0', M'e0'}})", 4, base);
    expect_vector("return wb.merge('pcb', {base = M'e0', models = {M'ex', M'e0'}, ratio = 0.75})",
                  4, clamped);
    /* layer_swap: no zones is the task expert */
    expect_vector("return wb.merge('layer_swap', {models = {M'ex', M'ey'}, non_layer = 'task'})", 4,
                  y);
    expect_vector("return wb.merge('layer_swap', {models = {M'ex', M'ey'}})", 4, x);
}

/* --- errors ------------------------------------------------------------------------------------ */

static void test_errors(void **state)
{
    static const float base[] = { 1, 1, 1, 1 }, nan[] = { 5, 2, NAN, 1 },
                       longer[] = { 1, 2, 3, 4, 5 };
    static const struct {
        const char *text;
        const char *word[4];
    } error[] = {
        { "'linear', {models = {}}", { "model" } },
        { "'task_arithmetic', {base = M'e0', models = {}}", { "model" } },
        { "'task_arithmetic', {models = {M'ex'}}", { "base" } },
        { "'model_stock', {base = M'e0', models = {M'ex'}}", { "model" } },
        { "'slerp', {base = M'e0', models = {M'ex', M'ey'}, t = 0.5}", { "model" } },
        { "'slerp', {base = M'e0', models = {M'ex'}}", { "t" } },
        { "'slerp', {base = M'e0', models = {M'ex'}, t = {}}", { "t" } },
        { "'layer_swap', {models = {M'ex'}}", { "model" } },
        { "'linear', {models = {M'ex', M'long'}}", { "w", "long" } },
        { "'ties', {base = M'e0', models = {M'ex', M'long'}}", { "w", "long" } },
        { "'linear', {models = {M'ex', M'nan'}}", { "w", "nan", "2" } },
        { "'ties', {base = M'e0', models = {M'nan'}}", { "w", "nan" } },
        { "'model_stock', {base = M'e0', models = {M'nan', M'ex'}}", { "w", "nan" } },
        { "'ties', {base = M'e0', models = {M'ex'}, density = 1.5}", { "density", "1.5" } },
        { "'ties', {base = M'e0', models = {M'ex'}, density = -0.1}", { "density" } },
        { "'dare_ties', {base = M'e0', models = {M'ex'}, density = 2}", { "density" } },
        { "'breadcrumbs', {base = M'e0', models = {M'ex'}, density = 0.5, gamma = 7}",
          { "gamma" } },
        { "'ties', {base = M'e0', models = {M'ex'}, definition = 'official', K = 101}", { "K" } },
        { "'linear', {models = {M'ex', M'ey'}, weight = {1, -1}}", { "0", "normalize" } },
        { "'multislerp', {models = {M'ex', M'ey'}, weight = {1, -1}}",
          { "0", "normalize_weights" } },
        { "'ties', {base = M'e0', models = {M'ex', M'ey'}, weight = {1, -0.5}}", { "normalize" } },
        { "'multislerp', {models = {M'ex', M'minus', M'ez'}}", { "cancel", "w" } },
        { "'layer_swap', {models = {M'layers', M'layers'}, bottom = 2, top = 2, bottom_transition "
          "= 1}",
          { "overlap" } },
        { "'ties', {base = M'e0', models = {M'ex'}, densty = 0.5}", { "densty", "density" } },
        { "'tise', {base = M'e0', models = {M'ex'}}", { "tise", "ties" } },
    };
    static const float x[] = { 5, 2, -2, 1 }, y[] = { 3, -7, 2, 1 }, none[] = { 0, 0, 0, 0 },
                       minus[] = { -5, -2, 2, -1 };
    static const struct made layers[] = { { "layers.0.w.weight", { 1, { 2 } } },
                                          { "layers.1.w.weight", { 1, { 2 } } },
                                          { "layers.2.w.weight", { 1, { 2 } } },
                                          { "layers.3.w.weight", { 1, { 2 } } } };
    char text[300];

    (void)state;
    made_vector(&pipe_, "e0", 4, base);
    made_vector(&pipe_, "ex", 4, x);
    made_vector(&pipe_, "ey", 4, y);
    made_vector(&pipe_, "ez", 4, none);
    made_vector(&pipe_, "minus", 4, minus);
    made_vector(&pipe_, "nan", 4, nan);
    made_vector(&pipe_, "long", 5, longer);
    made_model(&pipe_, "layers", (struct recipe){ 5, 5, 0, 1, 0, WB_DTYPE_F32 }, layers, 4);
    for (size_t i = 0; i < sizeof error / sizeof error[0]; i++) {
        snprintf(text, sizeof text, "return wb.merge(%s)", error[i].text);
        expect_error(text, error[i].word);
    }
}

/* The small cases that plugins carry in their own tables. */
static void test_plugin_tables(void **state)
{
    glob_t files = { 0 };
    size_t all = 0;

    (void)state;
    assert_int_equal(glob("plugins/[!l]*/*.lua", 0, NULL, &files), 0); /* not plugins/lib */
    for (size_t i = 0; i < files.gl_pathc; i++) {
        size_t passed = 0, failed = 0;
        struct wb_err err = { 0 };
        char *report = NULL;

        if (!wb_vm_check_plugin(pipe_.vm, files.gl_pathv[i], &report, &passed, &failed, &err))
            fail_msg("%s: %s", files.gl_pathv[i], err.msg);
        if (failed > 0)
            fail_msg("%s: %s", files.gl_pathv[i], report);
        all += passed;
        free(report);
    }
    globfree(&files);
    assert_true(all >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_edges),
                                        cmocka_unit_test(test_warnings),
                                        cmocka_unit_test(test_errors),
                                        cmocka_unit_test(test_plugin_tables) };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
