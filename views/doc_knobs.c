/* views/doc_knobs.c - turning knobs: values that fit, undo, settings with names. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/edit.h"
#include "views/desk.h"
#include "views/doc_impl.h"

#define UNDO_MAX 200
#define KEPT_MAX 100
#define STEPS_OF_RANGE 20
#define JOIN_SECONDS 1.0 /* turns of a knob with shorter pauses are one */

/* Which knobs there are */

static const struct wb_pipeline *pipeline(const struct wb_doc *d)
{
    const struct wb_script *s = wb_doc_good(d);

    return s != NULL ? &s->pipeline : &d->script.pipeline;
}

size_t wb_doc_knob_count(const struct wb_doc *d)
{
    return pipeline(d)->knobs;
}

const struct wb_knob *wb_doc_knob(const struct wb_doc *d, size_t i)
{
    return &pipeline(d)->knob[i];
}

static const struct wb_knob *find_knob(const struct wb_doc *d, const char *name)
{
    for (size_t i = 0; i < wb_doc_knob_count(d); i++)
        if (strcmp(wb_doc_knob(d, i)->name, name) == 0)
            return wb_doc_knob(d, i);
    return NULL;
}

const char *wb_knob_default_text(const struct wb_knob *k, char *out, size_t size)
{
    if (k->kind == WB_KNOB_NUMBER)
        snprintf(out, size, "%.12g", k->fallback);
    else if (k->kind == WB_KNOB_BOOL)
        snprintf(out, size, "%s", k->fallback != 0 ? "true" : "false");
    else
        snprintf(out, size, "%s", k->text_fallback == NULL ? "" : k->text_fallback);
    return out;
}

const char *wb_doc_knob_value(const struct wb_doc *d, size_t i, char *out, size_t size)
{
    const struct wb_knob *k = wb_doc_knob(d, i);
    const char *turned = wb_setting_get(&d->now, k->name);

    if (turned == NULL)
        return wb_knob_default_text(k, out, size);
    snprintf(out, size, "%s", turned);
    return out;
}

const char *wb_doc_knob_default(const struct wb_doc *d, size_t i, char *out, size_t size)
{
    return wb_knob_default_text(wb_doc_knob(d, i), out, size);
}

bool wb_doc_knob_turned(const struct wb_doc *d, size_t i)
{
    return wb_setting_get(&d->now, wb_doc_knob(d, i)->name) != NULL;
}

/* Does a value fit? */

static bool check_number(const struct wb_knob *k, const char *value, struct wb_err *err)
{
    char *end;
    double x = strtod(value, &end);

    if (end == value || *end != '\0' || !isfinite(x))
        return wb_fail(err, WB_EARG, "%s is a number, not '%s'", k->name, value);
    if (k->min <= k->max && (x < k->min || x > k->max))
        return wb_fail(err, WB_EARG, "%s is from %g to %g, not %s", k->name, k->min, k->max, value);
    return true;
}

static bool check_choice(const struct wb_knob *k, const char *value, struct wb_err *err)
{
    struct wb_str list = { 0 };

    for (size_t i = 0; k->choice[i] != NULL; i++) {
        if (strcmp(k->choice[i], value) == 0) {
            wb_str_free(&list);
            return true;
        }
        wb_str_printf(&list, "%s%s", i > 0 ? ", " : "", k->choice[i]);
    }
    wb_fail(err, WB_EARG, "%s is one of %s, not '%s'", k->name, list.text, value);
    wb_str_free(&list);
    return false;
}

static bool check_value(const struct wb_knob *k, const char *value, struct wb_err *err)
{
    if (k->kind == WB_KNOB_NUMBER && !check_number(k, value, err))
        return false;
    if (k->kind == WB_KNOB_BOOL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return wb_fail(err, WB_EARG, "%s is true or false, not '%s'", k->name, value);
    return k->choice == NULL || check_choice(k, value, err);
}

/* Undo */

static void truncate(struct wb_doc *d, size_t n)
{
    while (d->pasts > n)
        wb_setting_free(&d->past[--d->pasts]);
}

void wb_doc_forget_turns(struct wb_doc *d)
{
    truncate(d, 0);
    d->undone = 0;
    free(d->past);
    d->past = NULL;
    free(d->merging);
    d->merging = NULL;
}

/* Remember the setting at work before it changes. `knob`: further turns of it join this one. */
static bool remember(struct wb_doc *d, const char *knob, struct wb_err *err)
{
    struct wb_setting copy, *more;

    truncate(d, d->undone);
    free(d->merging);
    d->merging = knob == NULL ? NULL : strdup(knob);
    if (d->pasts == UNDO_MAX) {
        wb_setting_free(&d->past[0]);
        memmove(d->past, d->past + 1, --d->pasts * sizeof *d->past);
    }
    more = realloc(d->past, (d->pasts + 1) * sizeof *more);
    if (more == NULL || !wb_setting_copy(&d->now, &copy)) {
        d->past = more == NULL ? d->past : more;
        return wb_fail(err, WB_ENOMEM, "no memory to turn a knob");
    }
    d->past = more;
    d->past[d->pasts++] = copy;
    d->undone = d->pasts;
    return true;
}

static void swap(struct wb_setting *a, struct wb_setting *b)
{
    struct wb_setting keep = *a;

    *a = *b;
    *b = keep;
}

bool wb_doc_undo_knob(struct wb_doc *d)
{
    if (d->undone == 0)
        return false;
    swap(&d->now, &d->past[--d->undone]);
    free(d->merging);
    d->merging = NULL;
    wb_doc_rerun(d);
    return true;
}

bool wb_doc_redo_knob(struct wb_doc *d)
{
    if (d->undone == d->pasts)
        return false;
    swap(&d->now, &d->past[d->undone++]);
    wb_doc_rerun(d);
    return true;
}

/* Turning */

/* Does a turn of this knob go on with the one before? */
static bool goes_on(const struct wb_doc *d, const char *knob)
{
    return d->merging != NULL && strcmp(d->merging, knob) == 0 && d->undone == d->pasts &&
           wb_now_seconds() - d->merged_at < JOIN_SECONDS;
}

/* A knob that stands at its default is not turned. */
static bool set_knob(struct wb_doc *d, const struct wb_knob *k, const char *value)
{
    char usual[300];
    size_t i = 0, n = strlen(k->name);

    if (strcmp(value, wb_knob_default_text(k, usual, sizeof usual)) != 0)
        return wb_setting_set(&d->now, k->name, value);
    while (i < d->now.knobs &&
           (strncmp(d->now.knob[i], k->name, n) != 0 || d->now.knob[i][n] != '='))
        i++;
    if (i < d->now.knobs)
        wb_setting_drop(&d->now, i);
    return true;
}

bool wb_doc_turn(struct wb_doc *d, const char *knob, const char *value, bool merge,
                 struct wb_err *err)
{
    const struct wb_knob *k = find_knob(d, knob);
    const char *old = wb_setting_get(&d->now, knob);
    char usual[300], number[40];
    bool joins = merge && goes_on(d, knob);

    if (k == NULL)
        return wb_fail(err, WB_ENOTFOUND, "the script has no knob '%s'", knob);
    if (!check_value(k, value, err))
        return false;
    if (k->kind == WB_KNOB_NUMBER) { /* "0.50" is what the default says as 0.5 */
        snprintf(number, sizeof number, "%.12g", strtod(value, NULL));
        value = number;
    }
    if (strcmp(old != NULL ? old : wb_knob_default_text(k, usual, sizeof usual), value) == 0)
        return true;
    if (!joins && !remember(d, merge ? knob : NULL, err))
        return false;
    d->merged_at = wb_now_seconds();
    if (!set_knob(d, k, value))
        return wb_fail(err, WB_ENOMEM, "no memory to turn a knob");
    wb_doc_restart(d, joins);
    return true;
}

static size_t choice_number(const struct wb_knob *k, const char *value, size_t *count)
{
    size_t at = 0;

    for (*count = 0; k->choice[*count] != NULL; ++*count)
        if (strcmp(k->choice[*count], value) == 0)
            at = *count;
    return at;
}

/* Values that steps lead to lie on a grid that begins at the least one. */
struct grid {
    bool bounded;
    double from, step;
};

static struct grid grid_of(const struct wb_knob *k)
{
    bool bounded = k->min <= k->max;
    double range = bounded ? k->max - k->min : 0;

    return (struct grid){ .bounded = bounded,
                          .from = bounded ? k->min : 0,
                          .step = k->step > 0 ? k->step
                                  : range > 0 ? range / STEPS_OF_RANGE
                                              : 0.1 };
}

static bool turn_to_step(struct wb_doc *d, const struct wb_knob *k, double at, struct wb_err *err)
{
    struct grid g = grid_of(k);
    double x = g.from + at * g.step;
    char text[40];

    if (g.bounded)
        x = fmin(fmax(x, k->min), k->max);
    snprintf(text, sizeof text, "%.10g", fabs(x) < g.step * 1e-9 ? 0 : x);
    return wb_doc_turn(d, k->name, text, true, err);
}

static bool step_number(struct wb_doc *d, const struct wb_knob *k, const char *value, int steps,
                        struct wb_err *err)
{
    struct grid g = grid_of(k);

    return turn_to_step(d, k, round((strtod(value, NULL) - g.from) / g.step) + steps, err);
}

static bool has_range(const struct wb_knob *k)
{
    return k->kind == WB_KNOB_NUMBER && k->choice == NULL && k->min < k->max;
}

double wb_doc_knob_share(const struct wb_doc *d, size_t i)
{
    const struct wb_knob *k = wb_doc_knob(d, i);
    char value[300];

    if (!has_range(k))
        return NAN;
    return (strtod(wb_doc_knob_value(d, i, value, sizeof value), NULL) - k->min) /
           (k->max - k->min);
}

bool wb_doc_slide_knob(struct wb_doc *d, size_t i, double share, struct wb_err *err)
{
    const struct wb_knob *k = wb_doc_knob(d, i);

    if (!has_range(k))
        return wb_fail(err, WB_EARG, "%s has no range", k->name);
    return turn_to_step(d, k, round(share * (k->max - k->min) / grid_of(k).step), err);
}

bool wb_doc_step_knob(struct wb_doc *d, size_t i, int steps, struct wb_err *err)
{
    const struct wb_knob *k = wb_doc_knob(d, i);
    char value[300];

    wb_doc_knob_value(d, i, value, sizeof value);
    if (k->choice != NULL) {
        size_t n, at = choice_number(k, value, &n);
        long next;

        if (n == 0)
            return wb_fail(err, WB_EARG, "%s has nothing to choose from", k->name);
        next = ((long)at + steps) % (long)n;
        return wb_doc_turn(d, k->name, k->choice[next < 0 ? next + (long)n : next], true, err);
    }
    if (k->kind == WB_KNOB_BOOL)
        return steps % 2 == 0 ||
               wb_doc_turn(d, k->name, strcmp(value, "true") == 0 ? "false" : "true", true, err);
    if (k->kind == WB_KNOB_NUMBER)
        return step_number(d, k, value, steps, err);
    return wb_fail(err, WB_EARG, "%s is a text: type its value", k->name);
}

/* Write the turned knobs into the text. */
static bool write_knob(struct wb_doc *d, const struct wb_knob *k, const char *value,
                       struct wb_err *err)
{
    struct wb_str text = { 0 };
    struct wb_knob turned = *k;
    struct wb_text_edit edit = { 0 };
    bool ok;

    turned.number = k->kind == WB_KNOB_BOOL ? strcmp(value, "true") == 0 : strtod(value, NULL);
    turned.text = value;
    wb_document_text(d->text, &text);
    ok = wb_edit_knob(text.text == NULL ? "" : text.text, text.len, &turned, &edit, err);
    if (ok) {
        struct wb_range range = { wb_document_at_offset(d->text, edit.first),
                                  wb_document_at_offset(d->text, edit.last) };

        ok = wb_document_replace(d->text, range, edit.text, strlen(edit.text), WB_EDIT_STEP, NULL,
                                 err);
    }
    wb_text_edit_free(&edit);
    wb_str_free(&text);
    return ok;
}

bool wb_doc_write_knobs(struct wb_doc *d, struct wb_err *err)
{
    uint64_t version = wb_document_version(d->text);
    bool ok = true;

    wb_document_group_begin(d->text);
    for (size_t i = 0; ok && i < wb_doc_knob_count(d); i++) {
        const struct wb_knob *k = wb_doc_knob(d, i);
        const char *value = wb_setting_get(&d->now, k->name);

        ok = value == NULL || write_knob(d, k, value, err);
    }
    wb_document_group_end(d->text);
    if (!ok) {
        if (wb_document_version(d->text) != version)
            wb_document_undo(d->text);
        return false;
    }
    wb_setting_free(&d->now);
    wb_doc_forget_turns(d);
    wb_doc_rerun(d);
    return true;
}

/* Settings with names */

static struct wb_setting *find_kept(struct wb_doc *d, const char *name)
{
    for (size_t i = 0; i < d->keeps; i++)
        if (strcmp(d->kept[i].name, name) == 0)
            return &d->kept[i];
    return NULL;
}

bool wb_doc_keep(struct wb_doc *d, const char *name, struct wb_err *err)
{
    struct wb_setting *place = find_kept(d, name), copy;

    if (name[0] == '\0')
        return wb_fail(err, WB_EARG, "a setting needs a name");
    if (place == NULL) {
        struct wb_setting *more;

        if (d->keeps == KEPT_MAX)
            return wb_fail(err, WB_EARG, "there are %d settings already", KEPT_MAX);
        more = realloc(d->kept, (d->keeps + 1) * sizeof *more);
        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for a setting");
        d->kept = more;
    }
    if (!wb_setting_copy(&d->now, &copy))
        return wb_fail(err, WB_ENOMEM, "no memory for a setting");
    free(copy.name);
    copy.name = strdup(name);
    if (copy.name == NULL) {
        wb_setting_free(&copy);
        return wb_fail(err, WB_ENOMEM, "no memory for a setting");
    }
    if (place != NULL)
        wb_setting_free(place);
    else
        place = &d->kept[d->keeps++];
    *place = copy;
    d->version++;
    return true;
}

void wb_doc_drop_kept(struct wb_doc *d, size_t i)
{
    wb_setting_free(&d->kept[i]);
    memmove(d->kept + i, d->kept + i + 1, (--d->keeps - i) * sizeof *d->kept);
    d->version++;
}

bool wb_doc_set(struct wb_doc *d, const struct wb_setting *setting, struct wb_err *err)
{
    struct wb_setting copy;

    if (wb_setting_equal(setting, &d->now))
        return true;
    if (!wb_setting_copy(setting, &copy))
        return wb_fail(err, WB_ENOMEM, "no memory for a setting");
    if (!remember(d, NULL, err)) {
        wb_setting_free(&copy);
        return false;
    }
    wb_setting_free(&d->now);
    d->now = copy;
    wb_doc_rerun(d);
    return true;
}

bool wb_doc_use(struct wb_doc *d, const char *name, struct wb_err *err)
{
    static const struct wb_setting none;
    const struct wb_setting *from = name[0] == '\0' ? &none : find_kept(d, name);

    if (from == NULL)
        return wb_fail(err, WB_ENOTFOUND, "there is no setting '%s'", name);
    return wb_doc_set(d, from, err);
}
