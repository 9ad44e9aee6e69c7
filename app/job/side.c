/* app/job/side.c - the small files beside the weights, and the manifest that names them all. */
#include <dirent.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/parallel.h"
#include "app/core/str.h"
#include "app/graph/dense.h"
#include "app/job/job.h"
#include "app/store/layout.h"
#include "app/store/manifest.h"
#include "app/tensor/kernels.h"

/* Copied where they are there (formats.md, section 8). Code (*.py) only when config.json's
 * auto_map needs it; it is never run here. */
static const char *const copied[] = {
    "tokenizer*.json",
    "tokenizer*.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece*.model",
    "*.spm",
    "*.tiktoken",
    "tekken.json",
    "normalizer.json",
    "chat_template.*",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    NULL,
};

struct listed {
    const char *name; /* in the job's arena */
    uint64_t bytes;
    char sha256[65];
    struct wb_err err;
};

struct side {
    struct wb_run_job *job;
    struct wb_writer *writer;
    const char **name; /* of the files written so far */
    size_t names, room;
    const char *script; /* name it has in the output, or NULL */
};

void wb_job_warn(struct wb_run_job *job, const char *fmt, ...)
{
    struct wb_run_result *r = job->result;
    const char **more = wb_arena_calloc(&r->arena, r->warnings + 1, sizeof *more);
    struct wb_err text;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text.msg, sizeof text.msg, fmt, ap);
    va_end(ap);
    if (more == NULL)
        return;
    if (r->warnings > 0)
        memcpy(more, r->warning, r->warnings * sizeof *more);
    more[r->warnings] = wb_arena_strdup(&r->arena, text.msg);
    r->warning = more;
    r->warnings += more[r->warnings] != NULL;
}

/* Names */

static bool has_name(const struct side *s, const char *name)
{
    for (size_t i = 0; i < s->names; i++)
        if (strcmp(s->name[i], name) == 0)
            return true;
    return false;
}

static bool note_name(struct side *s, const char *name, struct wb_err *err)
{
    if (s->names == s->room) {
        size_t room = s->room == 0 ? 32 : 2 * s->room;
        const char **more = wb_arena_calloc(&s->job->arena, room, sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory");
        if (s->names > 0)
            memcpy(more, s->name, s->names * sizeof *more);
        s->name = more;
        s->room = room;
    }
    s->name[s->names] = wb_arena_strdup(&s->job->arena, name);
    return s->name[s->names++] != NULL || wb_fail(err, WB_ENOMEM, "no memory");
}

static bool add_text(struct side *s, const char *name, const char *text, struct wb_err *err)
{
    return wb_writer_add_file(s->writer, name, text, strlen(text), err) && note_name(s, name, err);
}

/* The files */

static bool add_model_files(struct side *s, struct wb_err *err)
{
    for (size_t i = 0; i < wb_model_file_count(s->job->model); i++) {
        const char *text, *name = wb_model_file(s->job->model, i, &text);

        if (strcmp(name, WB_MANIFEST_NAME) == 0)
            return wb_fail(err, WB_EARG,
                           "a step adds a file called %s, which is the manifest's name", name);
        if (!add_text(s, name, text, err))
            return false;
    }
    return true;
}

static bool add_config(struct side *s, struct wb_err *err)
{
    char *text;
    bool ok;

    if (has_name(s, "config.json") || !wb_model_has_config(s->job->model))
        return true;
    text = wb_job_config(s->job, err);
    ok = text != NULL && add_text(s, "config.json", text, err);
    free(text);
    return ok;
}

static bool is_copied(const struct side *s, const char *name, bool code)
{
    if (has_name(s, name) || name[0] == '.')
        return false;
    if (wb_glob("*.py", name))
        return code;
    for (const char *const *p = copied; *p != NULL; p++)
        if (wb_glob(*p, name))
            return true;
    return false;
}

static bool copy_file(struct side *s, const char *dir, const char *name, struct wb_err *err)
{
    char *path = wb_path_join(dir, name);
    bool ok = true;

    if (path == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    if (wb_is_file(path)) /* through links: the hub cache has nothing else */
        ok = wb_writer_copy_file(s->writer, path, err) && note_name(s, name, err);
    free(path);
    return ok;
}

static bool copy_side_files(struct side *s, struct wb_err *err)
{
    const cJSON *config = wb_model_config(s->job->model);
    bool code = cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(config, "auto_map")), ok = true;
    const char *dir = wb_model_side_dir(s->job->model);
    struct dirent **list = NULL;
    size_t copies = 0;
    int n = dir == NULL ? 0 : scandir(dir, &list, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name;

        if (ok && is_copied(s, name, code)) {
            ok = copy_file(s, dir, name, err);
            copies += wb_glob("*.py", name);
        }
        free(list[i]);
    }
    free(list);
    if (ok && copies > 0)
        wb_job_warn(s->job,
                    "copied %zu Python files, since config.json has an auto_map: "
                    "other programs may run them, this one never does",
                    copies);
    return ok;
}

static bool add_script(struct side *s, struct wb_err *err)
{
    const struct wb_run *run = s->job->run;
    const char *name = run->script_name, *slash;

    if (name == NULL || run->script_text == NULL)
        return true;
    slash = strrchr(name, '/');
    name = slash == NULL ? name : slash + 1;
    if (name[0] == '.' || name[0] == '\0' || has_name(s, name) ||
        strcmp(name, WB_MANIFEST_NAME) == 0)
        name = wb_arena_printf(&s->job->arena, "pipeline-%s", name);
    if (name == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    s->script = name;
    return add_text(s, name, run->script_text, err);
}

/* The manifest */

struct sha_queue {
    const char *dir;
    struct listed *file;
    size_t count;
    atomic_size_t next;
    const atomic_bool *cancel;
};

static void sha_files(void *ctx, int worker)
{
    struct sha_queue *q = ctx;
    size_t i;

    (void)worker;
    while ((i = atomic_fetch_add(&q->next, 1)) < q->count) {
        struct listed *f = &q->file[i];
        char *path = wb_path_join(q->dir, f->name);

        if (path == NULL)
            wb_fail(&f->err, WB_ENOMEM, "no memory");
        else if (q->cancel != NULL && atomic_load(q->cancel))
            wb_fail(&f->err, WB_ECANCELLED, "cancelled");
        else
            wb_sha256_file(path, 0, f->bytes, f->sha256, &f->err);
        free(path);
    }
}

static bool sha_all(struct wb_run_job *job, struct listed *file, size_t n, struct wb_err *err)
{
    struct sha_queue q = { .dir = wb_writer_part_dir(job->writer),
                           .file = file,
                           .count = n,
                           .cancel = job->run->eval.cancel };

    wb_parallel(job->run->eval.threads > 0 ? job->run->eval.threads : wb_cpu_count(), sha_files,
                &q);
    for (size_t i = 0; i < n; i++)
        if (file[i].err.code != WB_OK)
            return wb_err_move(err, &file[i].err);
    return true;
}

/* The index of several shards, which the writer adds at the very end: its name and size are
 * known before. */
static bool list_index(struct wb_run_job *job, struct listed *out, bool *found, struct wb_err *err)
{
    struct wb_layout layout = { 0 };
    char *text = NULL;
    bool ok =
        wb_layout_init(&layout, &job->options, NULL, job->tensor, wb_model_count(job->model), err);

    *found = ok && layout.index != NULL;
    if (*found) {
        text = wb_layout_index(&layout);
        out->name = wb_arena_strdup(&job->arena, layout.index);
        ok = (text != NULL && out->name != NULL) ||
             wb_fail(err, WB_ENOMEM, "no memory for the index");
    }
    if (text != NULL) {
        out->bytes = strlen(text);
        wb_sha256(text, strlen(text), out->sha256);
    }
    free(text);
    wb_layout_free(&layout);
    return ok;
}

/* Everything in the part directory but what is hidden (the journal), and the index. */
static bool list_files(struct wb_run_job *job, struct listed **out, size_t *count,
                       struct wb_err *err)
{
    const char *dir = wb_writer_part_dir(job->writer);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, NULL, alphasort);
    struct listed *file = n < 0 ? NULL : wb_arena_calloc(&job->arena, (size_t)n + 2, sizeof *file);
    bool has_index, ok = n >= 0 ? file != NULL || wb_fail(err, WB_ENOMEM, "no memory")
                                : wb_fail_errno(err, "%s", dir);

    *count = 0;
    for (int i = 0; i < n; i++) {
        char *path = ok && list[i]->d_name[0] != '.' ? wb_path_join(dir, list[i]->d_name) : NULL;
        struct stat st;

        if (path != NULL && stat(path, &st) == 0)
            file[(*count)++] =
                (struct listed){ .name = wb_arena_strdup(&job->arena, list[i]->d_name),
                                 .bytes = (uint64_t)st.st_size };
        free(path);
        free(list[i]);
    }
    free(list);
    for (size_t i = 0; ok && i < *count; i++)
        ok = file[i].name != NULL || wb_fail(err, WB_ENOMEM, "no memory");
    ok = ok && (!job->run->sha256 || sha_all(job, file, *count, err)) &&
         list_index(job, &file[*count], &has_index, err);
    *count += ok && has_index;
    *out = file;
    return ok;
}

static bool add_header_sha(const struct wb_run_job *job, cJSON *object, const char *name)
{
    char sha[65];

    for (size_t s = 0; s < wb_writer_shard_count(job->writer); s++)
        if (strcmp(wb_writer_shard_name(job->writer, s), name) == 0) {
            wb_writer_shard_header(job->writer, s, sha);
            return cJSON_AddStringToObject(object, "header_sha256", sha) != NULL;
        }
    return true;
}

static bool add_files(struct wb_run_job *job, cJSON *manifest, struct wb_err *err)
{
    cJSON *array = cJSON_AddArrayToObject(manifest, "files");
    struct listed *file;
    size_t n;

    if (!list_files(job, &file, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        cJSON *object = cJSON_CreateObject();

        if (object == NULL || !cJSON_AddItemToArray(array, object) ||
            cJSON_AddStringToObject(object, "name", file[i].name) == NULL ||
            cJSON_AddNumberToObject(object, "bytes", (double)file[i].bytes) == NULL ||
            !add_header_sha(job, object, file[i].name) ||
            (job->run->sha256 && cJSON_AddStringToObject(object, "sha256", file[i].sha256) == NULL))
            return wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    }
    return true;
}

static bool add_sources(const struct wb_run_job *job, cJSON *manifest, struct wb_err *err)
{
    cJSON *array = cJSON_AddArrayToObject(manifest, "sources");

    for (size_t i = 0; i < wb_model_source_count(job->model); i++) {
        cJSON *source = wb_manifest_source(wb_model_source(job->model, i), job->run->sha256, err);

        if (source == NULL)
            return false;
        if (!cJSON_AddItemToArray(array, source)) {
            cJSON_Delete(source);
            return wb_fail(err, WB_ENOMEM, "no memory for the manifest");
        }
    }
    return true;
}

/* Now, or the SOURCE_DATE_EPOCH of a reproducible build. */
static void format_now(char *out, size_t size)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t now = epoch != NULL ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm tm;

    if (gmtime_r(&now, &tm) == NULL || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

static bool add_object(cJSON *parent, const char *key, cJSON *value)
{
    if (value != NULL && cJSON_AddItemToObject(parent, key, value))
        return true;
    cJSON_Delete(value);
    return false;
}

static bool add_head(const struct side *s, cJSON *manifest)
{
    const struct wb_run_job *job = s->job;
    char now[40];
    cJSON *knobs = job->run->knobs_json == NULL ? NULL : cJSON_Parse(job->run->knobs_json);

    format_now(now, sizeof now);
    return add_object(manifest, "weightbench", cJSON_CreateString(WB_VERSION)) &&
           add_object(manifest, "created", cJSON_CreateString(now)) &&
           add_object(manifest, "kernels", cJSON_CreateString(wb_kernels()->name)) &&
           add_object(manifest, "blas_core", cJSON_CreateString(wb_dense_core())) &&
           (s->script == NULL || add_object(manifest, "script", cJSON_CreateString(s->script))) &&
           add_object(manifest, "knobs", knobs == NULL ? cJSON_CreateObject() : knobs);
}

static bool add_tensors(const struct wb_run_job *job, cJSON *manifest)
{
    cJSON *object = cJSON_AddObjectToObject(manifest, "tensors");
    char hex[33];

    for (size_t i = 0; object != NULL && i < wb_model_count(job->model); i++) {
        wb_hash_format(job->hash[i], hex);
        if (cJSON_AddStringToObject(object, job->tensor[i].name, hex) == NULL)
            return false;
    }
    return object != NULL;
}

static bool add_manifest(struct side *s, struct wb_err *err)
{
    struct wb_run_job *job = s->job;
    cJSON *manifest = cJSON_CreateObject(), *steps = cJSON_Parse(job->result->report_json);
    char *text = NULL;
    bool ok =
        add_head(s, manifest) && add_object(manifest, "steps", steps) && add_tensors(job, manifest);

    if (!ok)
        wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    ok = ok && add_sources(job, manifest, err) && add_files(job, manifest, err);
    if (ok && (text = cJSON_Print(manifest)) == NULL)
        ok = wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    cJSON_Delete(manifest);
    ok = ok && add_text(s, WB_MANIFEST_NAME, text, err);
    cJSON_free(text);
    return ok;
}

/* The steps with their reports, for the result and the manifest. */
static bool print_steps(struct wb_run_job *job, struct wb_err *err)
{
    cJSON *steps =
        wb_job_steps(job->model, job->notes, job->run->report != WB_REPORT_EXACT, job->notes_why);

    job->result->report_json = steps == NULL ? NULL : cJSON_PrintUnformatted(steps);
    cJSON_Delete(steps);
    return job->result->report_json != NULL || wb_fail(err, WB_ENOMEM, "no memory for the report");
}

bool wb_job_side_files(struct wb_run_job *job, struct wb_err *err)
{
    struct side s = { .job = job, .writer = job->writer };
    bool adapter = strcmp(wb_job_stem(job->model), "model") != 0;

    if (!print_steps(job, err))
        return false;
    if (wb_job_one_file(job->run->out)) /* has no others beside it */
        return true;
    return add_model_files(&s, err) &&
           (adapter || (add_config(&s, err) && copy_side_files(&s, err))) && add_script(&s, err) &&
           add_manifest(&s, err);
}
