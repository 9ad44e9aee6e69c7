/* app/cli/out.h - results on stdout and messages on stderr: tables, colours, JSON, safe text.
 *
 * Names come out of files that strangers wrote: everything printed here has its control characters
 * replaced, so that no tensor name can steer a terminal. JSON escapes them by itself. */
#ifndef WB_CLI_OUT_H
#define WB_CLI_OUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "app/core/arena.h"
#include "app/core/err.h"

enum wb_cli_style {
    WB_CLI_PLAIN,
    WB_CLI_TITLE,
    WB_CLI_FAINT,
    WB_CLI_BAD,
    WB_CLI_WARN,
    WB_CLI_GOOD
};

/* Escape sequences that turn a style on and off for out, "" when it is not a terminal or
 * NO_COLOR is set. */
const char *wb_cli_style_on(FILE *out, enum wb_cli_style style);
const char *wb_cli_style_off(FILE *out, enum wb_cli_style style);

/* Text with control characters (C0, DEL, C1) as '?'; in place. */
void wb_cli_clean(char *text);
/* printf whose %s arguments may be anything: the result is cleaned, but for newlines in fmt's
 * own text. */
void wb_cli_out(FILE *out, enum wb_cli_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "weightbench: …" on stderr. */
void wb_cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void wb_cli_say_error(const struct wb_err *err);
void wb_cli_say_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A table: columns first, then cells row by row; widths are worked out when it is printed.
 * Zero-initialised is empty. */
struct wb_cli_table {
    struct wb_arena arena;
    struct wb_cli_table_column {
        const char *title;
        bool right;
        int width;
    } column[24];
    int columns;
    char **cell;
    size_t cells, room;
    bool failed; /* no memory: the table is cut */
};

void wb_cli_table_column(struct wb_cli_table *t, const char *title,
                         bool right); /* title borrowed */
void wb_cli_table_cell(struct wb_cli_table *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A number with `digits` significant ones, "-" for NaN. */
void wb_cli_table_number(struct wb_cli_table *t, double value, int digits);
/* The same with a fixed number of decimals. */
void wb_cli_table_fixed(struct wb_cli_table *t, double value, int decimals);
void wb_cli_table_print(struct wb_cli_table *t, FILE *out, const char *indent);
void wb_cli_table_free(struct wb_cli_table *t);

/* Print the object as one line on stdout and delete it. */
bool wb_cli_json_print(cJSON *object, struct wb_err *err);
/* NULL for NaN and infinities. Added to object (key) or, with key NULL, to an array. */
void wb_cli_json_number(cJSON *parent, const char *key, double value);
void wb_cli_json_text(cJSON *parent, const char *key, const char *text);

#endif
