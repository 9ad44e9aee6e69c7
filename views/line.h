/* views/line.h - one line of input: editing, history, completion. */
#ifndef WB_VIEWS_LINE_H
#define WB_VIEWS_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "app/core/err.h"
#include "views/canvas.h"
#include "views/complete.h"
#include "views/key.h"
#include "views/view.h"

#define WB_LINE_MAX 4096    /* bytes */
#define WB_HISTORY_MAX 1000 /* lines kept */

/* X(id, keys, doc): the keys of an input line, for its help. */
#define WB_LINE_KEYS(X)                                                        \
    X(ENTER, "Enter", "take the line")                                         \
    X(LEAVE, "Esc C-g", "leave without it")                                    \
    X(LEFT, "Left C-b", "a character left")                                    \
    X(RIGHT, "Right", "a character right")                                     \
    X(WORD_LEFT, "C-Left M-b", "a word left")                                  \
    X(WORD_RIGHT, "C-Right M-f", "a word right")                               \
    X(HOME, "Home C-a", "to the start")                                        \
    X(END, "End C-e", "to the end")                                            \
    X(ERASE, "Backspace C-h", "erase the character before; leaves when empty") \
    X(DELETE, "Del C-d", "erase the character under the cursor")               \
    X(ERASE_WORD, "C-w M-Backspace", "erase the word before")                  \
    X(ERASE_START, "C-u", "erase to the start")                                \
    X(ERASE_END, "C-k", "erase to the end")                                    \
    X(YANK, "C-y", "put back what was erased last")                            \
    X(OLDER, "Up C-p", "the line before that begins like this one")            \
    X(NEWER, "Down C-n", "the line after that begins like this one")           \
    X(COMPLETE, "Tab", "complete; again to choose")

enum wb_line_command {
    WB_LINE_COMMAND_NONE,
#define WB_LINE_ID(id, keys, doc) WB_LINE_COMMAND_##id,
    WB_LINE_KEYS(WB_LINE_ID)
#undef WB_LINE_ID
        WB_LINE_COMMAND_COUNT
};

/* The table above for help; ends with a NULL field. */
extern const struct wb_key_doc wb_line_keys[];

struct wb_history;
/* From a file, created on the first write; path NULL keeps it in memory. A file that cannot be
 * read gives an empty history. Owned; NULL when memory is out. */
struct wb_history *wb_history_open(const char *path);
/* $XDG_STATE_HOME/weightbench/NAME_history, else ~/.local/state/weightbench/NAME_history; owned
 * (free). NULL when there is no home. */
char *wb_history_path(const char *name);
void wb_history_free(struct wb_history *h); /* NULL is fine */
/* Take a line as the newest; one that is there already moves. Empty ones and those that begin with
 * a blank are not taken; whether a line holds a secret is the caller's to know. */
void wb_history_add(struct wb_history *h, const char *text);
size_t wb_history_count(const struct wb_history *h);
const char *wb_history_at(const struct wb_history *h, size_t i); /* 0 is the oldest; borrowed */
/* Write the file (mode 0600, whole or not at all); does nothing without a path. */
bool wb_history_save(struct wb_history *h, struct wb_err *err);

/* Fill `out` for text with the cursor at byte `at`; *from is where the word that a candidate
 * replaces begins (it ends at the cursor). */
struct wb_line_completer {
    void (*ask)(void *user, const char *text, size_t at, size_t *from, struct wb_complete *out);
    void *user;
};

enum wb_line_result {
    WB_LINE_UNUSED,  /* not a key of a line */
    WB_LINE_USED,    /* moved or chose */
    WB_LINE_CHANGED, /* the text is another one */
    WB_LINE_TAKEN,   /* Enter: the text is the answer */
    WB_LINE_LEFT,    /* Esc */
};

struct wb_line;
/* The history is borrowed, the completer copied; NULL is fine for both. Owned by the caller; NULL
 * when memory is out. */
struct wb_line *wb_line_new(struct wb_history *history, const struct wb_line_completer *completer);
void wb_line_free(struct wb_line *line);
/* Begin with a prompt and a text, the cursor at its end. */
void wb_line_start(struct wb_line *line, const char *prompt, const char *text);
const char *wb_line_text(const struct wb_line *line); /* borrowed until the next event */
size_t wb_line_cursor(const struct wb_line *line);    /* byte in the text */
/* Keys and pasted characters; line ends that are pasted become blanks. */
enum wb_line_result wb_line_event(struct wb_line *line, const struct wb_event *event);
/* Prompt and text in one row of the canvas, scrolled to show the cursor; candidates above it. */
void wb_line_draw(const struct wb_line *line, struct wb_canvas *cv, int row, bool focus);

#endif
