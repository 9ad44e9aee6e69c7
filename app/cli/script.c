/* app/cli/script.c - run a pipeline script for its model. */
#include "app/cli/script.h"

#include <stdlib.h>
#include <string.h>

#include "app/cli/out.h"

static void say_line(void *ctx, const char *line)
{
    (void)ctx;
    wb_cli_out(stderr, WB_CLI_PLAIN, "%s\n", line);
}

bool wb_cli_check_sets(const struct wb_args *args, struct wb_err *err)
{
    for (size_t i = 0; i < args->count; i++) {
        const char *text = args->given[i].text;

        if (strcmp(args->given[i].option->name, "set") == 0 &&
            (strchr(text, '=') == NULL || text[0] == '='))
            return wb_fail(err, WB_EARG, "--set %s: write KNOB=VALUE", text);
    }
    return true;
}

bool wb_cli_script(const struct wb_cli *cli, const char *path, struct wb_pipeline *out,
                   struct wb_err *err)
{
    struct wb_eval how = wb_cli_eval(cli);
    struct wb_vm_options vm_options = {
        .trust = wb_args_has(&cli->args, "trust"),
        .cancel = cli->cancel,
        .families = cli->families,
        .share_dir = wb_share_dir(),
        .log = say_line,
        .eval = &how,
    };
    const char **set = calloc(cli->args.count + 1, sizeof *set);
    struct wb_vm *vm = NULL;
    bool ok = set != NULL || wb_fail(err, WB_ENOMEM, "no memory");

    *out = (struct wb_pipeline){ 0 };
    ok = ok && (vm = wb_vm_new(&vm_options, err)) != NULL &&
         wb_vm_pipeline(vm, path, set, wb_args_all(&cli->args, "set", set), out, err);
    wb_vm_free(vm); /* the model outlives it */
    free(set);
    return ok;
}

bool wb_cli_is_script(const char *operand)
{
    const char *dot = strrchr(operand, '.');

    return dot != NULL && strcmp(dot, ".lua") == 0;
}

struct wb_model *wb_cli_open_any(const struct wb_cli *cli, const char *operand, struct wb_err *err)
{
    struct wb_pipeline p;
    struct wb_model *model;

    if (!wb_cli_is_script(operand)) {
        if (!wb_args_has(&cli->args, "set"))
            return wb_cli_open(cli, operand, err);
        wb_fail(err, WB_EARG, "--set turns the knobs of a pipeline; %s is a model", operand);
        return NULL;
    }
    model = wb_cli_script(cli, operand, &p, err) ? wb_model_ref(p.model) : NULL;
    wb_pipeline_free(&p);
    for (size_t i = 0; model != NULL && i < wb_model_warning_count(model); i++)
        wb_cli_say_warning("%s: %s", operand, wb_model_warning(model, i));
    return model;
}
