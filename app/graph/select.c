/* app/graph/select.c - the passes of a selection, one after the other. */
#include "app/graph/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/instr.h"
#include "app/graph/keys.h"
#include "app/tensor/kernels.h"

#define COLLECT_MAX ((uint64_t)1 << 18) /* this many entries are listed whole, without a probe */
#define HALF 65536
/* Half the bracket in standard deviations of the rank of a random sample, doubled: the probe's
 * runs are of neighbours. */
#define BRACKET_SIGMA 6.0

enum stage { STAGE_PROBE, STAGE_COUNT, STAGE_HIGH, STAGE_LOW, STAGE_TIES };

struct tensor {
    struct wb_node *node;
    struct wb_geometry geometry; /* of the stage */
    struct wb_drain drain;
    struct wb_key_tile *tile;
};

struct wb_select {
    enum stage stage;
    bool by_value;
    uint64_t k, total, list_max;
    uint32_t low, high;
    size_t n;
    struct tensor *tensor;
    _Atomic uint64_t listed;
    _Atomic uint64_t *histogram;
    uint64_t above_bin; /* keys above the high half that was chosen */
};

static void drop_tiles(struct wb_select *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct tensor *t = &s->tensor[i];

        for (size_t k = 0; t->tile != NULL && k < t->geometry.tiles; k++)
            free(t->tile[k].list);
        free(t->tile);
        t->tile = NULL;
    }
}

static enum wb_extent extent_of(const struct wb_select *s)
{
    return s->stage == STAGE_PROBE ? WB_EXTENT_PROBE : WB_EXTENT_ALL;
}

/* Make the drains of the stage. */
static bool start_stage(struct wb_select *s, enum stage stage, struct wb_err *err)
{
    bool histogram = stage == STAGE_HIGH || stage == STAGE_LOW;

    drop_tiles(s);
    s->stage = stage;
    atomic_store(&s->listed, 0);
    if (histogram) {
        free(s->histogram);
        s->histogram = calloc(HALF, sizeof *s->histogram);
        if (s->histogram == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for a histogram");
    }
    for (size_t i = 0; i < s->n; i++) {
        struct tensor *t = &s->tensor[i];

        t->geometry = wb_geometry_of(&t->node->shape, extent_of(s));
        t->drain = (struct wb_drain){ .kind = histogram ? WB_DRAIN_HISTOGRAM : WB_DRAIN_BRACKET,
                                      .by_value = s->by_value,
                                      .in = { t->node },
                                      .low = s->low,
                                      .high = s->high,
                                      .low_half = stage == STAGE_LOW,
                                      .histogram = s->histogram,
                                      .listed = &s->listed,
                                      .list_max = s->list_max };
        if (stage == STAGE_PROBE)
            t->drain.list_max = UINT64_MAX;
        if (histogram)
            continue;
        t->tile = calloc(t->geometry.tiles + 1, sizeof *t->tile);
        t->drain.tile = t->tile;
        if (t->tile == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for a selection");
    }
    return true;
}

struct wb_select *wb_select_new(const struct wb_held_table *table, const struct wb_node *node,
                                uint64_t list_max_keys, struct wb_err *err)
{
    struct wb_select *s = calloc(1, sizeof *s);
    double k = wb_held_find(table, node->in[node->n_in - 1])->f64[0];

    if (s != NULL)
        s->tensor = calloc(node->n_in, sizeof *s->tensor);
    if (s == NULL || s->tensor == NULL) {
        free(s);
        wb_fail(err, WB_ENOMEM, "no memory for a selection");
        return NULL;
    }
    s->n = node->n_in - 1;
    s->by_value = node->by_value;
    s->list_max = list_max_keys;
    for (size_t i = 0; i < s->n; i++) {
        s->tensor[i].node = node->in[i];
        s->total += node->in[i]->count;
    }
    s->k = !(k >= 1) ? 0 : k >= (double)s->total ? s->total : (uint64_t)k;
    if (s->total <= COLLECT_MAX)
        s->list_max = UINT64_MAX;
    s->high = UINT32_MAX;
    if (!start_stage(s, s->total <= COLLECT_MAX ? STAGE_COUNT : STAGE_PROBE, err)) {
        wb_select_free(s);
        return NULL;
    }
    return s;
}

void wb_select_free(struct wb_select *s)
{
    if (s == NULL)
        return;
    drop_tiles(s);
    free(s->tensor);
    free(s->histogram);
    free(s);
}

enum wb_extent wb_select_extent(const struct wb_select *s)
{
    return extent_of(s);
}

struct wb_drain *wb_select_drain(struct wb_select *s, size_t i)
{
    return &s->tensor[i].drain;
}

bool wb_select_trivial(const struct wb_select *s, double value[3])
{
    if (s->k > 0)
        return false;
    value[0] = INFINITY;
    value[1] = -1;
    value[2] = -1;
    return true;
}

/* Keys listed for a tensor, zeros (the low end of an open bracket) included, appended to out:
 * every `step`-th. */
static size_t thin(const struct tensor *t, double step, uint32_t low, uint32_t *out)
{
    double next = 0;
    size_t n = 0, at = 0;

    for (size_t k = 0; k < t->geometry.tiles; k++) {
        const struct wb_key_tile *tile = &t->tile[k];
        size_t zeros = (size_t)tile->counts.at_low;

        for (size_t i = 0; i < zeros + tile->n; i++, at++)
            if ((double)at >= next) {
                out[n++] = i < zeros ? low : tile->list[i - zeros];
                next += step;
            }
    }
    return n;
}

/* Bracket the k-th largest from the probe. Tensors enter in proportion to their size. */
static bool choose_bracket(struct wb_select *s, struct wb_err *err)
{
    double share = INFINITY; /* of all entries, as far as every tensor can give that share */
    uint32_t *key, *copy;
    size_t n = 0;
    double rank, margin;

    for (size_t i = 0; i < s->n; i++)
        if (s->tensor[i].node->count > 0)
            share = fmin(share,
                         (double)s->tensor[i].geometry.visited / (double)s->tensor[i].node->count);
    key = malloc(((size_t)(share * (double)s->total) + s->n + 64) * 2 * sizeof *key);
    if (key == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a probe");
    for (size_t i = 0; i < s->n; i++) {
        const struct tensor *t = &s->tensor[i];

        if (t->node->count > 0)
            n += thin(t, (double)t->geometry.visited / (share * (double)t->node->count), s->low,
                      key + n);
    }
    rank = (double)s->k / (double)s->total * (double)n;
    margin = BRACKET_SIGMA * sqrt((double)n * ((double)s->k / (double)s->total) *
                                  (1 - (double)s->k / (double)s->total)) +
             16;
    copy = key + n;
    memcpy(copy, key, n * sizeof *key);
    s->high = rank - margin >= 1 ? wb_keys_nth(copy, n, (size_t)(rank - margin)).key : UINT32_MAX;
    s->low = rank + margin < (double)n - 1 ? wb_keys_nth(key, n, (size_t)(rank + margin)).key : 0;
    free(key);
    return true;
}

struct sums {
    uint64_t above, at_high, at_low, inside;
};

static struct sums sum_tiles(const struct wb_select *s)
{
    struct sums sum = { 0 };

    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->tensor[i].geometry.tiles; k++) {
            const struct wb_key_tile *t = &s->tensor[i].tile[k];

            sum.above += t->counts.above;
            sum.at_high += t->counts.at_high;
            sum.at_low += t->counts.at_low;
            sum.inside += t->n;
        }
    return sum;
}

/* The nth largest (from 0) of all listed keys. */
static bool nth_listed(const struct wb_select *s, uint64_t inside, uint64_t nth, struct wb_nth *out,
                       struct wb_err *err)
{
    uint32_t *all = malloc(((size_t)inside + 1) * sizeof *all);
    size_t n = 0;

    if (all == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %llu keys", (unsigned long long)inside);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->tensor[i].geometry.tiles; k++) {
            const struct wb_key_tile *t = &s->tensor[i].tile[k];

            if (t->n > 0)
                memcpy(all + n, t->list, t->n * sizeof *all);
            n += t->n;
        }
    *out = wb_keys_nth(all, n, (size_t)nth);
    free(all);
    return true;
}

static uint64_t ties_in(const struct wb_select *s, const struct wb_key_tile *t, uint32_t key)
{
    size_t ties = 0;

    if (key == s->high)
        return t->counts.at_high;
    if (key == s->low)
        return t->counts.at_low;
    for (size_t i = 0; i < t->n; i++)
        ties += t->list[i] == key;
    return ties;
}

/* Flat index of the nth (from 0) entry with this key in one tile, by running the tile again. */
static bool find_in_tile(const struct wb_select *s, struct tensor *t, size_t tile, uint32_t key,
                         uint64_t nth, struct wb_work *work, const struct wb_context *cx,
                         uint64_t *index, struct wb_err *err)
{
    uint64_t at = 0;
    struct wb_drain find = { .kind = WB_DRAIN_FIND,
                             .by_value = s->by_value,
                             .in = { t->node },
                             .low = key,
                             .nth = nth,
                             .found = &at };
    struct wb_drain *drain = &find;
    struct wb_program *p =
        wb_program_new(cx->table, &t->node->shape, extent_of(s), &drain, 1, NULL, err);
    bool ok = p != NULL && wb_program_run(p, work, tile, cx, err);

    *index = at;
    wb_program_free(p);
    return ok;
}

/* The answer is `key`; of `all` entries equal to it the first `ties` belong to it: where is the last
 * of those? */
static bool finish(struct wb_select *s, uint32_t key, uint64_t ties, uint64_t all,
                   struct wb_work *work, const struct wb_context *cx, double value[3],
                   struct wb_err *err)
{
    bool one = s->n == 1 && s->tensor[0].geometry.tiles == 1;
    uint64_t index = 0;

    value[0] = (double)(s->by_value ? wb_key_signed_value(key) : wb_key_abs_value(key));
    value[1] = (double)(s->n - 1);
    value[2] = WB_SELECT_ALL_TIES;
    if (ties == all)
        return true;
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < s->tensor[i].geometry.tiles; k++) {
            uint64_t here = one ? all : ties_in(s, &s->tensor[i].tile[k], key);

            if (ties > here) {
                ties -= here;
                continue;
            }
            if (!find_in_tile(s, &s->tensor[i], k, key, ties - 1, work, cx, &index, err))
                return false;
            value[1] = (double)i;
            value[2] = (double)index;
            return true;
        }
    return wb_fail(err, WB_ENUMERIC, "a tensor changed while it was read");
}

/* After counting against the bracket: the answer, or *miss. */
static bool settle(struct wb_select *s, struct wb_work *work, const struct wb_context *cx,
                   double value[3], bool *miss, struct wb_err *err)
{
    struct sums sum = sum_tiles(s);
    uint64_t k = s->k;
    struct wb_nth nth = { 0 };

    *miss = false;
    if (k > sum.above && k <= sum.above + sum.at_high)
        return finish(s, s->high, k - sum.above, sum.at_high, work, cx, value, err);
    if (k > sum.above + sum.at_high + sum.inside &&
        k <= sum.above + sum.at_high + sum.inside + sum.at_low)
        return finish(s, s->low, k - sum.above - sum.at_high - sum.inside, sum.at_low, work, cx,
                      value, err);
    if (k <= sum.above || k > sum.above + sum.at_high + sum.inside ||
        atomic_load(&s->listed) > s->tensor[0].drain.list_max) {
        *miss = true;
        return true;
    }
    k -= sum.above + sum.at_high;
    return nth_listed(s, sum.inside, k - 1, &nth, err) &&
           finish(s, nth.key, k - nth.above, nth.equal, work, cx, value, err);
}

/* The bin of the histogram that holds the k-th largest; *above: keys in higher bins. */
static uint32_t bin_of(const struct wb_select *s, uint64_t k, uint64_t *above)
{
    uint32_t bin = HALF - 1;

    *above = 0;
    while (bin > 0 && *above + atomic_load(&s->histogram[bin]) < k)
        *above += atomic_load(&s->histogram[bin--]);
    return bin;
}

bool wb_select_advance(struct wb_select *s, struct wb_work *work, const struct wb_context *cx,
                       double value[3], bool *done, struct wb_err *err)
{
    uint64_t above;
    bool miss;

    *done = false;
    switch (s->stage) {
    case STAGE_PROBE:
        return choose_bracket(s, err) && start_stage(s, STAGE_COUNT, err);
    case STAGE_COUNT:
        if (!settle(s, work, cx, value, &miss, err))
            return false;
        *done = !miss;
        return !miss || start_stage(s, STAGE_HIGH, err);
    case STAGE_HIGH:
        s->low = bin_of(s, s->k, &s->above_bin);
        return start_stage(s, STAGE_LOW, err);
    case STAGE_LOW:
        s->high = s->low << 16 | bin_of(s, s->k - s->above_bin, &above);
        s->low = s->high;
        return start_stage(s, STAGE_TIES, err);
    case STAGE_TIES:
        *done = true;
        return settle(s, work, cx, value, &miss, err) &&
               (!miss || wb_fail(err, WB_ENUMERIC, "a tensor changed while it was read"));
    }
    return false;
}
