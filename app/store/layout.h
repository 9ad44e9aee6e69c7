/* app/store/layout.h - how named tensors fall into safetensors files: headers, offsets, names. No
 * I/O. */
#ifndef WB_STORE_LAYOUT_H
#define WB_STORE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/store/writer.h"

struct wb_layout_slot {
    const char *name; /* of the tensor, as a JSON string with its quotes */
    size_t shard;
    uint64_t offset; /* of the first byte in the shard's file */
    uint64_t bytes;
};

struct wb_layout_shard {
    const char *name;   /* of the file */
    const char *header; /* the 8 bytes of length and the JSON, padded to 64 bytes */
    size_t header_bytes;
    uint64_t bytes; /* of the whole file */
};

struct wb_layout {
    struct wb_arena arena; /* owns all below */
    size_t count, shards;
    struct wb_layout_slot *slot;
    struct wb_layout_shard *shard;
    uint64_t bytes;      /* of all files */
    uint64_t data_bytes; /* of the tensors */
    const char *index;   /* file name of the index, NULL with one shard */
    struct wb_hash hash; /* of every name and header */
};

/* Fill an empty layout. file_name: put all into one file of this name, whatever its size; NULL:
 * shards called after stem, none larger than shard_bytes (file, not data) unless one tensor alone
 * is. Tensors keep their order, but where an element would come to lie at an odd address in a file,
 * that file's tensors go by falling element size: readers view the bytes in place. */
bool wb_layout_init(struct wb_layout *layout, const struct wb_writer_options *options,
                    const char *file_name, const struct wb_out_tensor *tensor, size_t count,
                    struct wb_err *err);
/* Text of the index file; owned (free), NULL when memory is out. */
char *wb_layout_index(const struct wb_layout *layout);
void wb_layout_free(struct wb_layout *layout); /* an empty one is fine */

#endif
