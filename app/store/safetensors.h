/* app/store/safetensors.h - the header of a safetensors file, held to every rule of the format. */
#ifndef WB_STORE_SAFETENSORS_H
#define WB_STORE_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/store/ckpt.h"

/* Own limits on top of the format's. */
#define WB_NAME_MAX_BYTES 4096

struct wb_safetensors {
    struct wb_tensor_info *tensor; /* owned, wb_safetensors_free; in the order of their data */
    size_t count;
    uint64_t header_bytes; /* 8 + the JSON */
    struct wb_hash header; /* XXH3-128 of those bytes */
    const char *metadata;  /* the __metadata__ object as JSON text, in the arena; or NULL */
    size_t unknown_fields; /* members of tensor objects that were ignored */
};

/* Check the first n bytes of a file of file_bytes; n covers the header. Names and metadata go to
 * the arena. The error names the tensor and the rule; the caller adds the file. O(n log n). */
bool wb_safetensors_parse(const uint8_t *head, size_t n, uint64_t file_bytes,
                          struct wb_arena *arena, struct wb_safetensors *out, struct wb_err *err);
/* The same from an open file: two reads, no more memory than the header and what it says. */
bool wb_safetensors_read(int fd, uint64_t file_bytes, struct wb_arena *arena,
                         struct wb_safetensors *out, struct wb_err *err);
void wb_safetensors_free(struct wb_safetensors *st); /* the empty value is fine */

#define WB_SHOWN_BYTES 256
/* A name or a path for a message: control characters replaced, the middle of a long one left out.
 * Returns out. */
const char *wb_show_name(const char *name, char out[WB_SHOWN_BYTES]);

#endif
