/* tests/golden/test_permute.c - a permuted model computes the same, and unlocks to the same bytes.
 *
 * Trained models, and made-up ones of every family under tests/data/arch, are put through their own attention and
 * feed-forward before and after, in double. Where the heads' order matters to a family they must not have moved. */
#include "tests/golden/made.h"
#include "tests/unit/near.h"

#define TOKENS 5
#define WIDTH_MAX 1536
#define NEAR 1e-12 /* sums of some hundred terms in another order, in double */

static struct pipe pipe_;

/* --- the parts of a layer as matrices ------------------------------------------------------------------- */

/* A weight as [out, in] (a bias as [out, 1]); x is NULL where the model has none. */
struct matrix {
    double *x;
    size_t out, in;
};

struct at {
    const char *stack;
    int layer, expert;
};

static struct matrix part(const struct wb_model *m, const struct at *at, const char *role)
{
    struct matrix result = { 0 };

    for (size_t i = 0; i < wb_model_count(m); i++) {
        const struct wb_entry *e = wb_model_entry(m, i);
        struct pipe_data data;

        if (strcmp(e->role.role, role) != 0 || strcmp(e->role.stack, at->stack) != 0 ||
            e->role.layer != at->layer || e->role.expert != at->expert)
            continue;
        data = golden_fetch(&pipe_, m, e->name);
        result.out = data.shape.dim[e->role.transposed ? 1 : 0];
        result.in = data.n / result.out;
        result.x = calloc(data.n, sizeof *result.x);
        assert_non_null(result.x);
        for (size_t k = 0; k < data.n; k++)
            result.x[k] =
                (double)(e->role.transposed ? data.x[k % result.in * result.out + k / result.in]
                                            : data.x[k]);
        free(data.x);
        break;
    }
    return result;
}

/* y (tokens, out) = x (tokens, in) W^T + b. */
static void linear(const struct matrix *w, const struct matrix *b, const double *x, double *y)
{
    assert_true(w->x != NULL && w->out <= WIDTH_MAX);
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t r = 0; r < w->out; r++) {
            double sum = b->x != NULL ? b->x[r] : 0;

            for (size_t c = 0; c < w->in; c++)
                sum += w->x[r * w->in + c] * x[t * w->in + c];
            y[t * w->out + r] = sum;
        }
}

static void run_linear(const struct wb_model *m, const struct at *at, const char *role,
                       const double *x, double *y)
{
    char bias_role[64];
    struct matrix w = part(m, at, role), b;

    snprintf(bias_role, sizeof bias_role, "%s.bias", role);
    b = part(m, at, bias_role);
    linear(&w, &b, x, y);
    free(w.x);
    free(b.x);
}

/* --- attention and feed-forward -------------------------------------------------------------------------- */

static double input[TOKENS * WIDTH_MAX];

/* Queries, keys and values of the tokens out of a fused projection y: as blocks one behind the other, or by head. */
static void unfuse(const struct wb_model *m, const double *y, double *q, double *k, double *v)
{
    const struct wb_dims *d = wb_arch_dims(wb_model_arch(m));
    bool by_head = strcmp(wb_arch_family(wb_model_arch(m)), "gpt_neox") == 0;
    size_t w = (size_t)d->head_dim, h = (size_t)d->heads, g = (size_t)d->kv_heads,
           all = (h + 2 * g) * w;

    for (size_t t = 0; t < TOKENS; t++)
        for (size_t i = 0; i < all; i++) {
            size_t part_of = by_head ? i / w % 3 : i < h * w ? 0 : i < (h + g) * w ? 1 : 2;
            size_t at = by_head ? i / (3 * w) * w + i % w
                                : i - (part_of == 0   ? 0
                                       : part_of == 1 ? h * w
                                                      : (h + g) * w);

            *(part_of == 0   ? &q[t * h * w + at]
              : part_of == 1 ? &k[t * g * w + at]
                             : &v[t * g * w + at]) = y[t * all + i];
        }
}

/* Causal, with grouped heads. Without positions: the order of heads matters no more with them. */
static void attend(const struct wb_dims *d, const double *q, const double *k, const double *v,
                   double *y)
{
    size_t heads = (size_t)d->heads, groups = (size_t)d->kv_heads, width = (size_t)d->head_dim;

    for (size_t t = 0; t < TOKENS; t++)
        for (size_t h = 0; h < heads; h++) {
            size_t g = h / (heads / groups);
            double score[TOKENS], total = 0;

            for (size_t s = 0; s <= t; s++) {
                double dot = 0;

                for (size_t i = 0; i < width; i++)
                    dot += q[(t * heads + h) * width + i] * k[(s * groups + g) * width + i];
                score[s] = exp(dot / sqrt((double)width));
                total += score[s];
            }
            for (size_t i = 0; i < width; i++) {
                double sum = 0;

                for (size_t s = 0; s <= t; s++)
                    sum += score[s] / total * v[(s * groups + g) * width + i];
                y[(t * heads + h) * width + i] = sum;
            }
        }
}

static bool has(const struct wb_model *m, const struct at *at, const char *role)
{
    struct matrix w = part(m, at, role);

    free(w.x);
    return w.x != NULL;
}

/* y (tokens, hidden); false where this layer has no attention of its own. */
static bool run_attention(const struct wb_model *m, const struct at *at, double *y)
{
    static double q[TOKENS * WIDTH_MAX], k[TOKENS * WIDTH_MAX], v[TOKENS * WIDTH_MAX],
        fused[TOKENS * WIDTH_MAX];

    if (!has(m, at, "o"))
        return false;
    if (has(m, at, "qkv")) {
        run_linear(m, at, "qkv", input, fused);
        unfuse(m, fused, q, k, v);
    } else {
        run_linear(m, at, "q", input, q);
        run_linear(m, at, "k", input, k);
        run_linear(m, at, "v", input, v);
    }
    attend(wb_arch_dims(wb_model_arch(m)), q, k, v, fused);
    run_linear(m, at, "o", fused, y);
    return true;
}

static bool run_feed_forward(const struct wb_model *m, const struct at *at, double *y)
{
    static double gate[TOKENS * WIDTH_MAX], up[TOKENS * WIDTH_MAX], fused[TOKENS * WIDTH_MAX];
    bool gated = has(m, at, "gate") || has(m, at, "gate_up");
    struct matrix down = part(m, at, "down");
    size_t f = down.in;

    free(down.x);
    if (down.x == NULL)
        return false;
    if (has(m, at, "gate_up")) {
        run_linear(m, at, "gate_up", input, fused);
        for (size_t i = 0; i < TOKENS * f; i++) {
            gate[i] = fused[i / f * 2 * f + i % f];
            up[i] = fused[i / f * 2 * f + f + i % f];
        }
    } else {
        run_linear(m, at, "up", input, up);
        if (gated)
            run_linear(m, at, "gate", input, gate);
    }
    for (size_t i = 0; i < TOKENS * f; i++)
        up[i] *= gated ? gate[i] / (1 + exp(-gate[i])) : 0.5 * (1 + erf(up[i] / sqrt(2)));
    run_linear(m, at, "down", up, y);
    return true;
}

/* --- models before and after ------------------------------------------------------------------------------ */

static bool permutable(const char *role)
{
    static const char *const roles[] = { "q",      "k",      "v",        "qkv",       "o",
                                         "gate",   "up",     "gate_up",  "down",      "q.bias",
                                         "k.bias", "v.bias", "qkv.bias", "gate.bias", "up.bias" };

    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i], role) == 0)
            return true;
    return false;
}

static bool warned(const struct wb_model *m, const char *text)
{
    for (size_t i = 0; i < wb_model_warning_count(m); i++)
        if (strstr(wb_model_warning(m, i), text) != NULL)
            return true;
    return false;
}

/* Every attention and feed-forward of both models gives the same. */
static void check_function(const struct wb_model *plain, const struct wb_model *locked)
{
    static double y[TOKENS * WIDTH_MAX], z[TOKENS * WIDTH_MAX];
    size_t hidden = (size_t)wb_arch_dims(wb_model_arch(plain))->hidden, checked = 0;
    bool (*const run[])(const struct wb_model *, const struct at *,
                        double *) = { run_attention, run_feed_forward };

    for (size_t i = 0; i < wb_model_count(plain); i++) {
        const struct wb_entry *e = wb_model_entry(plain, i);
        struct at at = { e->role.stack, e->role.layer, e->role.expert };

        if (at.layer < 0 || (strcmp(e->role.role, "o") != 0 && strcmp(e->role.role, "down") != 0))
            continue;
        for (int k = 0; k < 2; k++)
            if (run[k](plain, &at, y)) {
                assert_true(run[k](locked, &at, z));
                assert_true(near_f64(TOKENS * hidden, z, y, NEAR));
                checked++;
            }
    }
    assert_true(checked > 0);
}

/* Unlocked bytes are the old ones; what is no neuron's or head's was never touched; each feed-forward was. */
static void check_bytes(const struct wb_model *plain, const struct wb_model *locked,
                        const struct wb_model *back, bool heads)
{
    uint8_t **before = golden_bytes(&pipe_, plain, false),
            **after = golden_bytes(&pipe_, locked, false);
    uint8_t **restored = golden_bytes(&pipe_, back, false);

    assert_int_equal(wb_model_count(plain), wb_model_count(back));
    for (size_t i = 0; i < wb_model_count(plain); i++) {
        const struct wb_entry *e = wb_model_entry(plain, i);
        uint64_t size = 0;
        bool same;

        assert_true(wb_shape_bytes(wb_node_shape(e->node), wb_node_dtype(e->node), &size));
        assert_string_equal(e->name, wb_model_entry(back, i)->name);
        assert_int_equal(wb_node_dtype(e->node), wb_node_dtype(wb_model_entry(back, i)->node));
        assert_memory_equal(before[i], restored[i], size);
        same = memcmp(before[i], after[i], size) == 0;
        if (!permutable(e->role.role) || e->role.layer < 0 ||
            (!heads && strchr("qkvo", e->role.role[0]) != NULL))
            assert_true(same);
        if (strcmp(e->role.role, "up") == 0 || strcmp(e->role.role, "down") == 0)
            assert_false(same);
    }
    pipe_bytes_free(plain, before);
    pipe_bytes_free(locked, after);
    pipe_bytes_free(back, restored);
}

/* The model in `dir` through lock and unlock. */
static void check_permuted(const char *dir, bool heads)
{
    struct wb_str text = { 0 };
    struct wb_model *plain, *locked, *back;
    uint64_t state = 1;

    for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
        input[i] = golden_noise(&state);
    wb_str_printf(&text, "return wb.open \"%s\"", dir);
    plain = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    wb_str_printf(&text,
                  "return wb.protect(\"permute\", wb.open \"%s\", {key = \"correct horse\"})", dir);
    locked = golden_run(&pipe_, text.text);
    wb_str_free(&text);
    wb_str_printf(&text,
                  "local m = wb.protect(\"permute\", wb.open \"%s\", {key = \"correct horse\"})\n"
                  "return wb.protect(\"permute\", m, {unlock = true, key = \"correct horse\"})",
                  dir);
    back = golden_run(&pipe_, text.text);
    assert_true(warned(locked, "heads keep") == !heads);
    check_function(plain, locked);
    check_bytes(plain, locked, back, heads);
    wb_model_unref(plain);
    wb_model_unref(locked);
    wb_model_unref(back);
    wb_str_free(&text);
}

static void test_trained(void **state)
{
    (void)state;
    check_permuted("tests/data/zoo/math", true);
    check_permuted("tests/data/zoo/vit-digits", true);
}

/* A family and whether its heads may move: not with a position bias for each head, nor in several stacks. */
struct family {
    const char *name;
    bool heads;
};

static const struct family families[] = {
    { "bert", true },   { "clip", false },       { "deberta-v2", true }, { "gemma", true },
    { "gemma2", true }, { "gemma3_text", true }, { "gpt2", true },       { "gpt_neox", true },
    { "llama", true },  { "mistral", true },     { "mixtral", true },    { "opt", true },
    { "phi", true },    { "phi3", true },        { "qwen2", true },      { "qwen2_moe", true },
    { "qwen3", true },  { "qwen3_moe", true },   { "roberta", true },    { "t5", false },
    { "vit", true },    { "whisper", false },
};

static void test_family(void **state)
{
    const struct family *f = *state;
    char dir[128];

    made_family(&pipe_, f->name, f->name, (struct recipe){ 11, 12, 0, 1, 0, WB_DTYPE_BF16 });
    snprintf(dir, sizeof dir, "%s/%s", pipe_.dir, f->name);
    check_permuted(dir, f->heads);
}

static void test_wrong_key(void **state)
{
    struct wb_err err;

    (void)state;
    assert_null(pipe_run(
        &pipe_,
        "local m = wb.protect(\"permute\", wb.open \"tests/data/zoo/math\", {key = \"one\"})\n"
        "return wb.protect(\"permute\", m, {unlock = true, key = \"two\"})",
        &err));
    assert_non_null(strstr(err.msg, "another key"));
}

int main(void)
{
    enum { FAMILIES = sizeof families / sizeof families[0] };
    struct CMUnitTest tests[FAMILIES + 2];
    size_t n = 0;
    int failed;

    for (size_t i = 0; i < FAMILIES; i++)
        tests[n++] = (struct CMUnitTest){ families[i].name, test_family, NULL, NULL,
                                          (void *)(uintptr_t)&families[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_trained);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_wrong_key);
    if (!pipe_open(&pipe_))
        return 1;
    failed = _cmocka_run_group_tests("permute", tests, n, NULL, NULL);
    pipe_close(&pipe_);
    return failed;
}
