/* views/view_play.h - the inside of the playground, for its files alone.
 *
 * One prompt, several models beside each other. Each column is a model of the desk or the pipeline's
 * unwritten result, and what it wrote last: a run, which a task fills token by token while the screen
 * reads it. Once all have ended, another task asks every model what it would have said in the others'
 * texts. A model's net and tokenizer are kept while a column shows it. */
#ifndef WB_VIEWS_VIEW_PLAY_H
#define WB_VIEWS_VIEW_PLAY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/hash.h"
#include "app/core/task.h"
#include "app/infer/generate.h"
#include "views/box.h"
#include "views/desk.h"
#include "views/editor.h"
#include "views/view.h"

#define PLAY_COLUMNS_MAX 8

/* Settings */

struct play_settings {
    bool greedy; /* the most likely token; temperature and top_p do not matter */
    double temperature, top_p;
    int tokens;
    uint64_t seed;
};

enum play_setting {
    PLAY_GREEDY,
    PLAY_TEMPERATURE,
    PLAY_TOP_P,
    PLAY_TOKENS,
    PLAY_SEED,
    PLAY_SETTINGS
};

/* What one model wrote */

/* What another model thought of a token. */
struct play_opinion {
    bool known;
    double logprob;       /* of the token that is there */
    double first_logprob; /* of what it would have said */
    char *first;          /* its text; owned */
};

struct play_token {
    int32_t id;
    double logprob, entropy;
    char *text; /* that it added to the whole; owned */
    char *top
        [WB_GENERATE_TOP]; /* texts of the first choices, the likeliest first; owned, NULL: none */
    double top_logprob[WB_GENERATE_TOP];
    struct play_opinion opinion[PLAY_COLUMNS_MAX]; /* of the model in that column then */
};

struct play_engine; /* a model's net and tokenizer; shared by tasks, one at a time */

/* Reference counted: by the column and its tasks. What is below the lock is shared. */
struct play_run {
    _Atomic unsigned refs;
    struct play_engine *engine; /* a reference; NULL: made up, for drawings */
    char *prompt;
    struct play_settings settings;
    pthread_mutex_t lock;
    struct play_token *token;
    size_t tokens, room;
    int32_t *prompt_id; /* with BOS; there once it has ended */
    size_t prompt_ids;
    bool ended;            /* by the model itself */
    double prompt_seconds; /* NaN: not over yet */
    double seconds;        /* of the tokens so far */
    unsigned long version; /* grows with every token */
};

struct play_column {
    uint64_t id;          /* of a model on the desk; 0: the pipeline's result */
    char name[64];        /* as it is called now */
    struct play_run *run; /* NULL: it wrote nothing yet */
    struct wb_task *task; /* that writes; NULL: none */
    struct wb_err err;    /* code WB_OK: none */
    bool stopped;         /* by the user */
    size_t cursor;        /* token */
    int top;              /* first line shown */
    bool follows;         /* the end stays in sight while it writes */
    unsigned long seen;   /* version of the run that was drawn */
};

enum play_pane { PLAY_PROMPT, PLAY_SETTING_ROWS, PLAY_COLUMN };

struct play {
    struct wb_desk *desk;
    struct wb_document *text; /* the prompt */
    struct wb_editor *editor;
    bool typing;
    enum play_pane focus;
    size_t column; /* with the focus */
    size_t left;   /* first column shown */
    struct play_settings settings;
    int setting; /* row under the cursor */
    struct play_column shown[PLAY_COLUMNS_MAX];
    size_t columns;
    bool chosen;                  /* columns, by the user; else by what is open */
    bool plain;                   /* no row of marks below each line */
    unsigned long seen, seen_doc; /* versions of the desk and the pipeline */
    struct play_engine *engine;   /* kept ones, a list */
    struct wb_task *opinion_task;
    bool opinion_due;
    struct wb_err opinion_err; /* code WB_OK: none */
};

/* Of play_run.c: engines, runs and tasks. */

/* Write with all columns, from the prompt as it is; what is at work ends. */
void wb_play_start(struct wb_view *v);
void wb_play_stop(struct wb_view *v);
bool wb_play_at_work(const struct play *p); /* one writes, or is asked */
bool wb_play_poll_runs(struct wb_view *v);  /* true: something to see changed */
void wb_play_drop_run(struct play_column *c);
void wb_play_free_runs(struct play *p);
/* A run without a model, for drawings; NULL without memory. */
struct play_run *wb_play_run_new(const char *prompt, const struct play_settings *settings);
/* Append a token; its texts are moved. False without memory: they are freed. */
bool wb_play_run_add(struct play_run *r, struct play_token *token);
void wb_play_run_unref(struct play_run *r); /* NULL is fine */
/* After columns moved: what they thought of each other is asked anew. */
void wb_play_forget_opinions(struct play *p);
/* Does a model of another column say something else first? */
bool wb_play_differs(const struct play *p, const struct play_token *t);

/* Of play_columns.c: which models. */

void wb_play_choose_columns(struct wb_view *v); /* by what is open, unless the user chose */
bool wb_play_add_column(struct wb_view *v, const char *name);
void wb_play_drop_column(struct wb_view *v, size_t i);
void wb_play_next_model(struct wb_view *v, size_t i);
/* Its model; NULL: it is gone, or not open yet. Borrowed. */
struct wb_model *wb_play_model(const struct play *p, const struct play_column *c);

/* Of play_moves.c */

struct play_column *wb_play_column(struct play *p); /* with the focus; NULL: none has it */
size_t wb_play_tokens(const struct play_column *c); /* of its run; NULL is fine */
void wb_play_go_token(struct play_column *c, size_t token);
/* Lines up or down, about the same place in them. */
void wb_play_go_lines(struct wb_view *v, struct play_column *c, int by);
void wb_play_go_difference(struct wb_view *v, bool back);
bool wb_play_act_on_column(struct wb_view *v, enum wb_action action, int count);
/* To the token in which the next match begins. */
bool wb_play_search(struct wb_view *v, const char *text, int direction);

/* Of play_settings.c */

extern const char *const wb_play_setting_name[PLAY_SETTINGS];
void wb_play_draw_settings(const struct play *p, struct wb_canvas *cv);
void wb_play_step_setting(struct play *p, int steps);
/* WB_EARG says what would fit. */
bool wb_play_set(struct play_settings *s, enum play_setting which, const char *value,
                 struct wb_err *err);
const char *wb_play_setting_text(const struct play_settings *s, enum play_setting which, char *out,
                                 size_t size);
const char *wb_play_setting_doc(enum play_setting which);
/* A click on a row. */
void wb_play_click_setting(struct play *p, int row, int col, int cols);

/* Of play_draw.c */

/* Panes with their title rows. */
struct play_layout {
    struct wb_rect prompt, settings, columns, readout;
    int column_cols; /* of a column, its border included */
    size_t visible;  /* columns that fit */
};
struct play_layout wb_play_lay_out(const struct play *p, int rows, int cols);
void wb_play_draw(const struct wb_view *v, struct wb_canvas *cv);
/* Width of the text of a column, and rows of it. */
int wb_play_text_cols(const struct play_layout *l);
int wb_play_text_lines(const struct play *p, const struct play_layout *l);
/* The line that a token begins on, and how many there are. Takes the lock. */
int wb_play_line_of(const struct play_column *c, size_t token, int cols, int *lines);
/* The token at a place of a column's text; SIZE_MAX: none. */
size_t wb_play_token_at(const struct play_column *c, int line, int col, int cols);

/* Of play_export.c: copies and transcripts. */

/* All that the columns wrote, as text or (JSON: of a path ".json") with every number; appended. */
void wb_play_transcript(const struct play *p, bool json, struct wb_str *out);
void wb_play_export(struct wb_view *v, const char *path); /* views/save.h */

#endif
