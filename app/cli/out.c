/* app/cli/out.c - tables, colours, messages and JSON for people and scripts. */
#include "app/cli/out.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool colour(FILE *out)
{
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

    return (none == NULL || none[0] == '\0') && isatty(fileno(out)) == 1 && term != NULL &&
           strcmp(term, "dumb") != 0;
}

const char *wb_cli_style_on(FILE *out, enum wb_cli_style style)
{
    static const char *const on[] = {
        [WB_CLI_PLAIN] = "",         [WB_CLI_TITLE] = "\033[1m", [WB_CLI_FAINT] = "\033[2m",
        [WB_CLI_BAD] = "\033[1;31m", [WB_CLI_WARN] = "\033[33m", [WB_CLI_GOOD] = "\033[32m",
    };

    return colour(out) ? on[style] : "";
}

const char *wb_cli_style_off(FILE *out, enum wb_cli_style style)
{
    return style != WB_CLI_PLAIN && colour(out) ? "\033[0m" : "";
}

static void clean(char *text, bool lines)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if ((*p < 0x20 && !(lines && *p == '\n')) || *p == 0x7F)
            *p = '?';
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            p[0] = p[1] = '?';
}

void wb_cli_clean(char *text)
{
    clean(text, false);
}

__attribute__((format(printf, 3, 0))) static void print_clean(FILE *out, enum wb_cli_style style,
                                                              const char *fmt, va_list ap)
{
    char *text = NULL;

    if (vasprintf(&text, fmt, ap) < 0)
        return;
    clean(text, true);
    fprintf(out, "%s%s%s", wb_cli_style_on(out, style), text, wb_cli_style_off(out, style));
    free(text);
}

void wb_cli_out(FILE *out, enum wb_cli_style style, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    print_clean(out, style, fmt, ap);
    va_end(ap);
}

void wb_cli_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("weightbench: ", stderr);
    print_clean(stderr, WB_CLI_PLAIN, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

void wb_cli_say_error(const struct wb_err *err)
{
    fprintf(stderr, "weightbench: %serror:%s ", wb_cli_style_on(stderr, WB_CLI_BAD),
            wb_cli_style_off(stderr, WB_CLI_BAD));
    wb_cli_out(stderr, WB_CLI_PLAIN, "%s\n", err->msg);
}

void wb_cli_say_warning(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "weightbench: %swarning:%s ", wb_cli_style_on(stderr, WB_CLI_WARN),
            wb_cli_style_off(stderr, WB_CLI_WARN));
    print_clean(stderr, WB_CLI_PLAIN, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
}

void wb_cli_table_column(struct wb_cli_table *t, const char *title, bool right)
{
    if (t->columns < (int)(sizeof t->column / sizeof t->column[0]))
        t->column[t->columns++] = (struct wb_cli_table_column){ .title = title, .right = right };
}

static void push_cell(struct wb_cli_table *t, char *text)
{
    if (t->cells == t->room) {
        size_t room = t->room == 0 ? 256 : 2 * t->room;
        char **cell = realloc(t->cell, room * sizeof *cell);

        if (cell == NULL) {
            t->failed = true;
            return;
        }
        t->cell = cell;
        t->room = room;
    }
    t->cell[t->cells++] = text;
}

void wb_cli_table_cell(struct wb_cli_table *t, const char *fmt, ...)
{
    char *text = NULL, *kept;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    kept = text == NULL ? NULL : wb_arena_strdup(&t->arena, text);
    free(text);
    if (kept == NULL) {
        t->failed = true;
        return;
    }
    wb_cli_clean(kept);
    push_cell(t, kept);
}

void wb_cli_table_number(struct wb_cli_table *t, double value, int digits)
{
    if (isnan(value))
        wb_cli_table_cell(t, "-");
    else
        wb_cli_table_cell(t, "%.*g", digits, value);
}

void wb_cli_table_fixed(struct wb_cli_table *t, double value, int decimals)
{
    if (isnan(value))
        wb_cli_table_cell(t, "-");
    else
        wb_cli_table_cell(t, "%.*f", decimals, value);
}

/* Columns a terminal needs, taking every code point for one. */
static int text_width(const char *text)
{
    int n = 0;

    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void print_row(const struct wb_cli_table *t, FILE *out, const char *indent,
                      char *const *cell)
{
    fputs(indent, out);
    for (int c = 0; c < t->columns; c++) {
        int pad = t->column[c].width - text_width(cell[c]);

        if (t->column[c].right)
            fprintf(out, "%*s%s", pad, "", cell[c]);
        else if (c + 1 < t->columns)
            fprintf(out, "%s%*s", cell[c], pad, "");
        else
            fputs(cell[c], out);
        if (c + 1 < t->columns)
            fputs("  ", out);
    }
}

void wb_cli_table_print(struct wb_cli_table *t, FILE *out, const char *indent)
{
    char *title[24];
    bool titled = false;

    for (int c = 0; c < t->columns; c++) {
        title[c] = (char *)t->column[c].title;
        titled = titled || title[c][0] != '\0';
        t->column[c].width = text_width(title[c]);
    }
    for (size_t i = 0; i < t->cells; i++) {
        int width = text_width(t->cell[i]), *max = &t->column[i % (size_t)t->columns].width;

        *max = width > *max ? width : *max;
    }
    if (titled) {
        fputs(wb_cli_style_on(out, WB_CLI_TITLE), out);
        print_row(t, out, indent, title);
        fprintf(out, "%s\n", wb_cli_style_off(out, WB_CLI_TITLE));
    }
    for (size_t i = 0; i + (size_t)t->columns <= t->cells; i += (size_t)t->columns) {
        print_row(t, out, indent, t->cell + i);
        fputc('\n', out);
    }
}

void wb_cli_table_free(struct wb_cli_table *t)
{
    wb_arena_free(&t->arena);
    free(t->cell);
    *t = (struct wb_cli_table){ 0 };
}

bool wb_cli_json_print(cJSON *object, struct wb_err *err)
{
    char *text = object == NULL ? NULL : cJSON_PrintUnformatted(object);

    cJSON_Delete(object);
    if (text == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for the JSON text");
    puts(text);
    cJSON_free(text);
    return true;
}

static void add_value(cJSON *parent, const char *key, cJSON *value)
{
    if (value == NULL || !(key == NULL ? cJSON_AddItemToArray(parent, value)
                                       : cJSON_AddItemToObject(parent, key, value)))
        cJSON_Delete(value);
}

void wb_cli_json_number(cJSON *parent, const char *key, double value)
{
    add_value(parent, key, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void wb_cli_json_text(cJSON *parent, const char *key, const char *text)
{
    add_value(parent, key, text == NULL ? cJSON_CreateNull() : cJSON_CreateString(text));
}
