/* views/heads_export.c - what the heads view shows, as a CSV or an SVG file. */
#include <stdio.h>

#include "views/heat_svg.h"
#include "views/save.h"
#include "views/view_heads.h"

/* A line a head, a column a statistic that is there. */
static void put_heads_csv(const struct heads *s, struct wb_str *out)
{
    const struct heads_answer *a = s->answer;

    wb_str_add(out, "layer,head");
    for (int i = 0; i < HEADS_STATS; i++)
        if (a->stat[i] != NULL)
            wb_str_printf(out, ",%s", wb_headview_stat_name(i));
    for (int at = 0; at < a->layers * a->heads; at++) {
        wb_str_printf(out, "\n%d,%d", at / a->heads, at % a->heads);
        for (int i = 0; i < HEADS_STATS; i++)
            if (a->stat[i] != NULL)
                wb_str_printf(out, ",%.9g", a->stat[i][at]);
    }
    wb_str_add(out, "\n");
}

static void put_pattern_csv(const struct heads_pattern *p, struct wb_str *out)
{
    wb_str_add(out, "query,key,weight\n");
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < p->n; j++)
            if (!wb_heat_is_blank(p->weight[i * p->n + j]))
                wb_str_printf(out, "%zu,%zu,%.9g\n", i, j, (double)p->weight[i * p->n + j]);
}

static void put_svg(const struct wb_view *v, struct wb_str *out)
{
    const struct heads *s = v->state;
    bool pattern = s->mode == HEADS_PATTERN;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    char title[300];
    struct wb_heat_picture picture = {
        .heat = pattern ? &s->pattern_heat : &s->heat,
        .colormap = v->desk->theme == NULL ? WB_COLORMAP_VIRIDIS : v->desk->theme->colormap,
        .title = title,
        .note = pattern ? s->text : wb_headview_stat_doc(s->stat),
        .row_title = pattern ? "query" : "layer",
        .col_title = pattern ? "key" : "head",
    };

    if (pattern)
        snprintf(title, sizeof title, "%s, layer %d head %d", m == NULL ? "" : m->name, s->heat.row,
                 s->heat.col);
    else
        snprintf(title, sizeof title, "%s, %s", m == NULL ? "" : m->name,
                 wb_headview_stat_name(s->stat));
    wb_heat_svg(&picture, out);
}

void wb_headview_export(struct wb_view *v, const char *path)
{
    const struct heads *s = v->state;
    struct wb_str text = { 0 };
    bool csv, pattern = s->mode == HEADS_PATTERN;

    if (!wb_save_map_kind(v->desk, path, &csv))
        return;
    if (s->heat.rows > 0 && (!pattern || s->pattern.n > 0)) {
        if (!csv)
            put_svg(v, &text);
        else if (pattern)
            put_pattern_csv(&s->pattern, &text);
        else
            put_heads_csv(s, &text);
    }
    wb_save_text(v, path, &text);
}

const char *wb_headview_export_name(const struct wb_view *v, char *out, size_t size)
{
    const struct heads *s = v->state;
    const struct wb_desk_model *m = wb_desk_get(v->desk, s->model_id);
    const char *name = m == NULL ? "model" : m->name;

    if (s->mode == HEADS_PATTERN)
        snprintf(out, size, "%s-head-%d.%d.svg", name, s->heat.row, s->heat.col);
    else
        snprintf(out, size, "%s-heads-%s.svg", name, wb_headview_stat_name(s->stat));
    return wb_save_name(out);
}
