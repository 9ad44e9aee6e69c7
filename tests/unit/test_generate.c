/* tests/unit/test_generate.c - tokens drawn as the model's distribution says, and tasks decoded as a generation would. */
#include "app/infer/generate.h"
#include "app/infer/score.h"
#include "tests/golden/made.h"

#define ZOO "tests/data/zoo/"
#define PROMPT "The old man looked at his wife and said"
#define LOGPROB_NEAR 1e-3 /* one token at a time against all at once */

static struct pipe pipe_;
static struct wb_net *net;
static struct wb_tokenizer *tokenizer;

static struct wb_generation generate(const char *prompt, struct wb_generate_how how)
{
    struct wb_generation g;
    struct wb_err err = { 0 };

    if (!wb_generate(net, tokenizer, prompt, &how, &g, &err))
        fail_msg("%s", err.msg);
    return g;
}

/* Log of the probability of every token behind `text`; owned. */
static double *distribution(const char *text)
{
    struct wb_tokens ids = { 0 };
    size_t width = wb_net_logits_width(net), hidden = (size_t)wb_net_spec(net)->hidden,
           start[2] = { 0 };
    struct wb_rows rows = { .start = start, .sequences = 1 };
    double *log_p = calloc(width, sizeof *log_p), sum = 0;
    float *state, *logits = calloc(width, sizeof *logits);
    struct wb_err err;

    assert_true(wb_tokens_add(&ids, wb_tokenizer_bos(tokenizer), &err));
    assert_true(wb_tokenizer_encode(tokenizer, text, strlen(text), false, &ids, &err));
    rows.token = ids.id;
    start[1] = ids.count;
    state = calloc(ids.count * hidden, sizeof *state);
    assert_true(wb_net_run(net, &rows, NULL, state, &err));
    assert_true(wb_net_logits(net, state + (ids.count - 1) * hidden, 1, logits, &err));
    for (size_t i = 0; i < width; i++)
        sum += exp((double)logits[i]);
    for (size_t i = 0; i < width; i++)
        log_p[i] = (double)logits[i] - log(sum);
    free(state);
    free(logits);
    wb_tokens_free(&ids);
    return log_p;
}

static size_t likeliest(const double *log_p)
{
    size_t best = 0;

    for (size_t i = 1; i < wb_net_logits_width(net); i++)
        best = log_p[i] > log_p[best] ? i : best;
    return best;
}

static void test_one_token(void **state)
{
    struct wb_generation g = generate(PROMPT, (struct wb_generate_how){ .tokens = 1, .top_p = 1 });
    double *log_p = distribution(PROMPT), entropy = 0;

    (void)state;
    for (size_t i = 0; i < wb_net_logits_width(net); i++)
        entropy -= exp(log_p[i]) * log_p[i];
    assert_int_equal(g.tokens, 1);
    assert_int_equal(g.prompt_tokens, 13);
    assert_int_equal(g.token[0].id, likeliest(log_p));
    assert_int_equal(g.token[0].top[0], g.token[0].id);
    assert_true(fabs(g.token[0].logprob - log_p[g.token[0].id]) < LOGPROB_NEAR);
    assert_true(fabs(g.token[0].entropy - entropy) < LOGPROB_NEAR);
    for (int i = 1; i < WB_GENERATE_TOP; i++) {
        size_t better = 0;

        assert_true(g.token[0].top_logprob[i] <= g.token[0].top_logprob[i - 1]);
        assert_true(fabs(g.token[0].top_logprob[i] - log_p[g.token[0].top[i]]) < LOGPROB_NEAR);
        for (size_t k = 0; k < wb_net_logits_width(net); k++)
            better += log_p[k] > log_p[g.token[0].top[i]] + LOGPROB_NEAR;
        assert_true(better <= (size_t)i);
    }
    free(log_p);
    wb_generation_free(&g);
}

/* Shares of many seeds against those that temperature, top_k and top_p leave. */
static void check_draws(struct wb_generate_how how, const double *log_p)
{
    enum { DRAWS = 200, MOST = 1536 };
    static double share[MOST];
    static int drawn[MOST];
    size_t order[MOST], width = wb_net_logits_width(net), kept = 0;
    double all = 0, sum = 0;

    for (size_t i = 0; i < width; i++) {
        size_t at = i;

        for (; at > 0 && log_p[order[at - 1]] < log_p[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
        drawn[i] = 0;
        share[i] = 0;
    }
    for (size_t i = 0; i < width && (how.top_k == 0 || i < (size_t)how.top_k); i++)
        all += exp(log_p[order[i]] / how.temperature);
    while (kept < width && (how.top_k == 0 || kept < (size_t)how.top_k) &&
           (kept == 0 || sum < how.top_p * all)) {
        share[order[kept]] = exp(log_p[order[kept]] / how.temperature);
        sum += share[order[kept++]];
    }
    for (how.seed = 0; how.seed < DRAWS; how.seed++) {
        struct wb_generation g = generate(PROMPT, how);

        drawn[g.token[0].id]++;
        wb_generation_free(&g);
    }
    for (size_t i = 0; i < width; i++) {
        double p = share[i] / sum, sigma = sqrt(DRAWS * p * (1 - p));

        if (share[i] == 0 && drawn[i] > 0)
            fail_msg("token %zu was drawn and is not among the %zu", i, kept);
        if (fabs(drawn[i] - DRAWS * p) > 5 * sigma + 1)
            fail_msg("token %zu was drawn %d times of %d, its share is %g", i, drawn[i], DRAWS, p);
    }
}

static void test_draws(void **state)
{
    double *log_p = distribution(PROMPT);

    (void)state;
    check_draws((struct wb_generate_how){ .tokens = 1, .temperature = 1, .top_p = 1 }, log_p);
    check_draws((struct wb_generate_how){ .tokens = 1, .temperature = 2, .top_k = 4, .top_p = 1 },
                log_p);
    check_draws((struct wb_generate_how){ .tokens = 1, .temperature = 1, .top_p = 0.5 }, log_p);
    check_draws(
        (struct wb_generate_how){ .tokens = 1, .temperature = 0.7, .top_k = 10, .top_p = 0.8 },
        log_p);
    check_draws((struct wb_generate_how){ .tokens = 1, .temperature = 1, .top_p = 0 }, log_p);
    free(log_p);
}

struct heard {
    struct wb_str text;
    size_t tokens, stop;
};

static bool hear(void *ctx, const struct wb_generated *token, const char *text)
{
    struct heard *h = ctx;

    (void)token;
    wb_str_add(&h->text, text);
    return ++h->tokens != h->stop;
}

static void test_stream(void **state)
{
    struct heard heard = { .stop = SIZE_MAX };
    struct wb_generate_how how = {
        .tokens = 40, .temperature = 1, .top_p = 1, .seed = 7, .token = hear, .ctx = &heard
    };
    struct wb_generation g = generate(PROMPT, how), part;

    (void)state;
    assert_int_equal(heard.tokens, g.tokens);
    assert_int_equal(g.tokens, 40);
    assert_string_equal(heard.text.text, g.text);
    wb_str_free(&heard.text);
    heard = (struct heard){ .stop = 5 };
    part = generate(PROMPT, how);
    assert_int_equal(part.tokens, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(part.token[i].id, g.token[i].id);
    assert_memory_equal(part.text, g.text, strlen(part.text));
    wb_str_free(&heard.text);
    wb_generation_free(&part);
    wb_generation_free(&g);
}

/* Each token is the likeliest behind all before it, worked out anew. */
static void test_past(void **state)
{
    struct wb_generation g =
        generate("37+25=", (struct wb_generate_how){ .tokens = 12, .top_p = 1 });
    struct wb_str text = { 0 };

    (void)state;
    wb_str_add(&text, "37+25=");
    for (size_t i = 0; i < g.tokens; i++) {
        double *log_p = distribution(text.text);
        char *more;
        size_t bytes;
        struct wb_err err;

        assert_true(log_p[likeliest(log_p)] - log_p[g.token[i].id] < LOGPROB_NEAR);
        assert_true(fabs(g.token[i].logprob - log_p[g.token[i].id]) < LOGPROB_NEAR);
        more = wb_tokenizer_decode(tokenizer, &g.token[i].id, 1, true, &bytes, &err);
        wb_str_add(&text, more);
        free(more);
        free(log_p);
    }
    wb_str_free(&text);
    wb_generation_free(&g);
}

/* What tasks say is what greedy generation says up to the newline, right or wrong. */
static void test_tasks(void **state)
{
    static const char *const lines =
        "{\"prompt\": \"3+4=\", \"answer\": \"7\"}\n{\"prompt\": \"37+25=\", \"answer\": \"62\"}\n"
        "{\"prompt\": \"2+2=\", \"answer\": \"4\"}\n{\"prompt\": \"2+2=\", \"answer\": \"5\"}\n"
        "{\"prompt\": \"2+2=\", \"answer\": \"\"}\n{\"prompt\": \"2+2=\", \"answer\": \"4 or "
        "so\"}\n"
        "{\"prompt\": \"Chapter\", \"answer\": \"1\"}\n";
    struct wb_task_set set;
    struct wb_task_score with, without;
    struct wb_err err = { 0 };
    char path[200], *answer[7];
    uint64_t exact = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/tasks.jsonl", pipe_.dir);
    assert_true(wb_write_file(path, lines, strlen(lines), &err));
    assert_true(wb_task_set_read(path, 0, &set, &err));
    assert_int_equal(set.items, 7);
    assert_true(wb_score_tasks(net, tokenizer, &set, NULL, NULL, answer, &with, &err));
    assert_true(wb_score_tasks(net, tokenizer, &set, NULL, NULL, NULL, &without, &err));
    for (size_t i = 0; i < set.items; i++) {
        struct wb_generation g = generate(
            set.item[i].prompt,
            (struct wb_generate_how){ .tokens = 100, .top_p = 1, .stop_at_newline = true });

        if (strlen(g.text) < 100) /* it came to an end */
            assert_string_equal(answer[i], g.text);
        exact += strcmp(g.text, set.item[i].answer) == 0;
        wb_generation_free(&g);
        free(answer[i]);
    }
    assert_int_equal(with.exact, exact);
    assert_int_equal(without.exact, exact);
    assert_true(exact > 0 && exact < 7);
    assert_true(with.answer_nll == without.answer_nll);
    wb_task_set_free(&set);
}

static void test_refused(void **state)
{
    struct wb_generate_how how = { .tokens = 3, .top_p = 1 };
    struct wb_generation g;
    struct wb_err err = { 0 };

    (void)state;
    assert_false(wb_generate(net, tokenizer, "no \xff text", &how, &g, &err));
    assert_int_equal(err.code, WB_EFORMAT);
    how.tokens = 0;
    g = generate("The", how);
    assert_int_equal(g.tokens, 0);
    assert_string_equal(g.text, "");
    wb_generation_free(&g);
}

static int setup(void **state)
{
    struct wb_err err = { 0 };
    struct wb_model *model;

    (void)state;
    if (!pipe_open(&pipe_))
        return -1;
    model = wb_model_open(ZOO "base", pipe_.set, &err);
    net = model == NULL ? NULL : wb_net_open(model, NULL, &pipe_.how, &err);
    tokenizer = net == NULL ? NULL : wb_tokenizer_open(ZOO "base", &err);
    wb_model_unref(model);
    if (tokenizer == NULL)
        printf("%s\n", err.msg);
    return tokenizer != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wb_tokenizer_free(tokenizer);
    wb_net_close(net);
    pipe_close(&pipe_);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_token), cmocka_unit_test(test_draws),
        cmocka_unit_test(test_stream),    cmocka_unit_test(test_past),
        cmocka_unit_test(test_tasks),     cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
