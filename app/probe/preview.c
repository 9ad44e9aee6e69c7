/* app/probe/preview.c - what is compared with what, and copies of what is known. */
#include "app/probe/preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/probe/preview_impl.h"

static const struct {
    const char *key, *doc;
    bool parent;
    double low, high;
} figures[] = {
#define X(name, parent, low, high, doc) { #name, doc, parent, low, high },
    WB_PREVIEW_FIGURES(X)
#undef X
};

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for a preview");
}

/* Pairing. */

static const struct wb_entry *comparable(const struct wb_model *with, const struct wb_entry *e)
{
    const struct wb_entry *other = with == NULL ? NULL : wb_model_find(with, e->name);

    return other != NULL && wb_shape_equal(wb_node_shape(other->node), wb_node_shape(e->node)) &&
                   wb_dtype_computable(wb_node_dtype(other->node))
               ? other
               : NULL;
}

static bool pair(struct wb_preview *p, struct wb_err *err)
{
    for (size_t i = 0; i < p->tensors; i++) {
        const struct wb_entry *e = wb_model_entry(p->model, i);
        struct wb_preview_source *s = &p->source[i];

        *s = (struct wb_preview_source){
            .out = e,
            .numbers = wb_dtype_computable(wb_node_dtype(e->node)),
            .parent = wb_arena_calloc(&p->arena, p->parents + 1, sizeof *s->parent),
        };
        if (s->parent == NULL)
            return no_memory(err);
        if (!s->numbers) { /* nothing to wait for */
            p->grade[i] = WB_GRADE_EXACT;
            continue;
        }
        s->base = comparable(p->base, e);
        for (size_t k = 0; k < p->parents; k++)
            s->parent[k] = comparable(p->parent[k], e);
    }
    return true;
}

static void count_facts(struct wb_preview *p)
{
    const struct wb_model *base = p->base != NULL ? p->base : p->parents > 0 ? p->parent[0] : NULL;
    struct wb_preview_facts *f = &p->now.facts;

    f->tensors = p->tensors;
    f->parameters = wb_model_parameters(p->model);
    f->bytes = wb_model_bytes(p->model);
    f->layers = wb_model_layers(p->model);
    for (size_t i = 0; i < p->tensors; i++) {
        const struct wb_entry *e = p->source[i].out;
        const struct wb_entry *other = base == NULL ? NULL : wb_model_find(base, e->name);

        f->uncomputable += !p->source[i].numbers;
        if (base == NULL)
            continue;
        if (other == NULL)
            f->added++;
        else if (!wb_shape_equal(wb_node_shape(other->node), wb_node_shape(e->node)))
            f->reshaped++;
        else if (!wb_hash_equal(wb_node_hash(other->node), wb_node_hash(e->node)))
            f->changed++;
    }
    if (base == NULL)
        return;
    f->base_parameters = wb_model_parameters(base);
    f->base_bytes = wb_model_bytes(base);
    f->base_layers = wb_model_layers(base);
    for (size_t i = 0; i < wb_model_count(base); i++)
        f->removed += wb_model_find(p->model, wb_model_entry(base, i)->name) == NULL;
}

/* Quantities. */

static bool exists(const struct wb_preview *p, int figure)
{
    switch (figure) {
    case WB_PREVIEW_delta_norm:
    case WB_PREVIEW_relative_norm:
    case WB_PREVIEW_changed_share:
    case WB_PREVIEW_delta_cosine:
        return p->base != NULL;
    case WB_PREVIEW_conflict_share:
        return p->base != NULL && p->parents > 1;
    default:
        return true;
    }
}

static void add_figures(struct wb_preview *p, int parent)
{
    for (int f = 0; f < WB_PREVIEW_FIGURE_COUNT; f++)
        if (figures[f].parent == (parent >= 0) && exists(p, f))
            p->quantity[p->quantities++] = (struct wb_quantity){
                .key = figures[f].key,
                .doc = figures[f].doc,
                .figure = f,
                .parent = parent,
                .step = -1,
                .low = figures[f].low,
                .high = figures[f].high,
            };
}

/* The quantity of a note; first: of its step. */
static size_t add_note_key(struct wb_preview *p, const struct wb_note *note, size_t step,
                           size_t first)
{
    for (size_t q = first; q < p->quantities; q++)
        if (strcmp(p->quantity[q].key, note->key) == 0)
            return q;
    p->quantity[p->quantities] = (struct wb_quantity){ .key = note->key,
                                                       .doc = "",
                                                       .figure = -1,
                                                       .parent = -1,
                                                       .step = (int)step,
                                                       .total = note->total };
    return p->quantities++;
}

static size_t tensor_of(const struct wb_preview *p, const char *name)
{
    const struct wb_entry *e = wb_model_find(p->model, name);

    return e == NULL ? p->tensors : (size_t)(e - wb_model_entry(p->model, 0));
}

static void list_notes(struct wb_preview *p, struct wb_preview_note *note)
{
    for (size_t s = 0; s < wb_model_step_count(p->model); s++) {
        const struct wb_step *step = wb_model_step(p->model, s);
        size_t first = p->quantities;

        for (size_t k = 0; k < step->notes; k++)
            note[p->notes++] = (struct wb_preview_note){
                .note = &step->note[k],
                .tensor = tensor_of(p, step->note[k].tensor),
                .quantity = add_note_key(p, &step->note[k], s, first),
                .value = NAN,
            };
    }
}

/* Stable, by tensor. */
static bool sort_notes(struct wb_preview *p, const struct wb_preview_note *note, struct wb_err *err)
{
    size_t *at = wb_arena_calloc(&p->arena, p->tensors + 2, sizeof *at);

    if (at == NULL)
        return no_memory(err);
    for (size_t k = 0; k < p->notes; k++)
        at[note[k].tensor + 1]++;
    for (size_t i = 0; i <= p->tensors; i++) {
        p->source[i].notes = at[i + 1];
        p->source[i].first_note = at[i];
        at[i + 1] += at[i];
    }
    for (size_t k = 0; k < p->notes; k++)
        p->note[at[note[k].tensor]++] = note[k];
    return true;
}

static bool list_quantities(struct wb_preview *p, struct wb_err *err)
{
    struct wb_preview_note *note;
    size_t notes = 0;

    for (size_t s = 0; s < wb_model_step_count(p->model); s++)
        notes += wb_model_step(p->model, s)->notes;
    note = wb_arena_calloc(&p->arena, notes + 1, sizeof *note);
    p->note = wb_arena_calloc(&p->arena, notes + 1, sizeof *p->note);
    p->quantity = wb_arena_calloc(&p->arena, notes + WB_PREVIEW_FIGURE_COUNT * (p->parents + 1),
                                  sizeof *p->quantity);
    if (note == NULL || p->note == NULL || p->quantity == NULL)
        return no_memory(err);
    add_figures(p, -1);
    for (size_t k = 0; k < p->parents; k++)
        add_figures(p, (int)k);
    list_notes(p, note);
    return sort_notes(p, note, err);
}

/* The object. */

static bool hold_models(struct wb_preview *p, struct wb_model *model, struct wb_model *base,
                        struct wb_model *const *parent, size_t parents)
{
    p->parent = wb_arena_calloc(&p->arena, parents + 1, sizeof *p->parent);
    if (p->parent == NULL)
        return false;
    p->model = wb_model_ref(model);
    p->base = wb_model_ref(base);
    for (; p->parents < parents; p->parents++)
        p->parent[p->parents] = wb_model_ref(parent[p->parents]);
    p->tensors = wb_model_count(model);
    p->sums = WB_SUM_PARENT + WB_SUM_OF_PARENT * parents;
    return true;
}

static bool lay_out(struct wb_preview *p, struct wb_err *err)
{
    const struct wb_entry **entry = wb_arena_calloc(&p->arena, p->tensors + 1, sizeof *entry);
    size_t lines;

    p->source = wb_arena_calloc(&p->arena, p->tensors + 1, sizeof *p->source);
    p->grade = wb_arena_calloc(&p->arena, p->tensors + 1, sizeof *p->grade);
    p->sum = wb_arena_calloc(&p->arena, p->tensors * p->sums + 1, sizeof *p->sum);
    if (entry == NULL || p->source == NULL || p->grade == NULL || p->sum == NULL)
        return no_memory(err);
    for (size_t i = 0; i < p->tensors; i++)
        entry[i] = wb_model_entry(p->model, i);
    if (!wb_places_of(entry, p->tensors, &p->arena, &p->places, err))
        return false;
    lines = wb_preview_cells(p) + p->places.rows + 1;
    p->line_sum = wb_arena_calloc(&p->arena, lines * p->sums, sizeof *p->line_sum);
    return p->line_sum != NULL || no_memory(err);
}

static bool set_up(struct wb_preview *p, struct wb_err *err)
{
    if (!lay_out(p, err) || !pair(p, err) || !list_quantities(p, err))
        return false;
    count_facts(p);
    if (!wb_preview_room(p, &p->now) || !wb_preview_room(p, &p->next))
        return no_memory(err);
    wb_preview_publish(p, 0, false);
    return true;
}

struct wb_preview *wb_preview_new(struct wb_model *model, struct wb_model *base,
                                  struct wb_model *const *parent, size_t parents,
                                  struct wb_err *err)
{
    struct wb_preview *p = calloc(1, sizeof *p);

    if (p == NULL) {
        no_memory(err);
        return NULL;
    }
    atomic_init(&p->refs, 1);
    pthread_mutex_init(&p->lock, NULL);
    if (!hold_models(p, model, base, parent, parents))
        no_memory(err);
    else if (set_up(p, err))
        return p;
    wb_preview_unref(p);
    return NULL;
}

struct wb_preview *wb_preview_ref(struct wb_preview *p)
{
    if (p != NULL)
        atomic_fetch_add(&p->refs, 1);
    return p;
}

static void free_room(struct wb_preview_snapshot *s)
{
    free(s->tensor);
    free(s->row);
    free(s->cell_grade);
    free(s->tensor_value);
    *s = (struct wb_preview_snapshot){ 0 };
}

void wb_preview_unref(struct wb_preview *p)
{
    if (p == NULL || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    wb_model_unref(p->model);
    wb_model_unref(p->base);
    for (size_t k = 0; k < p->parents; k++)
        wb_model_unref(p->parent[k]);
    free_room(&p->now);
    free_room(&p->next);
    pthread_mutex_destroy(&p->lock);
    wb_arena_free(&p->arena);
    free(p);
}

/* Snapshots. */

/* All numbers lie in one block, the tensors' first. */
static size_t numbers(const struct wb_preview *p)
{
    return (p->tensors + wb_preview_cells(p) + p->places.rows + 1) * p->quantities;
}

bool wb_preview_room(const struct wb_preview *p, struct wb_preview_snapshot *s)
{
    s->quantity = p->quantity;
    s->quantities = p->quantities;
    s->tensors = p->tensors;
    s->rows = p->places.rows;
    s->columns = p->places.columns;
    s->column = p->places.column;
    s->tensor = calloc(s->tensors + 1, sizeof *s->tensor);
    s->row = calloc(s->rows + 1, sizeof *s->row);
    s->cell_grade = calloc(wb_preview_cells(p) + 1, sizeof *s->cell_grade);
    s->tensor_value = calloc(numbers(p) + 1, sizeof *s->tensor_value);
    if (s->tensor == NULL || s->row == NULL || s->cell_grade == NULL || s->tensor_value == NULL) {
        free_room(s);
        return false;
    }
    s->cell_value = s->tensor_value + p->tensors * p->quantities;
    s->row_value = s->cell_value + wb_preview_cells(p) * p->quantities;
    s->total_value = s->row_value + p->places.rows * p->quantities;
    return true;
}

static void copy(const struct wb_preview *p, struct wb_preview_snapshot *out)
{
    memcpy(out->tensor, p->now.tensor, p->tensors * sizeof *out->tensor);
    memcpy(out->row, p->now.row, p->places.rows * sizeof *out->row);
    memcpy(out->cell_grade, p->now.cell_grade, wb_preview_cells(p) * sizeof *out->cell_grade);
    memcpy(out->tensor_value, p->now.tensor_value, numbers(p) * sizeof *out->tensor_value);
    out->version = p->now.version;
    out->grade = p->now.grade;
    out->done = p->now.done;
    out->finished = p->now.finished;
    out->facts = p->now.facts;
}

bool wb_preview_snapshot(struct wb_preview *p, struct wb_preview_snapshot *out)
{
    if (out->of != p) {
        wb_preview_snapshot_free(out);
        if (!wb_preview_room(p, out))
            return false;
        out->of = wb_preview_ref(p);
    }
    pthread_mutex_lock(&p->lock);
    if (out->version != p->now.version)
        copy(p, out);
    pthread_mutex_unlock(&p->lock);
    return true;
}

void wb_preview_snapshot_free(struct wb_preview_snapshot *s)
{
    struct wb_preview *p = s->of;

    free_room(s);
    wb_preview_unref(p);
}

size_t wb_preview_find(const struct wb_preview_snapshot *s, enum wb_preview_figure figure,
                       int parent)
{
    for (size_t q = 0; q < s->quantities; q++)
        if (s->quantity[q].figure == (int)figure && s->quantity[q].parent == parent)
            return q;
    return SIZE_MAX;
}

size_t wb_preview_find_note(const struct wb_preview_snapshot *s, const char *key)
{
    for (size_t q = 0; q < s->quantities; q++)
        if (s->quantity[q].figure < 0 && strcmp(s->quantity[q].key, key) == 0)
            return q;
    return SIZE_MAX;
}
