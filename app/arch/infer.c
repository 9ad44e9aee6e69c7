/* app/arch/infer.c - stacks of layers found in tensor names alone (architectures.md section 10).
 *
 * A stem is a name up to a number. It is a stack of layers when the number takes several values, or
 * when the word before it says so, and when more than a bare ".weight" follows. The first such
 * number of a name is the layer; others ("layer.0", "experts.7") belong to what follows it. */
#include "app/arch/infer.h"

#include <stdio.h>
#include <string.h>

#include "app/arch/family.h"

struct candidate {
    const char *text;
    size_t len;
    int low, high;
};

static bool stem_is(const struct wb_stem *s, const char *text, size_t len)
{
    return s->len == len && memcmp(s->text, text, len) == 0;
}

static bool stem_put(struct wb_stems *stems, struct wb_arena *arena, const char *text, size_t len,
                     int layers, const char *stack)
{
    struct wb_stem *s = &stems->item[stems->count];
    char *copy;

    if (stems->count == WB_STEMS_MAX)
        return false;
    copy = wb_arena_strndup(arena, text, len);
    if (copy == NULL)
        return false;
    *s = (struct wb_stem){ .text = copy, .len = len, .layers = layers };
    snprintf(s->stack, sizeof s->stack, "%s", stack);
    stems->count++;
    return true;
}

void wb_stems_note(struct wb_stems *stems, struct wb_arena *arena, const char *name,
                   size_t layer_at, int layer, const char *stack)
{
    for (size_t i = 0; i < stems->count; i++)
        if (stem_is(&stems->item[i], name, layer_at)) {
            if (layer >= stems->item[i].layers)
                stems->item[i].layers = layer + 1;
            return;
        }
    stem_put(stems, arena, name, layer_at, layer + 1, stack);
}

/* Offset of the skip-th number of a name with two components or more behind it; SIZE_MAX: none. */
static size_t number_at(const char *name, int skip, int *number)
{
    for (const char *c = name; *c != '\0';) {
        size_t len = strcspn(c, ".");
        int value = wb_name_number(c, len);

        if (value >= 0 && c[len] == '.' && strchr(c + len + 1, '.') != NULL && skip-- == 0) {
            *number = value;
            return (size_t)(c - name);
        }
        c += len + (c[len] == '.');
    }
    return (size_t)-1;
}

static void candidate_note(struct candidate *list, size_t *n, const char *text, size_t len,
                           int number)
{
    size_t i = 0;

    while (i < *n && (list[i].len != len || memcmp(list[i].text, text, len) != 0))
        i++;
    if (i == WB_STEMS_MAX)
        return;
    if (i == *n)
        list[(*n)++] = (struct candidate){ text, len, number, number };
    if (number < list[i].low)
        list[i].low = number;
    if (number > list[i].high)
        list[i].high = number;
}

static bool says_layer(const char *text, size_t len)
{
    static const char *const word[] = {
        "layers.", "layer.", "h.", "block.", "blocks.", "resblocks."
    };

    for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
        size_t n = strlen(word[i]);

        if (n <= len && memcmp(text + len - n, word[i], n) == 0 &&
            (n == len || text[len - n - 1] == '.'))
            return true;
    }
    return false;
}

/* A stack's name from the words of its stem; else the stem's first component. */
static void name_stack(struct wb_stem *s)
{
    static const struct {
        const char *word, *stack;
    } known[] = {
        { "vision", "vision" },   { "visual", "vision" },   { "image", "vision" },
        { "text", "text" },       { "language", "text" },   { "audio", "audio" },
        { "decoder", "decoder" }, { "encoder", "encoder" },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(s->text, known[i].word) != NULL) {
            snprintf(s->stack, sizeof s->stack, "%s", known[i].stack);
            return;
        }
    snprintf(s->stack, sizeof s->stack, "%.*s", (int)strcspn(s->text, "."), s->text);
}

void wb_stems_discover(struct wb_stems *stems, struct wb_arena *arena, const char *const *name,
                       size_t count, bool others)
{
    size_t first = stems->count;

    for (int skip = 0; skip < 2; skip++) {
        struct candidate list[WB_STEMS_MAX];
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
            int number = 0;
            size_t at = number_at(name[i], skip, &number);

            if (at != (size_t)-1 && wb_stems_find(stems, name[i]).stem == NULL)
                candidate_note(list, &n, name[i], at, number);
        }
        for (size_t i = 0; i < n; i++)
            if (list[i].high > list[i].low || says_layer(list[i].text, list[i].len))
                stem_put(stems, arena, list[i].text, list[i].len, list[i].high + 1, "");
    }
    if (others || stems->count - first > 1)
        for (size_t i = first; i < stems->count; i++)
            name_stack(&stems->item[i]);
}

/* The number behind a component "experts", or the mark of a shared expert. */
static int expert_in(const char *tail)
{
    bool after = false;

    for (const char *c = tail; *c != '\0';) {
        size_t len = strcspn(c, ".");
        int number = after ? wb_name_number(c, len) : -1;

        if (number >= 0)
            return number;
        if (wb_name_shared_expert(c, len))
            return WB_EXPERT_SHARED;
        after = len == 7 && memcmp(c, "experts", len) == 0;
        c += len + (c[len] == '.');
    }
    return WB_EXPERT_NONE;
}

struct wb_place wb_stems_find(const struct wb_stems *stems, const char *name)
{
    struct wb_place place = { .layer = -1, .expert = WB_EXPERT_NONE, .tail = name };

    for (size_t i = 0; i < stems->count; i++) {
        const struct wb_stem *s = &stems->item[i];
        const char *at;
        size_t len;
        int number;

        if (strncmp(name, s->text, s->len) != 0 || (place.stem != NULL && s->len > place.stem->len))
            continue;
        at = name + s->len;
        len = strcspn(at, ".");
        number = wb_name_number(at, len);
        if (number >= 0 && at[len] == '.')
            place = (struct wb_place){ .stem = s,
                                       .layer = number,
                                       .expert = expert_in(at + len + 1),
                                       .layer_at = s->len,
                                       .tail = at + len + 1 };
    }
    return place;
}
