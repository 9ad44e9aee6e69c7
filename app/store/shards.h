/* app/store/shards.h - which files make up a checkpoint: chosen in a directory, or by an index. */
#ifndef WB_STORE_SHARDS_H
#define WB_STORE_SHARDS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "app/core/err.h"

/* One kind of thing worth telling gives one text, so a small fixed number is enough. */
#define WB_WARNINGS_MAX 16
struct wb_warnings {
    const char *text[WB_WARNINGS_MAX]; /* in the arena they were added with */
    size_t count;
};
void wb_warn(struct wb_warnings *w, struct wb_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* One entry of an index's weight_map. */
struct wb_mapped {
    const char *tensor;
    size_t shard;
};

/* Strings live in the arena. */
struct wb_shards {
    const char *dir;
    const char **name; /* of the files in dir, in natural order */
    size_t count;
    const char *index;     /* name of the index file, NULL without one */
    struct wb_mapped *map; /* what the index says, in its order; NULL without one */
    size_t mapped;
    double total_size; /* of the index's metadata; negative when it does not say */
};

/* From a directory, a .safetensors file or a .safetensors.index.json file to the shards to open;
 * every shard named is there. Formats this version does not read are refused by name. */
bool wb_shards_find(const char *path, struct wb_arena *arena, struct wb_shards *out,
                    struct wb_warnings *warnings, struct wb_err *err);
/* What a file that is no safetensors file is, by its first bytes and its name: "a GGUF file; …"
 * with what to do about it. NULL when it may be one. */
const char *wb_shards_foreign(const char *name, const void *head, size_t n);

#endif
