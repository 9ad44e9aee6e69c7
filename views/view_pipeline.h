/* views/view_pipeline.h - between the parts of the Pipeline screen; not for others.
 *
 * Four panes: the editor, the steps and the knobs at the left, the preview at the right. In a
 * narrow window the preview takes the place of the others while it has the focus, and a strip below them
 * shows its most important numbers. */
#ifndef WB_VIEWS_VIEW_PIPELINE_H
#define WB_VIEWS_VIEW_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/box.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/editor.h"
#include "views/heat.h"
#include "views/table.h"

enum wb_pipe_pane { WB_PIPE_EDITOR, WB_PIPE_STEPS, WB_PIPE_KNOBS, WB_PIPE_PREVIEW, WB_PIPE_PANES };

/* What the preview shows. */
enum wb_pipe_mode {
    WB_PIPE_SUMMARY, /* totals, parents, sparklines over the layers; the map below where it fits */
    WB_PIPE_LAYERS,  /* a table: a layer a row, a quantity a column */
    WB_PIPE_MAP,     /* layer by role, one quantity */
    WB_PIPE_MOVES,   /* the same, how far it moved */
    WB_PIPE_SCORES,  /* what the model does: a table of sets and models */
    WB_PIPE_REPORTS, /* what the steps themselves report */
    WB_PIPE_MODES
};

#define WB_PIPE_COLUMNS_MAX 31 /* of the table by layer */

/* Parts of the window; panes with their title rows. */
struct wb_pipe_layout {
    struct wb_rect pane[WB_PIPE_PANES], strip;
    bool wide;
};

/* Choosing a step to insert. */
struct wb_pipe_chooser {
    bool open;
    char filter[64];
    struct wb_table table;
    size_t *item; /* places in the list of plugins; owned */
    size_t items;
    struct wb_desk *desk;
};

struct wb_pipe {
    struct wb_desk *desk;
    struct wb_editor *editor;
    enum wb_pipe_pane focus;
    bool typing;
    unsigned long seen;    /* version of the doc that is shown */
    uint64_t seen_text;    /* and of its text */
    uint64_t seen_figures; /* and of its figures */
    bool drawn_stale;

    struct wb_table steps;
    size_t knob, knob_top; /* row under the cursor: knobs, then kept settings; first shown */
    char *b_name;          /* A/B: the kept setting of the two; NULL: none chosen */
    struct wb_setting a;   /* and the other one */

    enum wb_pipe_mode mode;
    struct wb_quantity metric; /* what the map shows; its strings are copies */
    char metric_key[64];
    struct wb_heat heat;
    float *cell;               /* of the map; owned */
    size_t *map_row, *map_col; /* rows and columns of the figures that the map shows; owned */
    char (*row_label)[40];     /* of map_row; owned */
    const char **labels;       /* of rows, then of columns; owned */
    struct wb_table layers, reports, score_table;
    struct wb_table_column layer_column[WB_PIPE_COLUMNS_MAX];
    char layer_title[WB_PIPE_COLUMNS_MAX][40];
    size_t column_quantity[WB_PIPE_COLUMNS_MAX]; /* of the columns after the first */
    size_t *layer_order;                         /* rows as sorted; owned */

    struct wb_pipe_chooser chooser;
    uint64_t result_id; /* of the result that was put on the desk */
    char *edit_dir;     /* of the file that is in $EDITOR; owned */
};

#define WB_PIPE_WIDE_COLS 100 /* from here on the preview stands beside the rest */

/* Of view_pipeline.c. */
bool wb_pipe_is_empty(const struct wb_pipe *p); /* there is no text */
/* Where a pane stands in the view as it was last drawn, its title row included. */
struct wb_rect wb_pipe_pane_rect(const struct wb_view *v, enum wb_pipe_pane pane);
void wb_pipe_lay_out(const struct wb_pipe *p, int rows, int cols, struct wb_pipe_layout *l);
void wb_pipe_focus(struct wb_pipe *p, enum wb_pipe_pane pane);
/* Put the cursor of the editor on a line, from 1. */
void wb_pipe_go_line(struct wb_pipe *p, int line);

/* Of view_pipeline_act.c. */
bool wb_pipe_act(struct wb_view *v, enum wb_action action, int count);
/* To the tensor under the cursor of the preview; false: there is nothing to open. */
bool wb_pipe_open_cell(struct wb_view *v);
void wb_pipe_refresh(struct wb_pipe *p); /* after anything that is shown changed */

/* Of view_pipeline_steps.c: steps and knobs. */
void wb_pipe_steps_open(struct wb_pipe *p);
void wb_pipe_steps_poll(struct wb_pipe *p);
/* The script whose steps are shown: the last one, or while it has none the last good one. */
const struct wb_script *wb_pipe_script(const struct wb_pipe *p);
size_t wb_pipe_knob_rows(const struct wb_pipe *p); /* of the pane: knobs, heading, kept settings */
void wb_pipe_draw_steps(const struct wb_pipe *p, struct wb_canvas *cv);
void wb_pipe_draw_knobs(const struct wb_pipe *p, struct wb_canvas *cv);
bool wb_pipe_act_steps(struct wb_pipe *p, enum wb_action action, int count, int rows);
bool wb_pipe_act_knobs(struct wb_view *v, enum wb_action action, int count, int rows);
void wb_pipe_mouse_knobs(struct wb_view *v, struct wb_mouse mouse, int rows, int cols);
/* A line about the row under the cursor, appended. */
void wb_pipe_say_step(const struct wb_pipe *p, struct wb_str *out);
void wb_pipe_say_knob(const struct wb_pipe *p, struct wb_str *out);
void wb_pipe_compare_settings(struct wb_view *v);
void wb_pipe_keep_setting(struct wb_view *v);

/* Of view_pipeline_figures.c: numbers of the preview with how they moved. */
enum wb_pipe_scope { WB_PIPE_TOTAL, WB_PIPE_ROW, WB_PIPE_CELL };
struct wb_pipe_figure {
    double value;    /* NaN: not known, or it does not exist */
    double from, to; /* what to compare; NaN: nothing */
    enum wb_grade grade;
};
/* Quantity `q` of the figures now, of all (row and column ignored), a row or a cell. */
struct wb_pipe_figure wb_pipe_figure(const struct wb_doc *d, size_t q, enum wb_pipe_scope scope,
                                     size_t row, size_t column);
/* Is the quantity a share of 1, to be shown in percent? */
bool wb_pipe_is_share(const struct wb_quantity *q);
const char *wb_pipe_value(char *out, size_t size, const struct wb_quantity *q, double value);
const char *wb_pipe_change(char *out, size_t size, const struct wb_quantity *q,
                           const struct wb_pipe_figure *f);
/* "relative norm", "cosine to math", "kept_share.1 (step 1)"; into out. */
const char *wb_pipe_label(char *out, size_t size, const struct wb_doc *d,
                          const struct wb_quantity *q);
/* The same for a narrow column: "cos math". */
const char *wb_pipe_short_label(char *out, size_t size, const struct wb_doc *d,
                                const struct wb_quantity *q);
/* Value and change, right aligned in their columns; what is sampled gets a `~`. */
void wb_pipe_draw_figure(struct wb_canvas *cv, int row, int col, int value_cols, int change_cols,
                         const struct wb_doc *d, const struct wb_quantity *q,
                         const struct wb_pipe_figure *f);

/* Of view_pipeline_map.c: the map, the table by layer, the reports. */
void wb_pipe_map_poll(struct wb_pipe *p); /* after the figures changed */
void wb_pipe_map_close(struct wb_pipe *p);
void wb_pipe_draw_map(const struct wb_pipe *p, struct wb_canvas *cv, bool focused);
void wb_pipe_draw_layers(const struct wb_pipe *p, struct wb_canvas *cv, bool focused);
void wb_pipe_draw_reports(const struct wb_pipe *p, struct wb_canvas *cv, bool focused);
/* false: there are no figures yet. */
bool wb_pipe_next_metric(struct wb_pipe *p, int steps);
bool wb_pipe_set_metric(struct wb_pipe *p, const char *key);
/* The tensor under the cursor of the map or the table; NULL: none. Borrowed from the figures. */
const char *wb_pipe_tensor(const struct wb_pipe *p);
void wb_pipe_say_cell(const struct wb_pipe *p, struct wb_str *out);
void wb_pipe_sort_layers(struct wb_pipe *p);

/* Of view_pipeline_scores.c: what the model does. */
void wb_pipe_scores_poll(struct wb_pipe *p);
int wb_pipe_score_lines(const struct wb_pipe *p); /* rows in the strip; 0: there is nothing */
void wb_pipe_draw_score_lines(const struct wb_pipe *p, struct wb_canvas *cv);
int wb_pipe_score_rows(const struct wb_pipe *p, bool full); /* of the block; 0: there is nothing */
void wb_pipe_draw_score_block(const struct wb_pipe *p, struct wb_canvas *cv);
int wb_pipe_score_table_rows(const struct wb_pipe *p, int rows); /* of a window of so many */
void wb_pipe_draw_score_table(const struct wb_pipe *p, struct wb_canvas *cv, bool focused);
void wb_pipe_say_score(const struct wb_pipe *p, struct wb_str *out);

/* Of view_pipeline_preview.c. */
/* Windows within the preview's: what is not shown has no rows. */
struct wb_pipe_parts {
    struct wb_rect summary, scores, detail, reports, problems;
};
void wb_pipe_preview_parts(const struct wb_pipe *p, int rows, int cols,
                           struct wb_pipe_parts *parts);
enum wb_pipe_mode wb_pipe_detail(const struct wb_pipe *p); /* what the detail part shows */
void wb_pipe_draw_preview(const struct wb_pipe *p, struct wb_canvas *cv);
void wb_pipe_draw_strip(const struct wb_pipe *p, struct wb_canvas *cv);

/* Of view_pipeline_insert.c. */
void wb_pipe_chooser_open(struct wb_pipe *p);
void wb_pipe_chooser_close(struct wb_pipe *p);
void wb_pipe_chooser_poll(struct wb_pipe *p);
void wb_pipe_chooser_draw(const struct wb_pipe *p, struct wb_canvas *cv);
bool wb_pipe_chooser_key(struct wb_pipe *p, const struct wb_event *event);
void wb_pipe_chooser_mouse(struct wb_pipe *p, struct wb_mouse mouse, int rows);
bool wb_pipe_insert(struct wb_pipe *p, const char *name); /* by the method's name */

/* Of view_pipeline_text.c: what is done to the text. */
void wb_pipe_text_open(struct wb_pipe *p); /* completion */
void wb_pipe_external_edit(struct wb_pipe *p);
void wb_pipe_external_end(struct wb_pipe *p); /* remove what it left */
/* A script that begins with the open models, for a new step `plugin` (NULL: a linear merge); owned,
 * NULL without memory. */
char *wb_pipe_starting_script(const struct wb_desk *desk, const cJSON *plugin);
bool wb_pipe_replace(struct wb_doc *d, size_t first, size_t last, const char *text,
                     struct wb_err *err);
const char *wb_pipe_file_name(const struct wb_doc *d); /* without the directory */
/* The first line of a message, without the place "name:line: " in front of it; appended. */
void wb_pipe_say_error(const char *text, int line, struct wb_str *out);

#endif
