/* app/cli/cmd_heads.c - weightbench heads MODEL: what each attention head does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/script.h"
#include "app/cli/subject.h"
#include "app/probe/csv.h"
#include "app/probe/heads.h"

static const char *const names[] = {
#define X(name, low, high, doc) #name,
    WB_HEAD_TEXT_STATS(X) WB_HEAD_WEIGHT_STATS(X)
#undef X
        NULL,
};

static const struct wb_option options[] = {
    { .name = "text",
      .kind = WB_OPTION_FILE,
      .value = "FILE",
      .doc = "a UTF-8 text to read; without, what weights and random tokens tell" },
    WB_CLI_IMAGES,
    { .name = "stat",
      .kind = WB_OPTION_CHOICE,
      .value = "NAME",
      .repeat = true,
      .choice = names,
      .doc = "only this statistic; may be given several times; compositions come in no other way" },
    { .name = "ablate", .doc = "how much worse each token is predicted without the head (slow)" },
    WB_CLI_WINDOW,
    WB_CLI_LIMIT,
    { .name = "top",
      .kind = WB_OPTION_COUNT,
      .value = "N",
      .doc = "keys of a head's set, for reuse and demand (default 32)" },
    { .name = "local",
      .kind = WB_OPTION_COUNT,
      .value = "N",
      .doc = "tokens that are near, for local (default 32)" },
    { .name = "seed",
      .kind = WB_OPTION_NUMBER,
      .value = "S",
      .min = 0,
      .max = 9e15,
      .whole = true,
      .doc = "of random tokens and of what chance gives (default 1)" },
    WB_CLI_STACK,
    WB_CLI_SET,
    WB_CLI_TRUST,
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    WB_CLI_CSV,
    WB_CLI_JSON,
    { 0 },
};

/* A list of grids to print: all there are, or those that were asked for. */
struct shown {
    const char *name[WB_HEAD_STAT_COUNT + 1];
    const double *grid[WB_HEAD_STAT_COUNT + 1];
    int count;
};

static void add(struct shown *s, const char *name, const double *grid)
{
    s->name[s->count] = name;
    s->grid[s->count++] = grid;
}

static bool asked_for(const struct wb_args *args, int stat)
{
    if (!wb_args_has(args, "stat"))
        return true;
    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->given[i].option->name, "stat") == 0 &&
            strcmp(args->given[i].text, names[stat]) == 0)
            return true;
    return false;
}

static struct shown all_of(const struct wb_args *args, const struct wb_heads *h,
                           const double *ablation)
{
    struct shown s = { 0 };

    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        if (h->stat[i] != NULL && asked_for(args, i))
            add(&s, names[i], h->stat[i]);
    if (ablation != NULL)
        add(&s, "ablation", ablation);
    return s;
}

/* What fits a line, when nothing was asked for. */
static struct shown some_of(const struct wb_args *args, const struct wb_heads *h,
                            const double *ablation)
{
    static const enum wb_head_stat main_ones[] = {
        WB_HEAD_entropy,   WB_HEAD_distance,   WB_HEAD_sink,    WB_HEAD_previous, WB_HEAD_induction,
        WB_HEAD_retrieval, WB_HEAD_reuse_mass, WB_HEAD_copying, WB_HEAD_ov_norm,
    };
    struct shown s = { 0 };

    if (wb_args_has(args, "stat"))
        return all_of(args, h, ablation);
    for (size_t i = 0; i < sizeof main_ones / sizeof main_ones[0]; i++)
        if (h->stat[main_ones[i]] != NULL)
            add(&s, names[main_ones[i]], h->stat[main_ones[i]]);
    if (ablation != NULL)
        add(&s, "ablation", ablation);
    return s;
}

/* --- roles ------------------------------------------------------------------------------------ */

static const char *const roles[] = {
    "previous", "induction", "sink", "local", "retrieval", "dead"
};
#define ROLES (sizeof roles / sizeof roles[0])

static const char *role_names(char *out, size_t size, unsigned role)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < ROLES; i++)
        if ((role & 1u << i) != 0 && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n > 0 ? " " : "", roles[i]);
    return out;
}

/* --- output ----------------------------------------------------------------------------------- */

static void json_roles(const struct wb_heads *h, cJSON *object)
{
    cJSON *layers = cJSON_AddArrayToObject(object, "roles");

    for (int l = 0; l < h->layers; l++) {
        cJSON *heads = cJSON_CreateArray();

        cJSON_AddItemToArray(layers, heads);
        for (int i = 0; i < h->heads; i++) {
            cJSON *list = cJSON_CreateArray();

            cJSON_AddItemToArray(heads, list);
            for (size_t r = 0; r < ROLES; r++)
                if ((wb_heads_role(h, l, i) & 1u << r) != 0)
                    wb_cli_json_text(list, NULL, roles[r]);
        }
    }
}

/* [layer, head] of each, the one that most needs its keys first. */
static void json_priority(const struct wb_heads *h, cJSON *object)
{
    size_t n = (size_t)h->layers * (size_t)h->heads;
    int *order = malloc((n + 1) * sizeof *order);
    cJSON *list;

    if (order == NULL || h->stat[WB_HEAD_demand] == NULL) {
        free(order);
        return;
    }
    wb_heads_by_priority(h, order);
    list = cJSON_AddArrayToObject(object, "priority");
    for (size_t i = 0; i < n; i++) {
        int layer = order[i] / h->heads;
        double at[2] = { layer, order[i] % h->heads };

        wb_cli_json_numbers(list, NULL, 2, at);
    }
    free(order);
}

/* [layer][group][group] */
static void json_groups(const struct wb_heads *h, const char *key, const double *value,
                        cJSON *object)
{
    cJSON *layers = cJSON_AddArrayToObject(object, key);
    size_t kv = (size_t)h->kv_heads;

    for (int l = 0; l < h->layers; l++) {
        cJSON *rows = cJSON_CreateArray();

        cJSON_AddItemToArray(layers, rows);
        for (size_t g = 0; g < kv; g++)
            wb_cli_json_numbers(rows, NULL, kv, value + ((size_t)l * kv + g) * kv);
    }
}

static bool print_json(const struct wb_cli_subject *s, const struct wb_heads *h,
                       const struct shown *shown, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject();

    wb_cli_json_number(object, "layers", h->layers);
    wb_cli_json_number(object, "heads", h->heads);
    wb_cli_json_number(object, "kv_heads", h->kv_heads);
    for (int i = 0; i < shown->count; i++)
        wb_cli_json_grid(object, shown->name[i], (size_t)h->layers, (size_t)h->heads,
                         shown->grid[i]);
    if (!wb_args_has(&s->cli->args, "stat")) {
        json_roles(h, object);
        json_priority(h, object);
        if (h->group_similarity != NULL) {
            json_groups(h, "group_similarity_k", h->group_similarity, object);
            json_groups(h, "group_similarity_v", h->group_similarity_v, object);
        }
    }
    if (s->text || s->images)
        wb_cli_subject_json(s, object);
    cJSON_AddBoolToObject(object, "sampled_vocabulary", h->sampled_vocabulary);
    cJSON_AddBoolToObject(object, "nonfinite", h->nonfinite);
    return wb_cli_json_print(object, err);
}

static bool print_csv(const struct wb_heads *h, const struct shown *shown, struct wb_err *err)
{
    struct wb_str text = { 0 };
    char role[80];
    bool ok;

    wb_csv_text(&text, true, "layer");
    wb_csv_text(&text, false, "head");
    for (int i = 0; i < shown->count; i++)
        wb_csv_text(&text, false, shown->name[i]);
    wb_csv_text(&text, false, "roles");
    wb_csv_end(&text);
    for (int a = 0; a < h->layers * h->heads; a++) {
        int layer = a / h->heads;

        wb_csv_number(&text, true, layer);
        wb_csv_number(&text, false, a % h->heads);
        for (int i = 0; i < shown->count; i++)
            wb_csv_number(&text, false, shown->grid[i][a]);
        wb_csv_text(&text, false,
                    role_names(role, sizeof role, wb_heads_role(h, layer, a % h->heads)));
        wb_csv_end(&text);
    }
    ok = !text.failed || wb_fail(err, WB_ENOMEM, "no memory for %d lines", h->layers * h->heads);
    if (ok)
        fputs(text.text, stdout);
    wb_str_free(&text);
    return ok;
}

#define COLUMNS_MAX 20 /* of statistics; a table has room for a few more */

static void print_table(const struct wb_heads *h, const struct shown *shown, int from, int to)
{
    struct wb_cli_table t = { 0 };
    char role[80];

    wb_cli_table_column(&t, "head", true);
    for (int i = from; i < to; i++)
        wb_cli_table_column(&t, shown->name[i], true);
    wb_cli_table_column(&t, "roles", false);
    for (int a = 0; a < h->layers * h->heads; a++) {
        wb_cli_table_cell(&t, "%d.%d", a / h->heads, a % h->heads);
        for (int i = from; i < to; i++)
            wb_cli_table_number(&t, shown->grid[i][a], 4);
        wb_cli_table_cell(
            &t, "%s", role_names(role, sizeof role, wb_heads_role(h, a / h->heads, a % h->heads)));
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void print_text(const struct wb_cli_subject *s, const struct wb_heads *h,
                       const struct shown *shown)
{
    if (s->text || s->images) {
        wb_cli_subject_print(s);
        fputc('\n', stdout);
    }
    for (int from = 0; from < shown->count; from += COLUMNS_MAX)
        print_table(h, shown, from,
                    from + COLUMNS_MAX < shown->count ? from + COLUMNS_MAX : shown->count);
}

/* --- the command ------------------------------------------------------------------------------ */

static bool show(void *ctx, const struct wb_heads *so_far)
{
    return wb_cli_subject_show(ctx, so_far->rows);
}

static bool show_ablated(void *ctx, const double *so_far, size_t done)
{
    struct wb_cli_subject *s = ctx;

    (void)so_far;
    wb_cli_ticker_show(&s->ticker, done,
                       (uint64_t)wb_net_spec(s->net)->layers *
                           (uint64_t)wb_net_spec(s->net)->heads);
    return s->cli->cancel == NULL || !atomic_load(s->cli->cancel);
}

/* Only the parts that give what was asked for, and that there is something to look at for. */
static struct wb_heads_how parts_of(struct wb_cli_subject *s)
{
    const struct wb_args *args = &s->cli->args;
    struct wb_heads_how how = { .top = wb_args_count(args, "top", 0),
                                .local = wb_args_count(args, "local", 0),
                                .seed = (uint64_t)wb_args_number(args, "seed", 1),
                                .report = show,
                                .ctx = s };

    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++) {
        if (!asked_for(args, i))
            continue;
        if (wb_head_stat_info((enum wb_head_stat)i)->pairs)
            how.composition = wb_args_has(args, "stat"); /* slow: never unasked */
        else if (wb_head_stat_info((enum wb_head_stat)i)->weights)
            how.weights = true;
        else if (i == WB_HEAD_duplicate || i == WB_HEAD_induction)
            how.repeated = true;
        else if (i == WB_HEAD_retrieval)
            how.retrieval = s->text;
        else
            how.text = s->text || s->images;
    }
    return how;
}

static bool need_text(const struct wb_cli_subject *s, struct wb_err *err)
{
    const struct wb_args *args = &s->cli->args;

    if (s->text || s->images)
        return true;
    for (int i = 0; wb_args_has(args, "stat") && i < WB_HEAD_STAT_COUNT; i++)
        if (asked_for(args, i) && !wb_head_stat_info((enum wb_head_stat)i)->weights &&
            i != WB_HEAD_duplicate && i != WB_HEAD_induction)
            return wb_fail(err, WB_EARG, "%s is of a text: give one with --text", names[i]);
    return true;
}

static bool ablate(struct wb_cli_subject *s, double **out, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(s->net);
    size_t n = (size_t)spec->layers * (size_t)spec->heads;

    *out = malloc((n + 1) * sizeof **out);
    if (*out == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu heads", n);
    wb_cli_ticker_stop(&s->ticker);
    wb_cli_ticker_start(&s->ticker, "heads");
    return wb_heads_ablate(s->net, &s->rows, show_ablated, s, *out, err);
}

static bool print(const struct wb_cli_subject *s, const struct wb_heads *h, const double *ablation,
                  struct wb_err *err)
{
    const struct wb_args *args = &s->cli->args;
    struct shown all = all_of(args, h, ablation), some = some_of(args, h, ablation);

    if (h->nonfinite)
        wb_cli_say_warning(
            "%s: the model gives values that are not finite; what came of them has no "
            "figure",
            args->operand[0]);
    if (s->cli->json)
        return print_json(s, h, &all, err);
    if (wb_args_has(args, "csv"))
        return print_csv(h, &all, err);
    print_text(s, h, &some);
    return true;
}

static int run_heads(struct wb_cli *cli)
{
    struct wb_cli_subject s;
    struct wb_heads heads = { 0 };
    struct wb_heads_how how;
    double *ablation = NULL;
    struct wb_err err;
    bool ok, ablating = wb_args_has(&cli->args, "ablate");

    if (ablating && !wb_args_has(&cli->args, "text")) {
        wb_fail(&err, WB_EARG, "heads: --ablate needs --text");
        return wb_cli_misuse(cli->command, &err);
    }
    if (!wb_cli_check_sets(&cli->args, &err))
        return wb_cli_misuse(cli->command, &err);
    ok = wb_cli_subject_open(cli, &s, &err) && need_text(&s, &err);
    if (ok) {
        how = parts_of(&s);
        ok = wb_heads_run(s.net, s.text || s.images ? &s.rows : NULL, &how, &heads, &err) &&
             (!ablating || ablate(&s, &ablation, &err));
    }
    wb_cli_ticker_stop(&s.ticker);
    ok = ok && print(&s, &heads, ablation, &err);
    wb_heads_free(&heads);
    free(ablation);
    wb_cli_subject_close(&s);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_heads = {
    .name = "heads",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "what each attention head looks at, writes and is for",
    .details = "On a text: where heads look (entropy, distance, sink, ...), how much they\n"
               "write, which keys layers have in common. On random tokens: induction, and\n"
               "retrieval of a needle. By weights alone: norms and the circuits QK and OV,\n"
               "copying, dead heads; composition, which is slow, when --stat asks for it.\n"
               "A line a head, \"layer.head\"; --json and --csv give all that was worked out.\n"
               "MODEL may be a pipeline (a .lua file): its model is looked at as a run would\n"
               "write it.",
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_heads,
};
