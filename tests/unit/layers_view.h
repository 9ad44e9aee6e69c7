/* tests/unit/layers_view.h - the layers view in tests: on models of the zoo, its state, its map. */
#ifndef WB_TEST_LAYERS_VIEW_H
#define WB_TEST_LAYERS_VIEW_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "tests/unit/view_fixture.h"
#include "views/view_layers.h"

#define ZOO "tests/data/zoo/"

/* A view_fixture with models of the zoo, "base math": the last one is current. */
static inline void open_models(struct view_fixture *f, int rows, int cols, const char *names)
{
    char line[200];

    view_fixture_open(f, rows, cols);
    while (*names != '\0') {
        size_t n = strcspn(names, " ");

        snprintf(line, sizeof line, "open " ZOO "%.*s", (int)n, names);
        view_fixture_command(f, line);
        names += n + (names[n] == ' ');
    }
    view_fixture_settle(f);
}

/* A command, or keys, and what follows from it. */
static inline void run(struct view_fixture *f, const char *line)
{
    view_fixture_command(f, line);
    view_fixture_settle(f);
}

static inline void keys(struct view_fixture *f, const char *list)
{
    view_fixture_keys(f, list);
    view_fixture_settle(f);
}

static inline struct layers *state_of(struct view_fixture *f)
{
    struct wb_view *v = wb_frame_view(f->frame);

    assert_string_equal(v->ops->name, "layers");
    return v->state;
}

static inline struct wb_model *model(struct view_fixture *f, const char *name)
{
    struct wb_desk_model *m = wb_desk_find(f->desk, name);

    assert_non_null(m);
    assert_non_null(m->model);
    return m->model;
}

/* Row or column of a label; -1: there is none. */
static inline int find(const char **label, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(label[i], name) == 0)
            return i;
    return -1;
}

/* The number of the cell with these labels. */
static inline double number(const struct layers *s, const char *row, const char *col)
{
    int r = find(s->map.row_label, s->map.rows, row), c = find(s->map.col_label, s->map.cols, col);

    if (r < 0 || c < 0)
        fail_msg("the map has no cell %s : %s", row, col);
    return wb_layers_number(s, r, c);
}

/* Equal, or both NaN. */
static inline void same(double x, double y)
{
    if (isnan(x) && isnan(y))
        return;
    if (x != y)
        fail_msg("%.17g is not %.17g", x, y);
}

/* ---- files ---- */

static inline char *read_file(const char *path)
{
    struct wb_err err;
    char *text = wb_read_file(path, 1 << 24, NULL, &err);

    if (text == NULL)
        fail_msg("%s", err.msg);
    return text;
}

#endif
