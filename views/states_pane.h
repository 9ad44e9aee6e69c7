/* views/states_pane.h - how alike the states of a model are along its depth, on a text: a mode of the
 * layers view.
 *
 * One map of states by states and what each block changes; the current model alone, beside another
 * one, or their difference. Figures come in while the text is read. The layers view hands on what it
 * gets while this is its mode. */
#ifndef WB_VIEWS_STATES_PANE_H
#define WB_VIEWS_STATES_PANE_H

#include <pthread.h>
#include <stdbool.h>

#include "app/core/hash.h"
#include "app/core/task.h"
#include "app/probe/states.h"
#include "views/heat.h"
#include "views/subject.h"
#include "views/view.h"

#define STATES_METRICS 3

enum states_show { STATES_ONE, STATES_BESIDE, STATES_DIFFERENCE, STATES_SHOWS };

struct states_answer {
    struct wb_hash model;
    struct wb_subject_choice choice;
    bool done, images;
    int layers; /* 0: not known yet */
    size_t rows, positions, nonfinite_rows;
    double *matrix[STATES_METRICS], *influence, *relative_step; /* owned; as of wb_states */
    struct states_answer *next;
};

/* The task's. */
struct states_work {
    struct wb_model *model;
    struct wb_eval how;
    pthread_mutex_t lock;
    struct states_answer so_far; /* under the lock */
    unsigned long version;
};

struct states_pane {
    enum states_show show;
    int metric;     /* of enum wb_state_metric */
    uint64_t id[2]; /* current and other model; 0: none */
    struct wb_hash model[2];
    struct wb_subject_choice choice[2];
    struct states_answer *kept;
    struct wb_task *task;
    struct states_work *work;
    int at_work; /* 0 or 1: for which of the two */
    unsigned long taken;
    bool stopped;
    struct wb_err err[2];
    float *value[2]; /* what is drawn: of the current model (or the difference), of the other */
    struct wb_heat heat[2];
};

/* What is asked now; starts work that is missing. */
void wb_states_pane_ask(struct wb_view *v, struct states_pane *p);
bool wb_states_pane_poll(struct wb_view *v, struct states_pane *p);
void wb_states_pane_draw(const struct wb_view *v, const struct states_pane *p,
                         struct wb_canvas *cv);
bool wb_states_pane_act(struct wb_view *v, struct states_pane *p, enum wb_action action, int count);
void wb_states_pane_mouse(struct wb_view *v, struct states_pane *p, const struct wb_mouse *event);
void wb_states_pane_status(const struct wb_view *v, const struct states_pane *p,
                           struct wb_str *where, struct wb_str *position);
/* "cka", "cosine", "angular" */
bool wb_states_pane_set_metric(struct wb_view *v, struct states_pane *p, const char *name);
/* The numbers as CSV or the picture, as the file's name says. */
void wb_states_pane_export(const struct wb_view *v, const struct states_pane *p, bool csv,
                           struct wb_str *out);
bool wb_states_pane_has_map(const struct states_pane *p);
void wb_states_pane_name(const struct wb_view *v, const struct states_pane *p, char *out,
                         size_t size);
void wb_states_pane_free(struct states_pane *p);

#endif
