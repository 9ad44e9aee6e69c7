/* tests/golden/heads_made.h - models and texts for tests of heads and states. */
#ifndef WB_TEST_HEADS_MADE_H
#define WB_TEST_HEADS_MADE_H

#include "tests/golden/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/core/json.h"
#include "app/infer/forward.h"
#include "app/probe/heads.h"
#include "app/probe/heads_impl.h"
#include "app/probe/states.h"
#include "app/tensor/kernels.h"

#define ZOO "tests/data/zoo/"
#define TINY "tests/data/infer/"

static struct pipe pipe_;

static inline struct wb_net *net_of(struct wb_model *model, const char *stack, int threads)
{
    struct wb_eval how = { .threads = threads };
    struct wb_err err;
    struct wb_net *net = wb_net_open(model, stack, &how, &err);

    if (net == NULL)
        fail_msg("%s", err.msg);
    wb_model_unref(model);
    return net;
}

static inline struct wb_model *model_of(const char *path)
{
    struct wb_err err;
    struct wb_model *model = wb_model_open(path, pipe_.set, &err);

    if (model == NULL)
        fail_msg("%s", err.msg);
    return model;
}

static inline struct wb_heads heads_of(struct wb_net *net, const struct wb_rows *rows,
                                       struct wb_heads_how how)
{
    struct wb_heads h;
    struct wb_err err;

    if (!wb_heads_run(net, rows, &how, &h, &err))
        fail_msg("%s", err.msg);
    return h;
}

static const struct wb_heads_how everything = { .text = true,
                                                .repeated = true,
                                                .weights = true,
                                                .composition = true,
                                                .retrieval = true,
                                                .seed = 3 };

/* Sequences of random tokens, the same length each. */
#define ROWS_MAX 1024
struct text {
    int32_t token[ROWS_MAX];
    size_t start[17];
    struct wb_rows rows;
};

static inline void make_text(struct text *t, size_t sequences, size_t length, int vocab)
{
    uint64_t stream = wb_random_stream(1, 0, "text");

    assert_true(sequences <= 16 && sequences * length <= ROWS_MAX);
    for (size_t i = 0; i < sequences * length; i++) {
        float u;

        wb_kernels()->uniform(1, stream, i, &u);
        t->token[i] = (int32_t)(u * (float)vocab);
    }
    for (size_t i = 0; i <= sequences; i++)
        t->start[i] = i * length;
    t->rows = (struct wb_rows){ .token = t->token, .start = t->start, .sequences = sequences };
}

static inline int setup(void **state)
{
    (void)state;
    return pipe_open(&pipe_) ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    pipe_close(&pipe_);
    return 0;
}

#endif
