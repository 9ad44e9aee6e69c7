/* app/cli/subject.h - a model that is about to run, and what it is to look at. */
#ifndef WB_CLI_SUBJECT_H
#define WB_CLI_SUBJECT_H

#include <stdbool.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/cli/ticker.h"
#include "app/infer/forward.h"
#include "app/infer/score.h"

#define WB_CLI_WINDOW                                                                            \
    {                                                                                            \
        .name = "window", .kind = WB_OPTION_NUMBER, .value = "N", .min = 1, .max = 1 << 20,      \
        .whole = true, .doc = "tokens of a window (default: the context less one, at most 2047)" \
    }
#define WB_CLI_LIMIT                                                                   \
    {                                                                                  \
        .name = "limit", .kind = WB_OPTION_NUMBER, .value = "N", .min = 1, .max = 1e9, \
        .whole = true, .doc = "only the first N windows or images"                     \
    }
#define WB_CLI_STACK                                              \
    {                                                             \
        .name = "stack", .kind = WB_OPTION_TEXT, .value = "NAME", \
        .doc = "of a model with several: \"vision\" or \"text\""  \
    }
#define WB_CLI_IMAGES                                                                \
    {                                                                                \
        .name = "images", .kind = WB_OPTION_FILE, .value = "FILE",                   \
        .doc = "safetensors with images [n,c,h,w] and labels [n], of a vision model" \
    }
#define WB_CLI_CSV                                                     \
    {                                                                  \
        .name = "csv", .doc = "comma-separated values instead of text" \
    }

struct wb_cli_subject {
    const struct wb_cli *cli;
    struct wb_net *net;
    bool text, images; /* what there is */
    struct wb_windows windows;
    struct wb_image_set set;
    struct wb_rows rows; /* of either; borrowed from them */
    size_t positions;    /* in all rows */
    struct wb_cli_ticker ticker;
};

/* Open the operand (a model or a pipeline) and read what --text or --images name, with --window,
 * --limit and --stack. Without either only the net. Free with wb_cli_subject_close, on failure
 * too. */
bool wb_cli_subject_open(const struct wb_cli *cli, struct wb_cli_subject *s, struct wb_err *err);
void wb_cli_subject_close(struct wb_cli_subject *s);
/* Show that so many positions are done; false when cancelled. */
bool wb_cli_subject_show(struct wb_cli_subject *s, size_t done);
/* tokens (positions looked at), and of a text window, windows, bos, text_tokens. */
void wb_cli_subject_json(const struct wb_cli_subject *s, cJSON *object);
/* The same in a line of text. */
void wb_cli_subject_print(const struct wb_cli_subject *s);

/* n arrays of `columns` numbers under key. */
void wb_cli_json_grid(cJSON *object, const char *key, size_t n, size_t columns,
                      const double *value);
void wb_cli_json_numbers(cJSON *object, const char *key, size_t n, const double *value);

/* `similarity MODEL --text FILE`; the exit code. */
int wb_cli_similarity_states(struct wb_cli *cli);

#endif
