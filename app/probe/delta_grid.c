/* app/probe/delta_grid.c - sums over the tensors of a layer, and over one role in a layer. */
#include <string.h>

#include "app/probe/delta.h"
#include "app/probe/places.h"

static bool counts(const struct wb_delta_tensor *t)
{
    return t->numbers && !t->alias;
}

/* Row of a tensor; rows are few, and tensors of one layer mostly stand together. */
static size_t find_layer(const struct wb_delta_layer *row, size_t n, const struct wb_role *role,
                         size_t last)
{
    if (last < n && row[last].layer == role->layer && strcmp(row[last].stack, role->stack) == 0)
        return last;
    for (size_t i = 0; i < n; i++)
        if (row[i].layer == role->layer &&
            (role->layer < 0 || strcmp(row[i].stack, role->stack) == 0))
            return i;
    return n;
}

static int compare_layers(const struct wb_delta_layer *a, const struct wb_delta_layer *b)
{
    int order;

    if ((a->layer < 0) != (b->layer < 0))
        return a->layer < 0 ? 1 : -1;
    order = strcmp(a->stack, b->stack);
    return order != 0 ? order : a->layer - b->layer;
}

/* Insertion sort: the rows come nearly in order (layer 10 before layer 2), and there are few. */
static void sort_layers(struct wb_delta_layer *row, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0 && compare_layers(&row[k - 1], &row[k]) > 0; k--) {
            struct wb_delta_layer swap = row[k];

            row[k] = row[k - 1];
            row[k - 1] = swap;
        }
}

struct wb_delta_layer *wb_delta_layers(struct wb_delta_list *list, size_t *count)
{
    struct wb_delta_layer *row = wb_arena_calloc(&list->arena, list->count + 1, sizeof *row);
    size_t n = 0, at = 0;

    for (size_t i = 0; row != NULL && i < list->count; i++) {
        const struct wb_role *role = &list->tensor[i].a->role;

        if (!counts(&list->tensor[i]))
            continue;
        at = find_layer(row, n, role, at);
        if (at == n)
            row[n++] = (struct wb_delta_layer){ .stack = role->layer < 0 ? "" : role->stack,
                                                .layer = role->layer };
        wb_delta_add(&row[at].sum, &list->tensor[i].sum);
    }
    if (row != NULL)
        sort_layers(row, n);
    *count = n;
    return row;
}

struct wb_delta wb_delta_total(const struct wb_delta_list *list)
{
    struct wb_delta total = { 0 };

    for (size_t i = 0; i < list->count; i++)
        if (counts(&list->tensor[i]))
            wb_delta_add(&total, &list->tensor[i].sum);
    return total;
}

static size_t find_column(const char *const *column, size_t n, const char *role)
{
    size_t i = 0;

    while (i < n && strcmp(column[i], role) != 0)
        i++;
    return i;
}

/* Known roles that occur, in their order, then the others. */
static size_t list_columns(const struct wb_delta_list *list, const char **column)
{
    bool seen[WB_ROLES_KNOWN] = { false };
    size_t n = 0;

    for (size_t i = 0; i < list->count; i++) {
        size_t k = find_column(wb_role_order, WB_ROLES_KNOWN, list->tensor[i].a->role.role);

        if (k < WB_ROLES_KNOWN && counts(&list->tensor[i]))
            seen[k] = true;
    }
    for (size_t k = 0; k < WB_ROLES_KNOWN; k++)
        if (seen[k])
            column[n++] = wb_role_order[k];
    for (size_t i = 0; i < list->count; i++) {
        const char *role = list->tensor[i].a->role.role;

        if (counts(&list->tensor[i]) && find_column(column, n, role) == n)
            column[n++] = role;
    }
    return n;
}

bool wb_delta_grid(struct wb_delta_list *list, struct wb_delta_grid *out, struct wb_err *err)
{
    size_t row = 0;

    *out = (struct wb_delta_grid){ 0 };
    out->row = wb_delta_layers(list, &out->rows);
    out->column =
        wb_arena_calloc(&list->arena, list->count + WB_ROLES_KNOWN + 1, sizeof *out->column);
    if (out->row == NULL || out->column == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", list->count);
    out->columns = list_columns(list, out->column);
    out->cell = wb_arena_calloc(&list->arena, out->rows * out->columns + 1, sizeof *out->cell);
    if (out->cell == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct wb_role *role = &list->tensor[i].a->role;
        size_t column = find_column(out->column, out->columns, role->role);

        if (!counts(&list->tensor[i]))
            continue;
        row = find_layer(out->row, out->rows, role, row);
        wb_delta_add(&out->cell[row * out->columns + column], &list->tensor[i].sum);
    }
    return true;
}
