/* app/arch/model.h - one model's architecture, as the files of this room share it. */
#ifndef WB_ARCH_MODEL_H
#define WB_ARCH_MODEL_H

#include <stdatomic.h>

#include "app/arch/family.h"
#include "app/arch/infer.h"

struct wb_arch {
    atomic_int refs;
    struct wb_arena arena;             /* every string below */
    const struct wb_family_tree *tree; /* NULL: unknown */
    bool guessed;
    struct wb_stems stems;
    struct wb_dims dims;
    const char *embed;   /* name of the word embeddings, NULL when there are none */
    bool embed_in_stack; /* they belong to one stack: copies elsewhere are no aliases */
    struct wb_shape embed_shape;
    char note[500];
};

/* Add "; text" to the note. */
void wb_arch_note_add(struct wb_arch *arch, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of the first alternative of key ("a.b|c") that config has, itself or under text_config
 * and its like; NULL when none. *owner (may be NULL) is the object it stands in. */
cJSON *wb_config_find(const cJSON *config, const char *key, cJSON **owner);
/* The family's key for its layers, or the usual ones. */
const char *wb_arch_key_layers(const struct wb_arch *arch);
/* dims from config first, and from the shapes of known roles where config is silent. */
void wb_dims_fill(struct wb_arch *arch, const cJSON *config, const char *const *name,
                  const struct wb_shape *shape, size_t count);

#endif
