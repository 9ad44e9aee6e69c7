/* app/cli/options.c - parsing a command line by its table. */
#include "app/cli/options.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/nearest.h"
#include "app/core/str.h"

static const struct wb_option help_option = { .name = "help", .letter = 'h', .doc = "this text" };

static const struct wb_option *find_long(const struct wb_cli_command *command, const char *name,
                                         size_t n)
{
    if (strlen(help_option.name) == n && memcmp(help_option.name, name, n) == 0)
        return &help_option;
    for (const struct wb_option *o = command->option; o->name != NULL; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static const struct wb_option *find_letter(const struct wb_cli_command *command, char letter)
{
    if (letter == help_option.letter)
        return &help_option;
    for (const struct wb_option *o = command->option; o->name != NULL; o++)
        if (o->letter != 0 && o->letter == letter)
            return o;
    return NULL;
}

static bool fail_unknown(const struct wb_cli_command *command, const char *arg, struct wb_err *err)
{
    char word[64];
    struct wb_nearest near = { .word = word };

    snprintf(word, sizeof word, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    for (const struct wb_option *o = command->option; o->name != NULL; o++)
        wb_nearest_try(&near, o->name);
    if (arg[1] == '-' && near.best != NULL)
        return wb_fail(err, WB_EARG, "%s: unknown option --%s; did you mean --%s?", command->name,
                       word, near.best);
    return wb_fail(err, WB_EARG, "%s: unknown option %.*s", command->name,
                   arg[1] == '-' ? (int)strcspn(arg, "=") : 2, arg);
}

static bool check_count(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && n >= 1 && n <= WB_OPTION_COUNT_MAX;
}

/* Plain decimal notation: no hexadecimal, no names of numbers. */
static bool parse_number(const char *text, double *out)
{
    char *end;

    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static bool check_number(const struct wb_option *o, const char *text, struct wb_err *err)
{
    double x;

    if (parse_number(text, &x) && x >= o->min && x <= o->max && (!o->whole || x == floor(x)))
        return true;
    return wb_fail(err, WB_EARG, "'%s' is not a %snumber from %.16g to %.16g", text,
                   o->whole ? "whole " : "", o->min, o->max);
}

static bool check_dtype(const char *text, struct wb_err *err)
{
    enum wb_dtype dtype;

    if (wb_dtype_parse(text, &dtype) && wb_dtype_computable(dtype))
        return true;
    return wb_fail(err, WB_EARG,
                   "'%s' is not a type that can be written; "
                   "F64, F32, F16, BF16, F8_E4M3 and F8_E5M2 are",
                   text);
}

static bool check_choice(const struct wb_option *o, const char *text, struct wb_err *err)
{
    char list[200] = "";

    for (const char *const *c = o->choice; *c != NULL; c++) {
        size_t used = strlen(list);

        if (strcmp(*c, text) == 0)
            return true;
        snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", *c);
    }
    return wb_fail(err, WB_EARG, "'%s' is not one of %s", text, list);
}

static bool check_value(const struct wb_option *o, const char *text, struct wb_err *err)
{
    uint64_t bytes;
    bool ok = true;

    if (o->kind == WB_OPTION_BYTES)
        ok = wb_parse_bytes(text, &bytes, err) &&
             (bytes > 0 || wb_fail(err, WB_EARG, "must be more than 0"));
    else if (o->kind == WB_OPTION_COUNT)
        ok = check_count(text) || wb_fail(err, WB_EARG, "'%s' is not a whole number from 1 to %d",
                                          text, WB_OPTION_COUNT_MAX);
    else if (o->kind == WB_OPTION_DTYPE)
        ok = check_dtype(text, err);
    else if (o->kind == WB_OPTION_CHOICE)
        ok = check_choice(o, text, err);
    else if (o->kind == WB_OPTION_NUMBER)
        ok = check_number(o, text, err);
    else if (text[0] == '\0' && o->kind != WB_OPTION_ANY)
        ok = wb_fail(err, WB_EARG, "an empty value");
    return ok || wb_wrap(err, "--%s", o->name);
}

static bool add_given(struct wb_args *args, const struct wb_option *o, const char *text,
                      struct wb_err *err)
{
    if (o == &help_option)
        args->help = true;
    else
        args->given[args->count++] = (struct wb_given){ o, text };
    return text == NULL || args->help || check_value(o, text, err);
}

/* One argument that starts with a dash, at argv[*i]; takes the next one when it is its value. */
static bool parse_option(struct wb_args *args, const struct wb_cli_command *command, int argc,
                         char **argv, int *i, struct wb_err *err)
{
    const char *arg = argv[*i], *text = NULL;
    const struct wb_option *o;

    if (arg[1] == '-') {
        size_t n = strcspn(arg + 2, "=");

        o = find_long(command, arg + 2, n);
        text = arg[2 + n] == '=' ? arg + 3 + n : NULL;
    } else {
        o = find_letter(command, arg[1]);
        text = arg[2] == '\0' ? NULL : arg[2] == '=' ? arg + 3 : arg + 2;
    }
    if (o == NULL)
        return fail_unknown(command, arg, err);
    if (o->kind == WB_OPTION_FLAG) {
        if (text != NULL)
            return wb_fail(err, WB_EARG, "--%s takes no value", o->name);
        return add_given(args, o, NULL, err);
    }
    if (text == NULL && *i + 1 >= argc)
        return wb_fail(err, WB_EARG, "--%s needs a value: %s", o->name, o->value);
    if (text == NULL)
        text = argv[++*i];
    return add_given(args, o, text, err);
}

bool wb_args_parse(struct wb_args *args, const struct wb_cli_command *command, int argc,
                   char **argv, struct wb_err *err)
{
    bool only_operands = false;

    *args = (struct wb_args){
        .operand = calloc((size_t)argc + 1, sizeof *args->operand),
        .given = calloc((size_t)argc + 1, sizeof *args->given),
    };
    if (args->operand == NULL || args->given == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory");
    for (int i = 0; i < argc; i++) {
        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0')
            args->operand[args->operands++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!parse_option(args, command, argc, argv, &i, err))
            return false;
        if (args->help)
            return true;
    }
    if (args->operands < command->operands_min)
        return wb_fail(err, WB_EARG, "%s: needs %s", command->name, command->operands);
    if (args->operands > command->operands_max)
        return wb_fail(err, WB_EARG, "%s: '%s' is one argument too many", command->name,
                       args->operand[command->operands_max]);
    return true;
}

void wb_args_free(struct wb_args *args)
{
    free(args->operand);
    free(args->given);
    *args = (struct wb_args){ 0 };
}

static const struct wb_given *find_given(const struct wb_args *args, const char *name)
{
    for (size_t i = args->count; i-- > 0;)
        if (strcmp(args->given[i].option->name, name) == 0)
            return &args->given[i];
    return NULL;
}

bool wb_args_has(const struct wb_args *args, const char *name)
{
    return find_given(args, name) != NULL;
}

const char *wb_args_text(const struct wb_args *args, const char *name, const char *fallback)
{
    const struct wb_given *g = find_given(args, name);

    assert(g == NULL || g->text != NULL);
    return g == NULL ? fallback : g->text;
}

uint64_t wb_args_bytes(const struct wb_args *args, const char *name, uint64_t fallback)
{
    const struct wb_given *g = find_given(args, name);
    uint64_t bytes = fallback;

    if (g != NULL && !wb_parse_bytes(g->text, &bytes, NULL))
        assert(!"checked when it was parsed");
    return bytes;
}

int wb_args_count(const struct wb_args *args, const char *name, int fallback)
{
    const struct wb_given *g = find_given(args, name);

    return g == NULL ? fallback : (int)strtol(g->text, NULL, 10);
}

double wb_args_number(const struct wb_args *args, const char *name, double fallback)
{
    const struct wb_given *g = find_given(args, name);
    double x = fallback;

    if (g != NULL && !parse_number(g->text, &x))
        assert(!"checked when it was parsed");
    return x;
}

bool wb_args_dtype(const struct wb_args *args, const char *name, enum wb_dtype *dtype)
{
    const struct wb_given *g = find_given(args, name);

    return g != NULL && wb_dtype_parse(g->text, dtype);
}

size_t wb_args_all(const struct wb_args *args, const char *name, const char **out)
{
    size_t n = 0;

    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            out[n++] = args->given[i].text;
    return n;
}
