/* tests/golden/test_forward_zoo.c - the forward pass of really trained models against logits of an
 * independent implementation (tests/data/zoo, tests/data/goldens/zoo). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "tests/golden/forward_run.h"

#define ZOO "tests/data/zoo/"
#define ZOO_GOLDENS "tests/data/goldens/zoo/"
#define CASES_MAX 20

static cJSON *zoo_figures;

/* A model and the name of its goldens. */
struct trained {
    const char *model, *golden;
};

static const struct trained texts[] = {
    { "base", "base" },
    { "math", "math" },
    { "german", "german" },
    { "code", "code" },
    { "kjv", "kjv" },
    { "base-b", "base-b" },
    { "base-sharded", "base" },
    { "base+" ZOO "lora-math", "lora-math-merged" },
    { "base+" ZOO "lora-code", "lora-code-merged" },
};

/* Those of which only a few logits are kept. */
static const struct trained few[] = { { "base-f16", "base-f16" }, { "base-f32", "base-f32" } };

static const struct trained vision[] = {
    { "vit-digits", "digits" }, { "vit-rotated", "rotated" }, { "vit-inverted", "inverted" },
    { "vit-parity", "parity" }, { "vit-digits-b", "digits" },
};

static void zoo_prompts(struct run *r, const char *figures)
{
    const cJSON *of = cJSON_GetObjectItem(cJSON_GetObjectItem(zoo_figures, "llama"), figures);
    const cJSON *prompt, *id;
    size_t n = 0;

    cJSON_ArrayForEach(prompt, cJSON_GetObjectItem(of, "prompts")) {
        assert_true(r->rows.sequences < SEQUENCES);
        cJSON_ArrayForEach(id, cJSON_GetObjectItem(prompt, "ids"))
            r->token[n++] = (int32_t)id->valuedouble;
        r->start[++r->rows.sequences] = n;
    }
    assert_int_equal(r->rows.sequences, SEQUENCES);
}

static void open_trained(struct run *r, const struct trained *m, const char *stack)
{
    char path[300];

    snprintf(path, sizeof path, ZOO "%s", m->model);
    run_open(r, m->model, path, stack);
}

/* The residual stream of the last position: behind the embedding and behind every layer. */
static void near_stream(const struct run *r, size_t i, struct figure want)
{
    size_t d = (size_t)wb_net_spec(r->net)->hidden;
    size_t layers = (size_t)wb_net_spec(r->net)->layers;
    float *got = room((layers + 1) * d, sizeof *got);

    for (size_t l = 0; l <= layers; l++)
        memcpy(got + l * d, r->state + (l * rows_of(r) + r->start[i + 1] - 1) * d, d * sizeof *got);
    near_figure(r->name, "states of the last position", got, (layers + 1) * d, want);
    free(got);
}

static void test_trained_text(void **state)
{
    const struct trained *m = *state;
    struct wb_ckpt *golden;
    struct wb_err err;
    struct run r;
    char path[300];
    size_t width;

    snprintf(path, sizeof path, ZOO_GOLDENS "%s.safetensors", m->golden);
    golden = wb_ckpt_open(path, &err);
    if (golden == NULL)
        fail_msg("%s", err.msg);
    open_trained(&r, m, NULL);
    zoo_prompts(&r, "base");
    run_all(&r);
    width = wb_net_logits_width(r.net);
    for (size_t i = 0; i < SEQUENCES; i++) {
        near_figure(m->model, "logits", r.logits + r.start[i] * width,
                    (r.start[i + 1] - r.start[i]) * width,
                    figure_of(golden, "", "logits_all.prompt%zu", i));
        near_figure(m->model, "last logits", r.logits + (r.start[i + 1] - 1) * width, width,
                    figure_of(golden, "", "logits.prompt%zu", i));
        near_stream(&r, i, figure_of(golden, "", "hidden_last.prompt%zu", i));
    }
    wb_ckpt_unref(golden);
    run_close(&r);
}

static void test_trained_few(void **state)
{
    const struct trained *m = *state;
    const cJSON *of = cJSON_GetObjectItem(cJSON_GetObjectItem(zoo_figures, "llama"), m->golden);
    const cJSON *prompt, *logit;
    size_t width, i = 0;
    struct run r;

    open_trained(&r, m, NULL);
    zoo_prompts(&r, m->golden);
    run_all(&r);
    width = wb_net_logits_width(r.net);
    cJSON_ArrayForEach(prompt, cJSON_GetObjectItem(of, "prompts")) {
        const float *last = r.logits + (r.start[++i] - 1) * width;
        float want[8];
        size_t n = 0, best = 0;

        cJSON_ArrayForEach(logit, cJSON_GetObjectItem(prompt, "logits_first8"))
            want[n++] = (float)logit->valuedouble;
        assert_int_equal(n, 8);
        near_all(m->model, "first logits", last, want, n);
        for (size_t t = 0; t < width; t++)
            best = last[t] > last[best] ? t : best;
        assert_int_equal(best, (size_t)wb_json_number(prompt, "argmax", -1));
    }
    assert_int_equal(i, SEQUENCES);
    run_close(&r);
}

static void test_trained_vision(void **state)
{
    const struct trained *m = *state;
    struct wb_ckpt *eval, *golden;
    struct figure images;
    struct wb_err err;
    struct run r;
    char path[300];
    float *logits;

    snprintf(path, sizeof path, ZOO "eval/vit-%s.safetensors", m->golden);
    eval = wb_ckpt_open(path, &err);
    snprintf(path, sizeof path, ZOO_GOLDENS "%s.safetensors", m->model);
    golden = wb_ckpt_open(path, &err);
    if (eval == NULL || golden == NULL)
        fail_msg("%s", err.msg);
    images = figure_find(eval, "images");
    open_trained(&r, m, NULL);
    r.rows.image = images.x;
    r.rows.sequences = images.rows;
    run_all(&r);
    logits = class_logits(&r);
    near_figure(m->model, "logits", logits, images.rows * wb_net_logits_width(r.net),
                figure_find(golden, "logits"));
    free(logits);
    free(images.x);
    wb_ckpt_unref(eval);
    wb_ckpt_unref(golden);
    run_close(&r);
}

/* --- one test a model --- */

static struct CMUnitTest test[CASES_MAX];
static size_t tests;

static void add(const char *name, CMUnitTestFunction fn, const void *state)
{
    if (tests < CASES_MAX)
        test[tests++] = (struct CMUnitTest){ .name = name,
                                             .test_func = fn,
                                             .initial_state = (void *)(uintptr_t)state };
}

int main(void)
{
    struct wb_err err;
    int failed;

    zoo_figures = wb_json_parse_file(ZOO_GOLDENS "golden.json", 1 << 24, &err);
    if (zoo_figures == NULL) {
        printf("%s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(texts[i].model, test_trained_text, &texts[i]);
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        add(few[i].model, test_trained_few, &few[i]);
    for (size_t i = 0; i < sizeof vision / sizeof *vision; i++)
        add(vision[i].model, test_trained_vision, &vision[i]);
    failed = _cmocka_run_group_tests("forward_zoo", test, tests, forward_setup, forward_teardown);
    cJSON_Delete(zoo_figures);
    return failed;
}
