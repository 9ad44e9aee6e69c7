/* views/eval_sets.h - what models are asked, to see what they do: texts, tasks, images.
 *
 * A list for each model that is worked on, known by its path: what was chosen for it; else what the
 * config file names; else what lies in a folder "eval" beside the model or in it. Belongs to the UI
 * thread. */
#ifndef WB_VIEWS_EVAL_SETS_H
#define WB_VIEWS_EVAL_SETS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/graph/model.h"
#include "app/probe/behaviour.h"

#define WB_EVAL_SETS_MAX 16 /* of one model */

struct wb_eval_set {
    enum wb_behaviour_kind kind;
    char *name, *path;    /* owned; name: "english", no two alike in a list */
    size_t window, limit; /* as of `eval`; 0: its defaults */
    bool off;             /* known, but not asked */
};

struct wb_eval_list {
    char *about; /* path of the model */
    struct wb_eval_set set[WB_EVAL_SETS_MAX];
    size_t sets;
    bool chosen; /* by the user: kept in the session */
};

/* Zero-initialised is empty. */
struct wb_eval_sets {
    struct wb_eval_list **list; /* owned */
    size_t lists;
    const char *const *usual; /* of the config file; borrowed */
    size_t usuals;
    unsigned long version; /* grows with every change of a list */
};

void wb_eval_sets_free(struct wb_eval_sets *e);
/* The list of a model, made when it is asked for first. Valid until the lists are freed; NULL
 * without memory. */
struct wb_eval_list *wb_eval_sets_of(struct wb_eval_sets *e, const struct wb_model *model);
/* FILE.txt is a text, FILE.jsonl tasks, FILE.safetensors images. A file that is there already gets
 * the new limits and is on. WB_EARG, WB_ENOTFOUND. */
bool wb_eval_sets_add(struct wb_eval_sets *e, struct wb_eval_list *l, const char *path,
                      size_t window, size_t limit, struct wb_err *err);
void wb_eval_sets_drop(struct wb_eval_sets *e, struct wb_eval_list *l, size_t i);
void wb_eval_sets_switch(struct wb_eval_sets *e, struct wb_eval_list *l, size_t i, bool on);
/* What it would be had nothing been chosen. */
void wb_eval_sets_reset(struct wb_eval_sets *e, struct wb_eval_list *l,
                        const struct wb_model *model);
/* Those that are on, borrowed, into out (room for WB_EVAL_SETS_MAX); gives how many. */
size_t wb_eval_sets_on(const struct wb_eval_list *l, struct wb_behaviour_set *out);
/* "text", "tasks", "images" */
const char *wb_eval_kind_name(enum wb_behaviour_kind kind);

/* What was chosen, for the session file: into an object, from one. */
void wb_eval_sets_write(const struct wb_eval_sets *e, cJSON *object);
void wb_eval_sets_read(struct wb_eval_sets *e, const cJSON *object);

#endif
