/* app/job/manifest.c - weightbench.json: what was written, from what, by which steps. */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/core/io.h"
#include "app/core/parallel.h"
#include "app/graph/dense.h"
#include "app/job/job.h"
#include "app/store/layout.h"
#include "app/store/manifest.h"
#include "app/tensor/kernels.h"

struct listed {
    const char *name; /* in the job's arena */
    uint64_t bytes;
    char sha256[65];
    struct wb_err err;
};

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
 * known before. Counted in *count, unless it is listed already. */
static bool list_index(struct wb_run_job *job, struct listed *file, size_t *count,
                       struct wb_err *err)
{
    struct listed *index = &file[*count];
    struct wb_layout layout = { 0 };
    char *text = NULL;
    bool ok, wanted;

    ok = wb_layout_init(&layout, &job->options, NULL, job->tensor, wb_model_count(job->model), err);
    wanted = ok && layout.index != NULL;
    for (size_t i = 0; wanted && i < *count; i++)
        wanted = strcmp(file[i].name, layout.index) != 0;
    if (wanted) {
        text = wb_layout_index(&layout);
        index->name = wb_arena_strdup(&job->arena, layout.index);
        ok = (text != NULL && index->name != NULL) ||
             wb_fail(err, WB_ENOMEM, "no memory for the index");
    }
    if (text != NULL) {
        index->bytes = strlen(text);
        wb_sha256(text, strlen(text), index->sha256);
        *count += ok;
    }
    free(text);
    wb_layout_free(&layout);
    return ok;
}

/* Everything in the part directory but what is hidden (the journal); n is its number of entries. */
static bool stat_files(struct wb_run_job *job, struct dirent *const *list, int n,
                       struct listed *file, size_t *count, struct wb_err *err)
{
    for (int i = 0; i < n; i++) {
        const char *name = wb_arena_strdup(&job->arena, list[i]->d_name);
        char *path = wb_path_join(wb_writer_part_dir(job->writer), list[i]->d_name);
        struct stat st;
        bool there = path != NULL && stat(path, &st) == 0;

        free(path);
        if (name == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory");
        if (there && name[0] != '.')
            file[(*count)++] = (struct listed){ .name = name, .bytes = (uint64_t)st.st_size };
    }
    return true;
}

static bool list_files(struct wb_run_job *job, struct listed **out, size_t *count,
                       struct wb_err *err)
{
    const char *dir = wb_writer_part_dir(job->writer);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, NULL, alphasort);
    struct listed *file = NULL;
    bool ok = false;

    *count = 0;
    if (n < 0)
        return wb_fail_errno(err, "%s", dir);
    file = wb_arena_calloc(&job->arena, (size_t)n + 1, sizeof *file); /* "." and ".." leave room */
    if (file == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for %d files", n);
    else
        ok = stat_files(job, list, n, file, count, err) &&
             (!job->run->sha256 || sha_all(job, file, *count, err)) &&
             list_index(job, file, count, err);
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
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

static bool add_head(const struct wb_run_job *job, const char *script, cJSON *manifest)
{
    char now[40];
    cJSON *knobs = job->run->knobs_json == NULL ? NULL : cJSON_Parse(job->run->knobs_json);

    format_now(now, sizeof now);
    return add_object(manifest, "weightbench", cJSON_CreateString(WB_VERSION)) &&
           add_object(manifest, "created", cJSON_CreateString(now)) &&
           add_object(manifest, "kernels", cJSON_CreateString(wb_kernels()->name)) &&
           add_object(manifest, "blas_core", cJSON_CreateString(wb_dense_core())) &&
           (script == NULL || add_object(manifest, "script", cJSON_CreateString(script))) &&
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

/* Length of the UTF-8 sequence at s, 0 when it is none. The range of
 * the second byte keeps overlong forms and surrogates out. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xC2 ? 0
               : s[0] < 0xE0 ? 2
               : s[0] < 0xF0 ? 3
               : s[0] < 0xF5 ? 4
                             : 0;
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;

    if (n > 1 && (s[1] < low || s[1] > high))
        return 0;
    for (size_t i = 2; i < n; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return n;
}

void wb_job_clean_json(char *text)
{
    unsigned char *s = (unsigned char *)text;

    while (s != NULL && *s != '\0') {
        size_t n = utf8_length(s);

        if (n == 0)
            *s = '?';
        s += n == 0 ? 1 : n;
    }
}

char *wb_job_manifest(struct wb_run_job *job, const char *script, struct wb_err *err)
{
    cJSON *manifest = cJSON_CreateObject(), *steps = cJSON_Parse(job->result->report_json);
    char *text = NULL;
    bool ok = add_head(job, script, manifest) && add_object(manifest, "steps", steps) &&
              add_tensors(job, manifest);

    if (!ok)
        wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    ok = ok && add_sources(job, manifest, err) && add_files(job, manifest, err);
    if (ok && (text = cJSON_Print(manifest)) == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    wb_job_clean_json(text);
    cJSON_Delete(manifest);
    return text;
}
