/* views/desk.c - what lies on the desk: polling it, asking for it. Models are in desk_models.c. */
#include "views/desk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "lua/bind/record.h"
#include "views/doc.h"

#define CACHE_BYTES ((uint64_t)256 << 20)
#define TASKS_MAX 3 /* a run, an exact figure, an opening; what is looked at goes beyond */

/* Asking */

void wb_desk_go(struct wb_desk *desk, const char *view, const char *what)
{
    snprintf(desk->go_view, sizeof desk->go_view, "%s", view);
    snprintf(desk->go_what, sizeof desk->go_what, "%s", what == NULL ? "" : what);
}

void wb_desk_ask(struct wb_desk *desk, struct wb_view *view, enum wb_ask_kind kind,
                 const char *label, const char *text,
                 void (*answer)(struct wb_view *view, const char *text))
{
    struct wb_ask *a = &desk->ask;

    *a = (struct wb_ask){ .view = view, .kind = kind, .answer = answer, .wanted = true };
    snprintf(a->label, sizeof a->label, "%s", label);
    snprintf(a->text, sizeof a->text, "%s", text);
}

void wb_desk_copy(struct wb_desk *desk, const char *text)
{
    free(desk->copy);
    desk->copy = strdup(text);
    wb_desk_say(desk, WB_MESSAGE_NOTE, "copied %s", text);
}

bool wb_desk_may_write(struct wb_desk *desk)
{
    if (desk->options.read_only)
        wb_desk_say(desk, WB_MESSAGE_ERROR, "the workbench is read-only: nothing is written");
    return !desk->options.read_only;
}

const char *wb_desk_worry(const struct wb_desk *desk)
{
    if (wb_live_run_at_work(&desk->run))
        return "A run is at work and would be cancelled. Quit? (y/n) ";
    if (wb_document_modified(desk->doc->text))
        return "The pipeline is not saved. Quit? (y/n) ";
    if (desk->save.task != NULL)
        return "A file is being written and might not be. Quit? (y/n) ";
    return NULL;
}

const char *wb_desk_summary(const struct wb_desk *desk, char *out, size_t size)
{
    const struct wb_live_run *run = &desk->run;
    char eta[30];

    if (run->state == WB_LIVE_CANCELLING) {
        snprintf(out, size, "cancelling");
    } else if (run->state == WB_LIVE_AT_WORK) {
        double share =
            run->bytes_total == 0 ? 0 : (double)run->bytes_done / (double)run->bytes_total;

        if (run->eta_seconds >= 0)
            wb_format_seconds(eta, sizeof eta, run->eta_seconds);
        else
            snprintf(eta, sizeof eta, "--");
        snprintf(out, size, "run %.0f%% ETA %s", share * 100, eta);
    } else if (desk->doc->run_id != 0) {
        snprintf(out, size, "script");
    } else if (desk->doc->preview_task != NULL) {
        snprintf(out, size, "preview %.0f%%", wb_doc_preview_done(desk->doc) * 100);
    } else if (desk->doc->scores_task != NULL) {
        snprintf(out, size, "behaviour %.0f%%", desk->doc->scores.done * 100);
    } else if (wb_tasks_busy(desk->tasks) > 0) {
        snprintf(out, size, "at work");
    } else {
        snprintf(out, size, "no job");
    }
    return out;
}

/* The script threads */

static void drain_pipe(int fd)
{
    char bytes[256];

    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
}

static void keep_json(cJSON **place, cJSON **json)
{
    if (*json == NULL)
        return;
    cJSON_Delete(*place);
    *place = *json;
    *json = NULL;
}

/* Results of the console's worker: the plugins are the desk's, the rest waits for who asked. */
static void take_console(struct wb_desk *desk, struct wb_worker_event *e)
{
    switch (e->kind) {
    case WB_WORKER_PLUGINS:
        keep_json(&desk->plugins, &e->json);
        break;
    case WB_WORKER_COMPLETE:
        keep_json(&desk->complete_data, &e->json);
        break;
    case WB_WORKER_RELOAD:
        if (e->ok && e->changed) {
            wb_desk_reload_plugins(desk);
            wb_doc_rerun(desk->doc);
        }
        break;
    default:
        e->next = desk->inbox;
        desk->inbox = e;
        return;
    }
    if (!e->ok)
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", e->err.msg);
    wb_worker_event_free(e);
}

static bool poll_workers(struct wb_desk *desk)
{
    struct wb_worker_event *e;
    bool any = false;

    drain_pipe(desk->worker_fd[0]);
    while ((e = wb_worker_next(desk->worker)) != NULL) {
        any = true;
        if (e->kind == WB_WORKER_LOG) {
            wb_messages_log(&desk->messages, WB_MESSAGE_NOTE, e->text);
            wb_worker_event_free(e);
        } else {
            wb_doc_take(desk->doc, e);
        }
    }
    while ((e = wb_worker_next(desk->console)) != NULL) {
        any = true;
        take_console(desk, e);
    }
    return any;
}

struct wb_worker_event *wb_desk_take_event(struct wb_desk *desk, uint64_t id)
{
    struct wb_worker_event **place = NULL;

    /* the list has the newest first: lines of a log come in their order */
    for (struct wb_worker_event **e = &desk->inbox; *e != NULL; e = &(*e)->next)
        if ((*e)->id == id)
            place = e;
    if (place != NULL) {
        struct wb_worker_event *found = *place;

        *place = found->next;
        found->next = NULL;
        return found;
    }
    return NULL;
}

void wb_desk_reload_plugins(struct wb_desk *desk)
{
    wb_worker_plugins(desk->console);
    wb_worker_complete(desk->console);
}

/* Polling */

size_t wb_desk_wake_fds(const struct wb_desk *desk, int *fd)
{
    fd[0] = wb_tasks_fd(desk->tasks);
    fd[1] = desk->worker_fd[0];
    return 2;
}

bool wb_desk_poll(struct wb_desk *desk)
{
    unsigned long said = desk->messages.total;
    bool changed;

    wb_tasks_drain(desk->tasks);
    changed = wb_desk_poll_models(desk);
    changed = poll_workers(desk) || changed;
    changed = wb_doc_poll(desk->doc) || changed;
    changed = wb_live_run_poll(desk) || changed;
    changed = wb_save_poll(desk) || changed;
    return changed || desk->messages.total != said;
}

bool wb_desk_busy(const struct wb_desk *desk)
{
    return wb_tasks_busy(desk->tasks) > 0 || wb_worker_counts(desk->worker).busy ||
           wb_worker_counts(desk->console).busy || wb_doc_busy(desk->doc) ||
           wb_live_run_at_work(&desk->run);
}

struct wb_eval_list *wb_desk_eval_list(struct wb_desk *desk, struct wb_model **model)
{
    const struct wb_desk_model *current = wb_desk_current(desk);
    struct wb_model *m = wb_doc_eval_model(desk->doc);

    if (m == NULL && current != NULL)
        m = current->model;
    if (model != NULL)
        *model = m;
    return m == NULL ? NULL : wb_eval_sets_of(&desk->eval_sets, m);
}

struct wb_eval wb_desk_eval(const struct wb_desk *desk, bool sample)
{
    return (struct wb_eval){ .threads = desk->options.threads,
                             .budget_bytes = desk->options.memory_bytes,
                             .sample = sample,
                             .cache = desk->cache };
}

/* Life */

static bool open_pipe(int fd[2], struct wb_err *err)
{
    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == 0)
        return true;
    fd[0] = fd[1] = -1;
    return wb_fail_errno(err, "a pipe for the script threads");
}

static struct wb_worker *new_worker(struct wb_desk *desk, struct wb_err *err)
{
    struct wb_worker_options options = { .vm = { .trust = desk->options.trust,
                                                 .families = desk->options.families,
                                                 .share_dir = desk->options.share_dir },
                                         .wake_fd = desk->worker_fd[1] };

    return wb_worker_new(&options, err);
}

struct wb_desk *wb_desk_new(const struct wb_desk_options *options, struct wb_err *err)
{
    struct wb_desk *desk = calloc(1, sizeof *desk);

    if (desk == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for the desk");
        return NULL;
    }
    desk->options = *options;
    desk->next_id = 1;
    desk->worker_fd[0] = desk->worker_fd[1] = -1;
    if ((desk->tasks = wb_tasks_new(TASKS_MAX, err)) != NULL && open_pipe(desk->worker_fd, err) &&
        (desk->worker = new_worker(desk, err)) != NULL &&
        (desk->console = new_worker(desk, err)) != NULL &&
        (desk->doc = wb_doc_new(desk, err)) != NULL) {
        desk->cache = wb_cache_new(options->cache_bytes > 0 ? options->cache_bytes : CACHE_BYTES);
        desk->record = wb_record_new();
        desk->behaviour_memory = wb_behaviour_memory_new();
        if (desk->cache != NULL && desk->record != NULL && desk->behaviour_memory != NULL) {
            wb_desk_reload_plugins(desk);
            return desk;
        }
        wb_fail(err, WB_ENOMEM, "no memory for the desk");
    }
    wb_desk_free(desk);
    return NULL;
}

void wb_desk_free(struct wb_desk *desk)
{
    if (desk == NULL)
        return;
    wb_live_run_free(&desk->run);
    wb_save_free(&desk->save);
    wb_doc_free(desk->doc);
    wb_desk_free_models(desk);
    wb_tasks_free(desk->tasks);
    wb_worker_free(desk->worker);
    wb_worker_free(desk->console);
    for (struct wb_worker_event *e = desk->inbox, *next; e != NULL; e = next) {
        next = e->next;
        wb_worker_event_free(e);
    }
    for (int i = 0; i < 2; i++)
        if (desk->worker_fd[i] >= 0)
            close(desk->worker_fd[i]);
    wb_cache_free(desk->cache);
    wb_record_free(desk->record);
    wb_behaviour_memory_free(desk->behaviour_memory);
    wb_eval_sets_free(&desk->eval_sets);
    wb_messages_free(&desk->messages);
    cJSON_Delete(desk->plugins);
    cJSON_Delete(desk->complete_data);
    free(desk->copy);
    free(desk->external_edit);
    free(desk);
}
