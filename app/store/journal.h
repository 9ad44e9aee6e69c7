/* app/store/journal.h - what an interrupted writer had finished, and the lock of its directory. */
#ifndef WB_STORE_JOURNAL_H
#define WB_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/core/hash.h"

#define WB_JOURNAL_NAME ".weightbench-journal"

enum wb_journal_state {
    WB_JOURNAL_EMPTY, /* nothing to take up */
    WB_JOURNAL_OTHER, /* of another plan, layout or version */
    WB_JOURNAL_SAME,
};

struct wb_journal_entry {
    bool done;
    struct wb_hash hash;
};

/* Make the directory and the journal in it where they are missing, and lock it for this process.
 * The descriptor is the caller's (close it to unlock); -1 on failure, WB_EARG when another run has
 * it. */
int wb_journal_open(const char *dir, struct wb_err *err);
/* Read what is there, cutting a torn last line. entry has count places, all false before. */
bool wb_journal_load(int fd, struct wb_hash plan, struct wb_hash layout,
                     struct wb_journal_entry *entry, size_t count, enum wb_journal_state *state,
                     struct wb_err *err);
/* Empty it and write the first line. */
bool wb_journal_start(int fd, struct wb_hash plan, struct wb_hash layout, size_t count,
                      struct wb_err *err);
/* Tensor i is complete. Thread-safe: one write. */
bool wb_journal_add(int fd, size_t i, struct wb_hash hash, struct wb_err *err);

#endif
