/* app/probe/slices.h - sequences of a call, a few at a time: what is worked out of a pass grows with
 * its rows, and who waits wants to see something in between. */
#ifndef WB_PROBE_SLICES_H
#define WB_PROBE_SLICES_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "app/infer/forward.h"

/* Sequences first .. end - 1 as rows of their own. Zero-initialised is empty. */
struct wb_slice {
    struct wb_rows rows;
    size_t first, end;
    size_t row, count; /* of the call: its first row, and how many */
    size_t *start;     /* owned */
};

/* The slice that begins at `first`: one whole batch; several when the weights have to be read for
 * each pass; fewer sequences of it when row_bytes for each of its rows are too many. Replaces what
 * was in *s. */
bool wb_slice_at(struct wb_net *net, const struct wb_rows *rows, size_t first, size_t row_bytes,
                 struct wb_slice *s, struct wb_err *err);
void wb_slice_free(struct wb_slice *s);

#endif
