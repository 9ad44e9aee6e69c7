/* app/infer/spec_impl.h - reading a family's flags and a config while a spec is made.
 *
 * A flag names a config key ("a|b": alternatives), its value is looked up there; the flag
 * <name>_default says what holds when the config is silent. In a family of several stacks
 * "<stack>.<name>" goes before <name>, and the settings are those under "<stack>_config". */
#ifndef WB_INFER_SPEC_IMPL_H
#define WB_INFER_SPEC_IMPL_H

#include "app/arch/model.h"
#include "app/infer/spec.h"

#define WB_SPEC_COUNT_MAX (1 << 24)

/* What the tensors of the stack say; 0: nothing. Rows and columns are the logical ones. */
struct wb_spec_facts {
    uint64_t q_rows, k_rows, inner, norm, head_norm, embed_rows, position_rows;
    uint64_t channels, patch;
    bool embed;
    enum wb_dtype embed_dtype;
};

struct wb_spec_reading {
    const struct wb_model *model;
    const struct wb_arch *arch;
    const struct wb_family *family;
    const cJSON *top, *config; /* config.json, and the object in it that speaks of this stack */
    cJSON *flags;              /* owned */
    bool several;              /* of several stacks */
    struct wb_spec_facts facts;
    struct wb_arena *arena;
    struct wb_spec *out;
};

/* NULL: not said. */
const cJSON *wb_spec_flag(const struct wb_spec_reading *r, const char *name);
const char *wb_spec_flag_text(const struct wb_spec_reading *r, const char *name,
                              const char *fallback);
bool wb_spec_flag_true(const struct wb_spec_reading *r, const char *name);

/* The config's value of a key; NULL when it is missing or null. */
const cJSON *wb_spec_setting(const struct wb_spec_reading *r, const char *key);
/* A count of 1 .. WB_SPEC_COUNT_MAX under key, else the fallback (which must be one too). */
bool wb_spec_count(const struct wb_spec_reading *r, const char *key, uint64_t fallback, int *out,
                   struct wb_err *err);
/* A number of low .. high under the key that the flag names (or usual, where there is no such
 * flag); an explicit null gives `none`, silence the flag's default (or `none`). */
bool wb_spec_number(const struct wb_spec_reading *r, const char *flag, const char *usual,
                    double none, double low, double high, double *out, struct wb_err *err);
/* A boolean under a key; key may be NULL. */
bool wb_spec_boolean(const struct wb_spec_reading *r, const char *key, bool fallback, bool *out,
                     struct wb_err *err);
/* "config.json: KEY is VALUE: what is needed". Always false. */
bool wb_spec_refuse(const cJSON *item, struct wb_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Sizes of the stack, pooling and what is seen of images (spec_sizes.c). */
bool wb_spec_sizes(struct wb_spec_reading *r, struct wb_err *err);
/* Windows and ropes of all layers (spec_layers.c). */
bool wb_spec_layers(struct wb_spec_reading *r, struct wb_err *err);

#endif
