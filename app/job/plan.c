/* app/job/plan.c - a run before it runs: cost, shards, and everything that would go wrong. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "app/job/job.h"
#include "app/store/place.h"

/* Bytes a second of an elementwise job on two threads with its inputs in the page cache
 * (design.md, section 8). */
#define READ_RATE 8e9
#define WRITE_RATE 2e9

struct planner {
    const struct wb_run *run;
    const struct wb_model *model;
    struct wb_plan *plan;
    size_t room;
    bool failed; /* no memory for a problem */
};

__attribute__((format(printf, 4, 5))) static void add_problem(struct planner *p, bool error,
                                                              const char *tensor, const char *fmt,
                                                              ...)
{
    struct wb_plan *plan = p->plan;
    struct wb_err text;
    va_list ap;

    if (plan->problems == p->room) {
        size_t room = p->room == 0 ? 16 : 2 * p->room;
        struct wb_problem *more = wb_arena_calloc(&plan->arena, room, sizeof *more);

        if (more == NULL) {
            p->failed = true;
            return;
        }
        if (plan->problems > 0)
            memcpy(more, plan->problem, plan->problems * sizeof *more);
        plan->problem = more;
        p->room = room;
    }
    va_start(ap, fmt);
    vsnprintf(text.msg, sizeof text.msg, fmt, ap);
    va_end(ap);
    plan->problem[plan->problems++] = (struct wb_problem){
        .error = error,
        .tensor = wb_arena_strdup(&plan->arena, tensor),
        .text = wb_arena_strdup(&plan->arena, text.msg),
    };
    p->failed = p->failed || plan->problem[plan->problems - 1].tensor == NULL ||
                plan->problem[plan->problems - 1].text == NULL;
    plan->errors += error;
}

/* The model */

static void check_dtype(struct planner *p)
{
    const struct wb_run *run = p->run;
    const cJSON *config = wb_model_config(p->model);

    if (run->has_dtype && !wb_dtype_computable(run->dtype))
        add_problem(p, true, "", "%s cannot be written: nothing can be rounded to it",
                    wb_dtype_name(run->dtype));
    else if (run->has_dtype &&
             cJSON_GetObjectItemCaseSensitive(config, "quantization_config") != NULL)
        add_problem(p, true, "",
                    "config.json has a quantization_config: the weights are packed or scaled, "
                    "and writing them as %s would break them",
                    wb_dtype_name(run->dtype));
}

static void check_model(struct planner *p)
{
    const struct wb_model *m = p->model;

    if (wb_model_count(m) == 0)
        add_problem(p, true, "", "the model has no tensors");
    for (size_t i = 0; i < wb_model_warning_count(m); i++)
        add_problem(p, false, "", "%s", wb_model_warning(m, i));
    if (!wb_model_has_config(m) && strcmp(wb_job_stem(m), "model") == 0)
        add_problem(p, false, "",
                    "no config.json: most programs cannot load the output without one");
    check_dtype(p);
}

/* The output */

/* Is path the directory `dir` or inside it, links followed? */
static bool is_inside(const char *path, const char *dir)
{
    char *real = realpath(path, NULL);
    size_t n = strlen(dir);
    bool inside = real != NULL && strncmp(real, dir, n) == 0 && (real[n] == '/' || real[n] == '\0');

    free(real);
    return inside;
}

/* Replacing the output must not take a source away. */
static void check_sources(struct planner *p, const struct wb_place *place)
{
    for (size_t s = 0; s < wb_model_source_count(p->model); s++) {
        struct wb_ckpt *ck = wb_model_source(p->model, s);
        bool hit = !place->one_file && is_inside(wb_ckpt_dir(ck), place->out);

        for (size_t f = 0; f < wb_ckpt_file_count(ck) && !hit; f++)
            hit = is_inside(wb_ckpt_file(ck, f)->path, place->out);
        if (hit)
            add_problem(p, true, "",
                        "%s is or holds the source %s, and a source is never written to",
                        p->run->out, wb_ckpt_path(ck));
    }
}

/* The nearest directory above path that exists, owned. */
static char *nearest_dir(const char *path)
{
    char *dir = strdup(path);

    while (dir != NULL && !wb_is_dir(dir)) {
        char *slash = strrchr(dir, '/');

        if (slash == NULL)
            strcpy(dir, ".");
        else if (slash == dir)
            strcpy(dir, "/");
        else
            *slash = '\0';
    }
    return dir;
}

static void check_writable(struct planner *p, const struct wb_place *place)
{
    char *dir = nearest_dir(place->parent);

    if (dir != NULL && access(dir, W_OK | X_OK) != 0)
        add_problem(p, true, "", "%s: no directory can be made there: %s", dir, strerror(errno));
    free(dir);
}

static void check_place(struct planner *p)
{
    struct wb_place place;
    struct wb_err e;

    if (!wb_place_init(&place, p->run->out, &e) || !wb_place_check(&place, p->run->force, &e))
        add_problem(p, true, "", "%s", e.msg);
    if (place.name != NULL && place.parent != NULL) {
        check_sources(p, &place);
        check_writable(p, &place);
    }
    if (place.part != NULL && p->run->resume && !wb_is_dir(place.part))
        add_problem(p, false, "", "nothing to resume: no interrupted run left %s", place.part);
    if (place.part != NULL && !p->run->resume && wb_is_dir(place.part))
        add_problem(p, false, "",
                    "what an interrupted run left in %s will be removed; --resume takes it up",
                    place.part);
    wb_place_free(&place);
}

static void check_disk(struct planner *p)
{
    struct wb_plan *plan = p->plan;
    char need[32], have[32];
    struct wb_err e;

    if (!wb_free_bytes(p->run->out, &plan->disk_bytes_free, &e))
        add_problem(p, false, "", "%s", e.msg);
    else if (plan->disk_bytes_free < plan->disk_bytes_needed &&
             !p->run->resume) /* which has its space */
        add_problem(p, true, "", "the disk is too full: %s needed, %s free at %s",
                    wb_format_bytes(need, sizeof need, (double)plan->disk_bytes_needed),
                    wb_format_bytes(have, sizeof have, (double)plan->disk_bytes_free), p->run->out);
}

/* Shards and cost */

static void lay_out(struct planner *p, const struct wb_out_tensor *tensor)
{
    size_t n = wb_model_count(p->model),
           *shard_of = wb_arena_calloc(&p->plan->arena, n + 1, sizeof *shard_of);
    uint64_t limit = p->run->shard_bytes > 0 ? p->run->shard_bytes : WB_SHARD_BYTES_DEFAULT;
    struct wb_err e;

    if (wb_job_one_file(p->run->out))
        limit = UINT64_MAX / 4; /* one file, whatever its size */
    if (shard_of == NULL) {
        p->failed = true;
        return;
    }
    p->plan->shards = wb_writer_layout(tensor, n, limit, shard_of, &p->plan->disk_bytes_needed, &e);
    if (p->plan->shards == 0 && n > 0)
        add_problem(p, true, "", "%s", e.msg);
}

static void work_out_cost(struct planner *p)
{
    uint64_t budget =
        p->run->eval.budget_bytes > 0 ? p->run->eval.budget_bytes : WB_BUDGET_DEFAULT_BYTES;
    double *notes = NULL;
    struct wb_job_targets targets;
    struct wb_cost *cost = &p->plan->cost;
    char held[32], most[32];
    struct wb_err e;

    if (p->run->report == WB_REPORT_EXACT)
        notes = wb_arena_calloc(&p->plan->arena, wb_job_note_count(p->model) + 1, sizeof *notes);
    if (!wb_job_targets(p->run, p->model, NULL, true, notes, &p->plan->arena, &targets, &e) ||
        !wb_evaluate_cost(&p->run->eval, targets.target, targets.count, cost, &e)) {
        add_problem(p, true, "", "%s", e.msg);
        return;
    }
    if (cost->held_bytes > budget)
        add_problem(p, false, "",
                    "one job holds %s at once, more than the budget of %s: memory will pass it",
                    wb_format_bytes(held, sizeof held, (double)cost->held_bytes),
                    wb_format_bytes(most, sizeof most, (double)budget));
    p->plan->seconds_estimated =
        (double)cost->bytes_read / READ_RATE + (double)cost->bytes_written / WRITE_RATE;
}

bool wb_run_plan(const struct wb_run *run, const struct wb_model *model, struct wb_plan *plan,
                 struct wb_err *err)
{
    struct planner p = { .run = run, .model = model, .plan = plan };
    struct wb_out_tensor *tensor;

    *plan = (struct wb_plan){ .tensors = wb_model_count(model),
                              .parameters = wb_model_parameters(model) };
    tensor = wb_job_tensors(run, model, &plan->arena, err);
    if (tensor == NULL) {
        wb_plan_free(plan);
        return false;
    }
    check_model(&p);
    if (plan->tensors > 0 && (!run->has_dtype || wb_dtype_computable(run->dtype))) {
        lay_out(&p, tensor);
        work_out_cost(&p);
    }
    if (run->out != NULL) {
        check_place(&p);
        check_disk(&p);
    }
    if (!p.failed)
        return true;
    wb_plan_free(plan);
    return wb_fail(err, WB_ENOMEM, "no memory for a plan of %zu tensors", wb_model_count(model));
}

void wb_plan_free(struct wb_plan *plan)
{
    wb_arena_free(&plan->arena);
    *plan = (struct wb_plan){ 0 };
}
