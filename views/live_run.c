/* views/live_run.c - wb_run_model on a task, and what the screen shows of it. */
#include "views/live_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "views/desk.h"
#include "views/doc.h"

#define SAMPLE_SECONDS 0.5
#define RATE_SAMPLES 20 /* 10 s of them */
#define ETA_SECONDS 3.0 /* before that an estimate says nothing */

/* What the task works on; the UI thread reads `progress` and the flag meanwhile, the rest after
 * the end. */
struct inside {
    struct wb_model *model;
    struct wb_progress progress;
    char *out, *script_name, *script_text, *knobs_json;
    struct wb_live_run_options options;
    struct wb_eval eval;
    struct wb_plan plan;
    atomic_bool planned; /* plan is there and not changed any more */
    struct wb_run_result result;
};

static void inside_free(void *ctx)
{
    struct inside *in = ctx;

    wb_model_unref(in->model);
    wb_plan_free(&in->plan);
    wb_run_result_free(&in->result);
    free(in->out);
    free(in->script_name);
    free(in->script_text);
    free(in->knobs_json);
    free(in);
}

static bool work(struct wb_task *task, void *ctx, struct wb_err *err)
{
    struct inside *in = ctx;
    struct wb_run run = { .out = in->out,
                          .force = in->options.force,
                          .resume = in->options.resume,
                          .sha256 = in->options.sha256,
                          .has_dtype = in->options.has_dtype,
                          .dtype = in->options.dtype,
                          .shard_bytes = in->options.shard_bytes,
                          .script_name = in->script_name,
                          .script_text = in->script_text,
                          .knobs_json = in->knobs_json,
                          .eval = in->eval };

    run.eval.cancel = wb_task_cancel_flag(task);
    run.eval.progress = &in->progress;
    if (!wb_run_plan(&run, in->model, &in->plan, err))
        return false;
    atomic_store(&in->planned, true);
    wb_task_report(task);
    return wb_run_model(&run, in->model, &in->result, err);
}

bool wb_live_run_at_work(const struct wb_live_run *run)
{
    return run->state == WB_LIVE_AT_WORK || run->state == WB_LIVE_CANCELLING;
}

void wb_live_run_free(struct wb_live_run *run)
{
    wb_task_drop(run->task); /* frees what is inside */
    wb_run_result_free(&run->result);
    free(run->out);
    free(run->due);
    free(run->script_name);
    *run = (struct wb_live_run){ .state = WB_LIVE_NONE };
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static struct inside *inside_new(struct wb_desk *desk, const char *out,
                                 const struct wb_live_run_options *options)
{
    const struct wb_script *s = wb_doc_good(desk->doc);
    struct inside *in = calloc(1, sizeof *in);

    if (in == NULL)
        return NULL;
    in->model = wb_model_ref(s->pipeline.model);
    in->options = *options;
    in->eval = wb_desk_eval(desk, false);
    in->eval.cache = NULL;
    in->out = strdup(out);
    in->script_name = strdup(last_part(wb_doc_name(desk->doc)));
    in->script_text = strdup(s->pipeline.text);
    in->knobs_json = strdup(s->pipeline.knobs_json == NULL ? "{}" : s->pipeline.knobs_json);
    if (in->out != NULL && in->script_name != NULL && in->script_text != NULL &&
        in->knobs_json != NULL)
        return in;
    inside_free(in);
    return NULL;
}

/* What is shown is what is run: the script has to catch up first. */
static bool put_off(struct wb_desk *desk, const char *out,
                    const struct wb_live_run_options *options, struct wb_err *err)
{
    char *due = strdup(out);

    if (due == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a run");
    free(desk->run.due);
    desk->run.due = due;
    desk->run.due_options = *options;
    wb_desk_say(desk, WB_MESSAGE_NOTE, "the run begins when the script has ended");
    return true;
}

static void start_due(struct wb_desk *desk)
{
    char *out = desk->run.due;
    struct wb_live_run_options options = desk->run.due_options;
    struct wb_err err;

    desk->run.due = NULL;
    if (!wb_live_run_start(desk, out, &options, &err))
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", err.msg);
    free(out);
}

bool wb_live_run_start(struct wb_desk *desk, const char *out,
                       const struct wb_live_run_options *options, struct wb_err *err)
{
    struct wb_live_run *run = &desk->run;
    struct inside *in;

    if (desk->options.read_only)
        return wb_fail(err, WB_EARG, "the workbench is read-only: nothing is written");
    if (wb_live_run_at_work(run))
        return wb_fail(err, WB_EARG, "a run is at work already");
    if (out[0] == '\0')
        return wb_fail(err, WB_EARG, "a run needs a name for its output");
    if (wb_doc_script_due(desk->doc))
        return put_off(desk, out, options, err);
    if (wb_doc_good(desk->doc) == NULL && desk->doc->script.err.code == WB_OK)
        return wb_fail(err, WB_EARG, "there is no pipeline to run yet");
    if (!desk->doc->script.ok)
        return wb_fail(err, WB_EARG, "the pipeline has an error: %s", desk->doc->script.err.msg);
    wb_live_run_free(run);
    in = inside_new(desk, out, options);
    run->out = strdup(out);
    run->script_name = strdup(last_part(wb_doc_name(desk->doc)));
    if (in == NULL || run->out == NULL || run->script_name == NULL) {
        if (in != NULL)
            inside_free(in);
        return wb_fail(err, WB_ENOMEM, "no memory for a run");
    }
    run->options = *options;
    run->task = wb_task_start(desk->tasks, "run", work, in, inside_free, err);
    if (run->task == NULL)
        return false;
    run->inside = in;
    run->state = WB_LIVE_AT_WORK;
    run->started = time(NULL);
    run->start_seconds = run->end_seconds = run->sampled_at = wb_now_seconds();
    run->rate_now = run->eta_seconds = NAN;
    return true;
}

void wb_live_run_cancel(struct wb_desk *desk)
{
    if (desk->run.due != NULL)
        wb_desk_say(desk, WB_MESSAGE_NOTE, "cancelled; the run did not begin");
    free(desk->run.due);
    desk->run.due = NULL;
    if (desk->run.state != WB_LIVE_AT_WORK)
        return;
    desk->run.state = WB_LIVE_CANCELLING;
    wb_task_cancel(desk->run.task);
}

/* Twice a second: a sample of the rate, and what follows from the last ones. */
static bool sample(struct wb_live_run *run, double now)
{
    double seconds = now - run->sampled_at, total = 0;
    size_t n;

    if (seconds < SAMPLE_SECONDS)
        return false;
    if (run->rates == WB_LIVE_RATES)
        memmove(run->rate, run->rate + 1, --run->rates * sizeof run->rate[0]);
    run->rate[run->rates++] = (float)((double)(run->bytes_done - run->sampled_bytes) / seconds);
    run->sampled_bytes = run->bytes_done;
    run->sampled_at = now;
    n = run->rates < RATE_SAMPLES ? run->rates : RATE_SAMPLES;
    for (size_t i = run->rates - n; i < run->rates; i++)
        total += (double)run->rate[i];
    run->rate_now = total / (double)n;
    if (now - run->start_seconds >= ETA_SECONDS && run->rate_now > 0)
        run->eta_seconds = (double)(run->bytes_total - run->bytes_done) / run->rate_now;
    return true;
}

static void read_progress(struct wb_live_run *run, const struct inside *in)
{
    const char *current = atomic_load(&in->progress.current);

    run->bytes_total = atomic_load(&in->progress.bytes_total);
    run->bytes_done = atomic_load(&in->progress.bytes_done);
    if (run->bytes_done > run->bytes_total)
        run->bytes_done = run->bytes_total;
    run->jobs_done = atomic_load(&in->progress.jobs_done);
    run->jobs_total = atomic_load(&in->progress.jobs_total);
    if (current != NULL)
        snprintf(run->current, sizeof run->current, "%s", current);
    if (!run->has_plan && atomic_load(&in->planned)) {
        run->cost = in->plan.cost;
        run->has_plan = true;
    }
}

static void end(struct wb_desk *desk, enum wb_task_state state)
{
    struct wb_live_run *run = &desk->run;
    struct inside *in = run->inside;
    char size[30], time[30];

    if (state == WB_TASK_DONE) {
        run->state = WB_LIVE_DONE;
        run->result = in->result;
        in->result = (struct wb_run_result){ 0 };
        wb_desk_say(desk, WB_MESSAGE_NOTE, "%s is written: %s in %s", run->out,
                    wb_format_bytes(size, sizeof size, (double)run->result.bytes_out),
                    wb_format_seconds(time, sizeof time, run->result.seconds));
    } else if (state == WB_TASK_CANCELLED || run->err.code == WB_ECANCELLED) {
        run->state = WB_LIVE_CANCELLED;
        wb_desk_say(desk, WB_MESSAGE_NOTE, "cancelled; %s was not written", run->out);
    } else {
        run->state = WB_LIVE_FAILED;
        wb_desk_say(desk, WB_MESSAGE_ERROR, "%s", run->err.msg);
    }
    wb_task_drop(run->task);
    run->task = NULL;
    run->inside = NULL;
}

bool wb_live_run_poll(struct wb_desk *desk)
{
    struct wb_live_run *run = &desk->run;
    enum wb_task_state state;
    uint64_t before = run->bytes_done;

    if (run->due != NULL && !wb_doc_script_due(desk->doc)) {
        start_due(desk);
        return true;
    }
    if (!wb_live_run_at_work(run))
        return false;
    state = wb_task_poll(run->task, &run->err);
    read_progress(run, run->inside);
    run->end_seconds = wb_now_seconds();
    if (state != WB_TASK_WAITING && state != WB_TASK_RUNNING) {
        end(desk, state);
        return true;
    }
    return sample(run, wb_now_seconds()) || run->bytes_done != before;
}
