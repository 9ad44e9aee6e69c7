/* views/complete.c - candidates: filter, order, choice, and the menu. */
#include "views/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "views/key_among.h"

#define ROWS_MAX 8 /* of candidates in the menu */
#define PAGE (ROWS_MAX - 1)

void wb_complete_clear(struct wb_complete *c)
{
    wb_arena_free(&c->arena);
    c->n = c->n_shown = c->selected = 0;
    c->open = c->chosen = false;
}

void wb_complete_free(struct wb_complete *c)
{
    wb_complete_clear(c);
    free(c->all);
    free(c->shown);
    *c = (struct wb_complete){ 0 };
}

static bool reserve(struct wb_complete *c)
{
    size_t cap = c->cap == 0 ? 64 : c->cap * 2;
    struct wb_candidate *all;
    size_t *shown;

    if (c->n < c->cap)
        return true;
    all = realloc(c->all, cap * sizeof *all);
    if (all == NULL)
        return false;
    c->all = all;
    shown = realloc(c->shown, cap * sizeof *shown);
    if (shown == NULL)
        return false;
    c->shown = shown;
    c->cap = cap;
    return true;
}

bool wb_complete_add(struct wb_complete *c, const char *text, const char *kind, const char *doc)
{
    struct wb_candidate one = { 0 };

    if (c->n >= WB_COMPLETE_MAX || !reserve(c))
        return false;
    one.text = wb_arena_strdup(&c->arena, text);
    one.kind = wb_arena_strdup(&c->arena, kind == NULL ? "" : kind);
    one.doc = wb_arena_strdup(&c->arena, doc == NULL ? "" : doc);
    if (one.text == NULL || one.kind == NULL || one.doc == NULL)
        return false;
    c->all[c->n++] = one;
    return true;
}

/* How well a text fits what was typed: 0 is best. */
enum { FITS_PREFIX, FITS_PREFIX_ANY_CASE, FITS_LETTERS, FITS_NOT };

struct wanted {
    const struct wb_complete *c;
    const char *word;
    size_t n;
};

static int fit(const char *text, const struct wanted *w)
{
    size_t i = 0;

    if (strncmp(text, w->word, w->n) == 0)
        return FITS_PREFIX;
    if (strncasecmp(text, w->word, w->n) == 0)
        return FITS_PREFIX_ANY_CASE;
    for (; *text != '\0' && i < w->n; text++)
        i += tolower((unsigned char)*text) == tolower((unsigned char)w->word[i]);
    return i == w->n ? FITS_LETTERS : FITS_NOT;
}

static int compare(const void *a, const void *b, void *wanted)
{
    const struct wanted *w = wanted;
    const char *x = w->c->all[*(const size_t *)a].text, *y = w->c->all[*(const size_t *)b].text;
    int fx = fit(x, w), fy = fit(y, w);

    return fx != fy ? fx - fy : strcmp(x, y);
}

/* The same text twice counts once; they stand side by side. */
static void drop_twins(struct wb_complete *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_shown; i++)
        if (n == 0 || strcmp(c->all[c->shown[n - 1]].text, c->all[c->shown[i]].text) != 0)
            c->shown[n++] = c->shown[i];
    c->n_shown = n;
}

void wb_complete_filter(struct wb_complete *c, const char *word, size_t n, bool choose)
{
    struct wanted w = { c, word, n };

    c->n_shown = c->selected = 0;
    for (size_t i = 0; i < c->n; i++)
        if (fit(c->all[i].text, &w) != FITS_NOT)
            c->shown[c->n_shown++] = i;
    if (c->n_shown > 1)
        qsort_r(c->shown, c->n_shown, sizeof *c->shown, compare, &w);
    drop_twins(c);
    c->open = c->n_shown > 1 || (c->n_shown == 1 && (strlen(c->all[c->shown[0]].text) != n ||
                                                     fit(c->all[c->shown[0]].text, &w) != 0));
    c->chosen = choose;
}

void wb_complete_close(struct wb_complete *c)
{
    c->open = false;
}

const struct wb_candidate *wb_complete_selected(const struct wb_complete *c)
{
    return c->n_shown == 0 ? NULL : &c->all[c->shown[c->selected]];
}

size_t wb_complete_common(const struct wb_complete *c, const char *word, size_t n)
{
    struct wanted w = { c, word, n };
    const char *first = c->n_shown == 0 ? NULL : c->all[c->shown[0]].text;
    size_t common;

    if (first == NULL || fit(first, &w) != FITS_PREFIX)
        return n;
    common = strlen(first);
    for (size_t i = 1; i < c->n_shown; i++) {
        const char *text = c->all[c->shown[i]].text;
        size_t k = 0;

        if (fit(text, &w) != FITS_PREFIX)
            break; /* the best come first */
        while (k < common && text[k] == first[k])
            k++;
        common = k;
    }
    while (common > n && ((unsigned char)first[common] & 0xC0) == 0x80)
        common--; /* not within a character */
    return common;
}

/* Round at the ends; the first key only chooses. */
static void move(struct wb_complete *c, long by)
{
    long n = (long)c->n_shown, to = (long)c->selected + by;

    if (!c->chosen)
        to = by > 0 ? 0 : n - 1;
    else if (by == 1 || by == -1)
        to = (to + n) % n;
    c->selected = (size_t)(to < 0 ? 0 : to >= n ? n - 1 : to);
    c->chosen = true;
}

enum wb_complete_result wb_complete_key(struct wb_complete *c, struct wb_key key)
{
    static const struct {
        const char *keys;
        long by;
    } moves[] = { { "Down C-n", 1 }, { "Up C-p S-Tab", -1 }, { "PgDn", PAGE }, { "PgUp", -PAGE } };
    bool enter = wb_key_among("Enter", key);

    if (!c->open || c->n_shown == 0)
        return WB_COMPLETE_UNUSED;
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (wb_key_among(moves[i].keys, key)) {
            move(c, moves[i].by);
            return WB_COMPLETE_USED;
        }
    if (wb_key_among("Tab", key) || (enter && c->chosen)) {
        c->open = false;
        return WB_COMPLETE_ACCEPTED;
    }
    if (wb_key_among("Esc C-g", key)) {
        c->open = false;
        return WB_COMPLETE_DISMISSED;
    }
    return WB_COMPLETE_UNUSED;
}

/* Columns of the menu: names, two blanks, kinds, and a column at either side. */
static void measure(const struct wb_complete *c, int *text, int *kind)
{
    *text = *kind = 0;
    for (size_t i = 0; i < c->n_shown; i++) {
        const struct wb_candidate *one = &c->all[c->shown[i]];
        int t = wb_text_width(one->text), k = wb_text_width(one->kind);

        *text = t > *text ? t : *text;
        *kind = k > *kind ? k : *kind;
    }
}

static void draw_rows(const struct wb_complete *c, struct wb_canvas *menu, int rows, int kind)
{
    size_t first = c->selected < (size_t)rows ? 0 : c->selected - (size_t)rows + 1;
    int left = kind > 0 && menu->cols >= kind + 8 ? menu->cols - kind - 1 : menu->cols;

    for (int r = 0; r < rows; r++) {
        const struct wb_candidate *one = &c->all[c->shown[first + (size_t)r]];
        bool here = c->chosen && first + (size_t)r == c->selected;
        enum wb_style style = here ? WB_STYLE_CURSOR : WB_STYLE_TAB;

        wb_canvas_fill(menu, r, 0, 1, -1, style, ' ');
        if (here)
            wb_canvas_put(menu, r, 0, style, '>');
        wb_canvas_fit(menu, r, 1, (left < menu->cols ? left - 2 : left - 1), WB_ALIGN_LEFT, style,
                      one->text);
        if (left < menu->cols)
            wb_canvas_fit(menu, r, left, kind, WB_ALIGN_LEFT, here ? style : WB_STYLE_DIM,
                          one->kind);
    }
}

/* Which of how many; gives its columns. */
static int count_text(const struct wb_complete *c, char *out, size_t size)
{
    if (c->chosen)
        return snprintf(out, size, " %zu/%zu ", c->selected + 1, c->n_shown);
    return snprintf(out, size, " %zu ", c->n_shown);
}

static void draw_help(const struct wb_complete *c, struct wb_canvas *menu, int row)
{
    const struct wb_candidate *one = wb_complete_selected(c);
    char count[48];
    int width = count_text(c, count, sizeof count);

    wb_canvas_fill(menu, row, 0, 1, -1, WB_STYLE_STATUS, ' ');
    wb_canvas_fit(menu, row, 1, menu->cols - 2 - width, WB_ALIGN_LEFT, WB_STYLE_STATUS, one->doc);
    wb_canvas_text(menu, row, menu->cols - 1 - width, WB_STYLE_STATUS, count);
}

void wb_complete_draw(const struct wb_complete *c, struct wb_canvas *cv, int row, int col,
                      bool below)
{
    int text, kind, width, rows, space = below ? cv->rows - row - 1 : row, doc;
    struct wb_canvas menu;
    char count[48];

    if (!c->open || c->n_shown == 0)
        return;
    if (below && space < 2 && row > space) {
        below = false;
        space = row;
    }
    rows = c->n_shown < ROWS_MAX ? (int)c->n_shown : ROWS_MAX;
    rows = rows < space - 1 ? rows : space - 1;
    if (rows < 1)
        return;
    measure(c, &text, &kind);
    doc = wb_text_width(wb_complete_selected(c)->doc) + 2 + count_text(c, count, sizeof count);
    width = text + (kind > 0 ? kind + 2 : 0) + 2;
    width = doc > width ? doc : width;
    width = width < cv->cols ? width : cv->cols;
    col = col + width > cv->cols ? cv->cols - width : col;
    menu = wb_canvas_sub(cv, below ? row + 1 : row - rows - 1, col < 0 ? 0 : col, rows + 1, width);
    draw_rows(c, &menu, rows, kind);
    draw_help(c, &menu, rows);
}

const char *wb_complete_hint(void)
{
    return "Tab accept  Up Down choose  Esc dismiss";
}
