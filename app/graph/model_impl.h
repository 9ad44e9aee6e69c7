/* app/graph/model_impl.h - the inside of a model, for model.c, draft.c and open.c. */
#ifndef WB_GRAPH_MODEL_IMPL_H
#define WB_GRAPH_MODEL_IMPL_H

#include <stdatomic.h>

#include "app/core/arena.h"
#include "app/graph/model.h"

struct wb_model_file {
    const char *name, *text;
};

struct wb_model {
    _Atomic uint32_t refs;
    struct wb_arena arena; /* names, texts */
    const struct wb_arch_set *set;
    struct wb_arch *arch;
    cJSON *config;
    bool has_config, frozen;
    const char *path, *side_dir, *stem;
    struct wb_entry *entry;
    size_t count;
    size_t *slot, slots; /* name -> 1 + entry */
    struct wb_ckpt **source;
    size_t sources;
    struct wb_step *step;
    size_t steps;
    const char **warning;
    size_t warnings;
    struct wb_model_file *file;
    size_t files;
};

static inline bool wb_model_no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for a model");
}

/* Room for one more behind `count` entries of `size` bytes. */
bool wb_model_grow(void **list, size_t count, size_t size);
/* Build the name index anew. */
bool wb_model_index(struct wb_model *m, struct wb_err *err);
/* Enter the last entry into an index that has room. */
bool wb_model_index_add(struct wb_model *m);
/* An empty draft. */
struct wb_model *wb_model_blank(const struct wb_arch_set *set, const char *path,
                                struct wb_err *err);
bool wb_model_add_source(struct wb_model *draft, struct wb_ckpt *ck, struct wb_err *err);

#endif
