/* lua/bind/worker.h - a VM on a thread of its own: requests in, results out, nobody waits.
 *
 * Every function here returns at once and may be called from the UI thread. Results are fetched
 * with wb_worker_next after a byte came through the wake pipe. The latest pipeline wins: a new one
 * cancels the one at work and replaces those that wait, and neither of them gives a result any
 * more. A script that does not end after a cancel (it is stuck in a string pattern, where no hook
 * is called) is left behind with its thread and VM, and a new VM takes its place: what the console
 * had in variables is gone then, and a log line says so.
 *
 * One worker does one thing at a time. A workbench has two: one for the pipeline and its parameter
 * maps, one for the console and the rest. */
#ifndef WB_LUA_WORKER_H
#define WB_LUA_WORKER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "lua/bind/console.h"
#include "lua/bind/param_map.h"
#include "lua/bind/script.h"
#include "lua/bind/vm.h"

struct wb_worker;

struct wb_worker_options {
    struct wb_vm_options
        vm; /* cancel and log are the worker's own; what else it points to outlives the worker */
    int wake_fd;     /* one byte is written here for every result; nonblocking; -1: none */
    int patience_ms; /* from a cancel until a script is left behind; 0: 400 */
};

enum wb_worker_kind {
    WB_WORKER_RUN,      /* script */
    WB_WORKER_MAP,      /* map */
    WB_WORKER_CONSOLE,  /* console */
    WB_WORKER_PLUGINS,  /* json: as wb_vm_plugins */
    WB_WORKER_CHECK,    /* text: a line a test; passed, failed */
    WB_WORKER_COMPLETE, /* json: as wb_vm_complete_data */
    WB_WORKER_RELOAD,   /* changed: plugin files were read again */
    WB_WORKER_LOG,      /* text: a line of wb.log or print, as it happens; id of the request */
};

struct wb_worker_event {
    enum wb_worker_kind kind;
    uint64_t id; /* of the request */
    bool ok;
    struct wb_err err; /* when not ok; of a script the same as script.err */
    struct wb_script script;
    struct wb_param_map map;
    struct wb_console_output console;
    cJSON *json;
    char *text;
    size_t passed, failed;
    bool changed;
    struct wb_worker_event *next; /* the worker's */
};

struct wb_worker_counts {
    bool busy;          /* something is at work or waits */
    double seconds;     /* how long what is at work has been */
    size_t left_behind; /* threads stuck for good */
};

/* Starts the thread; its VM is made there. Signals are blocked in it. NULL with err. */
struct wb_worker *wb_worker_new(const struct wb_worker_options *options, struct wb_err *err);
/* Cancels what is at work; waits for it no longer than a script is waited for. NULL is fine. */
void wb_worker_free(struct wb_worker *w);

/* Requests: everything given is copied (models are referenced). They give the id of the request,
 * from 1 on; 0 without memory. Runs replace runs, maps replace maps that wait, the rest queues
 * up. */
uint64_t wb_worker_run(struct wb_worker *w, const char *name, const char *text, size_t n,
                       const char *const *set, size_t sets);
/* Of a step of the script that ran last here. */
uint64_t wb_worker_map(struct wb_worker *w, size_t step);
uint64_t wb_worker_console(struct wb_worker *w, const struct wb_console_input *in);
uint64_t wb_worker_plugins(struct wb_worker *w);
uint64_t wb_worker_check(struct wb_worker *w, const char *path);
uint64_t wb_worker_complete(struct wb_worker *w);
uint64_t wb_worker_reload(struct wb_worker *w);

/* Stop what is at work: it ends with WB_ECANCELLED. What waits goes on. */
void wb_worker_cancel(struct wb_worker *w);
/* The next result, owned by the caller (wb_worker_event_free); NULL: none is there. */
struct wb_worker_event *wb_worker_next(struct wb_worker *w);
void wb_worker_event_free(struct wb_worker_event *e); /* NULL is fine */
struct wb_worker_counts wb_worker_counts(struct wb_worker *w);

#endif
