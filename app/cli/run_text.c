/* app/cli/run_text.c - printing plans, outcomes and reports. */
#include "app/cli/run_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/cli/out.h"
#include "app/core/json.h"
#include "app/core/str.h"

/* Plans */

static void number(cJSON *object, const char *key, uint64_t value)
{
    cJSON_AddNumberToObject(object, key, (double)value);
}

bool wb_cli_plan_json(const struct wb_plan *plan, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *problems;

    cJSON_AddBoolToObject(object, "ok", plan->errors == 0);
    number(object, "tensors", plan->tensors);
    number(object, "parameters", plan->parameters);
    number(object, "shards", plan->shards);
    number(object, "jobs", plan->cost.jobs);
    number(object, "passes", plan->cost.passes);
    number(object, "bytes_in", plan->cost.bytes_read);
    number(object, "bytes_out", plan->cost.bytes_written);
    number(object, "memory_bytes", plan->cost.memory_bytes);
    wb_cli_json_number(object, "seconds", plan->seconds_estimated);
    number(object, "disk_bytes_needed", plan->disk_bytes_needed);
    number(object, "disk_bytes_free", plan->disk_bytes_free);
    problems = cJSON_AddArrayToObject(object, "problems");
    for (size_t i = 0; i < plan->problems; i++) {
        cJSON *p = cJSON_CreateObject();

        cJSON_AddItemToArray(problems, p);
        cJSON_AddBoolToObject(p, "error", plan->problem[i].error);
        cJSON_AddStringToObject(p, "tensor", plan->problem[i].tensor);
        cJSON_AddStringToObject(p, "text", plan->problem[i].text);
    }
    return wb_cli_json_print(object, err);
}

static void print_problem(const struct wb_problem *p)
{
    enum wb_cli_style style = p->error ? WB_CLI_BAD : WB_CLI_WARN;

    printf("  %s%s:%s ", wb_cli_style_on(stdout, style), p->error ? "error" : "warning",
           wb_cli_style_off(stdout, style));
    wb_cli_out(stdout, WB_CLI_PLAIN, "%s%s%s\n", p->tensor, p->tensor[0] != '\0' ? ": " : "",
               p->text);
}

void wb_cli_problems_text(const struct wb_plan *plan)
{
    puts(plan->problems == 0 ? "no problems found" : "problems");
    for (int errors = 1; errors >= 0; errors--)
        for (size_t i = 0; i < plan->problems; i++)
            if (plan->problem[i].error == (errors == 1))
                print_problem(&plan->problem[i]);
}

static void bytes_row(struct wb_cli_table *t, const char *what, uint64_t bytes)
{
    char text[32];

    wb_cli_table_cell(t, "%s", what);
    wb_cli_table_cell(t, "%s", wb_format_bytes(text, sizeof text, (double)bytes));
}

static void count_row(struct wb_cli_table *t, const char *what, uint64_t count)
{
    wb_cli_table_cell(t, "%s", what);
    wb_cli_table_cell(t, "%" PRIu64, count);
}

void wb_cli_plan_text(const struct wb_plan *plan, const char *out)
{
    struct wb_cli_table t = { 0 };
    char text[32];

    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", false);
    count_row(&t, "tensors", plan->tensors);
    wb_cli_table_cell(&t, "parameters");
    wb_cli_table_cell(&t, "%s", wb_format_count(text, sizeof text, (double)plan->parameters));
    count_row(&t, "shards", plan->shards);
    count_row(&t, "jobs", plan->cost.jobs);
    count_row(&t, "passes", plan->cost.passes);
    bytes_row(&t, "read", plan->cost.bytes_read);
    bytes_row(&t, "written", plan->cost.bytes_written);
    bytes_row(&t, "memory", plan->cost.memory_bytes);
    wb_cli_table_cell(&t, "time");
    wb_cli_table_cell(&t, "%s or more",
                      wb_format_seconds(text, sizeof text, plan->seconds_estimated));
    if (out != NULL)
        bytes_row(&t, "disk free", plan->disk_bytes_free);
    wb_cli_out(stdout, WB_CLI_TITLE, "plan%s%s\n", out != NULL ? " for " : "",
               out != NULL ? out : "");
    wb_cli_table_print(&t, stdout, "  ");
    wb_cli_table_free(&t);
    wb_cli_problems_text(plan);
}

/* Outcomes */

/* The steps with the totals of their reports; figures of single tensors stay in the manifest. */
static cJSON *short_steps(const struct wb_run_result *result)
{
    cJSON *steps = result->report_json == NULL ? NULL : cJSON_Parse(result->report_json), *step;

    cJSON_ArrayForEach(step, steps)
        cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItemCaseSensitive(step, "report"),
                                                "tensors");
    return steps != NULL ? steps : cJSON_CreateArray();
}

bool wb_cli_result_json(const struct wb_run_result *result, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *files = cJSON_Parse(result->files_json);

    number(object, "tensors", result->tensors);
    number(object, "parameters", result->parameters);
    number(object, "bytes_in", result->bytes_in);
    number(object, "bytes_out", result->bytes_out);
    wb_cli_json_number(object, "seconds", result->seconds);
    number(object, "peak_rss_bytes", result->peak_rss_bytes);
    cJSON_AddItemToObject(object, "files", files != NULL ? files : cJSON_CreateObject());
    number(object, "resumed", result->resumed);
    cJSON_AddItemToObject(object, "steps", short_steps(result));
    return wb_cli_json_print(object, err);
}

static void print_files(const struct wb_run_result *result)
{
    cJSON *files = cJSON_Parse(result->files_json), *f;
    struct wb_cli_table t = { 0 };

    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", true);
    cJSON_ArrayForEach(f, files)
        bytes_row(&t, f->string, (uint64_t)f->valuedouble);
    wb_cli_table_print(&t, stdout, "  ");
    wb_cli_table_free(&t);
    cJSON_Delete(files);
}

static void print_total(const cJSON *total)
{
    struct wb_cli_table t = { 0 };
    const cJSON *v;

    wb_cli_table_column(&t, "", false);
    wb_cli_table_column(&t, "", true);
    cJSON_ArrayForEach(v, total) {
        wb_cli_table_cell(&t, "%s", v->string);
        wb_cli_table_number(&t, cJSON_IsNumber(v) ? v->valuedouble : (double)NAN, 6);
    }
    wb_cli_table_print(&t, stdout, "  ");
    wb_cli_table_free(&t);
}

static void print_steps(const struct wb_run_result *result)
{
    cJSON *steps = short_steps(result), *step;
    int n = 0;

    cJSON_ArrayForEach(step, steps) {
        const cJSON *report = cJSON_GetObjectItemCaseSensitive(step, "report");
        const char *error = wb_json_text(report, "error", NULL);
        bool sampled = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(report, "sampled"));

        wb_cli_out(stdout, WB_CLI_TITLE, "step %d: %s %s%s\n", ++n, wb_json_text(step, "kind", ""),
                   wb_json_text(step, "method", ""), sampled ? " (on a sample)" : "");
        if (error != NULL)
            wb_cli_out(stdout, WB_CLI_PLAIN, "  no report: %s\n", error);
        print_total(cJSON_GetObjectItemCaseSensitive(report, "total"));
    }
    cJSON_Delete(steps);
}

void wb_cli_result_text(const struct wb_run_result *result, const char *out)
{
    char count[32], written[32], seconds[32], read[32], memory[32];

    wb_cli_out(stdout, WB_CLI_TITLE, "%s", out);
    printf(": %" PRIu64 " tensors, %s parameters, %s written in %s (%s read, peak memory %s)\n",
           result->tensors, wb_format_count(count, sizeof count, (double)result->parameters),
           wb_format_bytes(written, sizeof written, (double)result->bytes_out),
           wb_format_seconds(seconds, sizeof seconds, result->seconds),
           wb_format_bytes(read, sizeof read, (double)result->bytes_in),
           wb_format_bytes(memory, sizeof memory, (double)result->peak_rss_bytes));
    if (result->resumed > 0)
        printf("  %" PRIu64 " tensors taken over from the interrupted run\n", result->resumed);
    print_files(result);
    print_steps(result);
}
