/* views/editor.h - a multi-line editor of Lua on a document. */
#ifndef WB_VIEWS_EDITOR_H
#define WB_VIEWS_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "views/canvas.h"
#include "views/complete.h"
#include "views/document.h"
#include "views/key.h"
#include "views/lua_text.h"
#include "views/view.h"

/* X(id, keys, doc): default keys and help. Shift with a movement selects. */
#define WB_EDITOR_KEYS(X)                                                            \
    X(LEFT, "Left C-b", "a character left; with Shift every movement selects")       \
    X(RIGHT, "Right", "a character right")                                           \
    X(UP, "Up C-p", "a line up")                                                     \
    X(DOWN, "Down C-n", "a line down")                                               \
    X(WORD_LEFT, "C-Left M-b", "a word left")                                        \
    X(WORD_RIGHT, "C-Right M-f", "a word right")                                     \
    X(HOME, "Home C-a", "to the first letter of the line, then to its start")        \
    X(END, "End C-e", "to the end of the line")                                      \
    X(PAGE_UP, "PgUp", "a page up")                                                  \
    X(PAGE_DOWN, "PgDn", "a page down")                                              \
    X(FIRST, "C-Home M-<", "to the start of the text")                               \
    X(LAST, "C-End M->", "to the end of the text")                                   \
    X(BRACKET, "M-m", "to the matching bracket")                                     \
    X(NEWLINE, "Enter", "a new line, indented")                                      \
    X(TAB, "Tab", "complete the word, else indent; indents a selection")             \
    X(UNINDENT, "S-Tab", "indent less")                                              \
    X(ERASE, "Backspace C-h", "erase the character before, a level of indentation")  \
    X(DELETE, "Del C-d", "erase the character under the cursor")                     \
    X(ERASE_WORD, "C-w M-Backspace", "erase the word before")                        \
    X(ERASE_WORD_NEXT, "M-d", "erase the word after")                                \
    X(ERASE_START, "C-u", "erase to the start of the line")                          \
    X(CUT, "C-k", "cut the selection, or to the end of the line")                    \
    X(COPY, "M-w", "copy the selection, or the line")                                \
    X(YANK, "C-y", "put in what was cut or copied")                                  \
    X(SELECT, "M-Space", "begin or end a selection")                                 \
    X(SELECT_ALL, "M-a", "select all")                                               \
    X(UNDO, "C-_ M-u", "undo")                                                       \
    X(REDO, "M-r", "redo")                                                           \
    X(COMMENT, "M-;", "comment lines out or in again")                               \
    X(COMPLETE, "M-/", "complete the word under the cursor")                         \
    X(SEARCH, "C-f C-s", "search: Enter next, S-Enter back, Esc stays, C-g returns") \
    X(SEARCH_NEXT, "F3 M-n", "next match of the last search")                        \
    X(SEARCH_PREVIOUS, "S-F3 M-p", "previous match of the last search")              \
    X(REPLACE, "M-%", "replace all matches, in the selection when there is one")     \
    X(GO, "M-g", "go to a line")                                                     \
    X(ERROR, "M-e", "to the line of the error")                                      \
    X(CLEAR, "Esc C-g", "end the selection, the search, or leave the editor")

enum wb_editor_command {
    WB_EDITOR_COMMAND_NONE,
#define WB_EDITOR_ID(id, keys, doc) WB_EDITOR_COMMAND_##id,
    WB_EDITOR_KEYS(WB_EDITOR_ID)
#undef WB_EDITOR_ID
        WB_EDITOR_COMMAND_COUNT
};

/* The table above for help; ends with a NULL field. */
extern const struct wb_key_doc wb_editor_keys[];

/* Fill `out` with what could stand at a place of the document. Called on the UI thread: answer
 * from what is at hand. `asked` is false while typing (after `.`, `:` or in a string). */
struct wb_editor_completer {
    void (*ask)(void *user, const struct wb_document *d, const struct wb_lua_place *place,
                bool asked, struct wb_complete *out);
    void *user;
};

enum wb_editor_result {
    WB_EDITOR_UNUSED, /* not for the editor: the frame may have it */
    WB_EDITOR_USED,
    WB_EDITOR_LEAVE, /* Esc with nothing left to end */
};

struct wb_editor;
/* On a document, borrowed; the editor watches it. Owned by the caller; NULL on failure. */
struct wb_editor *wb_editor_new(struct wb_document *d, struct wb_err *err);
void wb_editor_free(struct wb_editor *ed); /* before the document; NULL is fine */
/* Copied; NULL ends completion. */
void wb_editor_set_completer(struct wb_editor *ed, const struct wb_editor_completer *completer);
/* A text that is no script: no colours, no line numbers, no indentation. From the start on. */
void wb_editor_set_prose(struct wb_editor *ed);
/* The size of the window, before events and drawing; the cursor is kept in sight. */
void wb_editor_resize(struct wb_editor *ed, int rows, int cols);
/* Keys, pasted characters, mouse (row and column within the window). */
enum wb_editor_result wb_editor_event(struct wb_editor *ed, const struct wb_event *event);
/* Draw into a canvas of the size told last. */
void wb_editor_draw(const struct wb_editor *ed, struct wb_canvas *cv, bool focus);

/* Mark a line (from 0) with a message; copied, NULL takes the mark away. The mark moves with the
 * text around it. */
void wb_editor_set_error(struct wb_editor *ed, size_t line, const char *message);
/* Put the cursor somewhere and bring it into sight. */
void wb_editor_go(struct wb_editor *ed, struct wb_pos pos);
/* Insert text at the cursor as one step, line ends as in the document. */
bool wb_editor_insert(struct wb_editor *ed, const char *text, struct wb_err *err);
/* Text was cut or copied since the last call: it (borrowed until the next event), for the
 * terminal's clipboard; else NULL. */
const char *wb_editor_take_copied(struct wb_editor *ed);
/* What the last key could not do ("no match", "the text would exceed 16 MiB"); empty when all is
 * well. */
const char *wb_editor_note(const struct wb_editor *ed);

#endif
