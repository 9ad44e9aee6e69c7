/* views/desk.h - what all screens share: open models, the pipeline, work under way, messages.
 *
 * Belongs to the UI thread. Opening a model is a task: it stands in the list at once and its
 * figures arrive with a poll. Views find models by id, since any may be closed meanwhile. */
#ifndef WB_VIEWS_DESK_H
#define WB_VIEWS_DESK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/arch/arch.h"
#include "app/core/err.h"
#include "app/core/task.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "lua/bind/worker.h"
#include "views/eval_sets.h"
#include "views/live_run.h"
#include "views/messages.h"
#include "views/save.h"
#include "views/theme.h"
#include "views/view.h"

struct wb_doc;
struct wb_record;

struct wb_desk_model {
    uint64_t id;            /* never used again */
    char *name;             /* unique on the desk, shown and typed */
    char *path;             /* MODEL as given; NULL for the pipeline's unwritten result */
    struct wb_model *model; /* NULL while it opens, and when it could not be opened */
    struct wb_err err;      /* why not */
    bool opening, marked;
    bool changed; /* its files are not the ones opened any more */
    struct wb_task *task;
    void *task_ctx; /* of the task that opens it */
};

/* What a view asks of the frame; carried out after the call that asked. */
struct wb_ask {
    struct wb_view *view;
    char label[80], text[1000]; /* what stands in the line at first */
    enum wb_ask_kind { WB_ASK_TEXT, WB_ASK_PATH, WB_ASK_MODEL, WB_ASK_YES_NO } kind;
    void (*answer)(struct wb_view *view, const char *text); /* not called when left with Esc */
    bool wanted;
};

struct wb_desk_options {
    const struct wb_arch_set *families;
    const char *share_dir;
    bool trust, read_only;
    bool no_behaviour;     /* the preview works out nothing on evaluation sets */
    int threads;           /* 0: one for each processor */
    uint64_t memory_bytes; /* 0: the default budget */
    uint64_t cache_bytes;  /* of results kept between previews; 0: 256 MiB */
};

struct wb_desk {
    struct wb_desk_options options;
    struct wb_tasks *tasks;
    struct wb_worker *worker;  /* the script thread of the pipeline */
    struct wb_worker *console; /* of the console, the plugins and completion */
    int worker_fd[2];          /* their wake pipe */
    struct wb_cache *cache;
    struct wb_messages messages;
    struct wb_doc *doc; /* the pipeline */
    struct wb_live_run run;
    struct wb_save save; /* a file that a view writes */
    struct wb_record *record;
    struct wb_eval_sets eval_sets;
    char probe_text[1024]; /* path of the text that probes look at; "": one that is at hand */
    struct wb_behaviour_memory *behaviour_memory; /* what is known of parents stays known */
    cJSON *plugins;                               /* as wb_vm_plugins; NULL: not there yet; owned */
    cJSON *complete_data;                         /* for completion; NULL: not there yet; owned */
    struct wb_worker_event *inbox; /* results of the console's worker that nobody took yet */
    const struct wb_theme *theme;  /* for exports */

    struct wb_desk_model **model; /* owned, in the order of opening */
    size_t models;
    uint64_t current, other; /* ids; other: what current is compared with. 0: none */
    uint64_t next_id;
    unsigned long version; /* grows whenever the list or a model of it changes */
    double checked_at;     /* when the files were last looked at */

    bool at_once; /* something that was waited for has come: the next drawing is not put off */

    /* Asked for by views. */
    char go_view[24], go_what[512]; /* go_view "" : nothing */
    struct wb_ask ask;
    char *copy;                                             /* for the clipboard; owned */
    char *external_edit;                                    /* path of a file for $EDITOR; owned */
    void (*edited)(struct wb_desk *desk, const char *path); /* after the editor */
};

struct wb_desk *wb_desk_new(const struct wb_desk_options *options, struct wb_err *err);
void wb_desk_free(struct wb_desk *desk); /* NULL is fine; cancels and waits */
/* Take in what finished since the last call; true when something to see changed. */
bool wb_desk_poll(struct wb_desk *desk);
/* File descriptors that become readable when poll has something to do; returns how many (at most
 * 4). */
size_t wb_desk_wake_fds(const struct wb_desk *desk, int *fd);
/* Is any work under way that should be waited for before a screen is final? */
bool wb_desk_busy(const struct wb_desk *desk);

/* Why one might not want to leave now ("a run is at work; quit? (y/n) "); NULL: nothing against
 * it. Static. */
const char *wb_desk_worry(const struct wb_desk *desk);
/* The work under way in a few words for the top row: "41% ETA 2m10s", "preview", "no job". */
const char *wb_desk_summary(const struct wb_desk *desk, char *out, size_t size);

/* Of desk_models.c, for desk.c. */
bool wb_desk_poll_models(struct wb_desk *desk);
void wb_desk_free_models(struct wb_desk *desk);

/* Begin to open MODEL; name NULL: made from the path. The new one becomes current. */
struct wb_desk_model *wb_desk_open(struct wb_desk *desk, const char *path, const char *name);
/* Put a model that is there already (the pipeline's result) on the desk; the reference is taken. */
struct wb_desk_model *wb_desk_add(struct wb_desk *desk, struct wb_model *model, const char *name);
void wb_desk_close(struct wb_desk *desk, uint64_t id);
bool wb_desk_rename(struct wb_desk *desk, uint64_t id, const char *name, struct wb_err *err);
void wb_desk_reload(struct wb_desk *desk, uint64_t id);
struct wb_desk_model *wb_desk_get(const struct wb_desk *desk, uint64_t id); /* NULL: closed */
struct wb_desk_model *wb_desk_find(const struct wb_desk *desk, const char *name);
/* The current model when it is open; NULL otherwise. */
struct wb_desk_model *wb_desk_current(const struct wb_desk *desk);
/* What it is compared with: `other`, else a marked one, else the one it says it comes from, else
 * the first of its shapes; NULL when there is none. */
struct wb_desk_model *wb_desk_other(const struct wb_desk *desk);
/* Have *id, `current` or `other`, be the next open model behind `from` that is not `skip` (0: any);
 * false: there is none. */
bool wb_desk_step(struct wb_desk *desk, uint64_t *id, uint64_t from, uint64_t skip);

/* The result of a request to the console's worker, moved to the caller; NULL: not there yet. */
struct wb_worker_event *wb_desk_take_event(struct wb_desk *desk, uint64_t id);
/* Ask for the plugins (and completion data) anew. */
void wb_desk_reload_plugins(struct wb_desk *desk);
/* May this be written? Says why not, when the desk is read-only. */
bool wb_desk_may_write(struct wb_desk *desk);

/* The evaluation sets at work: of the pipeline's model, else of the current one (model, NULL is
 * fine: which that is); NULL: there is none. Borrowed. */
struct wb_eval_list *wb_desk_eval_list(struct wb_desk *desk, struct wb_model **model);

/* How views evaluate: threads, budget, cache. */
struct wb_eval wb_desk_eval(const struct wb_desk *desk, bool sample);

/* Go to a view and show something there. */
void wb_desk_go(struct wb_desk *desk, const char *view, const char *what);
void wb_desk_ask(struct wb_desk *desk, struct wb_view *view, enum wb_ask_kind kind,
                 const char *label, const char *text,
                 void (*answer)(struct wb_view *view, const char *text));
void wb_desk_copy(struct wb_desk *desk, const char *text);
#define wb_desk_say(desk, kind, ...) wb_messages_say(&(desk)->messages, kind, __VA_ARGS__)

#endif
