/* views/tensors_rows.c - tensors as a tree by layer, or as a flat list while sorted. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/str.h"
#include "views/view_tensors.h"

const char *wb_tensors_group_name(const struct wb_entry *e, char *out, size_t size)
{
    if (e->role.layer < 0)
        snprintf(out, size, "outside of layers");
    else if (e->role.stack[0] != '\0')
        snprintf(out, size, "%s layer %d", e->role.stack, e->role.layer);
    else
        snprintf(out, size, "layer %d", e->role.layer);
    return out;
}

static bool is_folded(const struct tensors *s, const char *name)
{
    for (size_t i = 0; i < s->foldeds; i++)
        if (strcmp(s->folded[i], name) == 0)
            return true;
    return false;
}

/* A text without glob characters is looked for anywhere in the name. */
static bool passes(const struct tensors *s, const struct wb_entry *e)
{
    if (s->filter[0] == '\0')
        return true;
    if (strpbrk(s->filter, "*?[{") == NULL)
        return strcasestr(e->name, s->filter) != NULL || strcmp(e->role.role, s->filter) == 0;
    return wb_glob(s->filter, e->name);
}

/* Order of the tree: stacks as they come, layers by number, what is outside first; within one as in
 * the model. */
struct place {
    const struct wb_entry *e;
    size_t entry;
};

static int by_layer(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int stack = strcmp(x->e->role.stack, y->e->role.stack);

    if ((x->e->role.layer < 0) != (y->e->role.layer < 0))
        return x->e->role.layer < 0 ? -1 : 1;
    if (stack != 0)
        return stack;
    if (x->e->role.layer != y->e->role.layer)
        return x->e->role.layer < y->e->role.layer ? -1 : 1;
    return x->entry < y->entry ? -1 : 1;
}

/* Order of the flat list. */
static double key_of(const struct tensors *s, size_t entry)
{
    const struct wb_entry *e = wb_model_entry(s->model, entry);
    const struct wb_weight_stats *w = &s->figures->stats[entry];
    bool known = s->figures->grade[entry] != TENSORS_NONE;

    switch (s->table.sort) {
    case TENSORS_SHAPE:
        return (double)wb_node_count(e->node);
    case TENSORS_SIZE:
        return (double)wb_node_count(e->node) * wb_dtype_bits(wb_node_dtype(e->node));
    case TENSORS_STD:
        return known ? w->std : NAN;
    case TENSORS_ABSMAX:
        return known ? w->absmax : NAN;
    case TENSORS_ZEROS:
        return known ? w->sparsity : NAN;
    default:
        return known ? w->nan + w->inf : NAN;
    }
}

static int compare(const struct tensors *s, size_t a, size_t b)
{
    const struct wb_entry *x = wb_model_entry(s->model, a), *y = wb_model_entry(s->model, b);
    double p, q;

    switch (s->table.sort) {
    case TENSORS_NAME:
        return strcmp(x->name, y->name);
    case TENSORS_ROLE:
        return strcmp(x->role.role, y->role.role);
    case TENSORS_DTYPE:
        return (int)wb_node_dtype(x->node) - (int)wb_node_dtype(y->node);
    default:
        p = key_of(s, a);
        q = key_of(s, b);
        if (isnan(p) || isnan(q))
            return isnan(p) - isnan(q); /* what is not known comes last */
        return p > q ? -1 : p < q ? 1 : 0;
    }
}

static const struct tensors *sorting; /* of the UI thread alone: qsort has no context */

static int by_column(const void *a, const void *b)
{
    const struct tensors_row *x = a, *y = b;
    int order = compare(sorting, x->entry, y->entry);

    if (order != 0)
        return sorting->table.reverse ? -order : order;
    return x->entry < y->entry ? -1 : 1;
}

static void make_flat(struct tensors *s)
{
    size_t n = 0;

    for (size_t i = 0; i < wb_model_count(s->model); i++)
        if (passes(s, wb_model_entry(s->model, i)))
            s->row[n++] = (struct tensors_row){ .entry = i };
    sorting = s;
    qsort(s->row, n, sizeof *s->row, by_column);
    s->table.rows = n;
}

static void add_to_group(struct tensors_row *group, const struct wb_entry *e)
{
    group->members++;
    group->count += wb_node_count(e->node);
    group->bytes += wb_node_count(e->node) * wb_dtype_bits(wb_node_dtype(e->node)) / 8;
}

static void make_tree(struct tensors *s)
{
    size_t count = wb_model_count(s->model), n = 0, group = SIZE_MAX, kept = 0;
    struct place *place = calloc(count + 1, sizeof *place);
    char name[64], last[64] = "";
    bool folded = false;

    s->table.rows = 0;
    if (place == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        if (passes(s, wb_model_entry(s->model, i)))
            place[kept++] = (struct place){ wb_model_entry(s->model, i), i };
    qsort(place, kept, sizeof *place, by_layer);
    for (size_t i = 0; i < kept; i++) {
        wb_tensors_group_name(place[i].e, name, sizeof name);
        if (group == SIZE_MAX || strcmp(name, last) != 0) {
            group = n;
            s->row[n++] = (struct tensors_row){ .group = true, .entry = place[i].entry };
            snprintf(last, sizeof last, "%s", name);
            folded = is_folded(s, name);
        }
        add_to_group(&s->row[group], place[i].e);
        if (!folded)
            s->row[n++] = (struct tensors_row){ .entry = place[i].entry };
    }
    free(place);
    s->table.rows = n;
}

void wb_tensors_make_rows(struct tensors *s)
{
    size_t entry = wb_tensors_entry(s);
    struct tensors_row *more;

    if (s->model == NULL) {
        wb_table_set_rows(&s->table, 0);
        return;
    }
    more = realloc(s->row, (2 * wb_model_count(s->model) + 1) * sizeof *more);
    if (more == NULL)
        return;
    s->row = more;
    if (s->table.sort >= 0)
        make_flat(s);
    else
        make_tree(s);
    wb_table_set_rows(&s->table, s->table.rows);
    for (size_t i = 0; entry != SIZE_MAX && i < s->table.rows; i++)
        if (!s->row[i].group && s->row[i].entry == entry)
            s->table.cursor = i;
}

size_t wb_tensors_entry(const struct tensors *s)
{
    if (s->model == NULL || s->table.cursor >= s->table.rows || s->row[s->table.cursor].group ||
        s->row[s->table.cursor].entry >= wb_model_count(s->model))
        return SIZE_MAX;
    return s->row[s->table.cursor].entry;
}

static void unfold(struct tensors *s, const char *name)
{
    for (size_t i = 0; i < s->foldeds; i++)
        if (strcmp(s->folded[i], name) == 0) {
            memmove(s->folded[i], s->folded[i + 1], (--s->foldeds - i) * sizeof s->folded[0]);
            return;
        }
}

static void fold(struct tensors *s, const char *name)
{
    if (is_folded(s, name))
        return;
    if (s->foldeds == s->fold_room) {
        size_t room = s->fold_room == 0 ? 64 : 2 * s->fold_room;
        char(*more)[64] = realloc(s->folded, room * sizeof *more);

        if (more == NULL)
            return;
        s->folded = more;
        s->fold_room = room;
    }
    snprintf(s->folded[s->foldeds++], sizeof s->folded[0], "%s", name);
}

void wb_tensors_fold(struct tensors *s, bool all)
{
    char name[64];
    size_t before = s->foldeds;

    if (s->model == NULL || s->table.rows == 0 || s->table.sort >= 0)
        return;
    wb_tensors_group_name(wb_model_entry(s->model, s->row[s->table.cursor].entry), name,
                          sizeof name);
    if (!all && is_folded(s, name)) {
        unfold(s, name);
    } else if (!all) {
        fold(s, name);
    } else if (before > 0) {
        s->foldeds = 0;
    } else {
        for (size_t i = 0; i < wb_model_count(s->model); i++) {
            char one[64];

            fold(s, wb_tensors_group_name(wb_model_entry(s->model, i), one, sizeof one));
        }
    }
    wb_tensors_make_rows(s);
    for (size_t i = 0; i < s->table.rows; i++) { /* the cursor stays at its group */
        char one[64];

        if (s->row[i].group &&
            strcmp(
                wb_tensors_group_name(wb_model_entry(s->model, s->row[i].entry), one, sizeof one),
                name) == 0)
            s->table.cursor = i;
    }
}

bool wb_tensors_select(struct tensors *s, size_t entry, size_t page)
{
    char name[64];

    if (s->model == NULL || entry >= wb_model_count(s->model))
        return false;
    if (s->table.sort < 0) {
        unfold(s, wb_tensors_group_name(wb_model_entry(s->model, entry), name, sizeof name));
        wb_tensors_make_rows(s);
    }
    for (size_t i = 0; i < s->table.rows; i++)
        if (!s->row[i].group && s->row[i].entry == entry) {
            wb_table_select(&s->table, i, page);
            return true;
        }
    return false;
}
