/* views/heads_map.c - from an answer to the map and the list of heads. */
#include <math.h>
#include <stdlib.h>

#include "views/view_heads.h"

static void fill_map(struct heads *s)
{
    const double *grid = wb_headview_grid(s, s->stat);
    int n = s->answer->layers * s->answer->heads;

    free(s->value);
    s->value = calloc((size_t)n + 1, sizeof *s->value);
    for (int i = 0; s->value != NULL && i < n; i++)
        s->value[i] = grid == NULL ? wb_heat_missing() : (float)grid[i];
    /* What was not worked out yet is no number that came out wrong. */
    for (int i = 0; s->value != NULL && grid != NULL && i < n; i++)
        if (isnan(grid[i]) && (s->answer->done >> wb_headview_part_of(s->stat) & 1) == 0)
            s->value[i] = wb_heat_missing();
}

/* Natural range where there is one, unless the user flips it. */
static void set_range(struct heads *s)
{
    const struct wb_head_stat_info *info =
        s->stat < WB_HEAD_STAT_COUNT ? wb_head_stat_info((enum wb_head_stat)s->stat) : NULL;
    bool natural = info != NULL && info->low < info->high;

    s->heat.min = natural ? (float)info->low : 0;
    s->heat.max = natural ? (float)info->high : 1;
    s->heat.diverging = (natural && info->low < 0) || s->stat == HEADS_ABLATION_STAT;
    s->heat.automatic = !natural || s->range_flipped;
    s->heat.quantity = wb_headview_stat_name(s->stat);
}

/* For qsort, which has no context: the keys stand beside the places. */
struct keyed {
    double key;
    int place;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;

    if (isnan(x->key) != isnan(y->key))
        return isnan(x->key) ? 1 : -1;
    if (x->key > y->key || x->key < y->key)
        return x->key > y->key ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static void sort_by_value(struct heads *s, int n)
{
    const double *grid = wb_headview_grid(s, s->stat);
    struct keyed *keyed = grid == NULL ? NULL : calloc((size_t)n + 1, sizeof *keyed);

    for (int i = 0; keyed != NULL && i < n; i++)
        keyed[i] = (struct keyed){ grid[i], i };
    if (keyed != NULL)
        qsort(keyed, (size_t)n, sizeof *keyed, by_key);
    for (int i = 0; keyed != NULL && i < n; i++)
        s->place[i] = keyed[i].place;
    free(keyed);
}

static void sort_by_priority(struct heads *s)
{
    struct wb_heads h = { .layers = s->answer->layers, .heads = s->answer->heads };

    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        h.stat[i] = s->answer->stat[i];
    if (h.stat[WB_HEAD_demand] != NULL && h.stat[WB_HEAD_reuse_mass] != NULL)
        wb_heads_by_priority(&h, s->place);
}

static void fill_list(struct heads *s)
{
    int n = s->answer->layers * s->answer->heads;

    free(s->place);
    s->place = calloc((size_t)n + 1, sizeof *s->place);
    if (s->place == NULL) {
        wb_table_set_rows(&s->list, 0);
        return;
    }
    for (int i = 0; i < n; i++)
        s->place[i] = i;
    if (s->order == HEADS_BY_VALUE)
        sort_by_value(s, n);
    else if (s->order == HEADS_BY_PRIORITY)
        sort_by_priority(s);
    wb_table_set_rows(&s->list, (size_t)n);
}

static int clamp(int x, int n)
{
    return x < 0 ? 0 : x < n ? x : n - 1;
}

void wb_headview_prepare(struct wb_view *v)
{
    struct heads *s = v->state;

    s->heat.rows = s->heat.cols = 0;
    wb_table_set_rows(&s->list, 0);
    if (s->answer == NULL || s->answer->layers <= 0 || s->answer->heads <= 0)
        return;
    fill_map(s);
    fill_list(s);
    if (s->value == NULL)
        return;
    s->heat.value = s->value;
    s->heat.rows = s->answer->layers;
    s->heat.cols = s->answer->heads;
    s->heat.row = clamp(s->heat.row, s->heat.rows);
    s->heat.col = clamp(s->heat.col, s->heat.cols);
    set_range(s);
}
