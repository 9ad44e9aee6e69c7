/* app/store/stage.h - bytes of files on their way to the disk, past the page cache.
 *
 * Blocks are gathered in windows of a file; a window that is whole is written with O_DIRECT by a
 * thread of its own. That costs next to no processor time, and needs no new page of memory for each
 * page written. What never makes a whole window goes through the page cache. */
#ifndef WB_STORE_STAGE_H
#define WB_STORE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

#define WB_STAGE_WINDOW_BYTES ((size_t)1 << 20)

struct wb_stage_file {
    const char *dir, *name; /* borrowed, for messages */
    int fd, direct;         /* the same file twice, `direct` with O_DIRECT; borrowed */
};

struct wb_stage; /* 16 windows and four threads */

/* file[] is borrowed until wb_stage_free. NULL without memory or threads: write without it. */
struct wb_stage *wb_stage_new(const struct wb_stage_file *file);
/* n bytes at byte `at` of a file; each byte comes once. They are copied, written later, and may be
 * lost when the process dies before wb_stage_flush. An error may be that of an earlier put.
 * Thread-safe. */
bool wb_stage_put(struct wb_stage *stage, size_t file, uint64_t at, const void *bytes, size_t n,
                  struct wb_err *err);
/* Write everything that was put, as fsync needs it. Not while others put. */
bool wb_stage_flush(struct wb_stage *stage, struct wb_err *err);
void wb_stage_free(struct wb_stage *stage); /* what was not flushed may be lost; NULL is fine */

#endif
