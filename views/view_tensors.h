/* views/view_tensors.h - the inside of the tensors view, for its files alone.
 *
 * Figures are kept for each model (by its hash) while the view lives: coming back costs nothing. The
 * sampled ones of all tensors come first, in slices, so that rows fill in; exact ones for the tensor
 * under the cursor, or for all on demand. */
#ifndef WB_VIEWS_VIEW_TENSORS_H
#define WB_VIEWS_VIEW_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/task.h"
#include "app/graph/model.h"
#include "app/probe/histogram.h"
#include "app/probe/weights.h"
#include "views/table.h"
#include "views/view.h"

enum tensors_grade { TENSORS_NONE, TENSORS_SAMPLED, TENSORS_EXACT };

/* Statistics of a model's tensors, as far as they are known. */
struct tensors_figures {
    struct wb_model *model; /* a reference */
    struct wb_weight_stats *stats;
    uint8_t *grade;              /* enum tensors_grade */
    size_t sampled_to, exact_to; /* entries from here on are to do */
    bool want_exact;             /* of all tensors */
    struct tensors_figures *next;
};

/* One tensor close up. */
struct tensors_close {
    struct wb_node *node; /* a reference; NULL: none */
    size_t entry;
    struct wb_histogram histogram;
    enum tensors_grade grade;
    struct wb_err err;
    double *slice; /* rows x columns of them */
    struct wb_slice at;
    bool slice_known;
};

/* A row of the table: a group of tensors, or one of them. */
struct tensors_row {
    bool group;
    size_t entry; /* of the model; of a group the first one */
    size_t members;
    uint64_t count, bytes; /* of a group: all its entries */
};

enum tensors_pane { TENSORS_LIST, TENSORS_DETAIL };
enum tensors_mode { TENSORS_HISTOGRAM, TENSORS_LOG_HISTOGRAM, TENSORS_VALUES, TENSORS_MODES };

struct tensors {
    struct wb_table table;
    uint64_t model_id; /* on the desk; 0: none */
    unsigned long seen;
    struct wb_model *model; /* a reference */
    struct tensors_row *row;
    char (*folded)[64]; /* names of groups that are folded; owned */
    size_t foldeds, fold_room;
    char filter[200];
    struct tensors_figures *figures; /* of `model` first, then of others */

    struct wb_task *stats_task;
    struct tensors_stats_work *stats_work;
    struct wb_task *close_task;
    struct tensors_close_work *close_work;
    struct tensors_close close; /* of the tensor under the cursor */

    enum tensors_pane pane;
    enum tensors_mode mode;
};

/* Rows (tensors_rows.c) */
void wb_tensors_make_rows(struct tensors *s);
/* The entry under the cursor; SIZE_MAX on a group or without rows. */
size_t wb_tensors_entry(const struct tensors *s);
/* Put the cursor on an entry, unfolding its group; false: the filter hides it. */
bool wb_tensors_select(struct tensors *s, size_t entry, size_t page);
void wb_tensors_fold(struct tensors *s, bool all);
const char *wb_tensors_group_name(const struct wb_entry *e, char *out, size_t size);

/* Figures (tensors_figures.c) */
void wb_tensors_set_model(struct wb_view *v);
/* Start what is missing, take what came; true: something to see changed. */
bool wb_tensors_poll_figures(struct wb_view *v);
void wb_tensors_want_all(struct wb_view *v);
void wb_tensors_move_slice(struct wb_view *v, long rows, long columns);
void wb_tensors_free_figures(struct tensors *s);
bool wb_tensors_busy(const struct tensors *s);

/* Drawing (tensors_draw.c) */
void wb_tensors_draw(const struct wb_view *v, struct wb_canvas *cv);
void wb_tensors_cell(void *user, size_t row, int column, struct wb_table_cell *cell);
int wb_tensors_list_cols(const struct wb_view *v);
extern const struct wb_table_column wb_tensors_columns[];
enum {
    TENSORS_NAME,
    TENSORS_ROLE,
    TENSORS_SHAPE,
    TENSORS_DTYPE,
    TENSORS_SIZE,
    TENSORS_STD,
    TENSORS_ABSMAX,
    TENSORS_ZEROS,
    TENSORS_ODD,
    TENSORS_COLUMNS
};
/* Rows and columns of values that fit the detail pane. */
void wb_tensors_slice_size(const struct wb_view *v, uint64_t *rows, uint64_t *columns);

#endif
