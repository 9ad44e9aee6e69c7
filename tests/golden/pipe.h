/* tests/golden/pipe.h - run a pipeline given as text and read what it makes; shared by the golden programs. */
#ifndef WB_TEST_PIPE_H
#define WB_TEST_PIPE_H

#include <cjson/cJSON.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/hash.h"
#include "app/core/io.h"
#include "app/core/str.h"
#include "app/graph/eval.h"
#include "app/graph/model.h"
#include "lua/bind/families.h"
#include "lua/bind/vm.h"

/* A VM with the families and plugins of the source tree, and a directory for made-up models. */
struct pipe {
    struct wb_arch_set *set;
    struct wb_vm *vm;
    struct wb_eval how;
    struct wb_str log; /* lines of wb.log and warnings since the last run */
    char dir[64];
};

/* The elements of one tensor. */
struct pipe_data {
    struct wb_shape shape;
    float *x; /* owned, free() */
    size_t n;
};

static inline void pipe_log(void *ctx, const char *line)
{
    struct pipe *p = ctx;

    wb_str_add(&p->log, line);
    wb_str_add(&p->log, "\n");
}

/* false, with the reason printed, when there is nothing to test with. */
static inline bool pipe_open(struct pipe *p)
{
    static const char *const families[] = { "lua/arch" };
    static const char *const plugins[] = { "plugins", NULL };
    struct wb_vm_options options = {
        .share_dir = ".", .plugin_dirs = plugins, .log = pipe_log, .log_ctx = p
    };
    struct wb_err err = { 0 };

    memset(p, 0, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "/tmp/wb-golden-XXXXXX");
    p->set = wb_arch_set_new();
    options.families = p->set;
    options.eval = &p->how;
    if (p->set != NULL && mkdtemp(p->dir) != NULL && wb_families_load(p->set, families, 1, &err))
        p->vm = wb_vm_new(&options, &err);
    if (p->vm == NULL)
        printf("no VM: %s\n", err.msg);
    return p->vm != NULL;
}

static inline void pipe_close(struct pipe *p)
{
    struct wb_err err;

    wb_vm_free(p->vm);
    wb_arch_set_free(p->set);
    wb_str_free(&p->log);
    wb_remove_tree(p->dir, &err);
}

/* The model a script returns, owned; NULL with err. */
static inline struct wb_model *pipe_run(struct pipe *p, const char *text, struct wb_err *err)
{
    struct wb_pipeline pipeline = { 0 };
    struct wb_model *model = NULL;

    wb_str_free(&p->log);
    memset(err, 0, sizeof *err);
    if (wb_vm_pipeline_text(p->vm, "golden", text, strlen(text), NULL, 0, &pipeline, err))
        model = wb_model_ref(pipeline.model);
    wb_pipeline_free(&pipeline); /* knobs and text stay after a failure too */
    return model;
}

/* Bytes as they would be written. `put` is called from several threads, each with bytes of its own. */
struct pipe_sink {
    uint8_t **bytes;
};

static inline bool pipe_put(void *ctx, size_t target, uint64_t first, const void *bytes, size_t n,
                            struct wb_err *err)
{
    struct pipe_sink *sink = ctx;

    (void)err;
    memcpy(sink->bytes[target] + first, bytes, n);
    return true;
}

static inline bool pipe_done(void *ctx, size_t target, struct wb_hash hash, struct wb_err *err)
{
    (void)ctx, (void)target, (void)hash, (void)err;
    return true;
}

/* All tensors of a model evaluated at once: bytes[i] (owned, each free()) of entry i, as F32 or as its own
 * dtype. NULL on failure. */
static inline uint8_t **pipe_bytes(const struct wb_eval *how, const struct wb_model *m, bool as_f32,
                                   struct wb_err *err)
{
    size_t count = wb_model_count(m);
    struct wb_target *target = calloc(count + 1, sizeof *target);
    uint8_t **bytes = calloc(count + 1, sizeof *bytes);
    struct pipe_sink sink = { bytes };
    struct wb_sink to = { &sink, pipe_put, pipe_done };
    uint64_t size = 0;
    bool ok = target != NULL && bytes != NULL;

    for (size_t i = 0; ok && i < count; i++) {
        struct wb_node *node = wb_model_entry(m, i)->node;

        target[i] = (struct wb_target){
            .node = node, .group = i, .write = true, .dtype = wb_node_dtype(node)
        };
        if (as_f32 && wb_dtype_computable(target[i].dtype))
            target[i].dtype = WB_DTYPE_F32;
        ok = wb_shape_bytes(wb_node_shape(node), target[i].dtype, &size) &&
             (bytes[i] = calloc(1, size + 1)) != NULL;
    }
    memset(err, 0, sizeof *err);
    ok = ok && wb_evaluate(how, target, count, &to, err);
    free(target);
    if (ok)
        return bytes;
    for (size_t i = 0; bytes != NULL && i < count; i++)
        free(bytes[i]);
    free(bytes);
    return NULL;
}

static inline void pipe_bytes_free(const struct wb_model *m, uint8_t **bytes)
{
    for (size_t i = 0; bytes != NULL && i < wb_model_count(m); i++)
        free(bytes[i]);
    free(bytes);
}

/* SHA-256 over the bytes of all tensors, in order. */
static inline bool pipe_digest(const struct wb_eval *how, const struct wb_model *m, char out[65],
                               struct wb_err *err)
{
    uint8_t **bytes = pipe_bytes(how, m, false, err);
    struct wb_str all = { 0 };
    uint64_t size = 0;

    for (size_t i = 0; bytes != NULL && i < wb_model_count(m); i++) {
        struct wb_node *node = wb_model_entry(m, i)->node;

        wb_shape_bytes(wb_node_shape(node), wb_node_dtype(node), &size);
        wb_str_add_n(&all, (const char *)bytes[i], size);
    }
    if (bytes != NULL)
        wb_sha256(all.text, all.len, out);
    wb_str_free(&all);
    pipe_bytes_free(m, bytes);
    return bytes != NULL;
}

/* One tensor in float32; x is NULL on failure. */
static inline struct pipe_data pipe_fetch(const struct wb_eval *how, const struct wb_model *m,
                                          const char *name, struct wb_err *err)
{
    const struct wb_entry *entry = wb_model_find(m, name);
    struct pipe_data data = { 0 };
    struct wb_target target = { .write = true, .dtype = WB_DTYPE_F32 };
    uint8_t *bytes = NULL;
    struct pipe_sink sink = { &bytes };
    struct wb_sink to = { &sink, pipe_put, pipe_done };

    if (entry == NULL) {
        wb_fail(err, WB_ENOTFOUND, "no tensor %s in the result", name);
        return data;
    }
    target.node = entry->node;
    data.shape = *wb_node_shape(entry->node);
    data.n = wb_node_count(entry->node);
    bytes = calloc(data.n + 1, sizeof *data.x);
    if (bytes != NULL && wb_evaluate(how, &target, 1, &to, err))
        data.x = (float *)(void *)bytes;
    else
        free(bytes);
    return data;
}

/* The figure a step left, of any step; NaN when there is none. */
static inline double pipe_note(const struct wb_eval *how, const struct wb_model *m,
                               const char *tensor, const char *key)
{
    struct wb_err err;
    double value = NAN;

    for (size_t s = 0; s < wb_model_step_count(m); s++) {
        const struct wb_step *step = wb_model_step(m, s);

        for (size_t i = 0; i < step->notes; i++) {
            struct wb_target target = { .node = step->note[i].node, .value = &value };

            if (strcmp(step->note[i].tensor, tensor) == 0 && strcmp(step->note[i].key, key) == 0)
                return wb_evaluate(how, &target, 1, NULL, &err) ? value : (double)NAN;
        }
    }
    return value;
}

/* Numbers of a nested JSON list, row-major, into x (NULL: only measure); the shape by first elements. */
static inline size_t pipe_flatten(const cJSON *value, double *x, struct wb_shape *shape, int depth)
{
    const cJSON *item;
    size_t n = 0;

    if (!cJSON_IsArray(value)) {
        if (x != NULL)
            x[0] = value->valuedouble;
        return 1;
    }
    if (shape != NULL && shape->ndim == depth && depth < WB_DIMS_MAX)
        shape->dim[shape->ndim++] = (uint64_t)cJSON_GetArraySize(value);
    cJSON_ArrayForEach(item, value)
        n += pipe_flatten(item, x != NULL ? x + n : NULL, shape, depth + 1);
    return n;
}

/* Collects named F32 tensors and writes them as one checkpoint directory. */
struct pipe_writer {
    struct wb_str header, body;
};

static inline void pipe_write_add(struct pipe_writer *w, const char *name,
                                  const struct wb_shape *shape, const char *dtype,
                                  const void *bytes, size_t n)
{
    wb_str_printf(&w->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                  w->header.len > 0 ? "," : "{", name, dtype);
    for (int i = 0; i < shape->ndim; i++)
        wb_str_printf(&w->header, "%s%llu", i > 0 ? "," : "", (unsigned long long)shape->dim[i]);
    wb_str_printf(&w->header, "],\"data_offsets\":[%zu,%zu]}", w->body.len, w->body.len + n);
    wb_str_add_n(&w->body, bytes, n);
}

/* The same from a nested JSON list. */
static inline void pipe_write_json(struct pipe_writer *w, const char *name, const cJSON *value)
{
    struct wb_shape shape = { 0 };
    size_t n = pipe_flatten(value, NULL, &shape, 0);
    double *x = calloc(n + 1, sizeof *x);
    float *f = calloc(n + 1, sizeof *f);

    if (x != NULL && f != NULL) {
        pipe_flatten(value, x, NULL, 0);
        for (size_t i = 0; i < n; i++)
            f[i] = (float)x[i];
        pipe_write_add(w, name, &shape, "F32", f, n * sizeof *f);
    }
    free(x);
    free(f);
}

/* Write and empty the collection. config: text of config.json, or NULL for none. */
static inline bool pipe_write(struct pipe_writer *w, const char *dir, const char *config)
{
    struct wb_str file = { 0 };
    struct wb_err err = { 0 };
    uint8_t len[8];
    char *path, *config_path;
    bool ok;

    wb_str_add(&w->header, w->header.len > 0 ? "}" : "{}");
    while (w->header.len % 8 != 0)
        wb_str_add(&w->header, " ");
    for (int i = 0; i < 8; i++)
        len[i] = (uint8_t)((uint64_t)w->header.len >> (8 * i));
    wb_str_add_n(&file, (const char *)len, sizeof len);
    wb_str_add_n(&file, w->header.text, w->header.len);
    if (w->body.len > 0)
        wb_str_add_n(&file, w->body.text, w->body.len);
    path = wb_path_join(dir, "model.safetensors");
    config_path = wb_path_join(dir, "config.json");
    ok = path != NULL && config_path != NULL && !file.failed && wb_make_dirs(dir, &err) &&
         wb_write_file(path, file.text, file.len, &err) &&
         (config == NULL || wb_write_file(config_path, config, strlen(config), &err));
    if (!ok)
        printf("%s: %s\n", dir, err.msg);
    free(path);
    free(config_path);
    wb_str_free(&file);
    wb_str_free(&w->header);
    wb_str_free(&w->body);
    return ok;
}

/* A JSON value as Lua source. */
static inline void pipe_lua(struct wb_str *out, const cJSON *value)
{
    const cJSON *item;

    if (cJSON_IsNumber(value))
        wb_str_printf(out, "%.17g", value->valuedouble);
    else if (cJSON_IsString(value))
        wb_str_printf(out, "\"%s\"", value->valuestring);
    else if (cJSON_IsBool(value))
        wb_str_add(out, cJSON_IsTrue(value) ? "true" : "false");
    else {
        wb_str_add(out, "{");
        cJSON_ArrayForEach(item, value) {
            pipe_lua(out, item);
            wb_str_add(out, ", ");
        }
        wb_str_add(out, "}");
    }
}

#endif
