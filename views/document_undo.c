/* views/document_undo.c - the history of a document: steps of replacements, back and forth. */
#include <stdlib.h>
#include <string.h>

#include "views/document_impl.h"

#define JOINED_MAX 4096 /* bytes that erasing keeps in one step */

static size_t edit_bytes(const struct wb_document_edit *e)
{
    return sizeof *e + e->removed.cap + e->inserted.cap;
}

static void edit_free(struct wb_document_edit *e)
{
    wb_str_free(&e->removed);
    wb_str_free(&e->inserted);
}

void wb_document_history_free(struct wb_document_history *h)
{
    for (size_t i = 0; i < h->n; i++)
        edit_free(&h->edit[i]);
    free(h->edit);
    *h = (struct wb_document_history){ 0 };
}

/* What was undone cannot be redone after another edit. */
static void forget_undone(struct wb_document_history *h)
{
    while (h->n > h->at) {
        h->n--;
        h->bytes -= edit_bytes(&h->edit[h->n]);
        edit_free(&h->edit[h->n]);
    }
    if (h->saved != SIZE_MAX && h->saved > h->at)
        h->saved = SIZE_MAX;
}

/* Drop the oldest steps until the rest fits, but never the one being made. */
static void forget_oldest(struct wb_document_history *h)
{
    size_t drop = 0, step = 0;

    while (h->bytes > WB_DOCUMENT_UNDO_MAX) {
        for (step = drop + 1; step < h->n && !h->edit[step].first; step++)
            ;
        if (step >= h->n)
            break;
        for (; drop < step; drop++) {
            h->bytes -= edit_bytes(&h->edit[drop]);
            edit_free(&h->edit[drop]);
        }
    }
    if (drop == 0)
        return;
    memmove(h->edit, h->edit + drop, (h->n - drop) * sizeof *h->edit);
    h->n -= drop;
    h->at -= drop;
    h->saved = h->saved == SIZE_MAX || h->saved < drop ? SIZE_MAX : h->saved - drop;
}

static bool reserve(struct wb_document_history *h)
{
    size_t cap = h->cap == 0 ? 64 : h->cap * 2;
    struct wb_document_edit *edit;

    if (h->n < h->cap)
        return true;
    edit = realloc(h->edit, cap * sizeof *edit);
    if (edit == NULL)
        return false;
    h->edit = edit;
    h->cap = cap;
    return true;
}

static bool no_newline(const char *text, size_t n)
{
    return n == 0 || memchr(text, '\n', n) == NULL;
}

/* Can the edit run on from the last one? Neither may have a line end. */
static bool joins(const struct wb_document_history *h, struct wb_range r,
                  const struct wb_str *removed, const char *text, size_t n, enum wb_edit kind)
{
    const struct wb_document_edit *e = h->n > 0 ? &h->edit[h->n - 1] : NULL;
    struct wb_pos end;

    if (e == NULL || h->at != h->n || h->broken || kind == WB_EDIT_STEP || e->kind != kind ||
        !no_newline(text, n) || !no_newline(removed->text, removed->len) ||
        !no_newline(e->inserted.text, e->inserted.len) ||
        !no_newline(e->removed.text, e->removed.len))
        return false;
    end = (struct wb_pos){ e->from.line, e->from.byte + e->inserted.len };
    if (kind == WB_EDIT_TYPE)
        return removed->len == 0 && wb_pos_compare(r.from, end) == 0;
    return n == 0 && e->inserted.len == 0 && e->removed.len + removed->len <= JOINED_MAX &&
           (wb_pos_compare(r.to, e->from) == 0 || wb_pos_compare(r.from, e->from) == 0);
}

/* Erasing goes backwards (the new bytes stood before) or forwards. */
static void join_erased(struct wb_document_edit *e, struct wb_range r, const struct wb_str *removed)
{
    size_t old = e->removed.len;
    bool backwards = wb_pos_compare(r.to, e->from) == 0;

    wb_str_add_n(&e->removed, removed->text, removed->len);
    if (!backwards || e->removed.failed)
        return;
    memmove(e->removed.text + removed->len, e->removed.text, old);
    memcpy(e->removed.text, removed->text, removed->len);
    e->from = r.from;
}

static bool join(struct wb_document_history *h, struct wb_range r, const struct wb_str *removed,
                 const char *text, size_t n)
{
    struct wb_document_edit *e = &h->edit[h->n - 1];

    h->bytes -= edit_bytes(e);
    if (e->kind == WB_EDIT_TYPE)
        wb_str_add_n(&e->inserted, text, n);
    else
        join_erased(e, r, removed);
    h->bytes += edit_bytes(e);
    return !e->inserted.failed && !e->removed.failed;
}

/* A new record at the end; removed is moved. */
static bool push(struct wb_document_history *h, struct wb_document_edit *e, struct wb_str *removed,
                 const char *text, size_t n, struct wb_err *err)
{
    forget_undone(h);
    wb_str_add_n(&e->inserted, text, n);
    if (e->inserted.failed || !reserve(h)) {
        wb_str_free(&e->inserted);
        return wb_fail(err, WB_ENOMEM, "no memory to undo an edit");
    }
    e->removed = *removed;
    *removed = (struct wb_str){ 0 };
    h->bytes += edit_bytes(e);
    h->edit[h->n++] = *e;
    return true;
}

bool wb_document_history_add(struct wb_document *d, struct wb_range r, struct wb_str *removed,
                             const char *text, size_t n, enum wb_edit kind, struct wb_err *err)
{
    struct wb_document_history *h = &d->history;
    struct wb_document_edit e = { .from = r.from, .before = d->cursor, .kind = kind };

    h->joined = 0;
    if (joins(h, r, removed, text, n, kind) && join(h, r, removed, text, n)) {
        h->joined = n + 1;
        return true;
    }
    e.first = h->depth == 0 || h->group_empty;
    return push(h, &e, removed, text, n, err);
}

void wb_document_history_drop(struct wb_document *d)
{
    struct wb_document_history *h = &d->history;
    struct wb_document_edit *e = &h->edit[h->n - 1];

    if (h->joined > 0) { /* typing: erasing in a line cannot fail */
        e->inserted.len -= h->joined - 1;
        e->inserted.text[e->inserted.len] = '\0';
        return;
    }
    h->n--;
    h->bytes -= edit_bytes(e);
    edit_free(e);
}

void wb_document_history_done(struct wb_document *d)
{
    struct wb_document_history *h = &d->history;

    h->edit[h->n - 1].after = d->cursor;
    h->at = h->n;
    h->group_empty = false;
    h->in_group++;
    h->broken = false;
    forget_oldest(h);
}

void wb_document_group_begin(struct wb_document *d)
{
    if (d->history.depth++ > 0)
        return;
    d->history.group_empty = true;
    d->history.in_group = 0;
}

void wb_document_group_end(struct wb_document *d)
{
    if (--d->history.depth == 0 && d->history.in_group > 1)
        wb_document_break(d);
}

void wb_document_break(struct wb_document *d)
{
    d->history.broken = true;
}

/* Turn what one edit put in into what it took away, or the other way round. */
static bool apply(struct wb_document *d, const struct wb_document_edit *e, bool forwards)
{
    const struct wb_str *old = forwards ? &e->removed : &e->inserted;
    const struct wb_str *new = forwards ? &e->inserted : &e->removed;
    struct wb_range r = { e->from, wb_pos_after(e->from, old->text, old->len) };
    struct wb_pos end;

    return wb_document_splice(d, r, new->len > 0 ? new->text : "", new->len, &end, NULL);
}

/* When memory runs out in the middle of a step, it stays half done; the next call goes on. */
bool wb_document_undo(struct wb_document *d)
{
    struct wb_document_history *h = &d->history;
    size_t at = h->at;

    if (h->depth > 0)
        return false;
    while (at > 0 && apply(d, &h->edit[at - 1], false) && !h->edit[--at].first)
        ;
    if (at == h->at)
        return false;
    h->at = at;
    h->broken = true;
    d->cursor = wb_document_clamp(d, h->edit[at].before);
    return true;
}

bool wb_document_redo(struct wb_document *d)
{
    struct wb_document_history *h = &d->history;
    size_t at = h->at;

    if (h->depth > 0)
        return false;
    while (at < h->n && apply(d, &h->edit[at], true) && ++at < h->n && !h->edit[at].first)
        ;
    if (at == h->at)
        return false;
    h->at = at;
    h->broken = true;
    d->cursor = wb_document_clamp(d, h->edit[at - 1].after);
    return true;
}

void wb_document_set_saved(struct wb_document *d)
{
    d->history.saved = d->history.at;
    d->history.group_empty = true; /* what follows in an open group is a step of its own */
    wb_document_break(d);
}

bool wb_document_modified(const struct wb_document *d)
{
    return d->history.saved != d->history.at;
}
