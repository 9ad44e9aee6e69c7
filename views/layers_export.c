/* views/layers_export.c - what the layers view shows, as a CSV or an SVG file. */
#include <stdio.h>

#include "app/probe/csv.h"
#include "views/heat_svg.h"
#include "views/save.h"
#include "views/view_layers.h"

static const char *things(const struct layers *s)
{
    return s->mode == LAYERS_MODELS ? "model" : "layer";
}

static void put_csv(const struct layers *s, struct wb_str *out)
{
    const struct layers_map *m = &s->map;

    wb_csv_grid(out, things(s), m->row_label, (size_t)m->rows, m->col_label, (size_t)m->cols,
                m->number);
}

static void put_svg(const struct wb_view *v, struct wb_str *out)
{
    const struct layers *s = v->state;
    char title[300], what[300], note[330];
    struct wb_heat_picture picture = {
        .heat = &s->heat[s->mode],
        .colormap = v->desk->theme == NULL ? WB_COLORMAP_VIRIDIS : v->desk->theme->colormap,
        .title = wb_layers_title(v, title, sizeof title),
        .note = note,
        .row_title = things(s),
        .col_title = s->mode == LAYERS_PAIR ? "role" : things(s),
    };

    snprintf(note, sizeof note, "%s%s", wb_layers_what(v, what, sizeof what),
             s->answer->grade == LAYERS_EXACT ? "" : " (of a sample)");
    wb_heat_svg(&picture, out);
}

void wb_layers_export(struct wb_view *v, const char *path)
{
    const struct layers *s = v->state;
    struct wb_str text = { 0 };
    bool csv;

    if (!wb_save_map_kind(v->desk, path, &csv))
        return;
    if (s->on_states)
        wb_states_pane_export(v, &s->states, csv, &text);
    else if (s->map.rows > 0 && s->map.cols > 0 && csv)
        put_csv(s, &text);
    else if (s->map.rows > 0 && s->map.cols > 0)
        put_svg(v, &text);
    wb_save_text(v, path, &text);
}

const char *wb_layers_export_name(const struct wb_view *v, char *out, size_t size)
{
    const struct layers *s = v->state;
    const struct layers_question *q = &s->question;
    const struct wb_desk_model *a = wb_desk_get(v->desk, q->models > 0 ? q->model[0] : 0);
    const struct wb_desk_model *b = wb_desk_get(v->desk, q->models > 1 ? q->model[1] : 0);
    const char *metric = wb_layers_metric_name(s->metric[s->mode], true);
    const char *changes = q->base == 0 ? "" : "changes-";

    if (s->on_states)
        wb_states_pane_name(v, &s->states, out, size);
    else if (s->mode == LAYERS_PAIR && a != NULL && b != NULL)
        snprintf(out, size, "%s-%s-%s%s.svg", b->name, a->name, changes, metric);
    else if (s->mode == LAYERS_WITHIN && a != NULL)
        snprintf(out, size, "%s-layers%s%s-%s%s.svg", a->name, s->role[0] == '\0' ? "" : "-",
                 s->role, changes, metric);
    else
        snprintf(out, size, "models%s%s-%s%s.svg", s->role[0] == '\0' ? "" : "-", s->role, changes,
                 metric);
    return wb_save_name(out);
}
