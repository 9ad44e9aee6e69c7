/* app/cli/options.h - what a command line may say: one table gives parsing, help and completion. */
#ifndef WB_CLI_OPTIONS_H
#define WB_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/core/err.h"
#include "app/tensor/dtype.h"

enum wb_option_kind {
    WB_OPTION_FLAG,
    WB_OPTION_TEXT,  /* not empty */
    WB_OPTION_ANY,   /* a text that may be empty */
    WB_OPTION_FILE,  /* the same, completed as a path */
    WB_OPTION_BYTES, /* a size: 500MB, 1GiB */
    WB_OPTION_COUNT, /* a whole number from 1 to WB_OPTION_COUNT_MAX */
    WB_OPTION_DTYPE, /* one that can be computed with */
    WB_OPTION_CHOICE,
    WB_OPTION_NUMBER, /* from `min` to `max`; a whole one when `whole` */
};
#define WB_OPTION_COUNT_MAX 1024

struct wb_option {
    const char *name; /* without dashes; NULL ends a table */
    char letter;      /* 'o' for -o, or 0 */
    enum wb_option_kind kind;
    bool repeat;       /* may be given several times; else the last one counts */
    const char *value; /* what help calls the value; NULL for flags */
    const char *doc;
    const char *const *choice; /* of WB_OPTION_CHOICE, NULL-terminated */
    double min, max;           /* of WB_OPTION_NUMBER, both included */
    bool whole;
};

/* One command: everything that parsing, help, completion and the dispatcher need. */
struct wb_cli;
struct wb_cli_command {
    const char *name;
    const char *operands; /* as the usage line shows them: "A B" */
    size_t operands_min, operands_max;
    const char *summary; /* one line */
    const char *details; /* more help, or NULL */
    const struct wb_option *option;
    bool opens_models;              /* the model families are loaded before it runs */
    bool cancels;                   /* it looks at the cancel flag while it works */
    int (*run)(struct wb_cli *cli); /* gives the exit code */
};

/* A parsed command line; everything is borrowed from argv. */
struct wb_args {
    const char **operand;
    size_t operands;
    struct wb_given {
        const struct wb_option *option;
        const char *text; /* NULL for a flag */
    } * given;
    size_t count;
    bool help; /* --help was there: nothing else was checked */
};

/* Parse argv[0 .. argc) (behind the command's name) and check every value. Free with
 * wb_args_free, on failure too. The error (WB_EARG) names the option, and the nearest one there
 * is. */
bool wb_args_parse(struct wb_args *args, const struct wb_cli_command *command, int argc,
                   char **argv, struct wb_err *err);
void wb_args_free(struct wb_args *args);

/* Values by option name, which must be one of the command's or absent from it. */
bool wb_args_has(const struct wb_args *args, const char *name);
const char *wb_args_text(const struct wb_args *args, const char *name, const char *fallback);
uint64_t wb_args_bytes(const struct wb_args *args, const char *name, uint64_t fallback);
int wb_args_count(const struct wb_args *args, const char *name, int fallback);
double wb_args_number(const struct wb_args *args, const char *name, double fallback);
/* false: not given. */
bool wb_args_dtype(const struct wb_args *args, const char *name, enum wb_dtype *dtype);
/* Every value of an option that repeats into out (room for args->count); returns how many. */
size_t wb_args_all(const struct wb_args *args, const char *name, const char **out);

/* "usage: weightbench run PIPELINE [-o OUT] …", wrapped. */
void wb_usage_print(FILE *out, const struct wb_cli_command *command);
void wb_help_print(FILE *out, const struct wb_cli_command *command);
/* For shells: a line an option, "--name<TAB>-o<TAB>kind<TAB>choices<TAB>doc". */
void wb_options_list(FILE *out, const struct wb_cli_command *command);

#endif
