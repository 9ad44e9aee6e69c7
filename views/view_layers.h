/* views/view_layers.h - the inside of the layers view, for its files alone.
 *
 * A question is what is compared: two models, the layers of one, or several models, their weights or
 * what they changed in a base. Its answer is sums, first of a sample and then exact; a metric, a role
 * or a cell of the map is taken from the sums whenever it is looked at. Answers are kept by the
 * contents of the models, as long as all of these are on the desk. */
#ifndef WB_VIEWS_VIEW_LAYERS_H
#define WB_VIEWS_VIEW_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/hash.h"
#include "app/core/task.h"
#include "app/graph/model.h"
#include "app/probe/delta.h"
#include "app/probe/places.h"
#include "app/probe/similarity.h"
#include "views/box.h"
#include "views/desk.h"
#include "views/heat.h"
#include "views/states_pane.h"
#include "views/table.h"
#include "views/view.h"

#define LAYERS_MODELS_MAX 32 /* compared with each other */

enum layers_mode {
    LAYERS_PAIR,   /* two models, layer by role */
    LAYERS_WITHIN, /* the layers of one model against each other */
    LAYERS_MODELS, /* models against each other */
    LAYERS_MODES
};
enum layers_metric { LAYERS_COSINE, LAYERS_L2, LAYERS_SIGN, LAYERS_METRICS };
enum layers_grade { LAYERS_NONE, LAYERS_SAMPLED, LAYERS_EXACT };

/* What is compared, by ids on the desk. */
struct layers_question {
    enum layers_mode mode;
    uint64_t model[LAYERS_MODELS_MAX]; /* of a PAIR the other one, then the current one */
    size_t models;                     /* 0: there is nothing to compare */
    size_t left_out;                   /* models beyond LAYERS_MODELS_MAX */
    uint64_t base;                     /* 0: the weights themselves */
};

/* The same by contents: what answers are found by. */
struct layers_key {
    enum layers_mode mode;
    struct wb_hash model[LAYERS_MODELS_MAX], base;
    size_t models;
    bool based;
};

/* A tensor of a pair of models; a cell of the map has one or several. */
struct layers_tensor {
    const struct wb_entry *entry;
    enum layers_tensor_kind {
        LAYERS_BOTH,   /* compared: sum is there */
        LAYERS_ONLY_A, /* the other model has it, the current one has not */
        LAYERS_ONLY_B,
        LAYERS_RESHAPED,
    } kind;
    struct wb_delta sum;
};

struct layers_answer {
    struct layers_key key;
    enum layers_grade grade;
    struct wb_model *model[LAYERS_MODELS_MAX], *base; /* references: all names are theirs */
    struct wb_pairwise pairwise;                      /* WITHIN, MODELS */
    struct wb_delta_list list;                        /* PAIR; the rest is in its arena */
    struct wb_places places;                          /* of the tensors below */
    struct layers_tensor *tensor;
    size_t tensors;
    struct wb_delta *cell; /* places.rows * places.columns; sums of what is in BOTH */
    size_t *cell_both, *cell_all;
    struct layers_answer *next; /* looked at before this one */
};

/* One line of the list of what is in a cell. */
struct layers_line {
    const char *name;             /* of a tensor, or a role */
    const struct wb_entry *entry; /* NULL of a role */
    enum layers_tensor_kind kind;
    double value;
};

/* What is drawn: made of the answer for a metric and a role. All in one arena. */
struct layers_map {
    struct wb_arena arena;
    int rows, cols;
    double *number; /* rows * cols; NaN where there is none */
    float *value;   /* the same for the heatmap, with what is missing or blank */
    const char **row_label, **col_label;
    struct wb_arena line_arena;
    struct layers_line *line; /* of the cell under the cursor */
    size_t lines;
};

struct layers {
    enum layers_mode mode;
    bool on_states;   /* the states of models on a text instead of the modes above */
    bool mode_chosen; /* by the user; else by what is open */
    bool from_models; /* a PAIR or WITHIN that was opened on the map of MODELS */
    bool deltas;      /* asked for; without a base the weights are compared all the same */
    enum layers_metric metric[LAYERS_MODES];
    char role[48]; /* of WITHIN and MODELS; "": all together */
    unsigned long seen,
        checked; /* versions of the desk: asked for, looked over for closed models */

    struct layers_question question;
    struct layers_key key;
    uint64_t base;                /* on the desk: the one that deltas would be against; 0: none */
    struct layers_answer *answer; /* to the question; NULL: not yet */
    struct layers_answer *kept;   /* all there are, the latest first */
    struct wb_task *task;
    struct layers_work *work; /* of the task */
    bool stopped, want_exact; /* by the user */
    struct wb_err err;        /* code WB_OK: none */

    struct layers_map map;
    struct wb_heat heat[LAYERS_MODES];
    struct wb_table list;
    bool on_detail; /* the pane with the focus */

    struct states_pane states;
};

/* Questions and answers (layers_answers.c) */

/* What is asked now: after anything that may have changed it. Starts the work that is missing. */
void wb_layers_ask(struct wb_view *v);
/* Take what came, start what is next; true: something to see changed. */
bool wb_layers_poll_answers(struct wb_view *v);
/* Drop answers about models that are not on the desk any more. */
void wb_layers_forget_closed(struct wb_view *v);
void wb_layers_stop(struct wb_view *v);
void wb_layers_want_exact(struct wb_view *v);
/* Share of the work at hand that is done, 0 .. 1; NaN: nothing is at work. */
double wb_layers_done(const struct layers *s);
void wb_layers_free_answers(struct layers *s);

/* From sums to numbers (layers_map.c) */

void wb_layers_make_map(struct wb_view *v);
/* The list of what is in the cell under the cursor. */
void wb_layers_make_lines(struct wb_view *v);
void wb_layers_free_map(struct layers_map *m);
/* The number of a cell; NaN outside and where there is none. */
double wb_layers_number(const struct layers *s, int row, int col);
/* Places along the cursor's row (of a PAIR along its column) from the nearest to the farthest,
 * without the diagonal and what is no number; gives how many, at most max. */
int wb_layers_rank(const struct layers *s, int *place, int max);
/* The next role (1), or the one before (-1), of WITHIN and MODELS; after the last all together. */
void wb_layers_step_role(struct wb_view *v, int by);
/* "relative L2"; as one word for files and commands "relative-l2". */
const char *wb_layers_metric_name(enum layers_metric metric, bool word);
/* Does the mode have it? */
bool wb_layers_has_metric(enum layers_mode mode, enum layers_metric metric);
/* "math against base", "layers of math", "5 models" into out: what is compared. */
const char *wb_layers_title(const struct wb_view *v, char *out, size_t size);
/* "relative L2 of the changes from base, role q": which number of it. */
const char *wb_layers_what(const struct wb_view *v, char *out, size_t size);

/* Drawing (layers_draw.c) */

void wb_layers_draw(const struct wb_view *v, struct wb_canvas *cv);
/* How good the numbers are, and what is at work: "~ sampled, exact 41 %", "exact"; "" without any. */
const char *wb_layers_grade(const struct layers *s, char *out, size_t size);
/* Where things stand in a view of this size, its own rows and columns; any may have no rows. Title
 * rows of the panes are part of map and detail, the list lies within the detail. */
struct layers_parts {
    struct wb_rect map, detail, list;
};
struct layers_parts wb_layers_parts(const struct layers *s, int rows, int cols);
void wb_layers_cell(void *user, size_t row, int column, struct wb_table_cell *cell);
#define LAYERS_LIST_COLUMNS 2
extern const struct wb_table_column wb_layers_columns[LAYERS_LIST_COLUMNS];

/* Writing to a file (layers_export.c) */

/* Begin to write what is shown as the file's name says, .csv or .svg (views/save.h). */
void wb_layers_export(struct wb_view *v, const char *path);
/* "math-base-relative-l2.svg" */
const char *wb_layers_export_name(const struct wb_view *v, char *out, size_t size);

#endif
