/* app/store/writer.h - a checkpoint being written: it appears whole or not at all.
 *
 * The writer lays out all shards before the first byte: headers, offsets and (by fallocate) disk
 * space, in a hidden sibling of the output ("OUT/../.NAME.part"). Blocks arrive in any order
 * from any thread, straight at their place. Finishing syncs, writes the small files and renames.
 * A writer that is left (abandoned by kill -9) can be taken up again by wb_writer_resume. */
#ifndef WB_STORE_WRITER_H
#define WB_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/tensor/dtype.h"

#define WB_SHARD_BYTES_DEFAULT ((uint64_t)5000000000)

struct wb_out_tensor {
    const char *name;
    enum wb_dtype dtype;
    struct wb_shape shape;
};

struct wb_writer_options {
    const char *dir; /* the output directory, or a path ending in .safetensors: then one file */
    uint64_t
        shard_bytes; /* a file is closed before it would exceed this; one tensor is never split */
    bool force;      /* replace an output that exists */
    bool resume;     /* take up what an interrupted run with the same `plan` left */
    struct wb_hash plan;  /* identity of what is being written: pipeline, sources, options */
    const char *stem;     /* of file names: "model" (or "adapter_model") */
    const char *metadata; /* JSON object text for __metadata__, or NULL for {"format":"pt"} */
};

struct wb_writer; /* opaque */

/* Lay everything out. Without `resume`, the remains of an earlier interrupted run with the same
 * output are removed first. One run at a time: the second to the same output fails. WB_ENOSPC (with
 * bytes needed and free) when the disk cannot hold it; WB_EARG when the output exists. */
struct wb_writer *wb_writer_open(const struct wb_writer_options *options,
                                 const struct wb_out_tensor *tensor, size_t count,
                                 struct wb_err *err);

/* Write n bytes of tensor i at its byte `first`. Thread-safe. */
bool wb_writer_put(struct wb_writer *w, size_t i, uint64_t first, const void *bytes, size_t n,
                   struct wb_err *err);
/* Tensor i is complete; `hash` is the XXH3-128 of its bytes. Recorded in the journal.
 * Thread-safe. */
bool wb_writer_done(struct wb_writer *w, size_t i, struct wb_hash hash, struct wb_err *err);
/* Was tensor i complete already (after a resume: journal entry found and its bytes hash to it)? */
bool wb_writer_is_done(const struct wb_writer *w, size_t i, struct wb_hash *hash);

/* A small file beside the shards: config.json, a tokenizer file, the script, the manifest. name has
 * no '/'. One that goes to a single .safetensors file has nothing beside it: true, and no file. */
bool wb_writer_add_file(struct wb_writer *w, const char *name, const void *bytes, size_t n,
                        struct wb_err *err);
/* Copy a small file from elsewhere under its own name. */
bool wb_writer_copy_file(struct wb_writer *w, const char *path, struct wb_err *err);

/* Shards as they will be named in the output; valid from open to close. */
size_t wb_writer_shard_count(const struct wb_writer *w);
const char *wb_writer_shard_name(const struct wb_writer *w, size_t shard);
uint64_t wb_writer_shard_bytes(const struct wb_writer *w, size_t shard);
/* SHA-256 of its header (length and JSON), for "header_sha256" in the manifest. */
void wb_writer_shard_header(const struct wb_writer *w, size_t shard, char sha256[65]);
size_t wb_writer_tensor_shard(const struct wb_writer *w, size_t i);
uint64_t wb_writer_bytes(const struct wb_writer *w); /* of all shards */
/* Directory the files lie in until finish. */
const char *wb_writer_part_dir(const struct wb_writer *w);

/* Write the index (when there are several shards), sync, rename into place. */
bool wb_writer_finish(struct wb_writer *w, struct wb_err *err);
/* Remove everything that was written. */
void wb_writer_discard(struct wb_writer *w);
/* Free; what was neither finished nor discarded stays for a resume. NULL is fine. */
void wb_writer_close(struct wb_writer *w);

/* The pure part, for a dry run: how count tensors fall into shards. shard_of has count entries;
 * returns the number of shards, their file sizes summed in *bytes. 0 with err set on overflow. */
size_t wb_writer_layout(const struct wb_out_tensor *tensor, size_t count, uint64_t shard_bytes,
                        size_t *shard_of, uint64_t *bytes, struct wb_err *err);
/* Bytes free for the user on the file system that would hold `dir` (its nearest existing
 * parent). */
bool wb_free_bytes(const char *dir, uint64_t *bytes, struct wb_err *err);

#endif
