/* app/job/side.c - the small files beside the weights. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "app/job/job.h"
#include "app/store/manifest.h"

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
    name = wb_arena_strdup(&s->job->arena, name);
    if (name == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    s->name[s->names++] = name;
    return true;
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

/* The steps with their reports, for the result and the manifest. */
static bool print_steps(struct wb_run_job *job, struct wb_err *err)
{
    cJSON *steps =
        wb_job_steps(job->model, job->notes, job->run->report != WB_REPORT_EXACT, job->notes_why);

    job->result->report_json = steps == NULL ? NULL : cJSON_PrintUnformatted(steps);
    wb_job_clean_json(job->result->report_json);
    cJSON_Delete(steps);
    return job->result->report_json != NULL || wb_fail(err, WB_ENOMEM, "no memory for the report");
}

static bool add_manifest(struct side *s, struct wb_err *err)
{
    char *text = wb_job_manifest(s->job, s->script, err);
    bool ok = text != NULL && add_text(s, WB_MANIFEST_NAME, text, err);

    cJSON_free(text);
    return ok;
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
