/* app/store/manifest.h - weightbench.json: what a checkpoint was made of, and whether it still
 * is so.
 *
 * {"weightbench": version, "created": ISO time, "kernels": …, "blas_core": …, "script": file
 * name, "knobs": {…}, "sources": [{"path", "files": [{"name", "bytes", "mtime", "header_sha256",
 * "sha256"?}]}], "steps": [{"kind", "method", "params", "seed"?, "report"?}], "tensors": {name:
 * xxh3}, "files": [{"name", "bytes", "header_sha256"?, "sha256"?}]} */
#ifndef WB_STORE_MANIFEST_H
#define WB_STORE_MANIFEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/store/ckpt.h"

#define WB_MANIFEST_NAME "weightbench.json"

/* The "sources" entry of one checkpoint; with_sha256 reads every byte. NULL on failure, else
 * owned. */
cJSON *wb_manifest_source(struct wb_ckpt *ck, bool with_sha256, struct wb_err *err);

struct wb_verify_file {
    char name[256];
    bool ok;
    char problem[300]; /* "" when ok */
};

struct wb_verify {
    bool ok;
    size_t count;
    struct wb_verify_file *file; /* owned, wb_verify_free */
};

/* Check a directory against its manifest: every file there with its size, every tensor's
 * XXH3-128 (on `threads` threads), SHA-256 where the manifest has one, no tensor too many or
 * missing, no weights beside it that a loader might prefer (other files do no harm). false only
 * when the manifest itself cannot be read; a broken file is an entry in out. */
bool wb_verify(const char *dir, int threads, struct wb_verify *out, struct wb_err *err);
void wb_verify_free(struct wb_verify *v);

#endif
