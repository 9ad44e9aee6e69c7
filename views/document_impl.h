/* views/document_impl.h - the inside of a document, for its own files. */
#ifndef WB_VIEWS_DOCUMENT_IMPL_H
#define WB_VIEWS_DOCUMENT_IMPL_H

#include "views/document.h"

/* A line without its end; cr: the end is "\r\n". */
struct wb_document_line {
    char *text; /* owned, NUL-terminated; NULL for an empty line */
    size_t len, cap;
    bool cr;
};

/* One replacement, with what it takes to go back and forth. */
struct wb_document_edit {
    struct wb_pos from;
    struct wb_str removed, inserted;
    struct wb_pos before, after; /* the cursor */
    enum wb_edit kind;
    bool first; /* of a step */
};

struct wb_document_history {
    struct wb_document_edit *edit;
    size_t n, cap;
    size_t at;    /* edits that are in effect */
    size_t saved; /* what `at` was at the last save; SIZE_MAX: cannot be reached again */
    size_t bytes;
    int depth;        /* of groups */
    bool group_empty; /* nothing in the outermost group yet */
    size_t in_group;  /* edits in it */
    bool broken;      /* the next edit begins a new step */
    size_t joined;    /* bytes + 1 that the edit being made appended to the last one, else 0 */
};

struct wb_document {
    struct wb_document_line *line;
    size_t n, cap;
    size_t bytes, n_cr;
    struct wb_pos cursor;
    uint64_t version;
    struct wb_document_history history;
    void (*changed)(void *user, const struct wb_document_change *change);
    void *user;
};

/* Put text in place of a range, within the bounds; *end is the end of the new text. Neither
 * history nor cursor know. Fails without effect: WB_ENOMEM. */
bool wb_document_splice(struct wb_document *d, struct wb_range range, const char *text, size_t n,
                        struct wb_pos *end, struct wb_err *err);
/* Where text that begins at a position ends. */
struct wb_pos wb_pos_after(struct wb_pos from, const char *text, size_t n);

void wb_document_history_free(struct wb_document_history *h);
/* Remember a replacement that is about to be made: all memory is taken here. removed is moved. */
bool wb_document_history_add(struct wb_document *d, struct wb_range range, struct wb_str *removed,
                             const char *text, size_t n, enum wb_edit kind, struct wb_err *err);
/* Take the remembered one back: it could not be made. */
void wb_document_history_drop(struct wb_document *d);
/* It was made, and the cursor is where it went. */
void wb_document_history_done(struct wb_document *d);

#endif
