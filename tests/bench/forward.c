/* tests/bench/forward.c - the forward pass against the clock.
 *
 * usage: forward score MODEL WINDOWS LENGTH ROUNDS
 *        forward embed MODEL LINES OUT ROUNDS
 *        forward stream MODEL TOKENS
 *
 * score: the loss of made-up tokens ((7919 i + 13) mod vocabulary; there is no BOS) in windows of
 * LENGTH, best of ROUNDS: "seconds tokens nll". embed: embeddings of the lines of a file, their
 * tokens made once before: "seconds sentences tokens"; OUT gets them as raw float32 rows. stream:
 * greedy generation token by token, against reading the packed weights once with as many threads:
 * "seconds_a_token seconds_of_reading bytes". Two threads, weights in memory before the clock
 * starts. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/graph/dense.h"
#include "app/infer/forward.h"
#include "app/infer/rowwise.h"
#include "app/infer/tokenizer.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

#define THREADS 2
#define BUDGET ((uint64_t)8 << 30)
#define LOGIT_ROWS 256
#define FILE_MAX ((size_t)64 << 20)

static struct wb_eval how = { .threads = THREADS, .budget_bytes = BUDGET };

static int failed(const struct wb_err *err)
{
    fprintf(stderr, "forward: %s\n", err->msg);
    return 1;
}

static void *memory(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    if (p == NULL) {
        fputs("forward: no memory\n", stderr);
        exit(1);
    }
    return p;
}

/* --- score ------------------------------------------------------------------------------------ */

static bool score(struct wb_net *net, const struct wb_rows *rows, float *state, float *logits,
                  double *nll, struct wb_err *err)
{
    size_t total = rows->start[rows->sequences], width = wb_net_logits_width(net), n = 0;
    size_t d = (size_t)wb_net_spec(net)->hidden, length = rows->start[1];

    *nll = 0;
    if (!wb_net_run(net, rows, NULL, state, err))
        return false;
    for (size_t row = 0; row < total; row += LOGIT_ROWS) {
        size_t many = total - row < LOGIT_ROWS ? total - row : LOGIT_ROWS;

        if (!wb_net_logits(net, state + row * d, many, logits, err))
            return false;
        for (size_t i = row; i < row + many; i++)
            if ((i + 1) % length != 0) {
                const float *l = logits + (i - row) * width;

                *nll += wb_log_sum_exp(width, l) - (double)l[rows->token[i + 1]];
                n++;
            }
    }
    *nll /= (double)n;
    return true;
}

static int run_score(struct wb_net *net, char **arg)
{
    size_t windows = strtoul(arg[0], NULL, 10), length = strtoul(arg[1], NULL, 10);
    size_t rounds = strtoul(arg[2], NULL, 10), total = windows * length;
    int32_t *token = memory(total, sizeof *token);
    size_t *start = memory(windows + 1, sizeof *start);
    float *state = memory(total * (size_t)wb_net_spec(net)->hidden, sizeof *state);
    float *logits = memory(LOGIT_ROWS * wb_net_logits_width(net), sizeof *logits);
    struct wb_rows rows = { .token = token, .start = start, .sequences = windows };
    double best = HUGE_VAL, nll = 0;
    struct wb_err err;

    for (size_t i = 0; i < total; i++)
        token[i] = (int32_t)((i * 7919 + 13) % (size_t)wb_net_spec(net)->vocab);
    for (size_t i = 0; i <= windows; i++)
        start[i] = i * length;
    for (size_t r = 0; r < rounds; r++) {
        double from = wb_now_seconds(), took;

        if (!score(net, &rows, state, logits, &nll, &err))
            return failed(&err);
        took = wb_now_seconds() - from;
        best = took < best ? took : best;
    }
    printf("%.4f %zu %.6f\n", best, total, nll);
    free(token);
    free(start);
    free(state);
    free(logits);
    return 0;
}

/* --- embed ------------------------------------------------------------------------------------ */

static bool tokenize(const char *dir, char *text, struct wb_tokens *tokens, size_t **start,
                     size_t *lines, struct wb_err *err)
{
    struct wb_tokenizer *t = wb_tokenizer_open(dir, err);
    bool ok = t != NULL;

    *start = memory(strlen(text) + 2, sizeof **start);
    *lines = 0;
    for (char *line = strtok(text, "\n"); ok && line != NULL; line = strtok(NULL, "\n")) {
        ok = wb_tokenizer_encode(t, line, strlen(line), true, tokens, err);
        (*start)[++*lines] = tokens->count;
    }
    wb_tokenizer_free(t);
    return ok;
}

static int run_embed(struct wb_net *net, char **arg)
{
    struct wb_tokens tokens = { 0 };
    struct wb_rows rows = { 0 };
    size_t rounds = strtoul(arg[2], NULL, 10), bytes, *start;
    double best = HUGE_VAL;
    float *state, *out;
    struct wb_err err;
    char *text = wb_read_file(arg[0], FILE_MAX, &bytes, &err);

    if (text == NULL || !tokenize(wb_model_side_dir(wb_net_model(net)), text, &tokens, &start,
                                  &rows.sequences, &err))
        return failed(&err);
    rows.token = tokens.id;
    rows.start = start;
    state = memory(tokens.count * (size_t)wb_net_spec(net)->hidden, sizeof *state);
    out = memory(rows.sequences * wb_net_embed_width(net), sizeof *out);
    for (size_t r = 0; r < rounds; r++) {
        double from = wb_now_seconds(), took;

        if (!wb_net_run(net, &rows, NULL, state, &err) ||
            !wb_net_embed(net, &rows, state, out, &err))
            return failed(&err);
        took = wb_now_seconds() - from;
        best = took < best ? took : best;
    }
    printf("%.4f %zu %zu\n", best, rows.sequences, tokens.count);
    if (!wb_write_file(arg[1], out, rows.sequences * wb_net_embed_width(net) * sizeof *out, &err))
        return failed(&err);
    free(state);
    free(out);
    free(start);
    free(text);
    wb_tokens_free(&tokens);
    return 0;
}

/* --- stream ----------------------------------------------------------------------------------- */

struct reading {
    const uint64_t *word;
    size_t words;
    uint64_t sum[THREADS];
};

static void read_share(void *ctx, int worker)
{
    struct reading *r = ctx;
    size_t from = r->words * (size_t)worker / THREADS;
    size_t to = r->words * (size_t)(worker + 1) / THREADS;
    uint64_t sum[8] = { 0 };

    for (size_t i = from; i + 8 <= to; i += 8)
        for (size_t j = 0; j < 8; j++)
            sum[j] += r->word[i + j];
    for (size_t j = 0; j < 8; j++)
        r->sum[worker] += sum[j];
}

/* Best of some: seconds to read that many bytes of memory. */
static double reading_seconds(uint64_t bytes)
{
    struct reading r = { .words = (size_t)(bytes / 8) };
    uint64_t *word = memory(r.words, sizeof *word);
    double best = HUGE_VAL;

    for (size_t i = 0; i < r.words; i++)
        word[i] = i;
    r.word = word;
    for (int k = 0; k < 7; k++) {
        double from = wb_now_seconds(), took;

        wb_parallel(THREADS, read_share, &r);
        took = wb_now_seconds() - from;
        best = took < best ? took : best;
    }
    free(word);
    return r.sum[0] == 1 ? -1 : best;
}

static int run_stream(struct wb_net *net, char **arg)
{
    size_t tokens = strtoul(arg[0], NULL, 10), start[] = { 0, 8 };
    int32_t token[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    struct wb_err err;
    struct wb_past *past = wb_past_new(net, tokens + 8, &err);
    float *state = memory(8 * (size_t)wb_net_spec(net)->hidden, sizeof *state);
    float *logits = memory(wb_net_logits_width(net), sizeof *logits);
    struct wb_rows rows = { .token = token, .start = start, .sequences = 1, .past = &past };
    uint64_t bytes = wb_weights_bytes(wb_net_weights(net));
    double from, took, best = HUGE_VAL, read = reading_seconds(bytes);

    if (past == NULL || !wb_net_run(net, &rows, NULL, state, &err))
        return failed(&err);
    start[1] = 1;
    for (size_t i = 0; i < tokens; i++) {
        from = wb_now_seconds();
        if (!wb_net_run(net, &rows, NULL, state, &err) ||
            !wb_net_logits(net, state, 1, logits, &err))
            return failed(&err);
        token[0] = (int32_t)wb_argmax(wb_net_logits_width(net), logits);
        took = wb_now_seconds() - from;
        best = took < best ? took : best;
    }
    took = reading_seconds(bytes);
    printf("%.5f %.5f %" PRIu64 "\n", best, took < read ? took : read, bytes);
    wb_past_free(past);
    free(state);
    free(logits);
    return 0;
}

int main(int argc, char **argv)
{
    struct wb_arch_set *set = wb_arch_set_new();
    char *arch = wb_path_join(wb_share_dir(), "lua/arch");
    const char *dirs[] = { arch };
    struct wb_model *model = NULL;
    struct wb_net *net = NULL;
    struct wb_err err = { 0 };
    int code = 2;

    wb_dense_start(argv);
    if (argc < 4) {
        fputs("usage: forward score|embed|stream MODEL ...\n", stderr);
        return 2;
    }
    if (set != NULL && arch != NULL && wb_families_load(set, dirs, 1, &err))
        model = wb_model_open(argv[2], set, &err);
    net = model == NULL ? NULL : wb_net_open(model, NULL, &how, &err);
    if (net == NULL)
        return failed(&err);
    if (strcmp(argv[1], "score") == 0 && argc == 6)
        code = run_score(net, argv + 3);
    else if (strcmp(argv[1], "embed") == 0 && argc == 6)
        code = run_embed(net, argv + 3);
    else if (strcmp(argv[1], "stream") == 0 && argc == 4)
        code = run_stream(net, argv + 3);
    wb_net_close(net);
    wb_model_unref(model);
    wb_arch_set_free(set);
    free(arch);
    return code;
}
