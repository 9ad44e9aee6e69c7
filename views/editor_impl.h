/* views/editor_impl.h - the inside of the editor, for its own files. */
#ifndef WB_VIEWS_EDITOR_IMPL_H
#define WB_VIEWS_EDITOR_IMPL_H

#include "views/editor.h"
#include "views/line.h"

enum wb_editor_mode {
    WB_EDITOR_PLAIN,
    WB_EDITOR_SEARCHING,
    WB_EDITOR_REPLACING,      /* what */
    WB_EDITOR_REPLACING_WITH, /* by what */
    WB_EDITOR_GOING,          /* to which line */
};

struct wb_editor {
    struct wb_document *d;        /* borrowed */
    struct wb_lua_states *states; /* owned; a cache, so drawing may fill it */
    bool prose;                   /* no script */
    int rows, cols;               /* of the window */
    size_t top, left;             /* the first line and column shown */
    size_t want_col;              /* of Up and Down; SIZE_MAX: where the cursor is */

    struct wb_pos mark; /* the other end of the selection */
    bool selecting;
    bool held; /* plain movements extend it */

    struct wb_str cut; /* what was cut or copied last */
    bool copied;       /* and not taken yet */
    bool cutting;      /* the last command cut: the next one appends */

    bool pasting;   /* a group of the document is open */
    bool pasted_cr; /* a \n now belongs to it */

    struct wb_editor_completer completer;
    struct wb_complete popup;
    struct wb_pos word; /* where the word under completion begins */

    enum wb_editor_mode mode;
    struct wb_line *prompt;
    struct wb_pos search_from; /* where the search began */
    struct wb_str needle;      /* searched for last */
    bool matches;              /* are shown */

    size_t error_line;
    char *error; /* NULL: none */
    char note[200];
};

/* Columns of line numbers and marks at the left. */
int wb_editor_gutter(const struct wb_editor *ed);
/* Rows of text: the prompt takes one. */
int wb_editor_text_rows(const struct wb_editor *ed);
/* Scroll so that the cursor is seen. */
void wb_editor_settle(struct wb_editor *ed);
/* The selection; false when there is none or it is empty. */
bool wb_editor_selection(const struct wb_editor *ed, struct wb_range *range);
void wb_editor_unselect(struct wb_editor *ed);

/* Edit; a failure becomes the note. The selection ends. */
bool wb_editor_replace(struct wb_editor *ed, struct wb_range range, const char *text, size_t n,
                       enum wb_edit kind);
/* A typed character in place of the selection; closing words move to their block. */
void wb_editor_type(struct wb_editor *ed, uint32_t ch);
void wb_editor_paste(struct wb_editor *ed, uint32_t ch);
void wb_editor_end_paste(struct wb_editor *ed);
/* The commands that change text; false: not one of them. */
bool wb_editor_change(struct wb_editor *ed, enum wb_editor_command command);

/* Open or renew the popup. asked: with a key, not by typing on. */
void wb_editor_complete(struct wb_editor *ed, bool asked);
/* After text was typed or erased. */
void wb_editor_complete_typed(struct wb_editor *ed);
void wb_editor_complete_accept(struct wb_editor *ed);

/* The commands with a prompt, and searching on; false: not one of them. */
bool wb_editor_seek(struct wb_editor *ed, enum wb_editor_command command);
/* A key while the prompt is open; false: the prompt closed and the key is still to be handled. */
bool wb_editor_prompt_event(struct wb_editor *ed, const struct wb_event *event);

#endif
