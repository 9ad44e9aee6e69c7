/* tests/golden/test_heads_made.c - heads and states of models made by hand, whose figures are known. */
#include "tests/golden/heads_made.h"

/* --- two layers that copy --------------------------------------------------------------------- */

/* Tokens are codes of CODE signs; the stream is: the token's code, a place for the code of the token
 * before, one place for each position. Head 0.0 looks one back and writes that token's code into the
 * second place; head 1.0 looks for its own token there, and writes the code it finds at the first. */
#define VOCAB 1024
#define CODE 32
#define POSITIONS 136
#define WIDTH (2 * CODE + POSITIONS)

static void add_tensor(struct pipe_writer *w, const char *name, size_t rows, size_t columns,
                       const float *x)
{
    struct wb_shape shape = { .ndim = rows > 0 ? 2 : 1 };

    shape.dim[0] = rows > 0 ? rows : columns;
    shape.dim[1] = rows > 0 ? columns : 0;
    pipe_write_add(w, name, &shape, "F32", x, (rows > 0 ? rows : 1) * columns * sizeof *x);
}

static void add_layer(struct pipe_writer *w, int layer, const float *qkv, const float *o)
{
    static const float zeros[8 * WIDTH + 3 * WIDTH];
    static float ones[WIDTH];
    struct {
        const char *name;
        size_t rows, columns;
        const float *x;
    } tensors[] = {
        { "attn.c_attn.weight", WIDTH, 3 * WIDTH, qkv },
        { "attn.c_attn.bias", 0, 3 * WIDTH, zeros },
        { "attn.c_proj.weight", WIDTH, WIDTH, o },
        { "attn.c_proj.bias", 0, WIDTH, zeros },
        { "ln_1.weight", 0, WIDTH, ones },
        { "ln_1.bias", 0, WIDTH, zeros },
        { "ln_2.weight", 0, WIDTH, ones },
        { "ln_2.bias", 0, WIDTH, zeros },
        { "mlp.c_fc.weight", WIDTH, 8, zeros },
        { "mlp.c_fc.bias", 0, 8, zeros },
        { "mlp.c_proj.weight", 8, WIDTH, zeros },
        { "mlp.c_proj.bias", 0, WIDTH, zeros },
    };
    char name[80];

    for (size_t i = 0; i < WIDTH; i++)
        ones[i] = 1;
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        snprintf(name, sizeof name, "transformer.h.%d.%s", layer, tensors[i].name);
        add_tensor(w, name, tensors[i].rows, tensors[i].columns, tensors[i].x);
    }
    if (layer == 0) {
        add_tensor(w, "transformer.ln_f.weight", 0, WIDTH, ones);
        add_tensor(w, "transformer.ln_f.bias", 0, WIDTH, zeros);
    }
}

enum { READ_Q, READ_K, READ_V };

/* Entry `to` of what a head reads with is entry `from` of the stream. */
static void reads(float *qkv, int which, size_t from, size_t to, float by)
{
    qkv[from * 3 * WIDTH + (size_t)which * WIDTH + to] = by;
}

static void make_copier(const char *dir)
{
    static float wte[VOCAB * WIDTH], wpe[POSITIONS * WIDTH], qkv[2][WIDTH * 3 * WIDTH],
        o[2][WIDTH * WIDTH];
    uint64_t stream = wb_random_stream(2, 0, "codes");
    struct pipe_writer w = { 0 };

    for (size_t i = 0; i < VOCAB * CODE; i++) {
        float u;

        wb_kernels()->uniform(1, stream, i, &u);
        wte[i / CODE * WIDTH + i % CODE] = u < 0.5f ? -1 : 1;
    }
    for (size_t p = 0; p < POSITIONS; p++) {
        wpe[p * WIDTH + 2 * CODE + p] = 6;
        if (p > 0)
            reads(qkv[0], READ_Q, 2 * CODE + p, p - 1, 2);
        reads(qkv[0], READ_K, 2 * CODE + p, p, 2);
    }
    for (size_t i = 0; i < CODE; i++) {
        reads(qkv[0], READ_V, i, i, 1);
        o[0][i * WIDTH + CODE + i] = 0.6f;
        reads(qkv[1], READ_Q, i, i, 2.5f);
        reads(qkv[1], READ_K, CODE + i, i, 2.5f);
        reads(qkv[1], READ_V, i, i, 1);
        o[1][i * WIDTH + i] = 20;
    }
    add_tensor(&w, "transformer.wte.weight", VOCAB, WIDTH, wte);
    add_tensor(&w, "transformer.wpe.weight", POSITIONS, WIDTH, wpe);
    add_layer(&w, 0, qkv[0], o[0]);
    add_layer(&w, 1, qkv[1], o[1]);
    assert_true(pipe_write(&w, dir,
                           "{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\","
                           "\"activation_function\":\"gelu_new\",\"n_embd\":200,\"n_head\":1,"
                           "\"n_inner\":8,\"n_layer\":2,\"n_positions\":136,\"vocab_size\":1024,"
                           "\"layer_norm_epsilon\":1e-5,\"tie_word_embeddings\":true}"));
}

static struct wb_net *open_copier(void)
{
    char dir[100];

    snprintf(dir, sizeof dir, "%s/copier", pipe_.dir);
    make_copier(dir);
    return net_of(model_of(dir), NULL, 2);
}

static void test_copier(void **state)
{
    struct wb_net *net = open_copier();
    struct text t;
    struct wb_heads h;
    int order[2];

    (void)state;
    make_text(&t, 4, 128, VOCAB);
    h = heads_of(net, &t.rows, everything);
    assert_true(h.stat[WB_HEAD_previous][0] > 0.99);
    assert_true(h.stat[WB_HEAD_positional][0] > 0.99);
    assert_true(h.stat[WB_HEAD_distance][0] > 0.98 && h.stat[WB_HEAD_distance][0] < 1.02);
    assert_true(h.stat[WB_HEAD_induction][0] < 0.05);
    assert_true(h.stat[WB_HEAD_previous][1] < 0.3);
    assert_true(h.stat[WB_HEAD_induction][1] > 0.8); /* tokens drawn twice in a period share it */
    assert_true(h.stat[WB_HEAD_duplicate][1] < 0.1);
    assert_true(h.stat[WB_HEAD_retrieval][0] < 0.05);
    assert_true(h.stat[WB_HEAD_retrieval][1] > 0.8);
    assert_true(h.stat[WB_HEAD_copying][1] > 0.99);
    assert_true(h.stat[WB_HEAD_copying_residual][1] > 0.99);
    assert_int_equal(wb_heads_role(&h, 0, 0), WB_HEAD_IS_PREVIOUS | WB_HEAD_IS_LOCAL);
    assert_int_equal(wb_heads_role(&h, 1, 0) & ~(unsigned)WB_HEAD_IS_LOCAL,
                     WB_HEAD_IS_INDUCTION | WB_HEAD_IS_RETRIEVAL);
    /* The second reads through its keys what the first wrote, and nothing of it else. */
    assert_true(h.stat[WB_HEAD_k_composition][1] > 0.1);
    assert_true(h.stat[WB_HEAD_q_composition][1] < 0.01);
    assert_true(h.stat[WB_HEAD_v_composition][1] < 0.01);
    assert_false(h.nonfinite);
    wb_heads_by_priority(&h, order);
    assert_int_equal(order[0], 0);
    wb_heads_free(&h);
    wb_net_close(net);
}

/* Twice the same: without either head the second time is a surprise. */
static void test_ablation(void **state)
{
    struct wb_net *net = open_copier();
    struct text t;
    struct wb_err err;
    double rise[2];

    (void)state;
    make_text(&t, 2, 120, VOCAB);
    for (size_t s = 0; s < 2; s++)
        memcpy(t.token + s * 120 + 60, t.token + s * 120, 60 * sizeof t.token[0]);
    if (!wb_heads_ablate(net, &t.rows, NULL, NULL, rise, &err))
        fail_msg("%s", err.msg);
    assert_true(rise[0] > 1);
    assert_true(rise[1] > 1);
    wb_net_close(net);
}

static void test_pattern(void **state)
{
    struct wb_net *net = open_copier();
    struct text t;
    struct wb_err err;
    float *w;

    (void)state;
    make_text(&t, 1, 130, VOCAB); /* more than a tile */
    w = wb_heads_pattern(net, t.token, 130, 0, 0, &err);
    assert_non_null(w);
    for (size_t i = 1; i < 130; i++) {
        assert_true(w[i * 130 + i - 1] > 0.99f);
        for (size_t j = i + 1; j < 130; j++)
            assert_true(w[i * 130 + j] == 0);
    }
    free(w);
    assert_null(wb_heads_pattern(net, t.token, 130, 2, 0, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_null(wb_heads_pattern(net, t.token, 130, 0, -1, &err));
    wb_net_close(net);
}

/* --- changed models --------------------------------------------------------------------------- */

static struct wb_node *filled(const struct wb_model *m, const char *name, double value)
{
    struct wb_err err;
    struct wb_node *fill = wb_node_fill(wb_node_shape(wb_model_find(m, name)->node), value, &err);

    assert_non_null(fill);
    return fill;
}

/* A tensor of the base replaced; node moved. */
static void replace(struct wb_model *draft, const char *name, struct wb_node *node)
{
    struct wb_err err;

    if (node == NULL || !wb_model_set(draft, name, node, &err))
        fail_msg("%s: %s", name, err.msg);
    wb_node_unref(node);
}

static struct wb_model *draft_of(struct wb_model *base)
{
    struct wb_err err;
    struct wb_model *draft = wb_model_derive(base, &err);

    assert_non_null(draft);
    return draft;
}

static struct wb_net *net_of_draft(struct wb_model *draft, struct wb_model *base)
{
    struct wb_err err;

    if (!wb_model_freeze(draft, &err))
        fail_msg("%s", err.msg);
    wb_model_unref(base);
    return net_of(draft, NULL, 2);
}

#define LAYER2 "model.layers.2."

/* Queries of zeros see all keys alike. */
static void test_uniform(void **state)
{
    struct wb_model *base = model_of(ZOO "base"), *draft = draft_of(base);
    struct text t;
    struct wb_net *net;
    struct wb_heads h;
    double entropy = 0, effective = 0, n = 100;

    (void)state;
    replace(draft, LAYER2 "self_attn.q_proj.weight",
            filled(base, LAYER2 "self_attn.q_proj.weight", 0));
    net = net_of_draft(draft, base);
    make_text(&t, 3, 100, 1500);
    h = heads_of(net, &t.rows,
                 (struct wb_heads_how){ .text = true, .weights = true, .composition = true });
    for (double i = 1; i <= n; i++) {
        entropy += log(i) / n;
        effective += i / n;
    }
    for (size_t i = 8; i < 12; i++) {
        assert_true(fabs(h.stat[WB_HEAD_entropy][i] - entropy) < 1e-6);
        assert_true(fabs(h.stat[WB_HEAD_entropy_share][i] - 1) < 1e-6);
        assert_true(fabs(h.stat[WB_HEAD_effective][i] - effective) < 1e-4);
        assert_true(fabs(h.stat[WB_HEAD_distance][i] - (n - 1) / 4) < 1e-4);
        assert_true(h.stat[WB_HEAD_qk_norm][i] == 0);
    }
    wb_heads_free(&h);
    wb_net_close(net);
}

/* A block that adds nothing: no influence, no way, and its neighbours are one. */
static void test_identity_block(void **state)
{
    struct wb_model *base = model_of(ZOO "base"), *draft = draft_of(base);
    struct wb_states s;
    struct wb_err err;
    struct text t;
    struct wb_net *net;

    (void)state;
    replace(draft, LAYER2 "self_attn.o_proj.weight",
            filled(base, LAYER2 "self_attn.o_proj.weight", 0));
    replace(draft, LAYER2 "mlp.down_proj.weight", filled(base, LAYER2 "mlp.down_proj.weight", 0));
    net = net_of_draft(draft, base);
    make_text(&t, 3, 60, 1500);
    if (!wb_states_run(net, &t.rows, 0, NULL, NULL, &s, &err))
        fail_msg("%s", err.msg);
    assert_true(s.influence[2] == 0);
    assert_true(s.relative_step[2] == 0);
    assert_true(s.matrix[WB_STATE_ANGULAR][2 * 9 + 3] == 0);
    assert_true(fabs(s.matrix[WB_STATE_CKA][2 * 9 + 3] - 1) < 1e-12);
    assert_true(s.norm[2] == s.norm[3]);
    assert_true(s.influence[1] > 0 && s.influence[3] > 0);
    wb_states_free(&s);
    wb_net_close(net);
}

/* Rows (columns) of heads 0 and 1, which share keys, change places. */
static struct wb_node *swapped(const struct wb_model *m, const char *name, bool columns)
{
    struct wb_node *node = wb_model_find(m, name)->node;
    uint64_t order[128];
    struct wb_err err;

    for (uint64_t i = 0; i < 128; i++)
        order[i] = i < 32 ? i + 32 : i < 64 ? i - 32 : i;
    return columns ? wb_node_gather_columns(node, order, 128, &err)
                   : wb_node_gather_rows(node, order, 128, &err);
}

static void test_swapped_heads(void **state)
{
    struct wb_model *base = model_of(ZOO "base"), *draft = draft_of(base);
    struct wb_net *was, *net;
    struct wb_heads a, b;
    struct text t;

    (void)state;
    replace(draft, LAYER2 "self_attn.q_proj.weight",
            swapped(base, LAYER2 "self_attn.q_proj.weight", false));
    replace(draft, LAYER2 "self_attn.o_proj.weight",
            swapped(base, LAYER2 "self_attn.o_proj.weight", true));
    net = net_of_draft(draft, base);
    was = net_of(model_of(ZOO "base"), NULL, 2);
    make_text(&t, 4, 100, 1500);
    a = heads_of(was, &t.rows, everything);
    b = heads_of(net, &t.rows, everything);
    for (int s = 0; s < WB_HEAD_STAT_COUNT; s++)
        for (size_t i = 0; i < 32; i++) {
            size_t from = i == 8 ? 9 : i == 9 ? 8 : i;
            double x = a.stat[s][from], y = b.stat[s][i];

            if (!(fabs(x - y) <= 1e-4 * fmax(1, fabs(x))) && !(isnan(x) && isnan(y)))
                fail_msg("%s [%zu]: %g, was %g", wb_head_stat_info((enum wb_head_stat)s)->name, i,
                         y, x);
        }
    wb_heads_free(&a);
    wb_heads_free(&b);
    wb_net_close(was);
    wb_net_close(net);
}

/* --- what is not finite ----------------------------------------------------------------------- */

static void test_nan(void **state)
{
    struct wb_model *base = model_of(ZOO "base"), *draft = draft_of(base);
    struct wb_states s;
    struct wb_heads h;
    struct wb_err err;
    struct text t;
    struct wb_net *net;

    (void)state;
    replace(draft, LAYER2 "self_attn.k_proj.weight",
            filled(base, LAYER2 "self_attn.k_proj.weight", (double)NAN));
    net = net_of_draft(draft, base);
    make_text(&t, 3, 100, 1500);
    if (!wb_states_run(net, &t.rows, 0, NULL, NULL, &s, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(s.nonfinite_rows, 300);
    assert_int_equal(s.cka_rows, 0);
    assert_true(isfinite(s.influence[1]));
    assert_true(isnan(s.influence[2]) && isnan(s.influence[5]) && isnan(s.norm[3]));
    assert_true(isnan(s.matrix[WB_STATE_CKA][1]));
    wb_states_free(&s);
    h = heads_of(net, &t.rows, everything);
    assert_true(h.nonfinite);
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        for (size_t a = 8; a < 12; a++)
            if (!isnan(h.stat[i][a]) && i != WB_HEAD_q_norm && i != WB_HEAD_v_norm &&
                i != WB_HEAD_o_norm && i != WB_HEAD_ov_norm && i != WB_HEAD_ov_spectral &&
                i != WB_HEAD_copying && i != WB_HEAD_copying_residual && i != WB_HEAD_dead &&
                i != WB_HEAD_v_composition)
                fail_msg("%s [%zu]: %g", wb_head_stat_info((enum wb_head_stat)i)->name, a,
                         h.stat[i][a]);
    assert_int_equal(wb_heads_role(&h, 2, 0), 0);
    wb_heads_free(&h);
    wb_net_close(net);
}

static bool never_heads(void *ctx, const struct wb_heads *so_far)
{
    ++*(int *)ctx;
    assert_int_equal(so_far->layers, 8);
    return false;
}

static bool never_states(void *ctx, const struct wb_states *so_far)
{
    ++*(int *)ctx;
    assert_int_equal(so_far->layers, 8);
    return false;
}

static void test_cancel(void **state)
{
    struct wb_net *net = net_of(model_of(ZOO "base"), NULL, 2);
    struct text t;
    struct wb_err err;
    struct wb_states s;
    struct wb_heads h;
    int calls = 0;

    (void)state;
    make_text(&t, 2, 50, 1500);
    for (int part = 0; part < 4; part++) {
        struct wb_heads_how how = { .text = part == 0,
                                    .repeated = part == 1,
                                    .retrieval = part == 2,
                                    .weights = part == 3,
                                    .report = never_heads,
                                    .ctx = &calls };

        assert_false(wb_heads_run(net, &t.rows, &how, &h, &err));
        assert_int_equal(err.code, WB_ECANCELLED);
        assert_int_equal(calls, part + 1);
        assert_null(h.stat[0]);
    }
    assert_false(wb_states_run(net, &t.rows, 0, never_states, &calls, &s, &err));
    assert_int_equal(err.code, WB_ECANCELLED);
    assert_int_equal(calls, 5);
    assert_false(wb_heads_run(net, NULL, &(struct wb_heads_how){ .text = true }, &h, &err));
    assert_int_equal(err.code, WB_EARG);
    wb_net_close(net);
}

/* --- CKA -------------------------------------------------------------------------------------- */

#define N 40
#define P 6

/* The same up to rotation, scale and shift. */
static void test_cka_laws(void **state)
{
    static float x[N * P], y[N * P], flat[N * P];
    uint64_t stream = wb_random_stream(5, 0, "x");
    struct wb_err err;
    double got, back;

    (void)state;
    wb_kernels()->normal(N * P, stream, 0, x);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < P; j++) {
            size_t other = (j + 1) % P; /* turned by 30 degrees in pairs, and columns moved on */
            const float *row = x + i * P;
            float turned = j % 2 == 0 ? 0.8660254f * row[j] - 0.5f * row[j + 1]
                                      : 0.5f * row[j - 1] + 0.8660254f * row[j];

            y[i * P + other] = 3 * turned + (float)j;
            flat[i * P + j] = (float)j;
        }
    assert_true(wb_cka(N, P, x, P, y, &got, &err));
    assert_true(fabs(got - 1) < 1e-6);
    assert_true(wb_cka_debiased(N, P, x, P, y, &got, &err));
    assert_true(fabs(got - 1) < 1e-6);
    wb_kernels()->normal(N * P, stream, N * P, y);
    assert_true(wb_cka(N, P, x, 3, y, &got, &err));
    assert_true(wb_cka(N, 3, y, P, x, &back, &err));
    assert_true(got > 0 && got < 1 && fabs(got - back) < 1e-12);
    assert_false(wb_cka(N, P, x, P, flat, &got, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_false(wb_cka(1, P, x, P, y, &got, &err));
    assert_false(wb_cka_debiased(3, P, x, P, y, &got, &err));
    assert_int_equal(err.code, WB_EARG);
}

static void test_rows(void **state)
{
    static const float zero[4], one[4] = { 1, 0, 0, 0 }, minus[4] = { -2, 0, 0, 0 };
    static const float bad[4] = { (float)INFINITY, 0, 0, 0 };
    struct wb_state_step s = wb_states_compare(1, 4, one, minus);
    float equal[5] = { 0.25f, 0.25f, (float)NAN, 0.25f, 0.3f };
    int32_t top[5];

    (void)state;
    assert_true(s.cosine == -1 && s.angular == 1 && s.relative == 3);
    assert_int_equal(wb_states_compare(1, 4, one, zero).rows, 0);
    assert_int_equal(wb_states_compare(1, 4, bad, one).rows, 0);
    assert_true(isnan(wb_states_compare(1, 4, zero, one).cosine));
    assert_int_equal(wb_head_top(equal, 5, 2, top), 2);
    assert_true(top[0] == 0 && top[1] == 4);
    assert_int_equal(wb_head_top(equal, 5, 5, top), 4);
    assert_true(top[2] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copier),
        cmocka_unit_test(test_ablation),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_identity_block),
        cmocka_unit_test(test_swapped_heads),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cka_laws),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
