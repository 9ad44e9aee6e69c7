/* app/store/outfiles.h - the open files of a layout. */
#ifndef WB_STORE_OUTFILES_H
#define WB_STORE_OUTFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/store/layout.h"
#include "app/store/stage.h"

struct wb_outfiles {
    const struct wb_layout *layout; /* borrowed, as is dir */
    const char *dir;
    int *fd;                    /* one a shard, -1 when closed; owned */
    struct wb_stage_file *file; /* as many, of the stage; owned */
    struct wb_stage *stage;     /* NULL: everything goes through the page cache */
};

/* Open or make every file in dir, with its size, its disk space and its header; other bytes of a
 * file that is there stay. WB_ENOSPC with bytes needed and free. */
bool wb_outfiles_open(struct wb_outfiles *of, const struct wb_layout *layout, const char *dir,
                      struct wb_err *err);
/* n bytes at byte `at` of the file of shard s, each byte once. Of large layouts they may stay in
 * memory until wb_outfiles_sync (or close). Thread-safe. */
bool wb_outfiles_put(const struct wb_outfiles *of, size_t s, uint64_t at, const void *bytes,
                     size_t n, struct wb_err *err);
bool wb_outfiles_sync(const struct wb_outfiles *of, struct wb_err *err);
void wb_outfiles_close(struct wb_outfiles *of); /* an empty one is fine */

#endif
