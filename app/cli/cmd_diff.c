/* app/cli/cmd_diff.c - weightbench diff A B: what changed from A to B, per tensor and layer. */
#include <stdio.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/probe/delta.h"

static const struct wb_option options[] = {
    WB_CLI_MATCH, WB_CLI_THREADS, WB_CLI_MEMORY, WB_CLI_JSON, { 0 }
};

/* Figures of a tensor that cannot be computed with: nothing changed, or something did. */
static const struct wb_delta *sum_of(const struct wb_delta_tensor *t, struct wb_delta *room)
{
    if (t->numbers)
        return &t->sum;
    *room = (struct wb_delta){ { 0 } };
    if (t->same_bytes) {
        room->v[WB_PAIR_COUNT] = room->v[WB_PAIR_SAME_SIGN] = (double)wb_node_count(t->a->node);
        room->v[WB_PAIR_XX] = room->v[WB_PAIR_YY] = room->v[WB_PAIR_XY] = 1;
    }
    return room;
}

/* JSON */

static cJSON *add_object(cJSON *array)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddItemToArray(array, object);
    return object;
}

static void add_tensors(cJSON *object, const struct wb_delta_list *list)
{
    cJSON *array = cJSON_AddArrayToObject(object, "tensors");

    for (size_t i = 0; i < list->count; i++) {
        struct wb_delta room;
        const struct wb_delta *d = sum_of(&list->tensor[i], &room);
        cJSON *t = add_object(array);

        cJSON_AddStringToObject(t, "name", list->tensor[i].a->name);
        wb_cli_json_number(t, "l2", wb_delta_l2(d));
        wb_cli_json_number(t, "relative_l2", wb_delta_relative_l2(d));
        wb_cli_json_number(t, "cosine", wb_delta_cosine(d));
        wb_cli_json_number(t, "sign_agreement", wb_delta_sign(d));
        wb_cli_json_number(t, "max_abs", wb_delta_max_abs(d));
    }
}

static void add_pair(cJSON *object, const struct wb_delta *d)
{
    wb_cli_json_number(object, "relative_l2", wb_delta_relative_l2(d));
    wb_cli_json_number(object, "cosine", wb_delta_cosine(d));
}

static void add_layers(cJSON *object, struct wb_delta_list *list)
{
    size_t n;
    const struct wb_delta_layer *row = wb_delta_layers(list, &n);
    cJSON *array = cJSON_AddArrayToObject(object, "layers"), *other = NULL;

    for (size_t i = 0; row != NULL && i < n; i++) {
        cJSON *l;

        if (row[i].layer < 0) {
            l = other = cJSON_CreateObject();
        } else {
            l = add_object(array);
            cJSON_AddNumberToObject(l, "layer", row[i].layer);
            if (row[i].stack[0] != '\0')
                cJSON_AddStringToObject(l, "stack", row[i].stack);
        }
        add_pair(l, &row[i].sum);
    }
    if (other != NULL)
        cJSON_AddItemToObject(object, "non_layer", other);
}

static void add_names(cJSON *object, const char *key, const struct wb_entry *const *entry, size_t n)
{
    cJSON *array = cJSON_AddArrayToObject(object, key);

    for (size_t i = 0; i < n; i++)
        wb_cli_json_text(array, NULL, entry[i]->name);
}

static bool print_json(struct wb_delta_list *list, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject();
    struct wb_delta total = wb_delta_total(list);

    add_tensors(object, list);
    add_layers(object, list);
    add_pair(cJSON_AddObjectToObject(object, "total"), &total);
    add_names(object, "only_a", list->only_a, list->only_as);
    add_names(object, "only_b", list->only_b, list->only_bs);
    add_names(object, "mismatched", list->mismatched, list->mismatches);
    return wb_cli_json_print(object, err);
}

/* Text */

static void add_figures(struct wb_cli_table *t, const struct wb_delta *d)
{
    wb_cli_table_number(t, wb_delta_l2(d), 5);
    wb_cli_table_number(t, wb_delta_relative_l2(d), 4);
    wb_cli_table_fixed(t, wb_delta_cosine(d), 6);
    wb_cli_table_fixed(t, wb_delta_sign(d), 4);
    wb_cli_table_number(t, wb_delta_max_abs(d), 4);
}

static struct wb_cli_table new_table(const char *what, bool right)
{
    static const char *const figures[] = { "l2", "relative l2", "cosine", "same sign", "max abs" };
    struct wb_cli_table t = { 0 };

    wb_cli_table_column(&t, what, right);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        wb_cli_table_column(&t, figures[i], true);
    return t;
}

static void print_layers(struct wb_delta_list *list)
{
    struct wb_cli_table t = new_table("layer", true);
    struct wb_delta total = wb_delta_total(list);
    size_t n;
    const struct wb_delta_layer *row = wb_delta_layers(list, &n);
    char name[40];

    for (size_t i = 0; row != NULL && i < n; i++) {
        wb_cli_table_cell(&t, "%s", wb_cli_layer(name, sizeof name, row[i].stack, row[i].layer));
        add_figures(&t, &row[i].sum);
    }
    wb_cli_table_cell(&t, "all");
    add_figures(&t, &total);
    fputc('\n', stdout);
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void print_names(const char *what, const struct wb_entry *const *entry, size_t n)
{
    if (n > 0)
        printf("\n%s:\n", what);
    for (size_t i = 0; i < n; i++)
        wb_cli_out(stdout, WB_CLI_PLAIN, "  %s\n", entry[i]->name);
}

static void print_text(struct wb_delta_list *list)
{
    struct wb_cli_table t = new_table("tensor", false);

    for (size_t i = 0; i < list->count; i++) {
        struct wb_delta room;

        wb_cli_table_cell(&t, "%s", list->tensor[i].a->name);
        add_figures(&t, sum_of(&list->tensor[i], &room));
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
    print_layers(list);
    print_names("only in A", list->only_a, list->only_as);
    print_names("only in B", list->only_b, list->only_bs);
    print_names("in both with another shape or kind of dtype", list->mismatched, list->mismatches);
}

static int run_diff(struct wb_cli *cli)
{
    struct wb_err err;
    struct wb_eval how = wb_cli_eval(cli);
    struct wb_delta_list list = { 0 };
    struct wb_model *a = wb_cli_open(cli, cli->args.operand[0], &err);
    struct wb_model *b = a == NULL ? NULL : wb_cli_open(cli, cli->args.operand[1], &err);
    bool ok = b != NULL && wb_delta_compare(&how, a, b, NULL,
                                            wb_args_text(&cli->args, "match", NULL), &list, &err);

    if (ok && cli->json)
        ok = print_json(&list, &err);
    else if (ok)
        print_text(&list);
    wb_delta_free(&list);
    wb_model_unref(a);
    wb_model_unref(b);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_diff = {
    .name = "diff",
    .operands = "A B",
    .operands_min = 2,
    .operands_max = 2,
    .summary = "what changed from model A to model B, per tensor and layer",
    .details = "l2 is |B - A|, relative l2 |B - A| / |A|, cosine that of A and B as vectors, same "
               "sign the\n"
               "share of entries whose signs agree, max abs the largest change of one entry. Pairs "
               "where one\n"
               "is not finite are left out. Figures of a layer are those of its tensors taken as "
               "one vector.\n" WB_CLI_MODEL_HELP,
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_diff,
};
