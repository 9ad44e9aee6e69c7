/* views/view.c - making and dropping views. */
#include "views/view.h"

#include <stdlib.h>

struct wb_view *wb_view_new(const struct wb_view_ops *ops, struct wb_desk *desk, struct wb_err *err)
{
    struct wb_view *v = calloc(1, sizeof *v);

    if (v != NULL)
        v->state = calloc(1, ops->state_size + 1);
    if (v == NULL || v->state == NULL) {
        free(v);
        wb_fail(err, WB_ENOMEM, "no memory for a view");
        return NULL;
    }
    v->ops = ops;
    v->desk = desk;
    if (ops->open == NULL || ops->open(v, err))
        return v;
    wb_view_free(v);
    return NULL;
}

void wb_view_free(struct wb_view *v)
{
    if (v == NULL)
        return;
    if (v->ops->close != NULL)
        v->ops->close(v);
    free(v->state);
    free(v);
}
