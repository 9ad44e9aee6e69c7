/* app/store/locate.h - from what a user types as MODEL to paths.
 *
 * MODEL is a directory, a .safetensors file, org/name (with optional @revision) in the local
 * Hugging Face hub cache (HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub, else
 * XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub), and any of these followed by
 * +ADAPTER (a PEFT LoRA directory or hub name), several times. A path that exists wins over a hub
 * name; a path that exists with a literal '+' in it wins over an adapter. */
#ifndef WB_STORE_LOCATE_H
#define WB_STORE_LOCATE_H

#include "app/core/arena.h"
#include "app/core/err.h"

#define WB_ADAPTERS_MAX 8

struct wb_location {
    const char *path;                     /* directory or file of the model */
    const char *adapter[WB_ADAPTERS_MAX]; /* directories of adapters, in order of application */
    int adapters;
};

/* Strings live in the arena. The error of a name that is nowhere says where was looked. */
bool wb_locate(const char *model, struct wb_arena *arena, struct wb_location *out,
               struct wb_err *err);
/* Directory of a hub-cache model, or NULL (not an error of its own). */
const char *wb_locate_hub(const char *name, struct wb_arena *arena);
/* Names ("org/name") of the models in the hub cache, sorted; *n of them, in the arena. NULL without memory. */
const char **wb_locate_hub_list(struct wb_arena *arena, size_t *n);

#endif
