/* views/setting.c - a short list of "name=value" strings. */
#include "views/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wb_setting_free(struct wb_setting *s)
{
    for (size_t i = 0; i < s->knobs; i++)
        free(s->knob[i]);
    free(s->knob);
    free(s->name);
    *s = (struct wb_setting){ 0 };
}

static bool is_of(const char *item, const char *knob)
{
    size_t n = strlen(knob);

    return strncmp(item, knob, n) == 0 && item[n] == '=';
}

const char *wb_setting_get(const struct wb_setting *s, const char *knob)
{
    for (size_t i = 0; i < s->knobs; i++)
        if (is_of(s->knob[i], knob))
            return strchr(s->knob[i], '=') + 1;
    return NULL;
}

bool wb_setting_set(struct wb_setting *s, const char *knob, const char *value)
{
    size_t size = strlen(knob) + strlen(value) + 2, i = 0;
    char *item = malloc(size), **more;

    if (item == NULL)
        return false;
    snprintf(item, size, "%s=%s", knob, value);
    while (i < s->knobs && !is_of(s->knob[i], knob))
        i++;
    if (i < s->knobs) {
        free(s->knob[i]);
        s->knob[i] = item;
        return true;
    }
    more = realloc(s->knob, (s->knobs + 1) * sizeof *more);
    if (more == NULL) {
        free(item);
        return false;
    }
    s->knob = more;
    s->knob[s->knobs++] = item;
    return true;
}

void wb_setting_drop(struct wb_setting *s, size_t i)
{
    free(s->knob[i]);
    memmove(s->knob + i, s->knob + i + 1, (--s->knobs - i) * sizeof *s->knob);
}

bool wb_setting_copy(const struct wb_setting *s, struct wb_setting *out)
{
    struct wb_setting copy = { .knob = calloc(s->knobs + 1, sizeof *copy.knob) };
    bool ok = copy.knob != NULL;

    *out = (struct wb_setting){ 0 };
    if (ok && s->name != NULL)
        ok = (copy.name = strdup(s->name)) != NULL;
    for (; ok && copy.knobs < s->knobs; copy.knobs += ok)
        ok = (copy.knob[copy.knobs] = strdup(s->knob[copy.knobs])) != NULL;
    if (ok)
        *out = copy;
    else
        wb_setting_free(&copy);
    return ok;
}

bool wb_setting_equal(const struct wb_setting *a, const struct wb_setting *b)
{
    if (a->knobs != b->knobs)
        return false;
    for (size_t i = 0; i < a->knobs; i++) {
        size_t k = 0;

        while (k < b->knobs && strcmp(a->knob[i], b->knob[k]) != 0)
            k++;
        if (k == b->knobs)
            return false;
    }
    return true;
}
