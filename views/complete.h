/* views/complete.h - a completion popup: candidates, filtered and sorted by what was typed. */
#ifndef WB_VIEWS_COMPLETE_H
#define WB_VIEWS_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/arena.h"
#include "views/canvas.h"
#include "views/key.h"

#define WB_COMPLETE_MAX 10000 /* candidates; more are not taken */

struct wb_candidate {
    const char *text; /* what is inserted */
    const char *kind; /* one word: "model", "method"; may be empty */
    const char *doc;  /* one line of help; may be empty */
};

/* Zero-initialised is empty and closed. */
struct wb_complete {
    struct wb_arena arena; /* owns the texts */
    struct wb_candidate *all;
    size_t n, cap;
    size_t *shown; /* indexes into all, best first; owned */
    size_t n_shown, selected;
    bool open;
    bool chosen; /* false: nothing is selected until a key does; Enter is not the popup's then */
};

enum wb_complete_result {
    WB_COMPLETE_UNUSED,   /* not a key of the popup */
    WB_COMPLETE_USED,     /* the selection moved */
    WB_COMPLETE_ACCEPTED, /* insert wb_complete_selected; the popup is closed, its texts stay */
    WB_COMPLETE_DISMISSED,
};

void wb_complete_free(struct wb_complete *c);
/* No candidates, closed; before asking anew. */
void wb_complete_clear(struct wb_complete *c);
/* Texts are copied; kind and doc may be NULL. False: full, or memory is out. A text that is
 * added twice is shown once. */
bool wb_complete_add(struct wb_complete *c, const char *text, const char *kind, const char *doc);
/* Another filter: show those that begin with the n bytes of word, then those that begin so in another case, then
 * those that have its letters in that order; by name within each. Opens when there are any,
 * closes when there are none or the only one is the word itself. choose: the first is selected
 * at once. */
void wb_complete_filter(struct wb_complete *c, const char *word, size_t n, bool choose);
void wb_complete_close(struct wb_complete *c);
/* The chosen one, or the first; NULL when nothing is shown. Borrowed until clear. */
const struct wb_candidate *wb_complete_selected(const struct wb_complete *c);
/* How many bytes all that begin with word have in common; at least n when there is one. */
size_t wb_complete_common(const struct wb_complete *c, const char *word, size_t n);
/* Up, Down, C-p, C-n, S-Tab, PgUp, PgDn select; Enter accepts what is chosen, Tab that or the
 * first; Esc and C-g dismiss. */
enum wb_complete_result wb_complete_key(struct wb_complete *c, struct wb_key key);
/* A menu with its left edge at col, below row when there is room and `below`, else above, cut to
 * the canvas, the help of the selected one in its last row. Draws nothing when closed. */
void wb_complete_draw(const struct wb_complete *c, struct wb_canvas *cv, int row, int col,
                      bool below);
/* One line of the keys above, for hints. */
const char *wb_complete_hint(void);

#endif
