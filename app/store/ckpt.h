/* app/store/ckpt.h - a checkpoint on disk: named tensors spread over one or more safetensors files.
 *
 * Opening reads headers only; weights are read by position, from any thread. Everything in a file
 * is hostile until it was bounded: an error names the file, the tensor and the rule it breaks. */
#ifndef WB_STORE_CKPT_H
#define WB_STORE_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/tensor/dtype.h"

/* Shards open at the same time; the system's limit is raised to it where it may be. */
#define WB_SHARDS_MAX 4096
#define WB_HEADER_MAX_BYTES ((uint64_t)100000000)

struct wb_tensor_info {
    const char *name;
    enum wb_dtype dtype;
    struct wb_shape shape;
    uint64_t count; /* elements */
    uint64_t bytes;
    unsigned file;   /* index into wb_ckpt_file */
    uint64_t offset; /* of the first byte in that file */
};

/* One file of a checkpoint and what identifies its bytes. */
struct wb_ckpt_file {
    const char *path; /* as opened */
    const char *name; /* within the checkpoint's directory */
    uint64_t bytes;
    int64_t mtime_ns;
    uint64_t device, inode;
    uint64_t header_bytes; /* 8 + the JSON */
    struct wb_hash header; /* XXH3-128 of those bytes */
    const char *metadata;  /* the __metadata__ object as JSON text, or NULL */
};

struct wb_ckpt; /* opaque, reference counted */

/* Open a directory (an index with its shards, or model.safetensors, or numbered shards, or the only
 * *.safetensors in it), an index file, or one .safetensors file; config.json beside them is used
 * when it is there. NULL on failure. */
struct wb_ckpt *wb_ckpt_open(const char *path, struct wb_err *err);
struct wb_ckpt *wb_ckpt_ref(struct wb_ckpt *ck);
void wb_ckpt_unref(struct wb_ckpt *ck); /* NULL is fine; the last one closes the files */

/* All that follows is borrowed until the last unref. */
size_t wb_ckpt_count(const struct wb_ckpt *ck);
/* Tensors in the order of the files and, within one, of their data. i < count. */
const struct wb_tensor_info *wb_ckpt_info(const struct wb_ckpt *ck, size_t i);
/* Index of a name, SIZE_MAX when there is none. */
size_t wb_ckpt_find(const struct wb_ckpt *ck, const char *name);
size_t wb_ckpt_file_count(const struct wb_ckpt *ck);
const struct wb_ckpt_file *wb_ckpt_file(const struct wb_ckpt *ck, size_t i);
const char *wb_ckpt_path(const struct wb_ckpt *ck);   /* as given to open */
const char *wb_ckpt_dir(const struct wb_ckpt *ck);    /* of config.json and the tokenizer files */
const char *wb_ckpt_config(const struct wb_ckpt *ck); /* text of config.json, NULL without one */
/* Things worth telling that are no errors: unused files, tensors that the index does not name, … */
size_t wb_ckpt_warning_count(const struct wb_ckpt *ck);
const char *wb_ckpt_warning(const struct wb_ckpt *ck, size_t i);

/* n bytes of tensor i from its byte `first` on. Thread-safe. The error names file and tensor; a
 * file that was cut or changed in size since open is one. */
bool wb_ckpt_read(const struct wb_ckpt *ck, size_t i, uint64_t first, size_t n, void *dst,
                  struct wb_err *err);
/* Tell the kernel that tensor i will be read soon (readahead); never fails. */
void wb_ckpt_will_need(const struct wb_ckpt *ck, size_t i);
/* Do the files on disk still have the size and time they had at open? */
bool wb_ckpt_unchanged(const struct wb_ckpt *ck);

#endif
