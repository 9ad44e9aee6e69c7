/* tests/golden/test_inspect.c - pure functions behind states and heads against closed forms.
 *
 * The figures are of float64 inputs of a few decimals; functions that take float32 get them scaled to
 * whole numbers where the figure does not depend on the scale, else within what rounding an input to
 * float32 moves it (6e-8 of each weight). */
#include "tests/golden/golden.h"

#include "app/probe/circuit.h"
#include "app/probe/heads.h"
#include "app/probe/states.h"

#define DECIMALS 1e4 /* of the inputs of states */
#define ROUNDED 1e-7 /* see above */

/* An array of numbers, flat; owned. */
struct numbers {
    double *x;
    size_t n, rows;
};

static struct numbers numbers_of(const cJSON *item, const char *key)
{
    const cJSON *value = cJSON_GetObjectItem(cJSON_GetObjectItem(item, "inputs"), key);
    struct numbers a = { .n = pipe_flatten(value, NULL, NULL, 0),
                         .rows = (size_t)cJSON_GetArraySize(value) };

    assert_non_null(value);
    a.x = calloc(a.n + 1, sizeof *a.x);
    assert_non_null(a.x);
    pipe_flatten(value, a.x, NULL, 0);
    return a;
}

static float *floats(const double *x, size_t n, double scale)
{
    float *f = calloc(n + 1, sizeof *f);

    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = (float)(x[i] * scale);
    return f;
}

/* Whole numbers: exact in float32. */
static float *whole(const double *x, size_t n)
{
    float *f = calloc(n + 1, sizeof *f);

    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = (float)round(x[i] * DECIMALS);
    return f;
}

static const cJSON *expected(const struct golden *g, const char *key)
{
    const cJSON *value = cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "expected"), key);

    if (value == NULL)
        fail_msg("no %s", key);
    return value;
}

static void near(const struct golden *g, const char *key, double got)
{
    assert_true(golden_near(g->file, key, 0, got, expected(g, key)->valuedouble));
}

/* Within the file's tolerance and what rounding of inputs adds. */
static void near_rounded(const struct golden *g, const char *key, double got)
{
    double want = expected(g, key)->valuedouble;

    if (!(fabs(got - want) <= ROUNDED * fmax(1, fabs(want))))
        fail_msg("%s: got %.9g, want %.9g", key, got, want);
}

static void test_cka(void **state)
{
    const struct golden *g = *state;
    struct numbers x = numbers_of(g->item, "X"), y = numbers_of(g->item, "Y");
    size_t n = x.rows, p = x.n / n, q = y.n / n;
    size_t batches =
        (size_t)wb_json_number(cJSON_GetObjectItem(g->item, "params"), "minibatches", 1);
    float *a = whole(x.x, x.n), *b = whole(y.x, y.n);
    double got, sum[3] = { 0 }, term[3], scale = pow(DECIMALS, 4);
    struct wb_err err;

    assert_true(wb_cka(n, p, a, q, b, &got, &err));
    near(g, "linear_cka", got);
    assert_true(wb_cka_debiased(n, p, a, q, b, &got, &err));
    near(g, "debiased_cka", got);
    assert_true(wb_hsic1(n, p, a, q, b, &term[0], &err));
    assert_true(wb_hsic1(n, p, a, p, a, &term[1], &err));
    assert_true(wb_hsic1(n, q, b, q, b, &term[2], &err));
    for (int i = 0; i < 3; i++)
        assert_true(golden_near(g->file, "hsic1", (size_t)i, term[i] / scale,
                                cJSON_GetArrayItem(expected(g, "hsic1"), i)->valuedouble));
    for (size_t i = 0, m = n / batches; i < batches; i++) {
        const float *xi = a + i * m * p, *yi = b + i * m * q;

        assert_true(wb_hsic1(m, p, xi, q, yi, &term[0], &err));
        assert_true(wb_hsic1(m, p, xi, p, xi, &term[1], &err));
        assert_true(wb_hsic1(m, q, yi, q, yi, &term[2], &err));
        for (int t = 0; t < 3; t++)
            sum[t] += term[t];
    }
    near(g, "minibatch_cka", sum[0] / sqrt(sum[1] * sum[2]));
    free(x.x);
    free(y.x);
    free(a);
    free(b);
}

static void test_influence(void **state)
{
    const struct golden *g = *state;
    struct numbers x = numbers_of(g->item, "X"), y = numbers_of(g->item, "Y"),
                   mask = numbers_of(g->item, "mask");
    size_t d = x.n / mask.n, kept = 0;
    float *a = whole(x.x, x.n), *b = whole(y.x, y.n);
    struct wb_state_step step = wb_states_compare(mask.n, d, a, b);

    near(g, "block_influence_unmasked", 1 - step.cosine);
    for (size_t i = 0; i < mask.n; i++) /* close the gaps */
        if (mask.x[i] != 0) {
            memmove(a + kept * d, a + i * d, d * sizeof *a);
            memmove(b + kept * d, b + i * d, d * sizeof *b);
            kept++;
        }
    step = wb_states_compare(kept, d, a, b);
    assert_int_equal(step.rows, kept);
    near(g, "block_influence_masked", 1 - step.cosine);
    near(g, "angular_masked", step.angular);
    near(g, "relative_residual_norm", step.relative);
    free(x.x);
    free(y.x);
    free(mask.x);
    free(a);
    free(b);
}

static void test_attention(void **state)
{
    const struct golden *g = *state;
    struct numbers a = numbers_of(g->item, "A");
    size_t n = a.rows,
           period = (size_t)wb_json_number(cJSON_GetObjectItem(g->item, "params"), "period", 0);
    float *w = floats(a.x, a.n, 1);
    struct wb_head_row sum = { 0 };
    double share = 0, effective = 0, duplicate = 0, induction = 0;

    for (size_t i = 0; i < n; i++) {
        struct wb_head_row row = wb_head_row_of(w + i * n, i, 0, i + 1, 32);

        assert_true(fabs(row.entropy -
                         cJSON_GetArrayItem(expected(g, "entropy_nats"), (int)i)->valuedouble) <=
                    ROUNDED * 3);
        sum.entropy += row.entropy;
        sum.max += row.max;
        sum.distance += row.distance;
        sum.self += row.self;
        sum.sink += i > 0 ? row.sink : 0;
        sum.previous += row.previous;
        share += i > 0 ? row.entropy / log((double)i + 1) : 0;
        effective += exp(row.entropy);
        duplicate += i >= period ? (double)w[i * n + i - period] : 0;
        induction += i >= period ? (double)w[i * n + i - period + 1] : 0;
    }
    near_rounded(g, "mean_entropy", sum.entropy / (double)n);
    near_rounded(g, "mean_normalised_entropy_rows_ge_1", share / (double)(n - 1));
    near_rounded(g, "mean_distance", sum.distance / (double)n);
    near_rounded(g, "sink_first_token_rows_ge_1", sum.sink / (double)(n - 1));
    near_rounded(g, "prev_token_score", sum.previous / (double)(n - 1));
    near_rounded(g, "diagonal_score", sum.self / (double)n);
    near_rounded(g, "max_attention_mean", sum.max / (double)n);
    near_rounded(g, "effective_tokens", effective / (double)n);
    near_rounded(g, "duplicate_token_score", duplicate / (double)(n - period));
    near_rounded(g, "induction_score", induction / (double)(n - period));
    free(a.x);
    free(w);
}

static void test_retrieval(void **state)
{
    const struct golden *g = *state;
    const cJSON *needle = cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "params"), "needle");
    struct numbers prompt = numbers_of(g->item, "prompt_ids"),
                   said = numbers_of(g->item, "generated_ids"),
                   at = numbers_of(g->item, "argmax_position_per_step");
    int32_t ids[64], chosen[64];
    size_t looked[64];
    double score, set;

    assert_true(prompt.n <= 64 && said.n <= 64 && at.n == said.n);
    for (size_t i = 0; i < prompt.n; i++)
        ids[i] = (int32_t)prompt.x[i];
    for (size_t i = 0; i < said.n; i++) {
        chosen[i] = (int32_t)said.x[i];
        looked[i] = (size_t)at.x[i];
    }
    wb_head_retrieval(ids, (size_t)cJSON_GetArrayItem(needle, 0)->valuedouble,
                      (size_t)cJSON_GetArrayItem(needle, 1)->valuedouble, looked, chosen, said.n,
                      &score, &set);
    near(g, "score_official_code", score);
    near(g, "score_paper_set", set);
    free(prompt.x);
    free(said.x);
    free(at.x);
}

/* Number [l][h] of a grid. */
static const cJSON *cell(const cJSON *grid, size_t l, size_t h)
{
    return cJSON_GetArrayItem(cJSON_GetArrayItem(grid, (int)l), (int)h);
}

static void test_reuse(void **state)
{
    const struct golden *g = *state;
    const cJSON *rows =
        cJSON_GetObjectItem(cJSON_GetObjectItem(g->item, "inputs"), "attn_last_query");
    struct numbers a = numbers_of(g->item, "attn_last_query");
    size_t k = (size_t)wb_json_number(cJSON_GetObjectItem(g->item, "params"), "k", 0);
    size_t layers = a.rows, heads = (size_t)cJSON_GetArraySize(rows->child);
    size_t n = a.n / layers / heads;
    float *w = floats(a.x, a.n, 1);

    for (size_t l = 0; l < layers; l++)
        for (size_t h = 0; h < heads; h++) {
            const float *row = w + (l * heads + h) * n;
            int32_t own[16], below[16];

            assert_int_equal(wb_head_top(row, n, k, own), k);
            for (size_t i = 0; i < k; i++)
                assert_int_equal(
                    own[i],
                    cJSON_GetArrayItem(cell(expected(g, "topk"), l, h), (int)i)->valuedouble);
            if (l == 0)
                continue;
            wb_head_top(w + ((l - 1) * heads + h) * n, n, k, below);
            assert_true(wb_head_overlap(own, below, k) ==
                        cell(expected(g, "overlap_with_previous_layer"), l - 1, h)->valuedouble);
            assert_true(
                fabs(wb_head_mass(row, below, k) -
                     cell(expected(g, "mass_on_inherited_tokens"), l - 1, h)->valuedouble) <=
                ROUNDED);
        }
    free(a.x);
    free(w);
}

/* x [n, m] the other way about; owned. */
static double *turned(size_t n, size_t m, const double *x)
{
    double *out = calloc(n * m, sizeof *out);

    assert_non_null(out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            out[j * n + i] = x[i * m + j];
    return out;
}

#define DIM 3 /* of the golden's heads */

static double *product(size_t d, const double *a, const double *b)
{
    double *out = calloc(DIM * DIM, sizeof *out);

    assert_non_null(out);
    wb_circuit_products(DIM, DIM, d, a, b, out);
    return out;
}

static void test_circuits(void **state)
{
    const struct golden *g = *state;
    struct numbers q = numbers_of(g->item, "Wq"), k = numbers_of(g->item, "Wk"),
                   v = numbers_of(g->item, "Wv"), o = numbers_of(g->item, "Wo_head"),
                   embed = numbers_of(g->item, "embed"), unembed = numbers_of(g->item, "unembed"),
                   early_o = numbers_of(g->item, "prev_Wo"),
                   early_v = numbers_of(g->item, "prev_Wv");
    size_t d = o.rows, vocab = embed.rows;
    double *ot = turned(d, DIM, o.x), *eot = turned(d, DIM, early_o.x);
    double *qq = product(d, q.x, q.x), *kk = product(d, k.x, k.x), *vv = product(d, v.x, v.x),
           *oo = product(d, ot, ot), *kq = product(d, k.x, q.x), *vo = product(d, v.x, ot),
           *evv = product(d, early_v.x, early_v.x), *eoo = product(d, eot, eot),
           *ko = product(d, k.x, eot), *qo = product(d, q.x, eot), *veo = product(d, v.x, eot);
    double *between = calloc(d * d, sizeof *between), *through = calloc(DIM * d, sizeof *through);
    double qk = wb_circuit_norm(DIM, qq, kk), ov = wb_circuit_norm(DIM, oo, vv), got;
    double early = wb_circuit_norm(DIM, eoo, evv), scratch[2 * DIM * DIM];
    struct wb_err err;

    assert_int_equal(q.rows, DIM);
    near(g, "qk_fro", qk);
    near(g, "ov_fro", ov);
    assert_true(wb_circuit_spectral(DIM, qq, kk, &got, &err));
    near(g, "qk_spectral", got);
    assert_true(wb_circuit_spectral(DIM, oo, vv, &got, &err));
    near(g, "ov_spectral", got);
    near(g, "qk_symmetric_share", wb_circuit_symmetric(DIM, qq, kk, kq));
    near(g, "trace_ov", vo[0] + vo[DIM + 1] + vo[2 * DIM + 2]);
    assert_true(wb_circuit_copying(DIM, vo, &got, &err));
    near(g, "copy_score_residual", got);
    for (size_t t = 0; t < vocab; t++)
        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                between[i * d + j] += embed.x[t * d + i] * unembed.x[t * d + j];
    wb_circuit_through(DIM, d, d, v.x, between, through);
    wb_circuit_products(DIM, DIM, d, through, ot, vo);
    assert_true(wb_circuit_copying(DIM, vo, &got, &err));
    near(g, "copy_score_full", got);
    near(g, "k_composition", wb_circuit_composed(DIM, DIM, qq, ko, evv, scratch) / (qk * early));
    near(g, "q_composition", wb_circuit_composed(DIM, DIM, kk, qo, evv, scratch) / (qk * early));
    near(g, "v_composition", wb_circuit_composed(DIM, DIM, oo, veo, evv, scratch) / (ov * early));
    {
        double *owned[] = { q.x, k.x, v.x, o.x, embed.x, unembed.x, early_o.x, early_v.x,
                            ot,  eot, qq,  kk,  vv,      oo,        kq,        vo,
                            evv, eoo, ko,  qo,  veo,     between,   through };

        for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
            free(owned[i]);
    }
}

int main(void)
{
    static struct golden_list list;

    golden_add(&list, "inspect_cka", NULL, test_cka);
    golden_add(&list, "inspect_block_influence", NULL, test_influence);
    golden_add(&list, "inspect_attention_stats", NULL, test_attention);
    golden_add(&list, "inspect_retrieval_score", NULL, test_retrieval);
    golden_add(&list, "inspect_topk_overlap", NULL, test_reuse);
    golden_add(&list, "inspect_circuits", NULL, test_circuits);
    return golden_run_all(&list, "inspect");
}
