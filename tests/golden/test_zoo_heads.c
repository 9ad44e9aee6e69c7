/* tests/golden/test_zoo_heads.c - attention heads of trained models, against figures of an independent
 * implementation over the same tokens; and what has to hold whatever the weights. */
#include "tests/golden/zoo_net.h"

#include "app/probe/heads.h"

#define TOLERANCE 1e-4     /* of entropies, nats: float32 scores in another order */
#define FAR_TOLERANCE 1e-3 /* of distances: tokens, up to 127, so 1e-5 of the range */

static struct wb_heads heads_of(struct wb_net *net, const struct wb_rows *rows,
                                struct wb_heads_how how)
{
    struct wb_heads h;
    struct wb_err err;

    if (!wb_heads_run(net, rows, &how, &h, &err))
        fail_msg("%s", err.msg);
    return h;
}

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZOO_MODELS; i++) {
        struct wb_net *net = zoo_open(zoo_models[i].path, 2);
        struct wb_heads h = heads_of(net, &zoo.rows, (struct wb_heads_how){ .text = true });
        const char *model = zoo_models[i].figures;

        assert_int_equal(h.rows, ZOO_WINDOWS * ZOO_WINDOW);
        assert_false(h.nonfinite);
        zoo_near(model, "entropy", h.stat[WB_HEAD_entropy],
                 zoo_figure(model, "attention_entropy_nats"), (size_t)h.heads, TOLERANCE);
        zoo_near(model, "distance", h.stat[WB_HEAD_distance],
                 zoo_figure(model, "attention_distance"), (size_t)h.heads, FAR_TOLERANCE);
        wb_heads_free(&h);
        wb_net_close(net);
    }
}

static const struct wb_heads_how everything = { .text = true,
                                                .repeated = true,
                                                .weights = true,
                                                .composition = true,
                                                .retrieval = true,
                                                .seed = 7 };

static void print_all(const struct wb_heads *h)
{
    for (int s = 0; s < WB_HEAD_STAT_COUNT; s++) {
        printf("%-16s", wb_head_stat_info((enum wb_head_stat)s)->name);
        for (int i = 0; h->stat[s] != NULL && i < h->layers * h->heads; i++)
            printf("%s%.3g", i % h->heads == 0 ? " | " : " ", h->stat[s][i]);
        printf("\n");
    }
}

/* Compositions may be below what chance gives. */
static bool in_range(double x, enum wb_head_stat stat)
{
    const struct wb_head_stat_info *info = wb_head_stat_info(stat);
    double low = strstr(info->name, "composition") != NULL ? -0.5 : info->low;

    return isnan(x) || info->low == info->high || (x >= low - 1e-6 && x <= info->high + 1e-6);
}

static void test_ranges(void **state)
{
    struct wb_net *net = zoo_open(ZOO "base", 2);
    struct wb_heads h = heads_of(net, &zoo.rows, everything);

    (void)state;
    if (getenv("WB_FIGURES") != NULL)
        print_all(&h);
    for (int s = 0; s < WB_HEAD_STAT_COUNT; s++) {
        const struct wb_head_stat_info *info = wb_head_stat_info((enum wb_head_stat)s);

        assert_non_null(h.stat[s]);
        assert_int_equal(wb_head_stat_find(info->name), s);
        for (int i = 0; i < h.layers * h.heads; i++)
            if (!in_range(h.stat[s][i], (enum wb_head_stat)s))
                fail_msg("%s [%d]: %g", info->name, i, h.stat[s][i]);
    }
    wb_heads_free(&h);
    wb_net_close(net);
}

/* NaN where both are is the same. */
static bool same(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i]))))
            return false;
    return true;
}

/* One thread and weights that stay, or five and weights that come and go. */
static void test_threads(void **state)
{
    static int32_t token[18 * ZOO_WINDOW]; /* more than a batch */
    size_t start[18 + 1];
    struct wb_rows rows = { .token = token, .start = start, .sequences = 18 };
    struct wb_net *one = zoo_open(ZOO "base", 1);
    struct wb_net *many = zoo_open_within(ZOO "base", 5, 300000);
    struct wb_heads a, b;
    size_t n;

    (void)state;
    for (size_t i = 0; i <= 18; i++)
        start[i] = i * ZOO_WINDOW;
    for (size_t i = 0; i < 18 * ZOO_WINDOW; i++)
        token[i] = zoo.token[i * 5 % (ZOO_WINDOWS * ZOO_WINDOW)];
    a = heads_of(one, &rows, everything);
    b = heads_of(many, &rows, everything);
    n = (size_t)a.layers * (size_t)a.heads;
    for (int s = 0; s < WB_HEAD_STAT_COUNT; s++)
        if (!same(a.stat[s], b.stat[s], n))
            fail_msg("%s depends on threads or memory",
                     wb_head_stat_info((enum wb_head_stat)s)->name);
    wb_heads_free(&a);
    wb_heads_free(&b);
    wb_net_close(one);
    wb_net_close(many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, zoo_setup, zoo_teardown);
}
