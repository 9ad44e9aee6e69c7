/* app/cli/help.c - usage lines, help and completion lists, all from the tables of options.h. */
#include <string.h>

#include "app/cli/options.h"
#include "app/core/str.h"

#define WIDTH 79
#define DOC_COLUMN 26

/* One word of a usage line, wrapped under the first one. */
static void usage_word(FILE *out, size_t *column, size_t indent, const char *word)
{
    size_t n = strlen(word);

    if (*column + 1 + n > WIDTH) {
        fprintf(out, "\n%*s", (int)indent, "");
        *column = indent;
    } else {
        fputc(' ', out);
        *column += 1;
    }
    fputs(word, out);
    *column += n;
}

static void format_option(char *out, size_t size, const struct wb_option *o)
{
    const char *more = o->repeat ? "..." : "";

    if (o->kind == WB_OPTION_FLAG)
        snprintf(out, size, "[--%s]%s", o->name, more);
    else if (o->letter != 0)
        snprintf(out, size, "[-%c %s]%s", o->letter, o->value, more);
    else
        snprintf(out, size, "[--%s %s]%s", o->name, o->value, more);
}

void wb_usage_print(FILE *out, const struct wb_cli_command *command)
{
    size_t column = (size_t)fprintf(out, "usage: weightbench %s", command->name),
           indent = column + 1;
    char word[100];

    if (command->operands[0] != '\0')
        usage_word(out, &column, indent, command->operands);
    for (const struct wb_option *o = command->option; o->name != NULL; o++) {
        format_option(word, sizeof word, o);
        usage_word(out, &column, indent, word);
    }
    fputc('\n', out);
}

/* Text in lines that start at a column; the cursor is at `at`. */
static void wrap_text(FILE *out, size_t at, size_t indent, const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, " ");

        if (at > indent && at + 1 + n > WIDTH) {
            fprintf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (at > indent) {
            fputc(' ', out);
            at++;
        }
        fwrite(text, 1, n, out);
        at += n;
        text += n + (text[n] == ' ');
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct wb_option *o)
{
    char left[100];
    size_t n;

    n = (size_t)snprintf(left, sizeof left, "  %c%c%s --%s%s%s", o->letter ? '-' : ' ',
                         o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
                         o->value ? " " : "", o->value ? o->value : "");
    fputs(left, out);
    if (n + 2 > DOC_COLUMN)
        fprintf(out, "\n%*s", DOC_COLUMN, "");
    else
        fprintf(out, "%*s", (int)(DOC_COLUMN - n), "");
    wrap_text(out, DOC_COLUMN, DOC_COLUMN, o->doc);
}

void wb_help_print(FILE *out, const struct wb_cli_command *command)
{
    wb_usage_print(out, command);
    fputc('\n', out);
    wrap_text(out, 0, 0, command->summary);
    if (command->details != NULL)
        fprintf(out, "\n%s\n", command->details);
    fputc('\n', out);
    for (const struct wb_option *o = command->option; o->name != NULL; o++)
        print_option(out, o);
    print_option(out, &(struct wb_option){ .name = "help", .letter = 'h', .doc = "this text" });
}

static const char *kind_name(enum wb_option_kind kind)
{
    static const char *const name[] = {
        [WB_OPTION_FLAG] = "flag",     [WB_OPTION_TEXT] = "text",     [WB_OPTION_FILE] = "file",
        [WB_OPTION_BYTES] = "bytes",   [WB_OPTION_COUNT] = "count",   [WB_OPTION_DTYPE] = "choice",
        [WB_OPTION_CHOICE] = "choice", [WB_OPTION_NUMBER] = "number", [WB_OPTION_ANY] = "text",
    };

    return name[kind];
}

void wb_options_list(FILE *out, const struct wb_cli_command *command)
{
    for (const struct wb_option *o = command->option; o->name != NULL; o++) {
        fprintf(out, "--%s\t", o->name);
        if (o->letter != 0)
            fprintf(out, "-%c", o->letter);
        fprintf(out, "\t%s\t", kind_name(o->kind));
        for (const char *const *c = o->choice; c != NULL && *c != NULL; c++)
            fprintf(out, "%s%s", c == o->choice ? "" : " ", *c);
        for (int d = 0; o->kind == WB_OPTION_DTYPE && d < WB_DTYPE_COUNT; d++)
            if (wb_dtype_computable((enum wb_dtype)d))
                fprintf(out, "%s ", wb_dtype_name((enum wb_dtype)d));
        fprintf(out, "\t%s\n", o->doc);
    }
    fprintf(out, "--help\t-h\tflag\t\tthis text\n");
}
