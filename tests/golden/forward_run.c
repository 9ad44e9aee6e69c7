/* tests/golden/forward_run.c - see forward_run.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/golden/forward_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/bind/families.h"
#include "tests/golden/widened.h"

#define TOLERANCE 1e-4 /* float32 sums in another order; 1e-6 is usual */

struct wb_arch_set *set;
double tolerance = TOLERANCE;
static const struct wb_eval how = { .threads = 2 };

/* --- expected figures --- */

struct figure figure_find(struct wb_ckpt *ck, const char *name)
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

__attribute__((format(printf, 3, 4))) struct figure figure_of(struct wb_ckpt *ck, const char *model,
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

void near_all(const char *model, const char *what, const float *got, const float *want, size_t n)
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

void near_figure(const char *model, const char *what, const float *got, size_t n,
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

void *room(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    assert_non_null(p);
    return p;
}

void run_open(struct run *r, const char *name, const char *path, const char *stack)
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

void run_close(struct run *r)
{
    wb_net_close(r->net);
    free(r->state);
    free(r->final);
    free(r->logits);
    free(r->attention);
}

size_t rows_of(const struct run *r)
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

void run_all(struct run *r)
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

float *run_embed(struct run *r)
{
    float *out = room(r->rows.sequences * wb_net_embed_width(r->net), sizeof *out);
    struct wb_err err;

    if (!wb_net_embed(r->net, &r->rows, r->final, out, &err))
        fail_msg("%s: %s", r->name, err.msg);
    return out;
}

float *class_logits(struct run *r)
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

int forward_setup(void **state)
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

int forward_teardown(void **state)
{
    (void)state;
    wb_arch_set_free(set);
    return 0;
}
