/* tests/unit/test_follow.c - what a model thinks of a text against what it thought while it made it. */
#include "app/infer/follow.h"
#include "app/infer/generate.h"
#include "tests/golden/made.h"

#define PROMPT "The old man looked at his wife and said"
#define NEAR 1e-3 /* one token at a time against all at once */

static struct pipe pipe_;
static struct wb_net *net;
static struct wb_tokenizer *tokenizer;
static struct wb_err err;

static int setup(void **state)
{
    struct wb_model *model;

    (void)state;
    if (!pipe_open(&pipe_))
        return -1;
    model = wb_model_open("tests/data/zoo/base", pipe_.set, &err);
    net = model == NULL ? NULL : wb_net_open(model, NULL, &pipe_.how, &err);
    tokenizer = net == NULL ? NULL : wb_tokenizer_open("tests/data/zoo/base", &err);
    wb_model_unref(model);
    return tokenizer == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_net_close(net);
    wb_tokenizer_free(tokenizer);
    pipe_close(&pipe_);
    return 0;
}

/* The prompt's tokens and those generated behind it. */
static size_t make(double temperature, struct wb_generation *g, struct wb_tokens *ids)
{
    struct wb_generate_how how = {
        .tokens = 100, .temperature = temperature, .top_p = 1, .seed = 3
    };

    if (!wb_generate(net, tokenizer, PROMPT, &how, g, &err))
        fail_msg("%s", err.msg);
    assert_true(wb_tokens_add(ids, wb_tokenizer_bos(tokenizer), &err));
    assert_true(wb_tokenizer_encode(tokenizer, PROMPT, strlen(PROMPT), false, ids, &err));
    assert_int_equal(ids->count, g->prompt_tokens);
    for (size_t i = 0; i < g->tokens; i++)
        assert_true(wb_tokens_add(ids, g->token[i].id, &err));
    return g->prompt_tokens;
}

static void follows(double temperature)
{
    struct wb_followed seen[100];
    struct wb_tokens ids = { 0 };
    struct wb_generation g;
    size_t from = make(temperature, &g, &ids);

    if (!wb_follow(net, ids.id, ids.count, from, seen, &err))
        fail_msg("%s", err.msg);
    for (size_t i = 0; i < g.tokens; i++) {
        assert_true(fabs(seen[i].logprob - g.token[i].logprob) < NEAR);
        assert_true(fabs(seen[i].first_logprob - g.token[i].top_logprob[0]) < NEAR);
        if (g.token[i].top_logprob[0] > g.token[i].top_logprob[1] + NEAR)
            assert_int_equal(seen[i].first, g.token[i].top[0]);
    }
    wb_tokens_free(&ids);
    wb_generation_free(&g);
}

static void test_own_text(void **state)
{
    (void)state;
    follows(0);
    follows(1);
}

static void test_ends(void **state)
{
    struct wb_followed seen[3] = { 0 };
    int32_t token[3] = { 0, 5, 7 };

    (void)state;
    assert_true(wb_follow(net, token, 3, 3, NULL, &err));
    assert_true(wb_follow(net, token, 3, 1, seen, &err));
    assert_true(seen[0].logprob <= seen[0].first_logprob && seen[1].logprob < 0);
    token[2] = 1 << 20;
    assert_false(wb_follow(net, token, 3, 1, seen, &err));
    assert_int_equal(err.code, WB_EARG);
    token[1] = -1;
    token[2] = 7;
    assert_false(wb_follow(net, token, 3, 1, seen, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_own_text),
                                        cmocka_unit_test(test_ends) };

    return cmocka_run_group_tests(tests, setup, teardown);
}
