/* app/job/job.h - the parts of a run, shared by the files of app/job alone. */
#ifndef WB_JOB_JOB_H
#define WB_JOB_JOB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "app/job/run.h"
#include "app/store/writer.h"

/* Is the output one .safetensors file, with nothing beside it? out may be NULL. */
bool wb_job_one_file(const char *out);
/* How the files of weights are called: "model", or what a step set ("adapter_model"). */
const char *wb_job_stem(const struct wb_model *model);
/* What a tensor of the output is written as: the run's dtype where it can be computed, else its
 * own. */
enum wb_dtype wb_job_dtype(const struct wb_run *run, const struct wb_node *node);
/* The output's tensors, in the order of the model; in the arena. NULL without memory. */
struct wb_out_tensor *wb_job_tensors(const struct wb_run *run, const struct wb_model *model,
                                     struct wb_arena *arena, struct wb_err *err);

/* Targets of one evaluation: tensors to write and notes to work out, those of one tensor name
 * together. */
struct wb_job_targets {
    struct wb_target *target;
    size_t *entry; /* of the model, for the sink; SIZE_MAX for a note */
    size_t count;
};
/* skip[i]: leave tensor i out (NULL: none). notes: one value a note, in the order of steps, or
 * NULL for none. In the arena. */
bool wb_job_targets(const struct wb_run *run, const struct wb_model *model, const bool *skip,
                    bool tensors, double *notes, struct wb_arena *arena, struct wb_job_targets *out,
                    struct wb_err *err);
size_t wb_job_note_count(const struct wb_model *model);

/* The manifest's "steps", with a report in each step that has notes. notes NULL: no reports.
 * `why`: what to say where the report failed, or NULL. Owned, NULL without memory. */
cJSON *wb_job_steps(const struct wb_model *model, const double *notes, bool sampled,
                    const char *why);

/* A run between open and finish. */
struct wb_run_job {
    const struct wb_run *run;
    const struct wb_model *model;
    struct wb_arena arena;
    struct wb_writer *writer;
    struct wb_writer_options options;
    struct wb_out_tensor *tensor;
    struct wb_hash *hash;  /* of each tensor written */
    bool *done;            /* taken over from an earlier run */
    double *notes;         /* NULL: no report */
    const char *notes_why; /* why the notes could not be worked out, or NULL */
    struct wb_run_result *result;
};

/* Text of the output's config.json: the model's config with dtype and tied embeddings as they
 * were written, numbers spelt as the source spelt them. Owned, NULL without memory. */
char *wb_job_config(struct wb_run_job *job, struct wb_err *err);
/* config.json, tokenizer files, custom code, files of the model, the script, and last the
 * manifest with a list of all of them. */
bool wb_job_side_files(struct wb_run_job *job, struct wb_err *err);
/* Text of the manifest, once all other files are there (but the index). script: its name in the
 * output, or NULL. Free with cJSON_free; NULL with err. */
char *wb_job_manifest(struct wb_run_job *job, const char *script, struct wb_err *err);
/* JSON text in place: bytes that are no UTF-8 (out of file names) become '?'. NULL is fine. */
void wb_job_clean_json(char *text);
/* A sentence for the result's warnings; the text is printed into the result's arena. */
void wb_job_warn(struct wb_run_job *job, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
