/* app/store/place.h - where an output goes, what stands there already, and how it is put there at
 * once. */
#ifndef WB_STORE_PLACE_H
#define WB_STORE_PLACE_H

#include <stdbool.h>

#include "app/core/err.h"

/* Paths of one output. Strings are owned: wb_place_free. */
struct wb_place {
    char *out; /* without trailing slashes; symbolic links that lead somewhere are followed */
    char *parent;
    char *part;       /* PARENT/.NAME.part: written into until all is complete */
    char *old;        /* PARENT/.NAME.old: what was replaced, until it is removed */
    const char *name; /* borrowed from out */
    bool one_file;    /* out ends in .safetensors */
};

bool wb_place_init(struct wb_place *place, const char *path, struct wb_err *err);
void wb_place_free(struct wb_place *place); /* an empty one is fine */
/* May the output be put there? An empty directory counts as nothing. Never over the current
 * directory, the home directory or what holds them, nor over a device. */
bool wb_place_check(const struct wb_place *place, bool force, struct wb_err *err);
/* Rename the part directory (or the one file in it) to out. What stood there is there until the
 * very moment, and is called `old` afterwards. Failing leaves both as they were. */
bool wb_place_publish(const struct wb_place *place, bool force, struct wb_err *err);
bool wb_place_remove_old(const struct wb_place *place, struct wb_err *err);

#endif
