/* app/job/report.c - what the steps wanted reported: figures of tensors, and their totals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/job/job.h"

struct total {
    const char *key;
    enum wb_total how;
    double sum, weight, max;
    size_t count; /* of values that are numbers */
};

struct place {
    const char *tensor;
    size_t note;
};

static void total_add(struct total *t, const struct wb_note *note, double value)
{
    if (isnan(value))
        return;
    t->count++;
    if (t->how == WB_TOTAL_NORM)
        t->sum += value * value;
    else if (t->how == WB_TOTAL_MEAN)
        t->sum += value * note->weight;
    else
        t->sum += value;
    t->weight += note->weight;
    t->max = t->count == 1 || value > t->max ? value : t->max;
}

static double total_get(const struct total *t)
{
    if (t->count == 0)
        return NAN;
    switch (t->how) {
    case WB_TOTAL_SUM:
        return t->sum;
    case WB_TOTAL_NORM:
        return sqrt(t->sum);
    case WB_TOTAL_MEAN:
        return t->weight > 0 ? t->sum / t->weight : NAN;
    case WB_TOTAL_MAX:
        return t->max;
    case WB_TOTAL_NONE:
        break;
    }
    return NAN;
}

static bool add_number(cJSON *object, const char *key, double value)
{
    return object != NULL && (isfinite(value) ? cJSON_AddNumberToObject(object, key, value) != NULL
                                              : cJSON_AddNullToObject(object, key) != NULL);
}

/* Totals by key. A step has a few dozen keys at most, and notes of one key mostly follow the
 * same ones. */
static struct total *find_total(struct total *total, size_t *n, const struct wb_note *note)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(total[i].key, note->key) == 0)
            return &total[i];
    total[*n] = (struct total){ .key = note->key, .how = note->total };
    return &total[(*n)++];
}

static bool add_totals(cJSON *report, const struct wb_step *step, const double *value,
                       struct wb_arena *arena)
{
    struct total *total = wb_arena_calloc(arena, step->notes + 1, sizeof *total);
    cJSON *object = cJSON_AddObjectToObject(report, "total");
    size_t n = 0;
    bool ok = total != NULL && object != NULL;

    for (size_t k = 0; ok && k < step->notes; k++) {
        const struct wb_note *note = &step->note[k];

        if (note->tensor[0] == '\0')
            ok = add_number(object, note->key, value[k]);
        else if (note->total != WB_TOTAL_NONE)
            total_add(find_total(total, &n, note), note, value[k]);
    }
    for (size_t i = 0; ok && i < n; i++)
        ok = add_number(object, total[i].key, total_get(&total[i]));
    return ok;
}

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->tensor, y->tensor);

    return order != 0 ? order : (x->note > y->note) - (x->note < y->note);
}

/* {"tensor name": {key: value}}, by name. */
static bool add_tensors(cJSON *report, const struct wb_step *step, const double *value,
                        struct wb_arena *arena)
{
    struct place *place = wb_arena_calloc(arena, step->notes + 1, sizeof *place);
    cJSON *tensors = cJSON_AddObjectToObject(report, "tensors"), *one = NULL;

    if (place == NULL || tensors == NULL)
        return false;
    for (size_t k = 0; k < step->notes; k++)
        place[k] = (struct place){ step->note[k].tensor, k };
    qsort(place, step->notes, sizeof *place, compare_places);
    for (size_t i = 0; i < step->notes; i++) {
        const struct place *p = &place[i];

        if (p->tensor[0] == '\0')
            continue;
        if (one == NULL || strcmp(p->tensor, place[i - 1].tensor) != 0)
            one = cJSON_AddObjectToObject(tensors, p->tensor);
        if (!add_number(one, step->note[p->note].key, value[p->note]))
            return false;
    }
    return true;
}

static bool add_report(cJSON *object, const struct wb_step *step, const double *value, bool sampled,
                       const char *why)
{
    cJSON *report = cJSON_AddObjectToObject(object, "report");
    struct wb_arena arena = { 0 };
    bool ok;

    if (report == NULL)
        return false;
    if (why != NULL)
        return cJSON_AddStringToObject(report, "error", why) != NULL;
    ok = cJSON_AddBoolToObject(report, "sampled", sampled) != NULL &&
         add_totals(report, step, value, &arena) && add_tensors(report, step, value, &arena);
    wb_arena_free(&arena);
    return ok;
}

cJSON *wb_job_steps(const struct wb_model *model, const double *notes, bool sampled,
                    const char *why)
{
    cJSON *steps = cJSON_CreateArray();
    bool ok = steps != NULL;

    for (size_t s = 0; ok && s < wb_model_step_count(model); s++) {
        const struct wb_step *step = wb_model_step(model, s);
        cJSON *object = cJSON_Parse(step->json);

        if (object == NULL)
            object = cJSON_CreateObject();
        ok = object != NULL && cJSON_AddItemToArray(steps, object);
        if (ok && notes != NULL && step->notes > 0) {
            ok = add_report(object, step, notes, sampled, why);
            notes += step->notes;
        }
    }
    if (ok)
        return steps;
    cJSON_Delete(steps);
    return NULL;
}
