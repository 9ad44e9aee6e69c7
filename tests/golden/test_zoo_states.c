/* tests/golden/test_zoo_states.c - how alike the states of trained models are, against figures of an
 * independent implementation over the same tokens. */
#include "tests/golden/zoo_net.h"

#include "app/probe/states.h"

#define TOLERANCE 1e-4 /* absolute, of shares and cosines: float32 sums in another order */

static struct wb_states states_of(struct wb_net *net, const struct wb_rows *rows, size_t rows_max)
{
    struct wb_states s;
    struct wb_err err;

    if (!wb_states_run(net, rows, rows_max, NULL, NULL, &s, &err))
        fail_msg("%s", err.msg);
    return s;
}

static void check(const char *model, const struct wb_states *s, size_t rows)
{
    double cosine[64];
    size_t n = (size_t)s->layers + 1;

    assert_int_equal(s->rows, rows);
    assert_int_equal(s->cka_rows, rows);
    assert_int_equal(s->zero_rows, 0);
    assert_int_equal(s->nonfinite_rows, 0);
    for (size_t l = 0; l + 1 < n; l++)
        cosine[l] = s->matrix[WB_STATE_COSINE][l * n + l + 1];
    zoo_near(model, "block_cosine", cosine, zoo_figure(model, "block_cosine"), 1, TOLERANCE);
    zoo_near(model, "block_influence", s->influence, zoo_figure(model, "block_influence"), 1,
             TOLERANCE);
    zoo_near(model, "cka", s->matrix[WB_STATE_CKA], zoo_figure(model, "cka"), n, TOLERANCE);
}

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < ZOO_MODELS; i++) {
        struct wb_net *net = zoo_open(zoo_models[i].path, 2);
        struct wb_states s = states_of(net, &zoo.rows, 0);

        check(zoo_models[i].figures, &s, ZOO_WINDOWS * ZOO_WINDOW);
        wb_states_free(&s);
        wb_net_close(net);
    }
}

/* Every window twice: the same figures, by sums of products instead of Gram matrices of rows. */
static void test_many_rows(void **state)
{
    static int32_t token[2 * ZOO_WINDOWS * ZOO_WINDOW];
    size_t start[2 * ZOO_WINDOWS + 1];
    struct wb_rows rows = { .token = token, .start = start, .sequences = 2 * ZOO_WINDOWS };
    struct wb_net *net = zoo_open(ZOO "base", 2);
    struct wb_states s;

    (void)state;
    for (size_t i = 0; i <= 2 * ZOO_WINDOWS; i++)
        start[i] = i * ZOO_WINDOW;
    memcpy(token, zoo.token, sizeof zoo.token);
    memcpy(token + ZOO_WINDOWS * ZOO_WINDOW, zoo.token, sizeof zoo.token);
    s = states_of(net, &rows, 0);
    check("base", &s, 2 * ZOO_WINDOWS * ZOO_WINDOW);
    wb_states_free(&s);
    wb_net_close(net);
}

static bool same(const double *a, const double *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

static void test_threads(void **state)
{
    struct wb_net *one = zoo_open(ZOO "base", 1), *many = zoo_open(ZOO "base", 5);
    struct wb_states a = states_of(one, &zoo.rows, 700), b = states_of(many, &zoo.rows, 700);
    size_t n = (size_t)a.layers + 1;

    (void)state;
    assert_int_equal(a.cka_rows, 700);
    for (int m = 0; m < 3; m++)
        assert_true(same(a.matrix[m], b.matrix[m], n * n));
    assert_true(same(a.influence, b.influence, n - 1));
    assert_true(same(a.relative_step, b.relative_step, n - 1));
    assert_true(same(a.norm, b.norm, n));
    wb_states_free(&a);
    wb_states_free(&b);
    wb_net_close(one);
    wb_net_close(many);
}

/* Weights that come and go: passes over more at once, and the same bits. */
static void test_budget(void **state)
{
    static int32_t token[18 * ZOO_WINDOW];
    size_t start[19];
    struct wb_rows rows = { .token = token, .start = start, .sequences = 18 };
    struct wb_net *all = zoo_open_within(ZOO "base", 2, 0);
    struct wb_net *few = zoo_open_within(ZOO "base", 2, 300000);
    struct wb_states a, b;

    (void)state;
    for (size_t i = 0; i <= 18; i++)
        start[i] = i * ZOO_WINDOW;
    for (size_t i = 0; i < 18 * ZOO_WINDOW; i++)
        token[i] = zoo.token[i * 3 % (ZOO_WINDOWS * ZOO_WINDOW)];
    assert_true(wb_weights_resident(wb_net_weights(all)));
    assert_false(wb_weights_resident(wb_net_weights(few)));
    a = states_of(all, &rows, 0);
    b = states_of(few, &rows, 0);
    assert_int_equal(a.cka_rows, 18 * ZOO_WINDOW);
    for (int m = 0; m < 3; m++)
        assert_true(same(a.matrix[m], b.matrix[m], 81));
    assert_true(same(a.relative_step, b.relative_step, 8));
    assert_true(same(a.norm, b.norm, 9));
    wb_states_free(&a);
    wb_states_free(&b);
    wb_net_close(all);
    wb_net_close(few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_budget),
    };

    return cmocka_run_group_tests(tests, zoo_setup, zoo_teardown);
}
