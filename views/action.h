/* views/action.h - everything a key can do, once: identity, default keys, `:` name, help.
 *
 * One table drives the default keys, the help of every view, the names behind `:` and the manual.
 * A view lists which of these it handles (view.h); the frame handles the rest. Within a view no
 * key means two things: tests/unit/test_keymap.c holds that. */
#ifndef WB_VIEWS_ACTION_H
#define WB_VIEWS_ACTION_H

/* Handled by the frame, in every view. */
#define WB_ACTIONS_FRAME(X)                                                             \
    X(COMMAND, ":", "command", "type a command")                                        \
    X(HELP, "? F1", "help", "help for this view")                                       \
    X(SCREEN_NEXT, "]", "next-screen", "next screen")                                   \
    X(SCREEN_PREVIOUS, "[", "previous-screen", "previous screen")                       \
    X(BACK, "Esc Backspace", "back", "back to where you came from")                     \
    X(CLOSE, "q", "close", "close this view; the last one quits")                       \
    X(QUIT, "Q", "quit", "quit; asks when a run is at work or a pipeline is not saved") \
    X(CANCEL, "C-c", "cancel", "cancel the work of this view; never quits")             \
    X(SUSPEND, "C-z", "suspend", "back to the shell; fg returns")                       \
    X(REPAINT, "C-l", "repaint", "draw the whole screen anew")                          \
    X(MESSAGES, "L", "messages", "the log: what was said so far")                       \
    X(SEARCH, "/", "search", "search as you type")                                      \
    X(MATCH_NEXT, "n", "next-match", "next match")                                      \
    X(MATCH_PREVIOUS, "N", "previous-match", "previous match")

/* Meanings that views share; never given another one. */
#define WB_ACTIONS_SHARED(X)                                             \
    X(UP, "k Up", "up", "move up")                                       \
    X(DOWN, "j Down", "down", "move down")                               \
    X(LEFT, "h Left", "left", "move left")                               \
    X(RIGHT, "l Right", "right", "move right")                           \
    X(FIRST, "g Home", "first", "to the first")                          \
    X(LAST, "G End", "last", "to the last")                              \
    X(PAGE_DOWN, "PgDn", "page-down", "a page down")                     \
    X(PAGE_UP, "PgUp", "page-up", "a page up")                           \
    X(HALF_DOWN, "C-d", "half-down", "half a page down")                 \
    X(HALF_UP, "C-u", "half-up", "half a page up")                       \
    X(PANE_NEXT, "Tab", "next-pane", "next pane")                        \
    X(PANE_PREVIOUS, "S-Tab", "previous-pane", "previous pane")          \
    X(OPEN, "Enter", "open", "open what is under the cursor")            \
    X(MARK, "Space", "mark", "mark or unmark")                           \
    X(MARK_ALL, "a", "mark-all", "mark all")                             \
    X(UNMARK_ALL, "A", "unmark-all", "unmark all")                       \
    X(SORT, "s", "sort", "sort by the next column")                      \
    X(SORT_REVERSE, "S", "sort-reverse", "reverse the order")            \
    X(UNDO, "u", "undo", "undo")                                         \
    X(REDO, "C-r", "redo", "redo")                                       \
    X(DELETE, "d", "delete", "delete or close what is under the cursor") \
    X(EDIT, "e", "edit", "edit")                                         \
    X(RUN, "r", "run", "run the pipeline into a checkpoint")             \
    X(ZOOM_IN, "z", "zoom-in", "zoom in")                                \
    X(ZOOM_OUT, "Z", "zoom-out", "zoom out")                             \
    X(RANGE, "f", "range", "fixed or automatic range")                   \
    X(COPY, "y", "copy", "copy the value or name to the clipboard")      \
    X(FILTER, "F", "filter", "show only names that match a glob")        \
    X(METRIC, "t", "metric", "next metric or statistic")                 \
    X(MODE, "m", "mode", "next way of looking at it")                    \
    X(EXPORT, "x", "export", "write what is shown to a file")

/* Of single views; more are added beside the view that needs them. */
#define WB_ACTIONS_VIEWS(X)                                                              \
    X(MODEL_OPEN, "o", "open-model", "open a model: a path or a name in the hub cache")  \
    X(MODEL_RENAME, "R", "rename", "rename the model under the cursor")                  \
    X(MODEL_RELOAD, "C-e", "reload", "read it anew from its files")                      \
    X(KNOB_TYPE, "=", "set-knob", "type a value for the knob")                           \
    X(STEP_INSERT, "i", "insert-step", "insert a step from the list of plugins")         \
    X(SAVE, "w", "save", "save the pipeline")                                            \
    X(SETTING_KEEP, "K", "keep-setting", "keep the knobs as a named setting")            \
    X(SETTING_COMPARE, "b", "compare-setting", "A/B: flip between two settings")         \
    X(EXTERNAL_EDITOR, "E", "external-editor", "edit in $EDITOR")                        \
    X(STEP_NEXT, ">", "next-step", "the next step of the pipeline")                      \
    X(STEP_PREVIOUS, "<", "previous-step", "the step before")                            \
    X(MODEL_NEXT, "M", "next-model", "what it is for the next model")                    \
    X(PLUGIN_TEST, "T", "test-plugin", "run the tests of the plugin")                    \
    X(RESULT_OPEN, "o", "open-result", "open what the run wrote as a model")             \
    X(JUMP, "J", "jump", "jump to the line or tensor it is about")                       \
    X(DELTAS, "D", "deltas", "of the weights, or of what they changed in their base")    \
    X(ROLE_NEXT, ">", "next-role", "the next role; after the last, all together")        \
    X(ROLE_PREVIOUS, "<", "previous-role", "the role before")                            \
    X(OTHER_NEXT, "O", "next-other", "compare with the next of the open models")         \
    X(EXACT, "c", "exact", "compute exactly now, not on a sample")                       \
    X(PLAY_START, "p", "generate", "continue the prompt with every model")               \
    X(PLAY_AGAIN, "R", "regenerate", "write anew; with another seed unless greedy")      \
    X(COLUMN_ADD, "o", "add-column", "one more model beside the others")                 \
    X(DIFFER_NEXT, ">", "next-difference", "the next token where another model differs") \
    X(DIFFER_PREVIOUS, "<", "previous-difference", "the one before")                     \
    X(EVAL_SETS, "v", "evaluation-sets", "what models are asked: texts, tasks, images")  \
    X(SET_ADD, "o", "add-set", "one more evaluation set: a file")                        \
    X(SETS_USUAL, "R", "usual-sets", "the evaluation sets found beside the model again") \
    X(HEAD_NEXT, ">", "next-head", "the next head")                                      \
    X(HEAD_PREVIOUS, "<", "previous-head", "the head before")

#define WB_ACTIONS(X) WB_ACTIONS_FRAME(X) WB_ACTIONS_SHARED(X) WB_ACTIONS_VIEWS(X)

enum wb_action {
    WB_ACTION_NONE,
#define WB_ACTION_ID(id, keys, name, doc) WB_ACTION_##id,
    WB_ACTIONS(WB_ACTION_ID)
#undef WB_ACTION_ID
        WB_ACTION_COUNT
};

struct wb_action_info {
    const char *keys; /* names of default keys, separated by blanks */
    const char *name, *doc;
};

const struct wb_action_info *wb_action_info(enum wb_action action);
enum wb_action wb_action_find(const char *name); /* WB_ACTION_NONE: there is none */

#endif
