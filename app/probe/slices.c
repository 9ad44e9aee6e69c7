/* app/probe/slices.c - cutting the rows of a call. */
#include "app/probe/slices.h"

#include <stdlib.h>

#define SLICE_BYTES ((size_t)256 << 20)

static bool fits(const struct wb_net *net, const struct wb_rows *rows, size_t first, size_t end,
                 size_t row_bytes)
{
    size_t count = wb_rows_start(net, rows, end) - wb_rows_start(net, rows, first);

    return count <= SLICE_BYTES / (row_bytes > 0 ? row_bytes : 1);
}

static size_t slice_end(struct wb_net *net, const struct wb_rows *rows, size_t first,
                        size_t row_bytes)
{
    size_t end = wb_rows_batch_end(net, rows, first), next;

    if (!fits(net, rows, first, end, row_bytes)) {
        while (end > first + 1 && !fits(net, rows, first, end, row_bytes))
            end--;
        return end;
    }
    for (; !wb_weights_resident(wb_net_weights(net)) && end < rows->sequences; end = next) {
        next = wb_rows_batch_end(net, rows, end);
        if (!fits(net, rows, first, next, row_bytes))
            break;
    }
    return end;
}

bool wb_slice_at(struct wb_net *net, const struct wb_rows *rows, size_t first, size_t row_bytes,
                 struct wb_slice *s, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(net);
    size_t image = (size_t)spec->channels * (size_t)spec->image_rows * (size_t)spec->image_columns;

    wb_slice_free(s);
    s->first = first;
    s->end = slice_end(net, rows, first, row_bytes);
    s->row = wb_rows_start(net, rows, first);
    s->count = wb_rows_start(net, rows, s->end) - s->row;
    s->rows.sequences = s->end - first;
    if (spec->kind == WB_NET_VISION) {
        s->rows.image = rows->image + first * image;
        return true;
    }
    s->start = malloc((s->rows.sequences + 1) * sizeof *s->start);
    if (s->start == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu sequences", s->rows.sequences);
    for (size_t i = 0; i <= s->rows.sequences; i++)
        s->start[i] = rows->start[first + i] - s->row;
    s->rows.start = s->start;
    s->rows.token = rows->token + s->row;
    return true;
}

void wb_slice_free(struct wb_slice *s)
{
    free(s->start);
    *s = (struct wb_slice){ 0 };
}
