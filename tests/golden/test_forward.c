/* tests/golden/test_forward.c - the forward pass against what transformers computes with the same
 * weights.
 *
 * tests/data/infer holds tiny models of every family and what transformers makes of them
 * (tests/peers/tiny_models.py). */
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
#include "tests/golden/forward_run.h"

#define TINY "tests/data/infer/" /* WB_TINY in the environment goes before it */
#define TINY_TOLERANCE 2e-5      /* of few terms; gelu and its tanh form are 5e-5 apart */
#define CASES_MAX 80

static const char *tiny_dir;
static cJSON *tiny_list;

struct tiny {
    const char *name, *kind, *dir;
    struct wb_ckpt *golden;
};

static void tiny_tokens(struct run *r, const struct tiny *t)
{
    r->rows.sequences = SEQUENCES;
    for (size_t i = 0; i < SEQUENCES; i++) {
        struct figure ids = figure_of(t->golden, t->name, "ids%zu", i);

        assert_non_null(ids.x);
        assert_true(r->start[i] + ids.n <= sizeof r->token / sizeof *r->token);
        memcpy(r->token + r->start[i], ids.x, ids.n * sizeof *r->token);
        r->start[i + 1] = r->start[i] + ids.n;
        free(ids.x);
    }
}

/* States 0 .. layers - 1 of a sequence; the library gives the last one behind the final norm. */
static void near_states(const struct run *r, const struct tiny *t, size_t i)
{
    const struct wb_spec *s = wb_net_spec(r->net);
    size_t d = (size_t)s->hidden, n = r->start[i + 1] - r->start[i];
    struct figure want = figure_of(t->golden, t->name, "hidden%zu", i);

    assert_non_null(want.x);
    assert_int_equal(want.n, (size_t)s->layers * n * d);
    for (size_t l = 0; l < (size_t)s->layers; l++) {
        char what[80];

        snprintf(what, sizeof what, "state %zu of sequence %zu", l, i);
        near_all(t->name, what, r->state + (l * rows_of(r) + r->start[i]) * d, want.x + l * n * d,
                 n * d);
    }
    free(want.x);
}

/* The same logits when the second sequence comes a few tokens at a time. */
static void near_with_past(struct run *r, const struct tiny *t)
{
    size_t n = r->start[2] - r->start[1], width = wb_net_logits_width(r->net);
    size_t d = (size_t)wb_net_spec(r->net)->hidden, step = n / 2, start[2] = { 0 };
    struct wb_err err;
    struct wb_past *past = wb_past_new(r->net, n, &err);
    float *state = room(n * d, sizeof *state), *logits = room(n * width, sizeof *logits);

    assert_non_null(past);
    for (size_t at = 0; at < n; at += step, step = 1) {
        struct wb_rows rows = {
            .token = r->token + r->start[1] + at, .start = start, .sequences = 1, .past = &past
        };

        start[1] = step;
        if (!wb_net_run(r->net, &rows, NULL, state + at * d, &err))
            fail_msg("%s: %s", t->name, err.msg);
        assert_int_equal(wb_past_count(past), at + step);
    }
    assert_true(wb_net_logits(r->net, state, n, logits, &err));
    near_figure(t->name, "logits with a past", logits, n * width,
                figure_of(t->golden, t->name, "logits1"));
    wb_past_free(past);
    free(state);
    free(logits);
}

/* Frequencies of these depend on the length: a past keeps those of its time. */
static bool rope_grows(const struct wb_spec *s)
{
    return s->ropes > 0 && (s->rope[0].type == WB_ROPE_DYNAMIC || s->rope[0].type == WB_ROPE_LONG);
}

static void tiny_decoder(const struct tiny *t)
{
    struct run r;
    size_t width;

    run_open(&r, t->name, t->dir, NULL);
    tiny_tokens(&r, t);
    run_all(&r);
    width = wb_net_logits_width(r.net);
    for (size_t i = 0; i < SEQUENCES; i++) {
        near_states(&r, t, i);
        near_figure(t->name, "logits", r.logits + r.start[i] * width,
                    (r.start[i + 1] - r.start[i]) * width,
                    figure_of(t->golden, t->name, "logits%zu", i));
    }
    near_figure(t->name, "attention", r.attention,
                (size_t)(wb_net_spec(r.net)->layers * wb_net_spec(r.net)->heads) * r.start[1] *
                    r.start[1],
                figure_of(t->golden, t->name, "attention0"));
    if (!rope_grows(wb_net_spec(r.net)))
        near_with_past(&r, t);
    run_close(&r);
}

static void tiny_encoder(const struct tiny *t)
{
    struct run r;
    size_t d;
    float *embed;

    run_open(&r, t->name, t->dir, NULL);
    tiny_tokens(&r, t);
    run_all(&r);
    embed = run_embed(&r);
    d = (size_t)wb_net_spec(r.net)->hidden;
    for (size_t i = 0; i < SEQUENCES; i++) {
        near_states(&r, t, i);
        near_figure(t->name, "final states", r.final + r.start[i] * d,
                    (r.start[i + 1] - r.start[i]) * d, figure_of(t->golden, t->name, "last%zu", i));
        near_figure(t->name, "embedding", embed + i * d, d,
                    figure_of(t->golden, t->name, "embed%zu", i));
    }
    near_figure(t->name, "attention", r.attention,
                (size_t)(wb_net_spec(r.net)->layers * wb_net_spec(r.net)->heads) * r.start[1] *
                    r.start[1],
                figure_of(t->golden, t->name, "attention0"));
    free(embed);
    run_close(&r);
}

static void tiny_vision(const struct tiny *t)
{
    struct figure images = figure_of(t->golden, t->name, "images");
    struct figure states = figure_of(t->golden, t->name, "hidden");
    struct run r;
    float *logits;

    assert_non_null(images.x);
    assert_non_null(states.x);
    run_open(&r, t->name, t->dir, NULL);
    r.rows.image = images.x;
    r.rows.sequences = images.rows;
    run_all(&r);
    near_all(t->name, "states", r.state, states.x, states.n);
    logits = class_logits(&r);
    near_figure(t->name, "logits", logits, images.rows * wb_net_logits_width(r.net),
                figure_of(t->golden, t->name, "logits"));
    free(logits);
    free(images.x);
    free(states.x);
    run_close(&r);
}

static void to_length_one(float *x, size_t n)
{
    double squares = 0;

    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((double)x[i] / sqrt(squares));
}

/* The tower of texts against its states and its embeddings, which are compared at length 1. */
static void tiny_clip_text(const struct tiny *t)
{
    struct run r;
    float *embed;
    size_t d, width;

    run_open(&r, t->name, t->dir, "text");
    tiny_tokens(&r, t);
    run_all(&r);
    d = (size_t)wb_net_spec(r.net)->hidden;
    for (size_t i = 0; i < SEQUENCES; i++)
        near_figure(t->name, "final states", r.final + r.start[i] * d,
                    (r.start[i + 1] - r.start[i]) * d, figure_of(t->golden, t->name, "last%zu", i));
    embed = run_embed(&r);
    width = wb_net_embed_width(r.net);
    for (size_t i = 0; i < SEQUENCES; i++)
        to_length_one(embed + i * width, width);
    near_figure(t->name, "embeddings of texts", embed, SEQUENCES * width,
                figure_of(t->golden, t->name, "text_embeds"));
    free(embed);
    run_close(&r);
}

static void tiny_clip(const struct tiny *t)
{
    struct figure images = figure_of(t->golden, t->name, "images");
    struct run r;
    float *embed;
    size_t width;

    assert_non_null(images.x);
    run_open(&r, t->name, t->dir, "vision");
    r.rows.image = images.x;
    r.rows.sequences = images.rows;
    run_all(&r);
    embed = run_embed(&r);
    width = wb_net_embed_width(r.net);
    for (size_t i = 0; i < images.rows; i++)
        to_length_one(embed + i * width, width);
    near_figure(t->name, "embeddings of images", embed, images.rows * width,
                figure_of(t->golden, t->name, "image_embeds"));
    free(embed);
    free(images.x);
    run_close(&r);
    tiny_clip_text(t);
}

static void test_tiny(void **state)
{
    static const struct {
        const char *kind;
        void (*check)(const struct tiny *t);
    } kinds[] = { { "decoder", tiny_decoder },
                  { "encoder", tiny_encoder },
                  { "vision", tiny_vision },
                  { "clip", tiny_clip },
                  { "clip_text", tiny_clip_text } };
    const cJSON *entry = *state;
    struct tiny t = { wb_json_text(entry, "name", ""), wb_json_text(entry, "kind", ""), NULL,
                      NULL };
    char dir[400], golden[400];
    struct wb_err err;
    size_t k = 0;

    snprintf(dir, sizeof dir, "%s%s", tiny_dir, t.name);
    snprintf(golden, sizeof golden, "%sgolden.safetensors", tiny_dir);
    t.dir = dir;
    t.golden = wb_ckpt_open(golden, &err);
    if (t.golden == NULL)
        fail_msg("%s", err.msg);
    tolerance = TINY_TOLERANCE;
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].kind, t.kind) != 0)
        k++;
    assert_true(k < sizeof kinds / sizeof *kinds);
    kinds[k].check(&t);
    wb_ckpt_unref(t.golden);
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
    const cJSON *entry;
    char path[400];
    int failed;

    tiny_dir = getenv("WB_TINY") != NULL ? getenv("WB_TINY") : TINY;
    snprintf(path, sizeof path, "%smodels.json", tiny_dir);
    tiny_list = wb_json_parse_file(path, 1 << 20, &err);
    if (tiny_list == NULL) {
        printf("%s\n", err.msg);
        return 1;
    }
    cJSON_ArrayForEach(entry, tiny_list)
        add(wb_json_text(entry, "name", ""), test_tiny, entry);
    failed = _cmocka_run_group_tests("forward", test, tests, forward_setup, forward_teardown);
    cJSON_Delete(tiny_list);
    return failed;
}
