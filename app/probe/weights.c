/* app/probe/weights.c - one pass of statistics over each of many tensors. */
#include "app/probe/weights.h"

#include <math.h>
#include <stdlib.h>

/* Order of WB_REDUCE_STATS. */
enum { COUNT, NAN_COUNT, INF_COUNT, ZERO, SUM, SUM_SQUARES, MIN, MAX, ABSMAX, FIELDS };

struct wb_weight_stats wb_weight_figures(const double v[FIELDS])
{
    double finite = v[COUNT] - v[NAN_COUNT] - v[INF_COUNT];
    double mean = v[SUM] / finite, variance = v[SUM_SQUARES] / finite - mean * mean;

    return (struct wb_weight_stats){
        .mean = finite > 0 ? mean : NAN,
        .std = finite > 0 ? sqrt(variance > 0 ? variance : 0) : NAN,
        .absmax = v[COUNT] > v[NAN_COUNT] ? v[ABSMAX] : NAN,
        .l2 = finite > 0 ? sqrt(v[SUM_SQUARES]) : NAN,
        .sparsity = v[COUNT] > 0 ? v[ZERO] / v[COUNT] : NAN,
        .nan = v[NAN_COUNT],
        .inf = v[INF_COUNT],
    };
}

bool wb_weights_stats(const struct wb_eval *how, const struct wb_entry *const *entry, size_t count,
                      struct wb_weight_stats *out, struct wb_err *err)
{
    struct wb_target *target = calloc(count + 1, sizeof *target);
    double(*value)[FIELDS] = calloc(count + 1, sizeof *value);
    size_t n = 0;
    bool ok = true;

    if (target == NULL || value == NULL) {
        free(target);
        free(value);
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", count);
    }
    for (size_t i = 0; ok && i < count; i++) {
        struct wb_node *node = entry[i]->node;

        if (!wb_dtype_computable(wb_node_dtype(node)))
            continue;
        node = wb_node_reduce(WB_REDUCE_STATS, WB_AXIS_ALL, node, NULL, err);
        ok = node != NULL || wb_wrap(err, "%s", entry[i]->name);
        if (ok)
            target[n++] = (struct wb_target){ .node = node, .group = i, .value = value[i] };
    }
    ok = ok && wb_evaluate(how, target, n, NULL, err);
    for (size_t i = 0; ok && i < count; i++)
        out[i] = wb_dtype_computable(wb_node_dtype(entry[i]->node))
                     ? wb_weight_figures(value[i])
                     : (struct wb_weight_stats){ NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    for (size_t i = 0; i < n; i++)
        wb_node_unref(target[i].node);
    free(target);
    free(value);
    return ok;
}
