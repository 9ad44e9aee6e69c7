/* tests/golden/test_heads_families.c - heads and states of tiny models of every family: laws they hold,
 * and values' rows, whatever way a family keeps them, against what heads read. */
#include "tests/golden/heads_made.h"

/* --- every family ----------------------------------------------------------------------------- */

/* What linear layers of layer 0 read. */
struct caught {
    float *normed, *heads; /* of 2 sequences of one token, or images */
    size_t hidden, width;
};

static bool catch_input(void *ctx, int layer, const char *role, size_t first, size_t rows,
                        size_t width, const float *x, struct wb_err *err)
{
    struct caught *c = ctx;
    float **to = strcmp(role, "q") == 0 ? &c->normed : strcmp(role, "o") == 0 ? &c->heads : NULL;

    (void)err;
    if (layer != 0 || to == NULL)
        return true;
    assert_int_equal(first, 0);
    assert_int_equal(rows, 2);
    *to = malloc(rows * width * sizeof **to);
    assert_non_null(*to);
    memcpy(*to, x, rows * width * sizeof *x);
    *(to == &c->normed ? &c->hidden : &c->width) = width;
    return true;
}

/* A head that sees one token reads its values: between two tokens (biases are gone), values' rows
 * with the norm folded in on the states before that norm. */
static void check_values(const char *name, struct wb_net *net)
{
    const struct wb_spec *spec = wb_net_spec(net);
    struct wb_heads_run r = { .net = net,
                              .spec = spec,
                              .heads = (size_t)spec->heads,
                              .kv_heads = (size_t)spec->kv_heads,
                              .group = (size_t)(spec->heads / spec->kv_heads),
                              .head_dim = (size_t)spec->head_dim,
                              .hidden = (size_t)spec->hidden };
    static const int32_t token[2] = { 5, 11 };
    static const size_t start[3] = { 0, 1, 2 };
    struct wb_rows rows = { .token = token, .start = start, .sequences = 2 };
    struct caught c = { 0 };
    struct wb_net_taps taps = { .ctx = &c, .input = catch_input };
    struct wb_head_factors f;
    struct wb_err err;
    const float *gain;

    if (!wb_net_run(net, &rows, &taps, NULL, &err))
        fail_msg("%s: %s", name, err.msg);
    assert_true(wb_head_factors_of(&r, 0, &f, &err));
    gain = wb_weights_layer(wb_net_weights(net), 0, &err)->attn_norm.weight;
    if (spec->block == WB_BLOCK_POST)
        gain = NULL;
    for (size_t i = 0; i < c.width; i++) {
        size_t head = i / r.head_dim, row = head / r.group * r.head_dim + i % r.head_dim;
        double want = (double)c.heads[i] - (double)c.heads[c.width + i], got = 0, size = 1e-3;

        for (size_t j = 0; j < c.hidden; j++) {
            double x = (double)c.normed[j] - (double)c.normed[c.hidden + j];
            double by = gain == NULL                         ? 1
                        : spec->norm == WB_NORM_RMS_PLUS_ONE ? (double)gain[j] + 1
                                                             : (double)gain[j];

            got += (double)f.v[row * c.hidden + j] * x / by;
            size += fabs((double)f.v[row * c.hidden + j] * x / by);
        }
        if (!(fabs(got - want) <= 1e-5 * size))
            fail_msg("%s: value %zu: got %g, want %g", name, i, got, want);
    }
    wb_head_factors_free(&f);
    free(c.normed);
    free(c.heads);
}

/* Compositions may be below what chance gives. */
static bool in_range(double x, enum wb_head_stat stat)
{
    const struct wb_head_stat_info *info = wb_head_stat_info(stat);
    double low = strstr(info->name, "composition") != NULL ? -0.5 : info->low;

    return isnan(x) || info->low == info->high || (x >= low - 1e-6 && x <= info->high + 1e-6);
}

static void check_family(const char *name, const char *stack, bool vision)
{
    static float image[16 * 3 * 64 * 64];
    char path[200];
    struct wb_net *net;
    struct wb_heads h;
    struct wb_states s;
    struct wb_err err;
    struct text t;

    snprintf(path, sizeof path, TINY "%s", name);
    net = net_of(model_of(path), stack, 2);
    make_text(&t, 3, 14, wb_net_spec(net)->vocab > 0 ? wb_net_spec(net)->vocab : 1);
    for (size_t i = 0; i < sizeof image / sizeof image[0]; i++)
        image[i] = (float)(i * 37 % 101) / 50 - 1;
    if (vision)
        t.rows = (struct wb_rows){ .image = image, .sequences = 3 };
    h = heads_of(net, &t.rows,
                 (struct wb_heads_how){ .text = true,
                                        .repeated = true,
                                        .retrieval = true,
                                        .weights = true,
                                        .composition = true,
                                        .top = 4,
                                        .local = 3 });
    assert_false(h.nonfinite);
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        for (int a = 0; a < h.layers * h.heads; a++)
            if (!in_range(h.stat[i][a], (enum wb_head_stat)i))
                fail_msg("%s: %s [%d]: %g", name, wb_head_stat_info((enum wb_head_stat)i)->name, a,
                         h.stat[i][a]);
    for (int a = 0; a < h.layers * h.heads; a++) {
        assert_true(h.stat[WB_HEAD_entropy][a] > 0);
        assert_true(h.stat[WB_HEAD_write_norm][a] > 0);
        assert_true(h.stat[WB_HEAD_positional][a] > 0);
        assert_true(h.stat[WB_HEAD_qk_spectral][a] <= h.stat[WB_HEAD_qk_norm][a] * (1 + 1e-9));
        assert_true(h.stat[WB_HEAD_ov_spectral][a] <= h.stat[WB_HEAD_ov_norm][a] * (1 + 1e-9));
    }
    if (!wb_states_run(net, &t.rows, 0, NULL, NULL, &s, &err))
        fail_msg("%s: %s", name, err.msg);
    assert_int_equal(s.nonfinite_rows, 0);
    for (int l = 0; l < s.layers; l++)
        assert_true(s.influence[l] > 0 && s.influence[l] < 2);
    if (!vision)
        check_values(name, net);
    wb_states_free(&s);
    wb_heads_free(&h);
    wb_net_close(net);
}

static void test_families(void **state)
{
    struct wb_err err;
    cJSON *list = wb_json_parse_file(TINY "models.json", 1 << 20, &err);
    const cJSON *entry;

    (void)state;
    assert_non_null(list);
    cJSON_ArrayForEach(entry, list) {
        const char *name = wb_json_text(entry, "name", ""), *kind = wb_json_text(entry, "kind", "");

        if (strcmp(kind, "clip") == 0) {
            check_family(name, "vision", true);
            check_family(name, "text", false);
        } else {
            check_family(name, strcmp(kind, "clip_text") == 0 ? "text" : NULL,
                         strcmp(kind, "vision") == 0);
        }
    }
    cJSON_Delete(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_families) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
