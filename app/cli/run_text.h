/* app/cli/run_text.h - a plan and the outcome of a run, for people and as JSON. */
#ifndef WB_CLI_RUN_TEXT_H
#define WB_CLI_RUN_TEXT_H

#include <stdbool.h>

#include "app/core/err.h"
#include "app/job/run.h"

bool wb_cli_plan_json(const struct wb_plan *plan, struct wb_err *err);
/* Errors first, then warnings. */
void wb_cli_problems_text(const struct wb_plan *plan);
void wb_cli_plan_text(const struct wb_plan *plan, const char *out);
bool wb_cli_result_json(const struct wb_run_result *result, struct wb_err *err);
void wb_cli_result_text(const struct wb_run_result *result, const char *out);

#endif
