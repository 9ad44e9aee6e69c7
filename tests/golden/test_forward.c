/* tests/golden/test_forward.c - the forward pass against what others compute with the same weights.
 *
 * tests/data/infer holds tiny models of every family and what transformers makes of them
 * (tests/peers/tiny_models.py); tests/data/zoo really trained ones, with logits of an independent
 * implementation. Two arrays agree when no difference is beyond 1e-4 (of the tiny ones: 2e-5) of
 * the largest magnitude of the expected one. */
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
#include "app/store/ckpt.h"
#include "lua/bind/families.h"

#define TINY "tests/data/infer/" /* WB_TINY in the environment goes before it */
#define ZOO "tests/data/zoo/"
#define ZOO_GOLDENS "tests/data/goldens/zoo/"
#define TOLERANCE 1e-4      /* float32 sums in another order; 1e-6 is usual */
#define TINY_TOLERANCE 2e-5 /* of few terms; gelu and its tanh form are 5e-5 apart */
#define CASES_MAX 80
#define SEQUENCES 2

static struct wb_arch_set *set;
static const char *tiny_dir;
static double tolerance = TOLERANCE; /* of the test that runs */
static cJSON *tiny_list, *zoo_figures;
static const struct wb_eval how = { .threads = 2 };

/* --- expected figures --- */

struct figure {
    float *x; /* owned, free() */
    size_t n, rows;
};

/* An F32 tensor; x NULL when there is none of the name. */
static struct figure figure_find(struct wb_ckpt *ck, const char *name)
{
    size_t i = wb_ckpt_find(ck, name);
    const struct wb_tensor_info *info = i == SIZE_MAX ? NULL : wb_ckpt_info(ck, i);
    struct figure f = { 0 };
    struct wb_err err;

    if (info == NULL)
        return f;
    f.n = info->count;
    f.rows = info->shape.ndim > 0 ? info->shape.dim[0] : 1;
    f.x = malloc(info->bytes + 1);
    assert_non_null(f.x);
    assert_int_equal(info->bytes, 4 * info->count);
    if (!wb_ckpt_read(ck, i, 0, info->bytes, f.x, &err))
        fail_msg("%s", err.msg);
    return f;
}

__attribute__((format(printf, 3, 4))) static struct figure figure_of(struct wb_ckpt *ck,
                                                                     const char *model,
                                                                     const char *fmt, ...)
{
    char what[60], name[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(name, sizeof name, "%s%s%s", model, model[0] != '\0' ? "." : "", what);
    return figure_find(ck, name);
}

static void near_all(const char *model, const char *what, const float *got, const float *want,
                     size_t n)
{
    double largest = 0, worst = 0;
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        double apart = fabs((double)got[i] - (double)want[i]);

        largest = fmax(largest, fabs((double)want[i]));
        if (!(apart <= worst)) {
            worst = apart;
            at = i;
        }
    }
    if (getenv("WB_FIGURES") != NULL)
        print_message("%s %s: %.1e\n", model, what, worst / largest);
    if (!(worst <= tolerance * largest))
        fail_msg("%s: %s [%zu of %zu]: got %.9g, want %.9g, of at most %.3g", model, what, at, n,
                 (double)got[at], (double)want[at], largest);
}

/* Compare with a figure that must be there; frees it. */
static void near_figure(const char *model, const char *what, const float *got, size_t n,
                        struct figure want)
{
    if (want.x == NULL)
        fail_msg("%s: no expected %s", model, what);
    if (n != want.n)
        fail_msg("%s: %s has %zu entries, not %zu", model, what, n, want.n);
    near_all(model, what, got, want.x, n);
    free(want.x);
}

/* --- running --- */

/* A net and everything that one run of it gives. */
struct run {
    const char *name;
    struct wb_net *net;
    int32_t token[64];
    size_t start[SEQUENCES + 1];
    struct wb_rows rows;
    float *state; /* [layers + 1, rows, hidden] */
    float *final, *logits;
    float *attention; /* of sequence 0: [layers, heads, n, n] */
};

static void *room(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    assert_non_null(p);
    return p;
}

/* The model with all its tensors as float32, as a run with --dtype f32 would write it. */
static struct wb_model *widened(struct wb_model *model)
{
    struct wb_err err;
    struct wb_model *draft = wb_model_derive(model, &err);

    assert_non_null(draft);
    for (size_t i = 0; i < wb_model_count(model); i++) {
        const struct wb_entry *e = wb_model_entry(model, i);
        struct wb_node *wide = wb_node_as(e->node, WB_DTYPE_F32, &err);

        assert_non_null(wide);
        assert_true(wb_model_set(draft, e->name, wide, &err));
        wb_node_unref(wide);
    }
    assert_true(wb_model_freeze(draft, &err));
    wb_model_unref(model);
    return draft;
}

static void run_open(struct run *r, const char *name, const char *path, const char *stack)
{
    struct wb_err err;
    struct wb_model *model = wb_model_open(path, set, &err);

    memset(r, 0, sizeof *r);
    r->name = name;
    if (model == NULL)
        fail_msg("%s", err.msg);
    if (strchr(path, '+') != NULL) /* the reference does not round what an adapter makes */
        model = widened(model);
    r->net = wb_net_open(model, stack, &how, &err);
    wb_model_unref(model);
    if (r->net == NULL)
        fail_msg("%s: %s", name, err.msg);
    r->rows = (struct wb_rows){ .token = r->token, .start = r->start };
}

static void run_close(struct run *r)
{
    wb_net_close(r->net);
    free(r->state);
    free(r->final);
    free(r->logits);
    free(r->attention);
}

static size_t rows_of(const struct run *r)
{
    return wb_rows_start(r->net, &r->rows, r->rows.sequences);
}

static bool take_state(void *ctx, int state, size_t first, size_t rows, const float *x,
                       struct wb_err *err)
{
    struct run *r = ctx;
    size_t d = (size_t)wb_net_spec(r->net)->hidden;

    (void)err;
    memcpy(r->state + ((size_t)state * rows_of(r) + first) * d, x, rows * d * sizeof *x);
    return true;
}

static void take_attention(void *ctx, int layer, const struct wb_attend_tile *tile)
{
    struct run *r = ctx;
    size_t n = r->start[1];
    int head = layer * wb_net_spec(r->net)->heads + tile->head;

    if (tile->sequence != 0)
        return;
    for (size_t i = 0; i < tile->rows; i++)
        memcpy(r->attention + ((size_t)head * n + tile->first + i) * n,
               tile->weight + i * tile->stride, tile->keys * sizeof(float));
}

/* Run all rows with every tap that is compared, and the head where there is one. */
static void run_all(struct run *r)
{
    const struct wb_spec *s = wb_net_spec(r->net);
    size_t n = rows_of(r), d = (size_t)s->hidden, width = wb_net_logits_width(r->net);
    bool text = s->kind != WB_NET_VISION;
    struct wb_net_taps taps = { .ctx = r,
                                .state = take_state,
                                .attention = text ? take_attention : NULL };
    struct wb_err err;

    r->state = room(((size_t)s->layers + 1) * n * d, sizeof *r->state);
    r->final = room(n * d, sizeof *r->final);
    r->attention =
        room((size_t)(s->layers * s->heads) * r->start[1] * r->start[1], sizeof *r->attention);
    if (!wb_net_run(r->net, &r->rows, &taps, r->final, &err))
        fail_msg("%s: %s", r->name, err.msg);
    assert_false(wb_net_nonfinite(r->net));
    if (width == 0 || !text)
        return;
    r->logits = room(n * width, sizeof *r->logits);
    if (!wb_net_logits(r->net, r->final, n, r->logits, &err))
        fail_msg("%s: %s", r->name, err.msg);
}

static float *run_embed(struct run *r)
{
    float *out = room(r->rows.sequences * wb_net_embed_width(r->net), sizeof *out);
    struct wb_err err;

    if (!wb_net_embed(r->net, &r->rows, r->final, out, &err))
        fail_msg("%s: %s", r->name, err.msg);
    return out;
}

/* --- tiny models of every family --- */

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

/* Class logits of images, from the class tokens. */
static float *class_logits(struct run *r)
{
    const struct wb_spec *s = wb_net_spec(r->net);
    size_t d = (size_t)s->hidden, images = r->rows.sequences;
    float *first = room(images * d, sizeof *first);
    float *out = room(images * wb_net_logits_width(r->net), sizeof *out);
    struct wb_err err;

    for (size_t i = 0; i < images; i++)
        memcpy(first + i * d, r->final + wb_rows_start(r->net, &r->rows, i) * d, d * sizeof *first);
    if (!wb_net_logits(r->net, first, images, out, &err))
        fail_msg("%s: %s", r->name, err.msg);
    free(first);
    return out;
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

/* --- the zoo --- */

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

    tolerance = TOLERANCE;
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

static int setup(void **state)
{
    const char *dir = "lua/arch";
    struct wb_err err;

    (void)state;
    set = wb_arch_set_new();
    assert_non_null(set);
    if (!wb_families_load(set, &dir, 1, &err))
        fail_msg("%s", err.msg);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_arch_set_free(set);
    return 0;
}

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
    zoo_figures = wb_json_parse_file(ZOO_GOLDENS "golden.json", 1 << 24, &err);
    if (tiny_list == NULL || zoo_figures == NULL) {
        printf("%s\n", err.msg);
        return 1;
    }
    cJSON_ArrayForEach(entry, tiny_list)
        add(wb_json_text(entry, "name", ""), test_tiny, entry);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(texts[i].model, test_trained_text, &texts[i]);
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        add(few[i].model, test_trained_few, &few[i]);
    for (size_t i = 0; i < sizeof vision / sizeof *vision; i++)
        add(vision[i].model, test_trained_vision, &vision[i]);
    failed = _cmocka_run_group_tests("forward", test, tests, setup, teardown);
    cJSON_Delete(tiny_list);
    cJSON_Delete(zoo_figures);
    return failed;
}
