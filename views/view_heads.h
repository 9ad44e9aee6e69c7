/* views/view_heads.h - the inside of the heads view, for its files alone.
 *
 * An answer is every statistic of a model's heads on a text, part by part as they come; a statistic is
 * drawn as a grid of layers by heads or as a list. Enter shows what one head attends to in a text of
 * the user's own. Answers are kept by the contents of the model, the latest first. */
#ifndef WB_VIEWS_VIEW_HEADS_H
#define WB_VIEWS_VIEW_HEADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/hash.h"
#include "app/core/task.h"
#include "app/probe/heads.h"
#include "views/box.h"
#include "views/heat.h"
#include "views/subject.h"
#include "views/table.h"
#include "views/view.h"

/* In the order in which they are worked out; the last two only when asked for. */
enum heads_part {
    HEADS_TEXT,
    HEADS_WEIGHTS,
    HEADS_REPEATED,
    HEADS_RETRIEVAL,
    HEADS_COMPOSITION,
    HEADS_ABLATION,
    HEADS_PARTS,
};
#define HEADS_UNASKED ((1U << HEADS_COMPOSITION) - 1) /* parts that come by themselves */

/* Statistics of the engine, and how much worse the text is predicted without the head. */
enum { HEADS_ABLATION_STAT = WB_HEAD_STAT_COUNT, HEADS_STATS };

enum heads_mode { HEADS_GRID, HEADS_LIST, HEADS_PATTERN };
enum heads_order { HEADS_BY_PLACE, HEADS_BY_VALUE, HEADS_BY_PRIORITY, HEADS_ORDERS };

struct heads_answer {
    struct wb_hash model;
    struct wb_subject_choice choice;
    int layers, heads;         /* 0: not known yet */
    double *stat[HEADS_STATS]; /* owned, [layers, heads]; NULL: not there yet */
    bool nonfinite, images;
    size_t positions;
    unsigned done, failed;      /* parts, as bits */
    char why[HEADS_PARTS][200]; /* those that failed */
    struct heads_answer *next;
};

/* What is at work; the task's. */
struct heads_work {
    struct wb_model *model;
    struct wb_eval how;
    unsigned todo; /* parts */
    pthread_mutex_t lock;
    struct heads_answer so_far; /* under the lock */
    enum heads_part part;       /* being worked out */
    double share;               /* of that part; NaN: not known */
    unsigned long version;      /* grows with so_far */
};

/* What one head attends to. */
struct heads_pattern {
    struct wb_arena arena; /* of the labels */
    size_t n;              /* tokens; 0: not there yet */
    float *weight;         /* [n, n], owned */
    const char **label;
};

struct heads_pattern_work {
    struct wb_model *model;
    struct wb_eval how;
    int layer, head;
    char text[1000];
    struct heads_pattern made; /* moved out when it is done */
};

struct heads {
    enum heads_mode mode;
    enum heads_order order;
    int stat;           /* shown */
    bool on_list;       /* the pane with the focus */
    bool range_flipped; /* automatic instead of natural */
    unsigned long seen; /* version of the desk */

    struct wb_hash model; /* asked about */
    uint64_t model_id;    /* 0: none */
    struct wb_subject_choice choice;
    struct heads_answer *answer, *kept;
    struct wb_task *task;
    struct heads_work *work;
    unsigned long taken; /* version of the work */
    bool stopped;
    struct wb_err err; /* why nothing is there; code WB_OK: none */

    float *value; /* [layers, heads] of the statistic */
    int *place;   /* heads in the order of the list */
    struct wb_heat heat;
    struct wb_table stats, list;

    char text[1000]; /* for patterns */
    struct heads_pattern pattern;
    struct wb_heat pattern_heat;
    struct wb_task *pattern_task;
    struct heads_pattern_work *pattern_work;
    struct wb_err pattern_err;
};

/* Answers (heads_answers.c) */

/* What is asked now, after anything that may have changed it; starts the work that is missing. */
void wb_headview_ask(struct wb_view *v);
/* One more part, and after one was stopped the rest. */
void wb_headview_want(struct wb_view *v, unsigned parts);
bool wb_headview_poll(struct wb_view *v);
void wb_headview_stop(struct wb_view *v);
void wb_headview_free_answers(struct heads *s);
enum heads_part wb_headview_part_of(int stat);
/* The statistic's grid; NULL: not there yet. */
const double *wb_headview_grid(const struct heads *s, int stat);
double wb_headview_number(const struct heads *s, int stat, int layer, int head);
const char *wb_headview_stat_name(int stat);
const char *wb_headview_stat_doc(int stat);
/* "previous local" of a head; "" of none. */
const char *wb_headview_roles(const struct heads *s, int layer, int head, char *out, size_t size);

/* What is drawn of the answer (heads_map.c): after the answer, the statistic or the order changed. */
void wb_headview_prepare(struct wb_view *v);

/* Patterns (heads_pattern.c) */
void wb_headview_pattern_ask(struct wb_view *v);
bool wb_headview_pattern_poll(struct wb_view *v);
void wb_headview_pattern_free(struct heads *s);

/* Drawing (heads_draw.c) */

struct heads_parts {
    struct wb_rect main, stats; /* title rows are part of them; stats may have no rows */
};
struct heads_parts wb_headview_layout(const struct heads *s, int rows, int cols);
void wb_headview_draw(const struct wb_view *v, struct wb_canvas *cv);
void wb_headview_stats_cell(void *user, size_t row, int column, struct wb_table_cell *cell);
void wb_headview_list_cell(void *user, size_t row, int column, struct wb_table_cell *cell);
#define HEADS_STATS_COLUMNS 3
#define HEADS_LIST_COLUMNS 6
extern const struct wb_table_column wb_headview_stats_columns[HEADS_STATS_COLUMNS];
extern const struct wb_table_column wb_headview_list_columns[HEADS_LIST_COLUMNS];
/* How far the work is: "text 41 %", "stopped", "" when all is there. */
const char *wb_headview_progress(const struct heads *s, char *out, size_t size);

/* Writing to a file (heads_export.c), .csv or .svg (views/save.h). */
void wb_headview_export(struct wb_view *v, const char *path);
const char *wb_headview_export_name(const struct wb_view *v, char *out, size_t size);

#endif
