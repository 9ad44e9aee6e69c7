/* tests/golden/test_preview.c - figures of a preview against sums in double over written tensors. */
#include "app/core/task.h"
#include "app/job/job.h"
#include "app/probe/preview.h"
#include "tests/golden/made.h"

/* Sums of float32 products in double, in another order. */
#define SUM_TOLERANCE 1e-9
/* What a sample of 32 Ki entries of noise may be off by: some 1 in 200, four times that. */
#define SAMPLE_TOLERANCE 0.02

static struct pipe pipe_;

static const char ties[] =
    "local base = wb.open 'tests/data/zoo/base'\n"
    "local m = {wb.open 'tests/data/zoo/math', wb.open 'tests/data/zoo/code'}\n"
    "return wb.merge('ties', {base = base, models = m, density = 0.4, lambda = 0.7})";

static struct wb_model *opened(const char *path)
{
    struct wb_err err;
    struct wb_model *m = wb_model_open(path, pipe_.set, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

static struct wb_preview *preview(struct wb_model *m, struct wb_model *base,
                                  struct wb_model *const *parent, size_t parents)
{
    struct wb_err err;
    struct wb_preview *p = wb_preview_new(m, base, parent, parents, &err);

    if (p == NULL)
        fail_msg("%s", err.msg);
    return p;
}

static void run(struct wb_preview *p, const struct wb_preview_how *how)
{
    struct wb_err err;

    if (!wb_preview_run(p, how, &err))
        fail_msg("%s", err.msg);
}

static void look(struct wb_preview *p, struct wb_preview_snapshot *s)
{
    assert_true(wb_preview_snapshot(p, s));
}

static void near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: got %.17g, want %.17g", what, got, want);
}

/* The numbers of a written model, all tensors. */
static float **written(const struct wb_model *m)
{
    struct wb_err err;
    uint8_t **bytes = pipe_bytes(&pipe_.how, m, false, &err);
    float **x = calloc(wb_model_count(m) + 1, sizeof *x);

    if (bytes == NULL)
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < wb_model_count(m); i++) {
        const struct wb_node *n = wb_model_entry(m, i)->node;

        x[i] = calloc((size_t)wb_node_count(n) + 1, sizeof **x);
        wb_kernels()->widen[wb_node_dtype(n)]((size_t)wb_node_count(n), bytes[i], x[i]);
    }
    pipe_bytes_free(m, bytes);
    return x;
}

static void free_written(const struct wb_model *m, float **x)
{
    for (size_t i = 0; i < wb_model_count(m); i++)
        free(x[i]);
    free(x);
}

/* Plain sums over one or more tensors: output y, base b, parents p. */
struct want {
    double n, yy, zero, bb, dd, changed, conflict;
    double pp[2], py[2], ee[2], ed[2], same[2];
};

static int sign(float x)
{
    return (x > 0) - (x < 0);
}

static void add(struct want *w, size_t n, const float *y, const float *b, float *const p[2])
{
    for (size_t i = 0; i < n; i++) {
        float d = y[i] - b[i], e[2] = { p[0][i] - b[i], p[1][i] - b[i] };

        w->n++;
        w->yy += (double)y[i] * y[i];
        w->zero += y[i] == 0;
        w->bb += (double)b[i] * b[i];
        w->dd += (double)d * d;
        w->changed += y[i] != b[i];
        w->conflict += sign(e[0]) * sign(e[1]) < 0;
        for (int k = 0; k < 2; k++) {
            w->pp[k] += (double)p[k][i] * p[k][i];
            w->py[k] += (double)p[k][i] * y[i];
            w->ee[k] += (double)e[k] * e[k];
            w->ed[k] += (double)e[k] * d;
            w->same[k] += sign(e[k]) == sign(d);
        }
    }
}

static void check(const struct wb_preview_snapshot *s, const double *value, const struct want *w)
{
#define VALUE(figure, parent) value[wb_preview_find(s, WB_PREVIEW_##figure, parent)]
    near("delta_norm", VALUE(delta_norm, -1), sqrt(w->dd), SUM_TOLERANCE);
    near("relative_norm", VALUE(relative_norm, -1), sqrt(w->dd / w->bb), SUM_TOLERANCE);
    near("changed_share", VALUE(changed_share, -1), w->changed / w->n, SUM_TOLERANCE);
    near("norm", VALUE(norm, -1), sqrt(w->yy), SUM_TOLERANCE);
    near("zero_share", VALUE(zero_share, -1), w->zero / w->n, SUM_TOLERANCE);
    near("conflict_share", VALUE(conflict_share, -1), w->conflict / w->n, SUM_TOLERANCE);
    near("nan", VALUE(nan, -1), 0, 0);
    near("inf", VALUE(inf, -1), 0, 0);
    for (int k = 0; k < 2; k++) {
        near("cosine", VALUE(cosine, k), w->py[k] / sqrt(w->pp[k] * w->yy), SUM_TOLERANCE);
        near("delta_cosine", VALUE(delta_cosine, k), w->ed[k] / sqrt(w->ee[k] * w->dd),
             SUM_TOLERANCE);
        near("sign_agreement", VALUE(sign_agreement, k), w->same[k] / w->n, SUM_TOLERANCE);
    }
#undef VALUE
}

/* Every tensor, every cell, every layer and the total of a merge of the bundled models. */
static void test_exact(void **state)
{
    struct wb_model *m = golden_run(&pipe_, ties), *base = opened("tests/data/zoo/base");
    struct wb_model *parent[] = { opened("tests/data/zoo/math"), opened("tests/data/zoo/code") };
    struct wb_preview *p = preview(m, base, parent, 2);
    struct wb_preview_snapshot s = { 0 };
    float **y = written(m), **b = written(base),
          **x[2] = { written(parent[0]), written(parent[1]) };
    struct want total = { 0 }, *cell, *row;

    (void)state;
    run(p, &(struct wb_preview_how){ 0 });
    look(p, &s);
    assert_true(s.finished);
    assert_int_equal(s.grade, WB_GRADE_EXACT);
    assert_int_equal(s.tensors, wb_model_count(m));
    assert_int_equal(s.rows, 9); /* eight layers, and what is in none */
    assert_int_equal(s.row[0].layer, 0);
    assert_int_equal(s.row[8].layer, -1);
    cell = calloc(s.rows * s.columns, sizeof *cell);
    row = calloc(s.rows, sizeof *row);
    for (size_t i = 0; i < s.tensors; i++) {
        const struct wb_entry *e = wb_model_entry(m, i);
        size_t n = (size_t)wb_node_count(e->node), r = 0, c = 0;
        size_t in_base = (size_t)(wb_model_find(base, e->name) - wb_model_entry(base, 0));
        struct want one = { 0 };
        float *const both[] = { x[0][in_base], x[1][in_base] }; /* files of one layout */

        assert_string_equal(wb_model_entry(parent[0], in_base)->name, e->name);
        assert_string_equal(wb_model_entry(parent[1], in_base)->name, e->name);
        while (s.row[r].layer != e->role.layer)
            r++;
        while (strcmp(s.column[c], e->role.role) != 0)
            c++;
        add(&one, n, y[i], b[in_base], both);
        add(&cell[r * s.columns + c], n, y[i], b[in_base], both);
        add(&row[r], n, y[i], b[in_base], both);
        add(&total, n, y[i], b[in_base], both);
        assert_int_equal(s.tensor[i].grade, WB_GRADE_EXACT);
        assert_true(s.tensor[i].compared);
        check(&s, s.tensor_value + i * s.quantities, &one);
    }
    for (size_t i = 0; i < s.rows * s.columns; i++) {
        assert_int_equal(s.cell_grade[i], cell[i].n > 0 ? WB_GRADE_EXACT : WB_GRADE_NONE);
        if (cell[i].n > 0)
            check(&s, s.cell_value + i * s.quantities, &cell[i]);
        else
            assert_true(isnan(s.cell_value[i * s.quantities]));
    }
    for (size_t r = 0; r < s.rows; r++)
        check(&s, s.row_value + r * s.quantities, &row[r]);
    check(&s, s.total_value, &total);
    free(cell);
    free(row);
    free_written(m, y);
    free_written(base, b);
    for (int k = 0; k < 2; k++) {
        free_written(parent[k], x[k]);
        wb_model_unref(parent[k]);
    }
    wb_preview_unref(p); /* the snapshot still holds it */
    assert_int_equal(s.facts.tensors, s.tensors);
    wb_preview_snapshot_free(&s);
    wb_model_unref(m);
    wb_model_unref(base);
}

/* Notes: of tensors as evaluated one by one, totals as the manifest has them. */
static void test_notes(void **state)
{
    struct wb_model *m = golden_run(&pipe_, ties);
    struct wb_preview *p = preview(m, NULL, NULL, 0);
    struct wb_preview_snapshot s = { 0 };
    size_t notes = wb_job_note_count(m), at = 0, checked = 0;
    double *value = calloc(notes + 1, sizeof *value);
    cJSON *steps, *total, *item;

    (void)state;
    run(p, &(struct wb_preview_how){ 0 });
    look(p, &s);
    for (size_t k = 0; k < wb_model_step(m, 0)->notes; k++, at++) {
        const struct wb_note *note = &wb_model_step(m, 0)->note[k];
        struct wb_target target = { .node = note->node, .value = &value[at] };
        const struct wb_entry *e = wb_model_find(m, note->tensor);
        size_t q = wb_preview_find_note(&s, note->key);
        struct wb_err err;

        assert_true(wb_evaluate(&pipe_.how, &target, 1, NULL, &err));
        assert_true(q < s.quantities && s.quantity[q].figure == -1 && s.quantity[q].step == 0);
        if (e == NULL || isnan(value[at]))
            continue;
        near(note->key, s.tensor_value[(size_t)(e - wb_model_entry(m, 0)) * s.quantities + q],
             value[at], 0);
        checked++;
    }
    assert_true(checked > 500);
    steps = wb_job_steps(m, value, false, NULL);
    total =
        cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetArrayItem(steps, 0), "report"), "total");
    assert_true(cJSON_GetArraySize(total) > 5);
    cJSON_ArrayForEach(item, total)
        near(item->string, s.total_value[wb_preview_find_note(&s, item->string)], item->valuedouble,
             SUM_TOLERANCE);
    cJSON_Delete(steps);
    free(value);
    wb_preview_snapshot_free(&s);
    wb_preview_unref(p);
    wb_model_unref(m);
}

/* What a screen sees while it runs. */
struct watcher {
    struct wb_preview *p;
    struct wb_preview_snapshot s;
    size_t looks, sampled_looks, mixed_looks;
    double done;
    uint64_t version;
    atomic_bool cancel;
    enum wb_grade cancel_at;
};

static void on_report(void *ctx)
{
    struct watcher *w = ctx;
    size_t none = 0, exact = 0;

    look(w->p, &w->s);
    for (size_t i = 0; i < w->s.tensors; i++) {
        none += w->s.tensor[i].grade == WB_GRADE_NONE;
        exact += w->s.tensor[i].grade == WB_GRADE_EXACT;
        assert_int_equal(isnan(w->s.tensor_value[i * w->s.quantities]),
                         w->s.tensor[i].grade == WB_GRADE_NONE);
    }
    assert_true(w->s.version > w->version && w->s.done > w->done && w->s.done <= 1 + 1e-12);
    assert_int_equal(isnan(w->s.total_value[0]), w->s.grade == WB_GRADE_NONE);
    assert_true(none == 0 || (w->s.grade == WB_GRADE_NONE && exact == 0));
    assert_int_equal(w->s.grade == WB_GRADE_EXACT, w->s.finished);
    w->looks++;
    w->sampled_looks += w->s.grade == WB_GRADE_SAMPLED && exact == 0;
    w->mixed_looks += w->s.grade == WB_GRADE_SAMPLED && exact > 0;
    w->version = w->s.version;
    w->done = w->s.done;
    if (w->cancel_at != WB_GRADE_NONE && w->s.grade >= w->cancel_at)
        atomic_store(&w->cancel, true);
}

static const struct made grid[] = {
    { "model.layers.0.self_attn.q_proj.weight", { 2, { 900, 700 } } },
    { "model.layers.0.mlp.up_proj.weight", { 2, { 1500, 1000 } } },
    { "model.layers.1.self_attn.q_proj.weight", { 2, { 900, 700 } } },
    { "model.layers.1.mlp.up_proj.weight", { 2, { 1500, 1000 } } },
    { "model.layers.2.mlp.up_proj.weight", { 2, { 1500, 1000 } } },
    { "model.norm.weight", { 1, { 700 } } },
};

static void make_grid(void)
{
    made_model(&pipe_, "base", (struct recipe){ 1, 2, 0, 1, 0, WB_DTYPE_BF16 }, grid, 6);
    made_model(&pipe_, "a", (struct recipe){ 1, 3, 0.1, 1, 0, WB_DTYPE_BF16 }, grid, 6);
    made_model(&pipe_, "b", (struct recipe){ 1, 4, 0.2, 1, 0, WB_DTYPE_BF16 }, grid, 6);
}

static struct wb_model *made_open(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s", pipe_.dir, name);
    return opened(path);
}

static const char merge[] = "return wb.merge('task_arithmetic', {base = M'base', models = {M'a', "
                            "M'b'}, weight = {0.5, 0.3}})";

/* Numbers come sampled, close to what they become, and are exact at the end. */
static void test_refinement(void **state)
{
    struct wb_model *m, *base, *parent[2];
    struct watcher w = { 0 }, quick = { 0 };
    struct wb_cache *cache = wb_cache_new((uint64_t)64 << 20);
    struct wb_cache_counts before, after;

    (void)state;
    make_grid();
    m = made_run(&pipe_, merge);
    base = made_open("base");
    parent[0] = made_open("a");
    parent[1] = made_open("b");
    w.p = preview(m, base, parent, 2);
    run(w.p, &(struct wb_preview_how){
                 .report = on_report, .ctx = &w, .cancel = &w.cancel, .cache = cache });
    assert_true(w.sampled_looks >= 1 && w.looks > w.sampled_looks && w.s.finished);
    quick.p = preview(m, base, parent, 2);
    run(quick.p, &(struct wb_preview_how){ .sampled_only = true });
    look(quick.p, &quick.s);
    assert_true(quick.s.finished);
    assert_int_equal(quick.s.grade, WB_GRADE_SAMPLED);
    for (size_t q = 0; q < w.s.quantities; q++)
        if (w.s.quantity[q].figure >= 0)
            near(w.s.quantity[q].key, quick.s.total_value[q], w.s.total_value[q], SAMPLE_TOLERANCE);
    wb_preview_unref(quick.p);
    before = wb_cache_counts(cache);
    quick.p = preview(m, base, parent, 2); /* the same again costs nothing */
    run(quick.p, &(struct wb_preview_how){ .cache = cache });
    after = wb_cache_counts(cache);
    assert_int_equal(after.misses, before.misses);
    look(quick.p, &quick.s);
    assert_memory_equal(quick.s.total_value, w.s.total_value, w.s.quantities * sizeof(double));
    wb_preview_snapshot_free(&w.s);
    wb_preview_snapshot_free(&quick.s);
    wb_preview_unref(quick.p);
    wb_preview_unref(w.p);
    wb_cache_free(cache);
    wb_model_unref(m);
    wb_model_unref(base);
    wb_model_unref(parent[0]);
    wb_model_unref(parent[1]);
}

static void test_cancel(void **state)
{
    struct wb_model *m, *base;
    struct watcher w = { .cancel_at = WB_GRADE_SAMPLED };
    struct wb_err err = { 0 };
    size_t looks;

    (void)state;
    make_grid();
    m = made_run(&pipe_, merge);
    base = made_open("base");
    w.p = preview(m, base, NULL, 0);
    assert_false(wb_preview_run(
        w.p, &(struct wb_preview_how){ .report = on_report, .ctx = &w, .cancel = &w.cancel },
        &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    looks = w.looks;
    look(w.p, &w.s);
    assert_false(w.s.finished);
    assert_int_equal(w.s.grade, WB_GRADE_SAMPLED); /* what was known stays */
    assert_false(isnan(w.s.total_value[0]));
    assert_int_equal(w.looks, looks);
    wb_preview_snapshot_free(&w.s);
    wb_preview_unref(w.p);
    wb_model_unref(m);
    wb_model_unref(base);
}

/* Tensors without a partner, of other shapes, that are no numbers, and numbers that are none. */
static void test_odd_tensors(void **state)
{
    static const float plain[] = { 1, 2, 3, 4 }, odd[] = { 1, NAN, INFINITY, 4 };
    static const uint8_t raw[4] = { 1, 2, 3, 4 };
    const struct wb_shape four = { 1, { 4 } }, square = { 2, { 2, 2 } };
    struct pipe_writer w = { 0 };
    struct wb_model *m, *base;
    struct wb_preview *p;
    struct wb_preview_snapshot s = { 0 };
    size_t d, nan, inf, tensor[5];
    static const char *const name[] = { "same", "reshaped", "added", "mask", "strange" };

    (void)state;
    made_add(&w, "same", &four, WB_DTYPE_F32, plain);
    made_add(&w, "reshaped", &four, WB_DTYPE_F32, plain);
    made_add(&w, "gone", &four, WB_DTYPE_F32, plain);
    pipe_write_add(&w, "mask", &four, "U8", raw, sizeof raw);
    made_add(&w, "strange", &four, WB_DTYPE_F32, plain);
    made_write(&pipe_, &w, "odd-base", NULL);
    made_add(&w, "same", &four, WB_DTYPE_F32, plain);
    made_add(&w, "reshaped", &square, WB_DTYPE_F32, plain);
    made_add(&w, "added", &four, WB_DTYPE_F32, plain);
    pipe_write_add(&w, "mask", &four, "U8", raw, sizeof raw);
    made_add(&w, "strange", &four, WB_DTYPE_F32, odd);
    made_write(&pipe_, &w, "odd", NULL);
    m = made_open("odd");
    base = made_open("odd-base");
    p = preview(m, base, &base, 1);
    look(p, &s);
    assert_int_equal(s.facts.tensors, 5);
    assert_int_equal(s.facts.added, 1);
    assert_int_equal(s.facts.removed, 1);
    assert_int_equal(s.facts.reshaped, 1);
    assert_int_equal(s.facts.changed, 3); /* of other files, whatever is in them */
    assert_int_equal(s.facts.uncomputable, 1);
    assert_int_equal(s.facts.parameters, 16);
    assert_int_equal(s.facts.bytes, 4 * 16 + 4);
    run(p, &(struct wb_preview_how){ 0 });
    look(p, &s);
    for (int i = 0; i < 5; i++)
        tensor[i] = s.quantities * (size_t)(wb_model_find(m, name[i]) - wb_model_entry(m, 0));
    d = wb_preview_find(&s, WB_PREVIEW_delta_norm, -1);
    nan = wb_preview_find(&s, WB_PREVIEW_nan, -1);
    inf = wb_preview_find(&s, WB_PREVIEW_inf, -1);
    assert_int_equal(wb_preview_find(&s, WB_PREVIEW_conflict_share, -1), SIZE_MAX);
    near("same", s.tensor_value[tensor[0] + d], 0, 0);
    assert_true(isnan(s.tensor_value[tensor[1] + d]));
    assert_true(isnan(s.tensor_value[tensor[2] + d]));
    near("norm of added", s.tensor_value[tensor[2] + wb_preview_find(&s, WB_PREVIEW_norm, -1)],
         sqrt(30), 1e-12);
    assert_true(isnan(s.tensor_value[tensor[3] + nan]));
    near("nan", s.tensor_value[tensor[4] + nan], 1, 0);
    near("inf", s.tensor_value[tensor[4] + inf], 1, 0);
    near("strange", s.tensor_value[tensor[4] + d], 0, 0);
    near("all nan", s.total_value[nan], 1, 0);
    near("all delta", s.total_value[d], 0, 0);
    near("cosine", s.tensor_value[tensor[0] + wb_preview_find(&s, WB_PREVIEW_cosine, 0)], 1, 0);
    assert_true(s.finished);
    wb_preview_snapshot_free(&s);
    wb_preview_unref(p);
    wb_model_unref(m);
    wb_model_unref(base);
}

/* On a task, looked at from here, and a second one that overtakes the first. */
static void test_task(void **state)
{
    struct wb_err err = { 0 };
    struct wb_tasks *tasks = wb_tasks_new(1, &err);
    struct wb_preview_how how = { .threads = 2, .cache = wb_cache_new((uint64_t)64 << 20) };
    struct wb_preview_snapshot s = { 0 };
    struct wb_model *m, *base;
    struct wb_preview *p[2];
    struct wb_task *t[2];

    (void)state;
    make_grid();
    m = made_run(&pipe_, merge);
    base = made_open("base");
    for (int i = 0; i < 2; i++) {
        p[i] = preview(m, base, &base, 1);
        t[i] = wb_task_start_urgent(tasks, "preview", wb_preview_task_run,
                                    wb_preview_task_new(p[i], &how), wb_preview_task_free, &err);
        assert_non_null(t[i]);
        if (i == 0)
            wb_task_drop(t[0]);
    }
    while (wb_task_poll(t[1], &err) <= WB_TASK_RUNNING)
        look(p[1], &s);
    assert_int_equal(wb_task_poll(t[1], &err), WB_TASK_DONE);
    look(p[1], &s);
    assert_int_equal(s.grade, WB_GRADE_EXACT);
    wb_task_drop(t[1]);
    wb_tasks_free(tasks);
    wb_preview_snapshot_free(&s);
    wb_preview_unref(p[0]);
    wb_preview_unref(p[1]);
    wb_cache_free(how.cache);
    wb_model_unref(m);
    wb_model_unref(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),       cmocka_unit_test(test_notes),
        cmocka_unit_test(test_refinement),  cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_odd_tensors), cmocka_unit_test(test_task),
    };
    int failed;

    if (!pipe_open(&pipe_))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
