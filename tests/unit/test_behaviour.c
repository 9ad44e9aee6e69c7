/* tests/unit/test_behaviour.c - previews of behaviour on the tiny trained models: figures equal those
 * of the written result, what is known is not worked out again, runs end when they are cancelled. */
#include "app/core/task.h"
#include "app/infer/score.h"
#include "app/job/run.h"
#include "app/probe/behaviour.h"
#include "tests/golden/made.h"

#define ZOO "tests/data/zoo/"
#define EVAL ZOO "eval/"
#define MERGE(lambda)                                                             \
    "return wb.merge(\"task_arithmetic\", {lambda = " #lambda ", base = wb.open " \
    "\"" ZOO "base\", models = {wb.open \"" ZOO "math\", wb.open \"" ZOO "german\"}})"
#define KL_NEAR 1e-6

static struct pipe pipe_;
static struct wb_model *base, *parent[2];
static struct wb_behaviour_memory *shared; /* of tests that ask something else than what is kept */
static const char *const names[] = { "math", "german" };

enum { ENGLISH, CODE, SUMS, SETS };
/* Short enough for a sanitizer, more than the first round takes. */
static const struct wb_behaviour_set sets[SETS] = {
    { WB_BEHAVIOUR_TEXT, "english", EVAL "english.txt", 127, 17 },
    { WB_BEHAVIOUR_TEXT, "code", EVAL "code.txt", 0, 3 },
    { WB_BEHAVIOUR_TASKS, "sums", EVAL "math.jsonl", 0, 24 },
};
enum { OF_BASE, OF_MATH, OF_GERMAN, OF_RESULT, MODELS };

static struct wb_model *open_model(const char *path)
{
    struct wb_err err = { 0 };
    struct wb_model *m = wb_model_open(path, pipe_.set, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

static struct wb_model *make(const char *text)
{
    struct wb_err err;
    struct wb_model *m = pipe_run(&pipe_, text, &err);

    if (m == NULL)
        fail_msg("%s", err.msg);
    return m;
}

static struct wb_behaviour *behaviour_of(struct wb_model *result, size_t count)
{
    struct wb_err err = { 0 };
    struct wb_behaviour *b =
        wb_behaviour_new(result, "result", base, parent, names, 2, sets, count, &err);

    if (b == NULL)
        fail_msg("%s", err.msg);
    return b;
}

/* Run to the end and give what is known then. */
static struct wb_behaviour_snapshot run(struct wb_model *result, struct wb_behaviour_memory *memory,
                                        size_t count)
{
    struct wb_behaviour_how how = { .memory = memory, .sample_tokens = 8 };
    struct wb_behaviour *b = behaviour_of(result, count);
    struct wb_behaviour_snapshot s = { 0 };
    struct wb_err err = { 0 };

    if (!wb_behaviour_run(b, &how, &err))
        fail_msg("%s", err.msg);
    assert_true(wb_behaviour_snapshot(b, &s));
    wb_behaviour_unref(b); /* the snapshot holds it */
    assert_true(s.finished);
    assert_int_equal(s.models, MODELS);
    return s;
}

static const struct wb_behaviour_cell *cell(const struct wb_behaviour_snapshot *s, size_t m,
                                            size_t set)
{
    return &s->cell[m * s->sets + set];
}

static double get(const cJSON *object, const char *key)
{
    return wb_json_number(object, key, NAN);
}

/* What `eval` says. */
static cJSON *score(struct wb_model *m, const struct wb_behaviour_set *set)
{
    struct wb_score_how how = { .kind = (enum wb_score_kind)set->kind,
                                .path = set->path,
                                .window = set->window,
                                .limit = set->limit,
                                .eval = { .threads = 1 } };
    struct wb_err err = { 0 };
    cJSON *scores = wb_score_model(m, &how, &err);

    if (scores == NULL)
        fail_msg("%s", err.msg);
    return scores;
}

/* The merge written and opened again. */
static struct wb_model *written(struct wb_model *m)
{
    struct wb_run job = { .script_name = "merge.lua", .script_text = "", .knobs_json = "{}" };
    struct wb_run_result result;
    struct wb_model *back;
    struct wb_err err = { 0 };
    char out[200];

    snprintf(out, sizeof out, "%s/written", pipe_.dir);
    job.out = out;
    job.force = true;
    if (!wb_run_model(&job, m, &result, &err))
        fail_msg("%s", err.msg);
    wb_run_result_free(&result);
    back = open_model(out);
    return back;
}

static void test_equals_eval(void **state)
{
    struct wb_model *result = make(MERGE(0.4)), *back = written(result);
    struct wb_behaviour_snapshot s = run(result, shared, SETS);
    struct wb_model *const model[MODELS] = { base, parent[0], parent[1], back };

    (void)state;
    assert_null(s.problem);
    assert_int_equal(s.grade, WB_GRADE_EXACT);
    assert_true(s.done == 1);
    assert_true(s.has_base);
    assert_string_equal(s.model_name[OF_MATH], "math");
    assert_true(strlen(s.sample) > 0);
    for (size_t m = 0; m < MODELS; m++)
        for (size_t k = 0; k < SETS; k++) {
            bool text = sets[k].kind == WB_BEHAVIOUR_TEXT;
            cJSON *want = score(model[m], &sets[k]);
            const struct wb_behaviour_cell *c = cell(&s, m, k);

            assert_int_equal(c->grade, WB_GRADE_EXACT);
            assert_int_equal(c->done, c->total);
            assert_true(c->value == get(want, text ? "nll" : "exact_match"));
            assert_true(c->error == get(want, text ? "nll_error" : "exact_match_error"));
            assert_true((double)c->total == get(want, text ? "tokens" : "items"));
            assert_true(m == OF_RESULT ? isnan(c->agreement) : c->agreement > 0.3);
            assert_true(m == OF_RESULT || !text ? isnan(c->kl) : c->kl > 1e-3 && c->kl < 5);
            cJSON_Delete(want);
        }
    wb_behaviour_snapshot_free(&s);
    wb_model_unref(back);
    wb_model_unref(result);
}

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_cell(const struct wb_behaviour_cell *a, const struct wb_behaviour_cell *b)
{
    return a->grade == b->grade && a->done == b->done && a->total == b->total &&
           same(a->value, b->value) && same(a->error, b->error) && same(a->kl, b->kl) &&
           same(a->agreement, b->agreement);
}

static bool same_figures(const struct wb_behaviour_snapshot *a,
                         const struct wb_behaviour_snapshot *b)
{
    for (size_t i = 0; i < a->models * a->sets; i++)
        if (!same_cell(&a->cell[i], &b->cell[i]))
            return false;
    return true;
}

static void test_memory(void **state)
{
    struct wb_behaviour_memory *memory = wb_behaviour_memory_new();
    struct wb_model *first = make(MERGE(0.4)), *second = make(MERGE(0.5));
    struct wb_behaviour_snapshot a = run(first, memory, SETS), b, again, fresh;
    uint64_t all = wb_behaviour_memory_counts(memory).rows, next;

    (void)state;
    b = run(second, memory, SETS);
    next = wb_behaviour_memory_counts(memory).rows;
    /* Base and parents are known: one of four models is left. */
    assert_true(next > all);
    assert_int_equal(4 * (next - all), all);
    assert_true(cell(&a, OF_RESULT, ENGLISH)->value != cell(&b, OF_RESULT, ENGLISH)->value);
    for (size_t k = 0; k < SETS; k++)
        assert_true(cell(&a, OF_MATH, k)->value == cell(&b, OF_MATH, k)->value);

    again = run(first, memory, SETS); /* a knob turned back */
    assert_int_equal(wb_behaviour_memory_counts(memory).rows, next);
    assert_true(same_figures(&a, &again));
    assert_string_equal(a.sample, again.sample);

    fresh = run(second, NULL, SETS);
    assert_true(same_figures(&b, &fresh));
    assert_string_equal(b.sample, fresh.sample);
    wb_behaviour_snapshot_free(&a);
    wb_behaviour_snapshot_free(&b);
    wb_behaviour_snapshot_free(&again);
    wb_behaviour_snapshot_free(&fresh);
    wb_model_unref(first);
    wb_model_unref(second);
    wb_behaviour_memory_free(memory);
}

/* A budget that keeps neither states nor nets: the same figures. */
static void test_small_budget(void **state)
{
    struct wb_model *result = make(MERGE(0.4));
    struct wb_behaviour_memory *memory = wb_behaviour_memory_new();
    struct wb_behaviour_how how = { .memory = memory, .budget_bytes = 1 << 20, .sample_tokens = 8 };
    struct wb_behaviour *b = behaviour_of(result, 1);
    struct wb_behaviour_snapshot s = { 0 }, want = run(result, shared, 1);
    struct wb_err err = { 0 };

    (void)state;
    if (!wb_behaviour_run(b, &how, &err))
        fail_msg("%s", err.msg);
    assert_true(wb_behaviour_snapshot(b, &s));
    assert_true(same_figures(&s, &want));
    assert_true(wb_behaviour_memory_counts(memory).bytes <= 1 << 20);
    wb_behaviour_snapshot_free(&s);
    wb_behaviour_snapshot_free(&want);
    wb_behaviour_unref(b);
    wb_behaviour_memory_free(memory);
    wb_model_unref(result);
}

/* KL by its definition, in double. */
static void test_divergence(void **state)
{
    struct wb_model *result = make(MERGE(0.4));
    struct wb_behaviour_snapshot s = run(result, shared, 1);
    struct wb_model *const model[2] = { parent[0], result };
    struct wb_tokenizer *t;
    struct wb_windows w;
    struct wb_err err = { 0 };
    float *logits[2];
    size_t n, width = 1536, same = 0;
    double kl = 0;

    (void)state;
    t = wb_tokenizer_open(ZOO "base", &err);
    for (int i = 0; i < 2; i++) {
        struct wb_net *net = wb_net_open(model[i], NULL, &pipe_.how, &err);
        size_t hidden;
        int32_t *target;
        float *states;

        assert_non_null(net);
        if (i == 0)
            assert_true(wb_windows_read(t, wb_net_spec(net), sets[0].path, sets[0].window,
                                        sets[0].limit, &w, &err));
        hidden = (size_t)wb_net_spec(net)->hidden;
        n = wb_score_text_count(&w, 0, w.windows);
        target = calloc(n, sizeof *target);
        states = calloc(n * hidden, sizeof *states);
        logits[i] = calloc(n * width, sizeof *logits[i]);
        assert_true(wb_score_text_states(net, &w, 0, w.windows, states, target, &err));
        assert_true(wb_net_logits(net, states, n, logits[i], &err));
        free(states);
        free(target);
        wb_net_close(net);
    }
    for (size_t r = 0; r < n; r++) {
        const float *a = logits[0] + r * width, *b = logits[1] + r * width;
        double sum_a = 0, sum_b = 0;
        size_t best_a = 0, best_b = 0;

        for (size_t i = 0; i < width; i++) {
            sum_a += exp((double)a[i]);
            sum_b += exp((double)b[i]);
            best_a = a[i] > a[best_a] ? i : best_a;
            best_b = b[i] > b[best_b] ? i : best_b;
        }
        for (size_t i = 0; i < width; i++)
            kl +=
                exp((double)a[i]) / sum_a * ((double)a[i] - log(sum_a) - (double)b[i] + log(sum_b));
        same += best_a == best_b;
    }
    assert_true(fabs(cell(&s, OF_MATH, 0)->kl - kl / (double)n) < KL_NEAR);
    assert_true(cell(&s, OF_MATH, 0)->agreement == (double)same / (double)n);
    free(logits[0]);
    free(logits[1]);
    wb_windows_free(&w);
    wb_tokenizer_free(t);
    wb_behaviour_snapshot_free(&s);
    wb_model_unref(result);
}

/* The result is one of its parents. */
static void test_itself(void **state)
{
    struct wb_behaviour_snapshot s = run(parent[0], shared, SETS);

    (void)state;
    for (size_t k = 0; k < SETS; k++) {
        assert_true(cell(&s, OF_MATH, k)->value == cell(&s, OF_RESULT, k)->value);
        assert_true(cell(&s, OF_MATH, k)->agreement == 1);
        assert_true(k == SUMS || cell(&s, OF_MATH, k)->kl == 0);
    }
    wb_behaviour_snapshot_free(&s);
}

/* Cancelling */

struct stop {
    atomic_bool cancel;
    int reports, after;
};

static void count_reports(void *ctx)
{
    struct stop *stop = ctx;

    if (++stop->reports >= stop->after)
        atomic_store(&stop->cancel, true);
}

static void test_cancel(void **state)
{
    struct wb_behaviour_memory *memory = wb_behaviour_memory_new();
    struct wb_model *result = make(MERGE(0.4));
    struct stop stop = { .after = 1000000 };
    struct wb_behaviour_how how = {
        .memory = memory, .cancel = &stop.cancel, .report = count_reports, .ctx = &stop
    };
    int all, steps[] = { 0, 1, 2, 5, 9, 14 };
    struct wb_behaviour *b = behaviour_of(result, 2);
    struct wb_err err = { 0 };

    (void)state;
    assert_true(wb_behaviour_run(b, &how, &err));
    wb_behaviour_unref(b);
    all = stop.reports;
    wb_behaviour_memory_free(memory);
    how.memory = memory = wb_behaviour_memory_new();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct wb_behaviour_snapshot s = { 0 };
        size_t known = 0;

        assert_true(steps[i] < all);
        stop.reports = 0;
        stop.after = steps[i];
        atomic_store(&stop.cancel, steps[i] == 0);
        b = behaviour_of(result, 2);
        assert_false(wb_behaviour_run(b, &how, &err));
        assert_int_equal(err.code, WB_ECANCELLED);
        assert_true(stop.reports <= steps[i] + 1);
        assert_true(wb_behaviour_snapshot(b, &s));
        assert_false(s.finished);
        assert_null(s.problem);
        for (size_t k = 0; k < s.models * s.sets; k++)
            known += s.cell[k].grade != WB_GRADE_NONE;
        assert_true(steps[i] == 0 ? known == 0 : known > 0);
        wb_behaviour_snapshot_free(&s);
        wb_behaviour_unref(b);
    }
    /* What the cancelled ones left is good. */
    atomic_store(&stop.cancel, false);
    stop.after = 1000000;
    b = behaviour_of(result, 2);
    assert_true(wb_behaviour_run(b, &how, &err));
    wb_behaviour_unref(b);
    wb_behaviour_memory_free(memory);
    wb_model_unref(result);
}

/* Two previews at the same time, as a dropped one and the next: one memory, nets that one of them has
 * to open for itself. */
static void test_at_once(void **state)
{
    struct wb_behaviour_memory *memory = wb_behaviour_memory_new();
    struct wb_model *result[2] = { make(MERGE(0.4)), make(MERGE(0.5)) };
    struct wb_behaviour_how how = { .memory = memory, .prompt = "The", .sample_tokens = 4 };
    struct wb_err err = { 0 };
    struct wb_tasks *tasks = wb_tasks_new(2, &err);
    struct wb_behaviour *b[2];
    struct wb_task *task[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        b[i] = behaviour_of(result[i], 2);
        task[i] = wb_task_start(tasks, "behaviour", wb_behaviour_task_run,
                                wb_behaviour_task_new(b[i], &how), wb_behaviour_task_free, &err);
        assert_non_null(task[i]);
    }
    for (int i = 0; i < 2; i++) {
        struct wb_behaviour_snapshot s = { 0 }, alone = run(result[i], shared, 2);
        bool done = false;

        while (!wb_task_ended(task[i], &done, &err))
            usleep(1000);
        if (!done)
            fail_msg("%s", err.msg);
        assert_true(wb_behaviour_snapshot(b[i], &s));
        assert_true(same_figures(&s, &alone));
        wb_behaviour_snapshot_free(&s);
        wb_behaviour_snapshot_free(&alone);
        wb_task_drop(task[i]);
        wb_behaviour_unref(b[i]);
        wb_model_unref(result[i]);
    }
    wb_tasks_free(tasks);
    wb_behaviour_memory_free(memory);
}

/* What goes wrong */

static void test_not_a_number(void **state)
{
    struct wb_model *result =
        make("return wb.open(\"" ZOO "math\"):map(function(t) return t:log() end)");
    struct wb_behaviour_snapshot s = run(result, shared, SETS);

    (void)state;
    assert_non_null(s.problem);
    assert_non_null(strstr(s.problem, "not finite"));
    for (size_t k = 0; k < SETS; k++) {
        assert_true(isnan(cell(&s, OF_RESULT, k)->value));
        assert_false(isnan(cell(&s, OF_BASE, k)->value));
    }
    wb_behaviour_snapshot_free(&s);
    wb_model_unref(result);
}

static void test_problems(void **state)
{
    static const struct wb_behaviour_set others[] = {
        { WB_BEHAVIOUR_TEXT, "nothing", "no/such/text", 0, 0 },
        { WB_BEHAVIOUR_IMAGES, "digits", EVAL "vit-digits.safetensors", 0, 70 },
        { WB_BEHAVIOUR_TEXT, "english", EVAL "english.txt", 127, 2 },
    };
    struct wb_model *vit = open_model(ZOO "vit-digits"), *other = open_model(ZOO "vit-rotated");
    const char *const name[] = { "rotated" };
    struct wb_behaviour_how how = { 0 };
    struct wb_behaviour *b;
    struct wb_behaviour_snapshot s = { 0 };
    struct wb_err err = { 0 };
    cJSON *want = score(vit, &others[1]);

    (void)state;
    b = wb_behaviour_new(vit, "digits", base, &other, name, 1, others, 3, &err);
    assert_true(wb_behaviour_run(b, &how, &err));
    assert_true(wb_behaviour_snapshot(b, &s));
    assert_true(s.finished);
    assert_non_null(s.problem);
    assert_non_null(strstr(s.problem, "nothing: "));
    assert_string_equal(s.sample, "");
    assert_true(cell(&s, 2, 1)->value == get(want, "accuracy"));
    assert_true(cell(&s, 1, 1)->agreement > 0.1 && cell(&s, 1, 1)->agreement < 1);
    assert_true(isnan(cell(&s, 0, 1)->value)); /* a language model sees nothing */
    assert_true(isnan(cell(&s, 0, 0)->value));
    assert_false(isnan(cell(&s, 0, 2)->value));
    assert_true(isnan(cell(&s, 0, 2)->kl));
    cJSON_Delete(want);
    wb_behaviour_snapshot_free(&s);
    wb_behaviour_unref(b);
    wb_model_unref(vit);
    wb_model_unref(other);
}

static int setup(void **state)
{
    (void)state;
    if (!pipe_open(&pipe_))
        return -1;
    shared = wb_behaviour_memory_new();
    base = open_model(ZOO "base");
    parent[0] = open_model(ZOO "math");
    parent[1] = open_model(ZOO "german");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_behaviour_memory_free(shared);
    wb_model_unref(base);
    wb_model_unref(parent[0]);
    wb_model_unref(parent[1]);
    pipe_close(&pipe_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_eval),  cmocka_unit_test(test_memory),
        cmocka_unit_test(test_small_budget), cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_itself),       cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_at_once),      cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_problems),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
