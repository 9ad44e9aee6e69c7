/* views/doc.h - the pipeline on the desk: its text, its knobs, what it makes, live.
 *
 * Every edit and every turn of a knob runs the script again on the script thread; its result (or
 * its error) replaces the one before, and a preview of the model begins: sampled, then exact. The
 * last good result stays while a script is broken. Belongs to the UI thread. */
#ifndef WB_VIEWS_DOC_H
#define WB_VIEWS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/job/run.h"
#include "app/probe/preview.h"
#include "lua/bind/script.h"
#include "lua/bind/worker.h"
#include "views/doc_scores.h"
#include "views/document.h"
#include "views/setting.h"

struct wb_desk;

#define WB_DOC_PARENTS_MAX 16

struct wb_doc_previewing;

/* What figures belong to. */
struct wb_doc_cause {
    struct wb_setting setting;
    uint64_t text; /* version of the document */
};

struct wb_doc {
    struct wb_desk *desk;
    struct wb_document *text;
    char *path;            /* where it is saved; NULL: nowhere yet */
    uint64_t ran_version;  /* of the text that ran last */
    uint64_t seen_version; /* of the text, at the last poll */
    double edited_at;      /* wb_now_seconds of an edit that has not run yet; 0: none */
    double typed_at;       /* wb_now_seconds of the last edit */

    struct wb_setting now;   /* what is turned */
    struct wb_setting *past; /* undo of knobs, the oldest first; from `undone` on: redo */
    size_t pasts, undone;
    char *merging;           /* the knob whose turns are joined in undo; NULL: none */
    double merged_at;        /* wb_now_seconds of the last of them */
    struct wb_setting *kept; /* named settings */
    size_t keeps;

    struct wb_script script; /* of the last run that ended, good or not */
    struct wb_script good;   /* when that one failed: the last that gave a model */
    uint64_t run_id;         /* of the run at work; 0: none */
    bool cancelling;         /* it is to stop, as soon as its thread has begun with it */
    unsigned long version;   /* grows with everything that changes below and above */

    struct wb_preview *preview; /* NULL: none, or its task has not made it yet */
    struct wb_task *preview_task;
    struct wb_doc_previewing *previewing; /* of the task */
    struct wb_preview_snapshot
        now_figures; /* of the preview, or while it has none the ones before */
    struct wb_preview_snapshot now_sampled; /* the same when all was sampled first */
    struct wb_preview_snapshot before,
        before_sampled; /* what they moved from; grade NONE: nothing */
    struct wb_doc_cause now_cause, before_cause;
    unsigned long now_number, before_number, numbers; /* of those figures; 0: none */
    bool stale;        /* now_figures belong to the model before: no numbers yet */
    double started_at; /* wb_now_seconds of the turn or edit that the preview follows */
    double first_seconds, exact_seconds; /* from there to the first numbers, to all; NaN: not yet */
    struct wb_err preview_err;           /* code WB_OK: none */
    unsigned long gesture; /* counts turns and edits; those that belong together have one number */
    unsigned long now_gesture; /* that now_figures followed */

    struct wb_doc_scores scores, scores_before; /* what the model does, on the sets at hand */
    struct wb_behaviour *behaviour;             /* that works them out; NULL: none at work */
    struct wb_task *scores_task;
    bool scores_due;              /* once the first numbers are there */
    unsigned long scores_gesture; /* that they followed */
    unsigned long scores_seen;    /* version of the evaluation sets that they are of */

    bool plan_due;             /* once the first numbers are there */
    struct wb_task *plan_task; /* the findings of a dry run */
    struct wb_plan *plan;      /* NULL: not there yet; its problems follow the script's */
    void *plan_ctx;            /* of the task */
    uint64_t map_id;           /* of the parameter map asked for; 0: none */
    bool map_wanted;           /* some view shows one: it is kept current */
    size_t map_step;
    struct wb_param_map *map; /* NULL: none; of step map_step */
    struct wb_err map_err;
};

struct wb_doc *wb_doc_new(struct wb_desk *desk, struct wb_err *err);
void wb_doc_free(struct wb_doc *d); /* NULL is fine */
/* Another script, from a file or from text; knobs, results and, for another file, kept settings are
 * forgotten. */
bool wb_doc_load(struct wb_doc *d, const char *path, struct wb_err *err);
bool wb_doc_set_text(struct wb_doc *d, const char *text, size_t n, struct wb_err *err);
/* A text that was not saved, over the file's: it can be undone, and counts as modified. */
bool wb_doc_restore_text(struct wb_doc *d, const char *text, struct wb_err *err);
/* To path, NULL: where it came from. Whole or not at all. */
bool wb_doc_save(struct wb_doc *d, const char *path, struct wb_err *err);
/* The file's name for people: "merge.lua", "(new)". Borrowed. */
const char *wb_doc_name(const struct wb_doc *d);

/* Take in what finished, start what is due; true: something to see changed. */
bool wb_doc_poll(struct wb_doc *d);
/* An event of the pipeline's worker; it is moved. */
void wb_doc_take(struct wb_doc *d, struct wb_worker_event *e);
/* Milliseconds until poll has to be called again for an edit to run; -1: none waits. */
int wb_doc_timeout_ms(const struct wb_doc *d);
/* The text or the knobs are not those that the last script ran with: one is at work or due. */
bool wb_doc_script_due(const struct wb_doc *d);
/* Script, preview, behaviour or dry run at work or due. */
bool wb_doc_busy(const struct wb_doc *d);
/* Stop the script, the preview and the behaviour at work. */
void wb_doc_cancel(struct wb_doc *d);
/* Run the script again (a plugin file changed, a model was written anew). */
void wb_doc_rerun(struct wb_doc *d);
/* The same after a turn; joins: it goes on with the turn before, and what comes out is compared
 * with what was there before both. */
void wb_doc_restart(struct wb_doc *d, bool joins);
/* Share of the preview's work that is done, 0 .. 1; 1 when none is at work. */
double wb_doc_preview_done(const struct wb_doc *d);
/* The figures to compare: exact with exact, else sampled with sampled (their samples are the same
 * rows, so that the difference means something). False: there is nothing to compare with. */
bool wb_doc_moves(const struct wb_doc *d, const struct wb_preview_snapshot **before,
                  const struct wb_preview_snapshot **now);
/* What led from `before` to the figures now: "density 0.3 -> 0.25", "the script"; appended. */
void wb_doc_cause(const struct wb_doc *d, struct wb_str *out);

/* Knobs: those of the last good script, else of the last. */
size_t wb_doc_knob_count(const struct wb_doc *d);
const struct wb_knob *wb_doc_knob(const struct wb_doc *d, size_t i);
/* The value at work as text; borrowed until the next turn. */
const char *wb_doc_knob_value(const struct wb_doc *d, size_t i, char *out, size_t size);
/* What the script says, as text. */
const char *wb_doc_knob_default(const struct wb_doc *d, size_t i, char *out, size_t size);
bool wb_doc_knob_turned(const struct wb_doc *d, size_t i);
/* Set a knob to a value that fits its kind and range (WB_EARG says what does). merge: joins the
 * turn of it before in undo when that was within a second, as the steps of one drag. */
bool wb_doc_turn(struct wb_doc *d, const char *knob, const char *value, bool merge,
                 struct wb_err *err);
/* By steps (its step, or a 20th of its range), within its range; booleans and choices go round. */
bool wb_doc_step_knob(struct wb_doc *d, size_t i, int steps, struct wb_err *err);
/* Where it stands in its range, 0 .. 1; NaN for one that has no range of numbers. */
double wb_doc_knob_share(const struct wb_doc *d, size_t i);
/* To that place, on the grid of its steps; joins the turn before like a step. */
bool wb_doc_slide_knob(struct wb_doc *d, size_t i, double share, struct wb_err *err);
void wb_doc_forget_turns(struct wb_doc *d);
bool wb_doc_undo_knob(struct wb_doc *d);
bool wb_doc_redo_knob(struct wb_doc *d);
/* Write the turned knobs into the text as their defaults; one step of undo in the text. */
bool wb_doc_write_knobs(struct wb_doc *d, struct wb_err *err);

/* Keep what is turned under a name; use one that was kept. "" is what the script itself says. */
bool wb_doc_keep(struct wb_doc *d, const char *name, struct wb_err *err);
bool wb_doc_use(struct wb_doc *d, const char *name, struct wb_err *err);
/* Turn everything at once; copied. */
bool wb_doc_set(struct wb_doc *d, const struct wb_setting *setting, struct wb_err *err);
void wb_doc_drop_kept(struct wb_doc *d, size_t i);

/* The last script that gave a model; NULL: none yet. */
const struct wb_script *wb_doc_good(const struct wb_doc *d);
/* Ask for the parameter map of a step; it arrives with a poll. */
void wb_doc_want_map(struct wb_doc *d, size_t step);
/* The model the script makes; NULL while there is none. Borrowed. */
struct wb_model *wb_doc_model(const struct wb_doc *d);
/* Base and parents of it, as the steps tell; borrowed. At most max parents; base may be NULL, and
 * name (short names of the parents) too. Without a merge, the model that the steps began with is
 * the base. */
size_t wb_doc_parents(const struct wb_doc *d, struct wb_model **base, struct wb_model **parent,
                      const char **name, size_t max);

#endif
