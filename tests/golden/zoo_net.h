/* tests/golden/zoo_net.h - trained models ready to run, and the text their figures are of. */
#ifndef WB_TEST_ZOO_NET_H
#define WB_TEST_ZOO_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/infer/forward.h"
#include "lua/bind/families.h"
#include "tests/golden/widened.h"

#define ZOO "tests/data/zoo/"
#define ZOO_FIGURES "tests/data/goldens/zoo/golden.json"
#define ZOO_WINDOWS 8
#define ZOO_WINDOW 128 /* tokens of each of stats_tokens, <s> included */

/* A model and the name of its figures. */
struct zoo_model {
    const char *path, *figures;
};

static const struct zoo_model zoo_models[] = {
    { ZOO "base", "base" },
    { ZOO "math", "math" },
    { ZOO "german", "german" },
    { ZOO "code", "code" },
    { ZOO "kjv", "kjv" },
    { ZOO "base-b", "base-b" },
    { ZOO "base-sharded", "base" },
    { ZOO "base+" ZOO "lora-math", "lora-math" },
    { ZOO "base+" ZOO "lora-code", "lora-code" },
};
#define ZOO_MODELS (sizeof zoo_models / sizeof zoo_models[0])

struct zoo {
    struct wb_arch_set *set;
    cJSON *figures;
    int32_t token[ZOO_WINDOWS * ZOO_WINDOW];
    size_t start[ZOO_WINDOWS + 1];
    struct wb_rows rows; /* of them */
};

static struct zoo zoo;

static inline int zoo_setup(void **state)
{
    const char *dir = "lua/arch";
    const cJSON *window, *id;
    struct wb_err err;
    size_t n = 0, windows = 0;

    (void)state;
    zoo.set = wb_arch_set_new();
    assert_non_null(zoo.set);
    if (!wb_families_load(zoo.set, &dir, 1, &err))
        fail_msg("%s", err.msg);
    zoo.figures = wb_json_parse_file(ZOO_FIGURES, 1 << 24, &err);
    if (zoo.figures == NULL)
        fail_msg("%s", err.msg);
    cJSON_ArrayForEach(window, cJSON_GetObjectItem(zoo.figures, "stats_tokens")) {
        assert_true(windows < ZOO_WINDOWS);
        cJSON_ArrayForEach(id, window)
            zoo.token[n++] = (int32_t)id->valuedouble;
        zoo.start[++windows] = n;
    }
    assert_int_equal(n, ZOO_WINDOWS * ZOO_WINDOW);
    zoo.rows = (struct wb_rows){ .token = zoo.token, .start = zoo.start, .sequences = ZOO_WINDOWS };
    return 0;
}

static inline int zoo_teardown(void **state)
{
    (void)state;
    cJSON_Delete(zoo.figures);
    wb_arch_set_free(zoo.set);
    return 0;
}

/* budget: bytes for weights; 0: enough. */
static inline struct wb_net *zoo_open_within(const char *path, int threads, size_t budget)
{
    struct wb_err err;
    struct wb_model *model = wb_model_open(path, zoo.set, &err);
    struct wb_eval how = { .threads = threads, .budget_bytes = budget };
    struct wb_net *net;

    if (model == NULL)
        fail_msg("%s", err.msg);
    if (strchr(path, '+') != NULL)
        model = widened(model);
    net = wb_net_open(model, NULL, &how, &err);
    if (net == NULL)
        fail_msg("%s", err.msg);
    wb_model_unref(model);
    return net;
}

static inline struct wb_net *zoo_open(const char *path, int threads)
{
    return zoo_open_within(path, threads, 0);
}

static inline const cJSON *zoo_figure(const char *model, const char *key)
{
    const cJSON *of = cJSON_GetObjectItem(cJSON_GetObjectItem(zoo.figures, "llama"), model);
    const cJSON *figure = cJSON_GetObjectItem(of, key);

    if (figure == NULL)
        fail_msg("%s has no %s", model, key);
    return figure;
}

/* n numbers against an array of them, or of arrays of `columns`. */
static inline void zoo_near(const char *model, const char *what, const double *got,
                            const cJSON *want, size_t columns, double tolerance)
{
    const cJSON *row, *x;
    double worst = 0;
    size_t i = 0;

    cJSON_ArrayForEach(row, want) {
        size_t c = 0;

        for (x = columns > 1 ? row->child : row; x != NULL && c < columns; x = x->next, c++, i++) {
            worst = fmax(worst, fabs(got[i] - x->valuedouble));
            if (!(fabs(got[i] - x->valuedouble) <= tolerance))
                fail_msg("%s: %s [%zu]: got %.9g, want %.9g", model, what, i, got[i],
                         x->valuedouble);
        }
    }
    assert_true(i > 0);
    if (getenv("WB_FIGURES") != NULL)
        print_message("%s %s: %zu figures, worst %.1e\n", model, what, i, worst);
}

#endif
