/* app/probe/places.c - layers and roles that occur, in order, and who stands where. */
#include "app/probe/places.h"

#include <string.h>

const char *const wb_role_order[WB_ROLES_KNOWN] = {
    "embed",      "attn_norm",      "q",        "k",    "v",  "qkv",     "q_norm", "k_norm",
    "o",          "attn_post_norm", "ffn_norm", "gate", "up", "gate_up", "down",   "ffn_post_norm",
    "final_norm", "lm_head",
};

static size_t find_role(const char *const *role, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(role[i], name) != 0)
        i++;
    return i;
}

static void list_columns(const struct wb_entry *const *entry, size_t n, struct wb_places *out)
{
    bool seen[WB_ROLES_KNOWN] = { false };

    for (size_t i = 0; i < n; i++) {
        size_t k = find_role(wb_role_order, WB_ROLES_KNOWN, entry[i]->role.role);

        if (k < WB_ROLES_KNOWN)
            seen[k] = true;
    }
    for (size_t k = 0; k < WB_ROLES_KNOWN; k++)
        if (seen[k])
            out->column[out->columns++] = wb_role_order[k];
    for (size_t i = 0; i < n; i++)
        if (find_role(out->column, out->columns, entry[i]->role.role) == out->columns)
            out->column[out->columns++] = entry[i]->role.role;
}

static bool in_row(const struct wb_place_row *row, const struct wb_role *role)
{
    return row->layer == role->layer && (role->layer < 0 || strcmp(row->stack, role->stack) == 0);
}

/* Tensors of one layer mostly stand together: `last` is looked at first. */
static size_t find_row(const struct wb_places *p, const struct wb_role *role, size_t last)
{
    size_t i = 0;

    if (last < p->rows && in_row(&p->row[last], role))
        return last;
    while (i < p->rows && !in_row(&p->row[i], role))
        i++;
    return i;
}

static int compare_rows(const struct wb_place_row *a, const struct wb_place_row *b)
{
    int order;

    if ((a->layer < 0) != (b->layer < 0))
        return a->layer < 0 ? 1 : -1;
    order = strcmp(a->stack, b->stack);
    return order != 0 ? order : a->layer - b->layer;
}

static void list_rows(const struct wb_entry *const *entry, size_t n, struct wb_places *out)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct wb_role *role = &entry[i]->role;

        at = find_row(out, role, at);
        if (at < out->rows)
            continue;
        out->row[at] = (struct wb_place_row){ role->layer < 0 ? "" : role->stack,
                                              role->layer < 0 ? -1 : role->layer };
        out->rows++;
    }
    for (size_t i = 1; i < out->rows; i++) /* nearly in order as they come */
        for (size_t k = i; k > 0 && compare_rows(&out->row[k - 1], &out->row[k]) > 0; k--) {
            struct wb_place_row swap = out->row[k];

            out->row[k] = out->row[k - 1];
            out->row[k - 1] = swap;
        }
}

bool wb_places_of(const struct wb_entry *const *entry, size_t n, struct wb_arena *arena,
                  struct wb_places *out, struct wb_err *err)
{
    size_t row = 0;

    *out = (struct wb_places){
        .row = wb_arena_calloc(arena, n + 1, sizeof *out->row),
        .column = wb_arena_calloc(arena, n + WB_ROLES_KNOWN + 1, sizeof *out->column),
        .at = wb_arena_calloc(arena, n + 1, sizeof *out->at),
    };
    if (out->row == NULL || out->column == NULL || out->at == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tensors", n);
    list_columns(entry, n, out);
    list_rows(entry, n, out);
    for (size_t i = 0; i < n; i++) {
        row = find_row(out, &entry[i]->role, row);
        out->at[i] =
            (struct wb_place){ row, find_role(out->column, out->columns, entry[i]->role.role) };
    }
    return true;
}
