/* app/cli/cmd_plugins.c - weightbench plugins [NAME] [--check FILE]: list, show, test. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/core/json.h"
#include "app/core/nearest.h"
#include "lua/bind/vm.h"

static const struct wb_option options[] = {
    { .name = "check",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "load one plugin file, check its table and run its tests" },
    WB_CLI_JSON,
    { 0 },
};

static void say_line(void *ctx, const char *line)
{
    (void)ctx;
    wb_cli_out(stderr, WB_CLI_PLAIN, "%s\n", line);
}

/* The array of plugins, whether it comes bare or with errors beside it. */
static cJSON *plugin_array(cJSON *all)
{
    return cJSON_IsArray(all) ? all : cJSON_GetObjectItemCaseSensitive(all, "plugins");
}

static void warn_broken(const cJSON *all)
{
    const cJSON *e;

    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(all, "errors")) {
        const char *file = wb_json_text(e, "file", ""), *error = wb_json_text(e, "error", "");

        if (strstr(error, file) != NULL)
            wb_cli_say_warning("%s", error);
        else
            wb_cli_say_warning("%s: %s", file, error);
    }
}

static bool keep_named(cJSON *array, const char *name, struct wb_err *err)
{
    struct wb_nearest near = { .word = name };
    int i = 0;

    for (cJSON *p = array->child, *next; p != NULL; p = next) {
        next = p->next;
        wb_nearest_try(&near, wb_json_text(p, "name", ""));
    }
    wb_fail(err, WB_ENOTFOUND, "there is no plugin '%s'%s%s%s; 'weightbench plugins' lists them",
            name, near.best != NULL ? "; did you mean '" : "", near.best != NULL ? near.best : "",
            near.best != NULL ? "'" : "");
    while (i < cJSON_GetArraySize(array))
        if (strcmp(wb_json_text(cJSON_GetArrayItem(array, i), "name", ""), name) == 0)
            i++;
        else
            cJSON_DeleteItemFromArray(array, i);
    return i > 0;
}

/* Text */

static void first_sentence(struct wb_cli_table *t, const char *doc)
{
    const char *end = strstr(doc, ". ");

    wb_cli_table_cell(t, "%.*s", end == NULL ? (int)strlen(doc) : (int)(end + 1 - doc), doc);
}

static void print_list(const cJSON *array)
{
    struct wb_cli_table t = { 0 };
    const cJSON *p;

    wb_cli_table_column(&t, "kind", false);
    wb_cli_table_column(&t, "name", false);
    wb_cli_table_column(&t, "what it does", false);
    cJSON_ArrayForEach(p, array) {
        wb_cli_table_cell(&t, "%s", wb_json_text(p, "kind", ""));
        wb_cli_table_cell(&t, "%s", wb_json_text(p, "name", ""));
        first_sentence(&t, wb_json_text(p, "doc", ""));
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void value_cell(struct wb_cli_table *t, const cJSON *value)
{
    char *text = value == NULL || cJSON_IsNull(value) ? NULL : cJSON_PrintUnformatted(value);

    wb_cli_table_cell(t, "%s", text == NULL ? "-" : text);
    cJSON_free(text);
}

static void range_cell(struct wb_cli_table *t, const cJSON *param)
{
    const cJSON *min = cJSON_GetObjectItemCaseSensitive(param, "min"),
                *max = cJSON_GetObjectItemCaseSensitive(param, "max"),
                *choices = cJSON_GetObjectItemCaseSensitive(param, "choices");

    if (cJSON_IsArray(choices))
        value_cell(t, choices);
    else if (cJSON_IsNumber(min) && cJSON_IsNumber(max))
        wb_cli_table_cell(t, "%g to %g", min->valuedouble, max->valuedouble);
    else if (cJSON_IsNumber(min))
        wb_cli_table_cell(t, "from %g", min->valuedouble);
    else if (cJSON_IsNumber(max))
        wb_cli_table_cell(t, "to %g", max->valuedouble);
    else
        wb_cli_table_cell(t, "%s", wb_json_text(param, "type", ""));
}

static void print_params(const cJSON *params)
{
    struct wb_cli_table t = { 0 };
    const cJSON *p;

    wb_cli_table_column(&t, "parameter", false);
    wb_cli_table_column(&t, "default", false);
    wb_cli_table_column(&t, "values", false);
    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", false);
    cJSON_ArrayForEach(p, params) {
        const char *per = wb_json_text(p, "per", NULL);

        wb_cli_table_cell(&t, "%s", p->string);
        value_cell(&t, cJSON_GetObjectItemCaseSensitive(p, "default"));
        range_cell(&t, p);
        wb_cli_table_cell(&t, "%s%s", per != NULL ? "per " : "", per != NULL ? per : "");
        wb_cli_table_cell(&t, "%s", wb_json_text(p, "doc", ""));
    }
    wb_cli_table_print(&t, stdout, "  ");
    wb_cli_table_free(&t);
}

static void print_plugin(const cJSON *p)
{
    const char *paper = wb_json_text(p, "paper", NULL), *file = wb_json_text(p, "file", NULL);
    const cJSON *params = cJSON_GetObjectItemCaseSensitive(p, "params");

    wb_cli_out(stdout, WB_CLI_TITLE, "%s (%s)\n", wb_json_text(p, "name", ""),
               wb_json_text(p, "kind", ""));
    wb_cli_out(stdout, WB_CLI_PLAIN, "%s\n", wb_json_text(p, "doc", ""));
    if (paper != NULL)
        wb_cli_out(stdout, WB_CLI_PLAIN, "paper: %s\n", paper);
    if (file != NULL)
        wb_cli_out(stdout, WB_CLI_PLAIN, "file:  %s\n", file);
    if (cJSON_GetArraySize(params) > 0) {
        fputc('\n', stdout);
        print_params(params);
    }
}

/* The command */

static bool print_json(cJSON *all, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *array = plugin_array(all);

    if (array != all)
        array = cJSON_DetachItemViaPointer(all, array);
    cJSON_AddItemToObject(object, "plugins", array);
    if (array != all)
        cJSON_Delete(all);
    return wb_cli_json_print(object, err);
}

static bool list_plugins(const struct wb_cli *cli, struct wb_vm *vm, struct wb_err *err)
{
    const char *name = cli->args.operands > 0 ? cli->args.operand[0] : NULL;
    cJSON *all = wb_vm_plugins(vm, err), *array = plugin_array(all), *p;

    if (all == NULL)
        return false;
    warn_broken(all);
    if (name != NULL && !keep_named(array, name, err)) {
        cJSON_Delete(all);
        return false;
    }
    if (cli->json)
        return print_json(all, err);
    if (name == NULL)
        print_list(array);
    else
        cJSON_ArrayForEach(p, array)
            print_plugin(p);
    cJSON_Delete(all);
    return true;
}

static bool check_plugin(const struct wb_cli *cli, struct wb_vm *vm, struct wb_err *err)
{
    size_t passed = 0, failed = 0;
    char *report = NULL;
    cJSON *object;
    bool ok = wb_vm_check_plugin(vm, wb_args_text(&cli->args, "check", ""), &report, &passed,
                                 &failed, err);

    if (ok && cli->json) {
        object = cJSON_CreateObject();
        cJSON_AddBoolToObject(object, "ok", failed == 0);
        cJSON_AddNumberToObject(object, "passed", (double)passed);
        cJSON_AddNumberToObject(object, "failed", (double)failed);
        wb_cli_json_text(object, "report", report);
        ok = wb_cli_json_print(object, err);
    } else if (ok) {
        if (report != NULL && report[0] != '\0')
            wb_cli_out(stdout, WB_CLI_PLAIN, "%s%s", report,
                       report[strlen(report) - 1] == '\n' ? "" : "\n");
        printf("%zu passed, %zu failed\n", passed, failed);
    }
    free(report);
    return ok && (failed == 0 || wb_fail(err, WB_EARG, "%zu tests failed", failed));
}

static int run_plugins(struct wb_cli *cli)
{
    struct wb_eval how = wb_cli_eval(cli);
    struct wb_vm_options vm_options = {
        .cancel = cli->cancel,
        .families = cli->families,
        .share_dir = wb_share_dir(),
        .log = say_line,
        .eval = &how,
    };
    struct wb_err err;
    struct wb_vm *vm = wb_vm_new(&vm_options, &err);
    bool ok = vm != NULL && (wb_args_has(&cli->args, "check") ? check_plugin(cli, vm, &err)
                                                              : list_plugins(cli, vm, &err));

    wb_vm_free(vm);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_plugins = {
    .name = "plugins",
    .operands = "[NAME]",
    .operands_max = 1,
    .summary = "the methods there are, or one with its parameters",
    .details = "Plugins are Lua files in the program's plugins/ and in "
               "$XDG_DATA_HOME/weightbench/plugins/.",
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_plugins,
};
