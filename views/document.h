/* views/document.h - a text under editing: lines, positions, undo.
 *
 * Bytes stay as they came: line ends (\n and \r\n, mixed too), a missing last one, and what is not
 * UTF-8; only the screen shows '?' for that. A position is a line and a byte in it, both from 0,
 * on the boundary of a character, never between the bytes of a line end. Every function moves a
 * position that lies outside to the nearest one that exists. */
#ifndef WB_VIEWS_DOCUMENT_H
#define WB_VIEWS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/str.h"

#define WB_DOCUMENT_BYTES_MAX ((size_t)16 << 20)
#define WB_DOCUMENT_LINES_MAX ((size_t)1 << 20)
#define WB_DOCUMENT_UNDO_MAX ((size_t)64 << 20) /* bytes kept for undo; the oldest go first */
#define WB_TAB_COLS 4

struct wb_pos {
    size_t line, byte;
};
struct wb_range {
    struct wb_pos from, to; /* from <= to; to is exclusive */
};

/* How an edit joins the step before: typing and erasing run on where the one before ended. */
enum wb_edit { WB_EDIT_STEP, WB_EDIT_TYPE, WB_EDIT_ERASE };

/* Lines first .. first + removed became first .. first + added (both at least 1). */
struct wb_document_change {
    size_t first, removed, added;
};

struct wb_document;

/* Empty: one line without bytes. Owned by the caller; NULL on failure. */
struct wb_document *wb_document_new(struct wb_err *err);
void wb_document_free(struct wb_document *d); /* NULL is fine */
/* Another text; undo is forgotten, the cursor is at the start, nothing is modified. WB_EARG beyond
 * the bounds above; then the text before stays. */
bool wb_document_load(struct wb_document *d, const char *text, size_t n, struct wb_err *err);
/* Told after each change of lines, undo and load too, before the function returns. One watcher;
 * NULL ends it. It must not edit. */
void wb_document_watch(struct wb_document *d,
                       void (*changed)(void *user, const struct wb_document_change *change),
                       void *user);

size_t wb_document_lines(const struct wb_document *d); /* at least 1 */
/* A line without its end, NUL-terminated; borrowed until the next edit. */
const char *wb_document_line(const struct wb_document *d, size_t line, size_t *len);
size_t wb_document_bytes(const struct wb_document *d);
/* The line end of most lines: "\n" or "\r\n". */
const char *wb_document_eol(const struct wb_document *d);
/* Append the text, or that of a range, to out; out->failed tells when memory ran out. */
void wb_document_text(const struct wb_document *d, struct wb_str *out);
void wb_document_range_text(const struct wb_document *d, struct wb_range range, struct wb_str *out);
/* Grows with every change, undo too; never the same for two texts in a row. */
uint64_t wb_document_version(const struct wb_document *d);

/* Put n bytes in place of a range. The cursor goes along with the text around it, to the end of
 * the new text when it stood in or at the range; *end (NULL is fine) is that end. Fails without
 * effect: WB_EARG beyond the bounds, WB_ENOMEM. */
bool wb_document_replace(struct wb_document *d, struct wb_range range, const char *text, size_t n,
                         enum wb_edit kind, struct wb_pos *end, struct wb_err *err);
/* All edits up to the matching end are one step of undo; may be nested. A single edit in between is
 * as it were alone: typing runs on. */
void wb_document_group_begin(struct wb_document *d);
void wb_document_group_end(struct wb_document *d);
/* The next edit begins a new step. */
void wb_document_break(struct wb_document *d);
/* One step back or forth, with the cursor of that time; false when there is none (or no memory,
 * then nothing changed). */
bool wb_document_undo(struct wb_document *d);
bool wb_document_redo(struct wb_document *d);
/* The text is now on disk as it is. */
void wb_document_set_saved(struct wb_document *d);
/* False again when undo or redo leads back to what was loaded or saved. */
bool wb_document_modified(const struct wb_document *d);

struct wb_pos wb_document_cursor(const struct wb_document *d);
/* Moving away ends the typing that undo takes as one step. */
void wb_document_set_cursor(struct wb_document *d, struct wb_pos pos);

/* < 0, 0, > 0 */
int wb_pos_compare(struct wb_pos a, struct wb_pos b);
/* The range between two positions in either order. */
struct wb_range wb_range_of(struct wb_pos a, struct wb_pos b);
struct wb_pos wb_document_clamp(const struct wb_document *d, struct wb_pos pos);
struct wb_pos wb_document_end(const struct wb_document *d);
/* By characters (combining marks go with their letter), over line ends. */
struct wb_pos wb_document_next(const struct wb_document *d, struct wb_pos pos);
struct wb_pos wb_document_previous(const struct wb_document *d, struct wb_pos pos);
/* To the end of this or the next word; to the start of this or the one before. */
struct wb_pos wb_document_word_next(const struct wb_document *d, struct wb_pos pos);
struct wb_pos wb_document_word_previous(const struct wb_document *d, struct wb_pos pos);
/* Bytes from the start of the text, line ends counted, and back. */
size_t wb_document_offset(const struct wb_document *d, struct wb_pos pos);
struct wb_pos wb_document_at_offset(const struct wb_document *d, size_t offset);
/* Screen columns from the start of the line, and the character that covers a column. */
size_t wb_document_column(const struct wb_document *d, struct wb_pos pos);
struct wb_pos wb_document_at_column(const struct wb_document *d, size_t line, size_t column);

/* The next occurrence of n bytes that starts at `from` or later (or before it, backwards), within
 * a line; goes on from the other end of the text. Case counts when the needle has an upper-case
 * letter. False when there is none. */
bool wb_document_find(const struct wb_document *d, const char *needle, size_t n, struct wb_pos from,
                      bool backwards, struct wb_range *found);
/* The next occurrence in one line from a byte on. */
bool wb_document_find_in_line(const struct wb_document *d, size_t line, size_t from,
                              const char *needle, size_t n, struct wb_range *found);

/* One character of n > 0 bytes: the bytes it takes, its code point as the screen shows it ('?' for
 * what is invalid or a control character) and its columns (0 for a combining mark). A tab is a tab
 * of one column: how wide it is depends on where it stands. */
size_t wb_text_step(const char *text, size_t n, uint32_t *ch, int *width);

#endif
