/* views/command.h - what can be typed at `:`: commands with arguments, and every action by name. */
#ifndef WB_VIEWS_COMMAND_H
#define WB_VIEWS_COMMAND_H

#include <stdbool.h>

#include "app/core/err.h"
#include "views/complete.h"

struct wb_desk;
struct wb_frame;

/* What an argument is completed with. */
enum wb_argument {
    WB_ARGUMENT_NONE,
    WB_ARGUMENT_PATH,
    WB_ARGUMENT_MODEL_PATH, /* a path, or a name in the hub cache */
    WB_ARGUMENT_MODEL,      /* of the desk */
    WB_ARGUMENT_SCREEN,
    WB_ARGUMENT_OPTION, /* of :set */
    WB_ARGUMENT_ACTION,
    WB_ARGUMENT_KNOB,
    WB_ARGUMENT_SETTING,
    WB_ARGUMENT_TEXT,
};

struct wb_command {
    const char *name, *arguments, *doc;
    enum wb_argument complete; /* of the last argument */
    size_t arguments_min, arguments_max;
    bool (*run)(struct wb_frame *f, int argc, char **argv, struct wb_err *err);
};

/* All of them, ends with a NULL name. */
extern const struct wb_command wb_commands[];

/* Candidates for a line of which the first `at` bytes count; *from: where the word begins. */
void wb_command_complete(const struct wb_frame *f, const char *line, size_t at, size_t *from,
                         struct wb_complete *out);
/* Files and directories below what stands before the cursor; with `models`, names of the hub cache
 * and of the desk too. */
void wb_command_complete_path(const char *text, size_t at, size_t from, bool models,
                              struct wb_complete *out);

/* :eval of view_eval.c. */
bool wb_eval_command(struct wb_frame *f, int argc, char **argv, struct wb_err *err);

#endif
