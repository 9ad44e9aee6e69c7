/* app/graph/model.h - a model: a config and named lazy tensors with their roles. Immutable once
 * frozen. */
#ifndef WB_GRAPH_MODEL_H
#define WB_GRAPH_MODEL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/arch/arch.h"
#include "app/core/err.h"
#include "app/graph/node.h"
#include "app/store/ckpt.h"

struct wb_entry {
    const char *name;
    struct wb_node *node; /* borrowed from the model */
    struct wb_role role;
};

/* How the values of one note are combined over tensors into a total. */
enum wb_total { WB_TOTAL_NONE, WB_TOTAL_SUM, WB_TOTAL_NORM, WB_TOTAL_MEAN, WB_TOTAL_MAX };

/* A figure a step wants reported: `key` of tensor `tensor` (or "" for the whole model). */
struct wb_note {
    const char *tensor, *key;
    struct wb_node *node; /* 0-d */
    enum wb_total total;
    double weight; /* of this tensor in a MEAN: its number of entries */
};

/* One step that made the model: what the manifest keeps. */
struct wb_step {
    const char *json; /* {"kind","method","params",…} */
    const struct wb_note *note;
    size_t notes;
};

struct wb_model; /* reference counted */

/* Open MODEL (app/store/locate.h), adapters applied. Headers only. The set must outlive the
 * model. */
struct wb_model *wb_model_open(const char *model, const struct wb_arch_set *set,
                               struct wb_err *err);
/* The same with an adapter's strength: adapter may be NULL; scale multiplies the adapter's own. */
struct wb_model *wb_model_open_lora(const char *model, const char *adapter, double scale,
                                    const struct wb_arch_set *set, struct wb_err *err);
struct wb_model *wb_model_ref(struct wb_model *m);
void wb_model_unref(struct wb_model *m); /* NULL is fine */

/* All borrowed. */
const char *wb_model_path(
    const struct wb_model *m); /* as given; a derived model has its parent's */
const struct wb_arch *wb_model_arch(const struct wb_model *m);
const cJSON *wb_model_config(const struct wb_model *m); /* an object; empty without config.json */
bool wb_model_has_config(const struct wb_model *m);
const char *wb_model_side_dir(
    const struct wb_model *m); /* where tokenizer files are copied from; may be NULL */
size_t wb_model_count(const struct wb_model *m);
const struct wb_entry *wb_model_entry(const struct wb_model *m, size_t i);
const struct wb_entry *wb_model_find(const struct wb_model *m, const char *name); /* NULL: none */
uint64_t wb_model_parameters(
    const struct wb_model *m); /* entries of all floating tensors; aliases once */
uint64_t wb_model_bytes(const struct wb_model *m);
int wb_model_layers(const struct wb_model *m); /* layer numbers in use, all stacks: max + 1 */
/* Identity: hash over names, node hashes and the config. */
struct wb_hash wb_model_hash(const struct wb_model *m);
size_t wb_model_source_count(const struct wb_model *m); /* checkpoints it is made of */
struct wb_ckpt *wb_model_source(const struct wb_model *m, size_t i);
size_t wb_model_step_count(const struct wb_model *m);
const struct wb_step *wb_model_step(const struct wb_model *m, size_t i);
size_t wb_model_warning_count(const struct wb_model *m);
const char *wb_model_warning(const struct wb_model *m, size_t i);
/* "" , or "adapter_model": how output files are named (set by a step that writes an adapter). */
const char *wb_model_stem(const struct wb_model *m);

/* Making one from another: derive, change, freeze. A draft belongs to one thread; only
 * wb_model_freeze makes it a model. */
struct wb_model *wb_model_derive(const struct wb_model *from, struct wb_err *err);
bool wb_model_clear(struct wb_model *draft); /* drop every tensor */
/* Replace in place, or append; node NULL removes. */
bool wb_model_set(struct wb_model *draft, const char *name, struct wb_node *node,
                  struct wb_err *err);
bool wb_model_set_config(struct wb_model *draft, const cJSON *config,
                         struct wb_err *err); /* copied */
bool wb_model_set_stem(struct wb_model *draft, const char *stem, struct wb_err *err);
bool wb_model_add_sources(struct wb_model *draft, const struct wb_model *other,
                          struct wb_err *err); /* and its steps */
bool wb_model_add_warning(struct wb_model *draft, const char *text, struct wb_err *err);
/* A step; notes are added to the last one. */
bool wb_model_add_step(struct wb_model *draft, const char *json, struct wb_err *err);
bool wb_model_add_note(struct wb_model *draft, const char *tensor, const char *key,
                       struct wb_node *node, enum wb_total total, double weight,
                       struct wb_err *err);
/* Extra files to write beside the weights (adapter_config.json): text is copied. */
bool wb_model_add_file(struct wb_model *draft, const char *name, const char *text,
                       struct wb_err *err);
size_t wb_model_file_count(const struct wb_model *m);
const char *wb_model_file(const struct wb_model *m, size_t i, const char **text);
/* Roles and family are worked out anew. */
bool wb_model_freeze(struct wb_model *draft, struct wb_err *err);

#endif
