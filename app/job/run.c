/* app/job/run.c - run a model into a checkpoint: plan, open, evaluate, report, finish.
 *
 * THREADS. Everything here is on the calling thread but the sink, which the evaluator's workers
 * call; it forwards to the writer, which takes calls from any thread, and stores hashes into
 * places of their own. */
#include "app/job/run.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "app/core/hash.h"
#include "app/core/io.h"
#include "app/graph/dense.h"
#include "app/job/job.h"

/* Identity of what is written, for the journal: everything that decides the bytes. */
static bool plan_hash(const struct wb_run_job *job, struct wb_hash *out, struct wb_err *err)
{
    struct wb_hasher *h = wb_hasher_new();
    struct wb_hash model = wb_model_hash(job->model);
    const char *stem = job->options.stem, *core = wb_dense_core();

    if (h == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for a hash");
    wb_hasher_add(h, WB_VERSION, sizeof WB_VERSION);
    wb_hasher_add(h, &model, sizeof model);
    wb_hasher_add(h, &job->options.shard_bytes, sizeof job->options.shard_bytes);
    wb_hasher_add(h, stem, strlen(stem) + 1);
    wb_hasher_add(h, core, strlen(core) + 1);
    for (size_t i = 0; i < wb_model_count(job->model); i++) {
        const struct wb_out_tensor *t = &job->tensor[i];
        uint64_t shape[2 + WB_DIMS_MAX] = { (uint64_t)t->dtype, (uint64_t)t->shape.ndim };

        memcpy(shape + 2, t->shape.dim, (size_t)t->shape.ndim * sizeof shape[0]);
        wb_hasher_add(h, t->name, strlen(t->name) + 1);
        wb_hasher_add(h, shape, sizeof shape);
    }
    *out = wb_hasher_get(h);
    wb_hasher_free(h);
    return true;
}

static bool cancelled(const struct wb_run *run, struct wb_err *err)
{
    if (run->eval.cancel == NULL || !atomic_load(run->eval.cancel))
        return false;
    wb_fail(err, WB_ECANCELLED, "cancelled");
    return true;
}

/* Opening */

static bool check_plan(struct wb_run_job *job, struct wb_err *err)
{
    struct wb_plan plan;
    const struct wb_problem *first = NULL;
    bool ok;

    if (!wb_run_plan(job->run, job->model, &plan, err))
        return false;
    for (size_t i = 0; i < plan.problems; i++) {
        if (plan.problem[i].error && first == NULL)
            first = &plan.problem[i];
        if (!plan.problem[i].error)
            wb_job_warn(job, "%s%s%s", plan.problem[i].tensor,
                        plan.problem[i].tensor[0] ? ": " : "", plan.problem[i].text);
    }
    job->result->tensors = plan.tensors;
    job->result->parameters = plan.parameters;
    job->result->bytes_in = plan.cost.bytes_read;
    ok = first == NULL;
    if (!ok) {
        wb_fail(err, WB_EARG, "%s", first->text);
        if (first->tensor[0] != '\0')
            wb_wrap(err, "%s", first->tensor);
        if (plan.errors > 1)
            snprintf(err->msg + strlen(err->msg), sizeof err->msg - strlen(err->msg),
                     " (the first of %zu problems; --dry-run shows all)", plan.errors);
    }
    wb_plan_free(&plan);
    return ok;
}

static bool open_writer(struct wb_run_job *job, struct wb_err *err)
{
    const struct wb_run *run = job->run;
    size_t n = wb_model_count(job->model);

    job->tensor = wb_job_tensors(run, job->model, &job->arena, err);
    job->hash = wb_arena_calloc(&job->arena, n + 1, sizeof *job->hash);
    job->done = wb_arena_calloc(&job->arena, n + 1, sizeof *job->done);
    if (job->tensor == NULL || job->hash == NULL || job->done == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
    job->options = (struct wb_writer_options){
        .dir = run->out,
        .shard_bytes = run->shard_bytes > 0 ? run->shard_bytes : WB_SHARD_BYTES_DEFAULT,
        .force = run->force,
        .resume = run->resume,
        .stem = wb_job_stem(job->model),
    };
    if (!plan_hash(job, &job->options.plan, err))
        return false;
    job->writer = wb_writer_open(&job->options, job->tensor, n, err);
    if (job->writer == NULL)
        return false;
    for (size_t i = 0; i < n; i++) {
        job->done[i] = wb_writer_is_done(job->writer, i, &job->hash[i]);
        job->result->resumed += job->done[i];
    }
    return true;
}

/* Evaluating */

struct sink {
    struct wb_run_job *job;
    const size_t *entry; /* of each target */
};

static bool sink_put(void *ctx, size_t target, uint64_t first_byte, const void *bytes, size_t n,
                     struct wb_err *err)
{
    const struct sink *s = ctx;

    return wb_writer_put(s->job->writer, s->entry[target], first_byte, bytes, n, err);
}

static bool sink_done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    const struct sink *s = ctx;

    s->job->hash[s->entry[target]] = hash;
    return wb_writer_done(s->job->writer, s->entry[target], hash, err);
}

/* The tensors that are missing, and in the same passes the notes when they are to be exact. */
static bool evaluate_tensors(struct wb_run_job *job, struct wb_err *err)
{
    bool exact = job->run->report == WB_REPORT_EXACT;
    struct wb_job_targets targets;
    struct sink state = { .job = job };
    struct wb_sink sink = { .ctx = &state, .put = sink_put, .done = sink_done };
    struct wb_cost cost;

    if (!wb_job_targets(job->run, job->model, job->done, true, exact ? job->notes : NULL,
                        &job->arena, &targets, err))
        return false;
    state.entry = targets.entry;
    if (job->result->resumed > 0 &&
        wb_evaluate_cost(&job->run->eval, targets.target, targets.count, &cost, NULL))
        job->result->bytes_in = cost.bytes_read;
    return wb_evaluate(&job->run->eval, targets.target, targets.count, &sink, err);
}

/* A report that cannot be made does not undo the work; only a cancel does. */
static bool evaluate_notes(struct wb_run_job *job, struct wb_err *err)
{
    struct wb_eval how = job->run->eval;
    struct wb_job_targets targets;
    struct wb_err e;

    if (job->notes == NULL || job->run->report != WB_REPORT_SAMPLE)
        return true;
    how.sample = true;
    how.progress = NULL;
    if (!wb_job_targets(job->run, job->model, NULL, false, job->notes, &job->arena, &targets, err))
        return false;
    if (wb_evaluate(&how, targets.target, targets.count, NULL, &e))
        return true;
    if (e.code == WB_ECANCELLED)
        return wb_err_move(err, &e);
    job->notes_why = wb_arena_strdup(&job->arena, e.msg);
    wb_job_warn(job, "no report: %s", e.msg);
    return true;
}

static bool evaluate(struct wb_run_job *job, struct wb_err *err)
{
    size_t notes = job->run->report == WB_REPORT_NONE ? 0 : wb_job_note_count(job->model);

    if (notes > 0) {
        job->notes = wb_arena_calloc(&job->arena, notes, sizeof *job->notes);
        if (job->notes == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for %zu figures", notes);
    }
    return evaluate_tensors(job, err) && evaluate_notes(job, err);
}

/* Finishing */

static bool check_sources(const struct wb_run_job *job, struct wb_err *err)
{
    for (size_t i = 0; i < wb_model_source_count(job->model); i++)
        if (!wb_ckpt_unchanged(wb_model_source(job->model, i)))
            return wb_fail(err, WB_EIO, "%s: changed while it was read",
                           wb_ckpt_path(wb_model_source(job->model, i)));
    return true;
}

/* Largest resident memory of this program so far. ru_maxrss may be that of the program that
 * started this one. */
static uint64_t peak_rss(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[200];
    uint64_t kib = 0;
    struct rusage usage;

    while (status != NULL && kib == 0 && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    if (status != NULL)
        fclose(status);
    if (kib == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
        kib = (uint64_t)usage.ru_maxrss;
    return kib * 1024;
}

static void add_size(cJSON *files, const char *dir, const char *name)
{
    char *path = wb_path_join(dir, name);
    struct stat st;

    if (path != NULL && stat(path, &st) == 0)
        cJSON_AddNumberToObject(files, name, (double)st.st_size);
    free(path);
}

/* {"name": bytes} of a finished output; NULL without memory. */
static char *list_output(const char *out)
{
    cJSON *files = cJSON_CreateObject();
    const char *slash = strrchr(out, '/');
    struct dirent **list = NULL;
    struct stat st;
    char *text;
    int n = wb_is_dir(out) ? scandir(out, &list, NULL, alphasort) : 0;

    if (!wb_is_dir(out) && stat(out, &st) == 0)
        cJSON_AddNumberToObject(files, slash == NULL ? out : slash + 1, (double)st.st_size);
    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.')
            add_size(files, out, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    text = files == NULL ? NULL : cJSON_PrintUnformatted(files);
    wb_job_clean_json(text);
    cJSON_Delete(files);
    return text;
}

static bool run_job(struct wb_run_job *job, struct wb_err *err)
{
    if (!check_plan(job, err) || cancelled(job->run, err) || !open_writer(job, err))
        return false;
    if (!evaluate(job, err) || !wb_job_side_files(job, err) || !check_sources(job, err) ||
        cancelled(job->run, err) || !wb_writer_finish(job->writer, err)) {
        wb_writer_discard(job->writer);
        return false;
    }
    job->result->bytes_out = wb_writer_bytes(job->writer);
    return true;
}

bool wb_run_model(const struct wb_run *run, const struct wb_model *model,
                  struct wb_run_result *result, struct wb_err *err)
{
    struct wb_run_job job = { .run = run, .model = model, .result = result };
    double start = wb_now_seconds();
    struct wb_err e = { 0 };
    bool ok;

    *result = (struct wb_run_result){ 0 };
    ok = run_job(&job, &e);
    wb_writer_close(job.writer);
    wb_arena_free(&job.arena);
    if (ok && (result->files_json = list_output(run->out)) == NULL)
        ok = wb_fail(&e, WB_ENOMEM, "no memory for the list of files");
    result->seconds = wb_now_seconds() - start;
    result->peak_rss_bytes = peak_rss();
    if (!ok)
        wb_run_result_free(result);
    return ok || wb_err_move(err, &e);
}

void wb_run_result_free(struct wb_run_result *result)
{
    free(result->report_json);
    free(result->files_json);
    wb_arena_free(&result->arena);
    *result = (struct wb_run_result){ 0 };
}
