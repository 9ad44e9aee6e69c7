/* app/store/manifest.c - the "sources" of weightbench.json. */
#include "app/store/manifest.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/core/hash.h"
#include "app/core/parallel.h"

struct digest {
    char header[65], all[65];
    struct wb_err err;
    bool ok;
};

struct digest_job {
    const struct wb_ckpt *ck;
    struct digest *digest; /* one a file */
    bool whole;
    atomic_size_t next;
};

static void digest_files(void *ctx, int worker)
{
    struct digest_job *job = ctx;
    size_t i;

    (void)worker;
    while ((i = atomic_fetch_add(&job->next, 1)) < wb_ckpt_file_count(job->ck)) {
        const struct wb_ckpt_file *file = wb_ckpt_file(job->ck, i);
        struct digest *d = &job->digest[i];

        d->ok = wb_sha256_file(file->path, 0, file->header_bytes, d->header, &d->err) &&
                (!job->whole || wb_sha256_file(file->path, 0, file->bytes, d->all, &d->err));
    }
}

/* 2026-01-31T12:00:00.123456789Z: a double does not hold the nanoseconds. */
static void format_time(char *out, size_t size, int64_t ns)
{
    int64_t fraction = (ns % 1000000000 + 1000000000) % 1000000000;
    time_t seconds = (time_t)((ns - fraction) / 1000000000);
    struct tm tm;
    char date[40];

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        date[0] = '\0';
    snprintf(out, size, "%s.%09" PRId64 "Z", date, fraction);
}

static bool add_file(cJSON *files, const struct wb_ckpt_file *file, const struct digest *d)
{
    cJSON *object = cJSON_CreateObject();
    char mtime[64];

    if (object == NULL || !cJSON_AddItemToArray(files, object)) {
        cJSON_Delete(object);
        return false;
    }
    format_time(mtime, sizeof mtime, file->mtime_ns);
    return cJSON_AddStringToObject(object, "name", file->name) != NULL &&
           cJSON_AddNumberToObject(object, "bytes", (double)file->bytes) != NULL &&
           cJSON_AddStringToObject(object, "mtime", mtime) != NULL &&
           cJSON_AddStringToObject(object, "header_sha256", d->header) != NULL &&
           (d->all[0] == '\0' || cJSON_AddStringToObject(object, "sha256", d->all) != NULL);
}

/* Hash every file; the first failure in order of the files wins. */
static bool digest_all(const struct wb_ckpt *ck, bool whole, struct digest *digest,
                       struct wb_err *err)
{
    struct digest_job job = { .ck = ck, .digest = digest, .whole = whole };

    wb_parallel(whole ? wb_cpu_count() : 1, digest_files, &job);
    for (size_t i = 0; i < wb_ckpt_file_count(ck); i++)
        if (!digest[i].ok)
            return wb_err_move(err, &digest[i].err);
    return wb_ckpt_unchanged(ck) ||
           wb_fail(err, WB_EIO, "%s: changed while it was in use", wb_ckpt_path(ck));
}

cJSON *wb_manifest_source(struct wb_ckpt *ck, bool with_sha256, struct wb_err *err)
{
    size_t n = wb_ckpt_file_count(ck);
    struct digest *digest = calloc(n + 1, sizeof *digest);
    cJSON *source = NULL, *files = NULL;
    bool ok;

    if (digest == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for %zu files", n);
        return NULL;
    }
    ok = digest_all(ck, with_sha256, digest, err);
    if (ok) {
        source = cJSON_CreateObject();
        ok = source != NULL && cJSON_AddStringToObject(source, "path", wb_ckpt_path(ck)) != NULL &&
             (files = cJSON_AddArrayToObject(source, "files")) != NULL;
        for (size_t i = 0; ok && i < n; i++)
            ok = add_file(files, wb_ckpt_file(ck, i), &digest[i]);
        if (!ok)
            wb_fail(err, WB_ENOMEM, "no memory for the manifest");
    }
    free(digest);
    if (ok)
        return source;
    cJSON_Delete(source);
    return NULL;
}
