/* app/cli/cmd_similarity_states.c - weightbench similarity MODEL --text FILE: states along the
 * depth. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/cli/subject.h"
#include "app/probe/csv.h"
#include "app/probe/states.h"

#define CKA_ROWS 2048 /* for more, evenly spread ones: the cost is their square */
#define COLUMNS_AT_ONCE 16

static const char *const metrics[] = {
    [WB_STATE_CKA] = "cka", [WB_STATE_COSINE] = "cosine", [WB_STATE_ANGULAR] = "angular"
};
#define METRICS 3

/* "embedding", then the number of the layer that a state lies behind. */
static const char *label(char *out, size_t size, int state)
{
    if (state == 0)
        snprintf(out, size, "embedding");
    else
        snprintf(out, size, "%d", state - 1);
    return out;
}

static bool print_json(const struct wb_cli_subject *s, const struct wb_states *states, int metric,
                       struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *labels;
    size_t n = (size_t)states->layers + 1;
    char name[24];

    cJSON_AddStringToObject(object, "metric", metrics[metric]);
    labels = cJSON_AddArrayToObject(object, "labels");
    for (int i = 0; i <= states->layers; i++)
        wb_cli_json_text(labels, NULL, label(name, sizeof name, i));
    wb_cli_json_grid(object, "matrix", n, n, states->matrix[metric]);
    wb_cli_json_numbers(object, "influence", n - 1, states->influence);
    wb_cli_json_numbers(object, "relative_step", n - 1, states->relative_step);
    wb_cli_json_numbers(object, "norm", n, states->norm);
    wb_cli_subject_json(s, object);
    wb_cli_json_number(object, "cka_rows", (double)states->cka_rows);
    wb_cli_json_number(object, "zero_rows", (double)states->zero_rows);
    wb_cli_json_number(object, "nonfinite_rows", (double)states->nonfinite_rows);
    return wb_cli_json_print(object, err);
}

/* A line a state: its row of the matrix, then what the block in front of it did. */
static bool print_csv(const struct wb_states *states, int metric, struct wb_err *err)
{
    struct wb_str text = { 0 };
    int n = states->layers + 1;
    char name[24];
    bool ok;

    wb_csv_text(&text, true, metrics[metric]);
    for (int j = 0; j < n; j++)
        wb_csv_text(&text, false, label(name, sizeof name, j));
    wb_csv_text(&text, false, "influence");
    wb_csv_text(&text, false, "relative_step");
    wb_csv_text(&text, false, "norm");
    wb_csv_end(&text);
    for (int i = 0; i < n; i++) {
        wb_csv_text(&text, true, label(name, sizeof name, i));
        for (int j = 0; j < n; j++)
            wb_csv_number(&text, false, states->matrix[metric][i * n + j]);
        wb_csv_number(&text, false, i > 0 ? states->influence[i - 1] : (double)NAN);
        wb_csv_number(&text, false, i > 0 ? states->relative_step[i - 1] : (double)NAN);
        wb_csv_number(&text, false, states->norm[i]);
        wb_csv_end(&text);
    }
    ok = !text.failed || wb_fail(err, WB_ENOMEM, "no memory for %d lines", n);
    if (ok)
        fputs(text.text, stdout);
    wb_str_free(&text);
    return ok;
}

static void print_part(const struct wb_states *states, int metric, int from, int to)
{
    struct wb_cli_table t = { 0 };
    int n = states->layers + 1;
    char name[24], column[COLUMNS_AT_ONCE][24];

    wb_cli_table_column(&t, "state", true);
    for (int j = from; j < to; j++)
        wb_cli_table_column(&t, label(column[j - from], sizeof column[0], j), true);
    for (int i = 0; i < n; i++) {
        wb_cli_table_cell(&t, "%s", label(name, sizeof name, i));
        for (int j = from; j < to; j++)
            wb_cli_table_fixed(&t, states->matrix[metric][i * n + j], 4);
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void print_influence(const struct wb_states *states)
{
    struct wb_cli_table t = { 0 };
    char name[24];

    wb_cli_table_column(&t, "layer", true);
    wb_cli_table_column(&t, "influence", true);
    wb_cli_table_column(&t, "relative step", true);
    wb_cli_table_column(&t, "norm behind", true);
    for (int l = 0; l < states->layers; l++) {
        wb_cli_table_cell(&t, "%s", label(name, sizeof name, l + 1));
        wb_cli_table_fixed(&t, states->influence[l], 4);
        wb_cli_table_fixed(&t, states->relative_step[l], 4);
        wb_cli_table_number(&t, states->norm[l + 1], 4);
    }
    wb_cli_table_print(&t, stdout, "");
    wb_cli_table_free(&t);
}

static void print_text(const struct wb_cli_subject *s, const struct wb_states *states, int metric)
{
    int n = states->layers + 1;

    wb_cli_subject_print(s);
    wb_cli_out(stdout, WB_CLI_TITLE, "\n%s of states\n", metrics[metric]);
    for (int from = 0; from < n; from += COLUMNS_AT_ONCE) {
        if (from > 0)
            fputc('\n', stdout);
        print_part(states, metric, from, from + COLUMNS_AT_ONCE < n ? from + COLUMNS_AT_ONCE : n);
    }
    fputc('\n', stdout);
    print_influence(states);
}

static void warn(const struct wb_cli_subject *s, const struct wb_states *states)
{
    if (states->nonfinite_rows > 0)
        wb_cli_say_warning("%s: states of %zu of %zu positions are not finite; they are left out",
                           s->cli->args.operand[0], states->nonfinite_rows, states->rows);
    if (states->zero_rows > 0)
        wb_cli_say_warning("%s: %zu positions have a state of zeros, which has no direction",
                           s->cli->args.operand[0], states->zero_rows);
}

static bool show(void *ctx, const struct wb_states *so_far)
{
    return wb_cli_subject_show(ctx, so_far->rows);
}

static bool compare(struct wb_cli *cli, int metric, struct wb_err *err)
{
    size_t rows = (size_t)wb_args_number(&cli->args, "rows", CKA_ROWS);
    struct wb_cli_subject s;
    struct wb_states states = { 0 };
    bool ok = wb_cli_subject_open(cli, &s, err) &&
              wb_states_run(s.net, &s.rows, rows, show, &s, &states, err);

    if (ok) {
        wb_cli_ticker_stop(&s.ticker);
        warn(&s, &states);
        if (cli->json)
            ok = print_json(&s, &states, metric, err);
        else if (wb_args_has(&cli->args, "csv"))
            ok = print_csv(&states, metric, err);
        else
            print_text(&s, &states, metric);
    }
    wb_states_free(&states);
    wb_cli_subject_close(&s);
    return ok;
}

int wb_cli_similarity_states(struct wb_cli *cli)
{
    const char *name = wb_args_text(&cli->args, "metric", metrics[0]);
    int metric = 0;
    struct wb_err err;

    while (metric < METRICS && strcmp(metrics[metric], name) != 0)
        metric++;
    if (metric == METRICS) {
        wb_fail(&err, WB_EARG,
                "--metric %s is of weights: of states there are cka, cosine and angular", name);
        return wb_cli_misuse(cli->command, &err);
    }
    return compare(cli, metric, &err) ? WB_EXIT_DONE : wb_cli_fail(&err);
}
