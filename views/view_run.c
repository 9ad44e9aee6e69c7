/* views/view_run.c - a run into a checkpoint: how far it is, how fast, and what came out. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/json.h"
#include "app/core/str.h"
#include "views/chart.h"
#include "views/desk.h"
#include "views/doc.h"
#include "views/number.h"
#include "views/screens.h"
#include "views/table.h"

/* Lines of the outcome, made once when a run ends: files, then figures of the steps. */
struct run_view {
    enum wb_live_state seen;
    double seen_end;
    char **line;
    struct wb_table table; /* scrolls the lines */
};

/* The outcome as lines */

static void add_line(struct run_view *s, const char *text)
{
    char **more = realloc(s->line, (s->table.rows + 1) * sizeof *more);

    if (more == NULL)
        return;
    s->line = more;
    s->line[s->table.rows] = strdup(text);
    if (s->line[s->table.rows] != NULL)
        s->table.rows++;
}

static void drop_lines(struct run_view *s)
{
    for (size_t i = 0; i < s->table.rows; i++)
        free(s->line[i]);
    free(s->line);
    s->line = NULL;
    wb_table_set_rows(&s->table, 0);
}

static void add_files(struct run_view *s, const char *json)
{
    struct wb_err err;
    cJSON *files = json == NULL ? NULL : wb_json_parse(json, strlen(json), &err);
    const cJSON *file;
    char line[400], size[30];

    if (files != NULL)
        cJSON_ArrayForEach(file, files) {
            wb_format_bytes(size, sizeof size, cJSON_GetNumberValue(file));
            snprintf(line, sizeof line, "file  %10s  %s", size, file->string);
            add_line(s, line);
        }
    cJSON_Delete(files);
}

static void add_figures(struct run_view *s, const cJSON *report)
{
    const cJSON *figure, *total = cJSON_GetObjectItemCaseSensitive(report, "total");
    char line[300], number[30];

    cJSON_ArrayForEach(figure, total) {
        if (!cJSON_IsNumber(figure))
            continue;
        snprintf(line, sizeof line, "      %10s  %s",
                 wb_number(number, sizeof number, figure->valuedouble), figure->string);
        add_line(s, line);
    }
}

static void add_steps(struct run_view *s, const char *json)
{
    struct wb_err err;
    cJSON *steps = json == NULL ? NULL : wb_json_parse(json, strlen(json), &err);
    const cJSON *step;
    char line[300];
    int number = 1;

    if (steps != NULL)
        cJSON_ArrayForEach(step, steps) {
            const cJSON *report = cJSON_GetObjectItemCaseSensitive(step, "report");

            snprintf(line, sizeof line, "step  %d: %s %s%s", number++,
                     wb_json_text(step, "kind", ""), wb_json_text(step, "method", ""),
                     cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(report, "sampled"))
                         ? " (figures of a sample)"
                         : "");
            add_line(s, line);
            add_figures(s, report);
        }
    cJSON_Delete(steps);
}

static void make_lines(struct wb_view *v)
{
    struct run_view *s = v->state;
    const struct wb_live_run *run = &v->desk->run;
    char line[500];

    drop_lines(s);
    if (run->state == WB_LIVE_FAILED || run->state == WB_LIVE_CANCELLED) {
        const char *text = run->err.msg;

        while (*text != '\0') {
            size_t n = strcspn(text, "\n");

            snprintf(line, sizeof line, "%.*s", (int)n, text);
            add_line(s, line);
            text += n + (text[n] == '\n');
        }
    }
    if (run->state != WB_LIVE_DONE)
        return;
    for (size_t i = 0; i < run->result.warnings; i++) {
        snprintf(line, sizeof line, "!     %s", run->result.warning[i]);
        add_line(s, line);
    }
    add_files(s, run->result.files_json);
    add_steps(s, run->result.report_json);
}

static void line_cell(void *user, size_t row, int column, struct wb_table_cell *cell)
{
    const struct run_view *s = user;

    (void)column;
    cell->longer = s->line[row];
    cell->style = s->line[row][0] == '!'   ? WB_STYLE_WARNING
                  : s->line[row][0] == 's' ? WB_STYLE_TITLE
                                           : WB_STYLE_TEXT;
}

/* Drawing */

static const char *state_text(const struct wb_live_run *run, enum wb_style *style)
{
    *style = WB_STYLE_TEXT;
    switch (run->state) {
    case WB_LIVE_AT_WORK:
        return "at work";
    case WB_LIVE_CANCELLING:
        *style = WB_STYLE_WARNING;
        return "cancelling";
    case WB_LIVE_DONE:
        *style = WB_STYLE_GOOD;
        return "done";
    case WB_LIVE_FAILED:
        *style = WB_STYLE_ERROR;
        return "! failed, nothing was written";
    case WB_LIVE_CANCELLED:
        *style = WB_STYLE_WARNING;
        return "! cancelled, nothing was written";
    default:
        return "";
    }
}

static void draw_empty(const struct wb_view *v, struct wb_canvas *cv)
{
    wb_canvas_text(cv, 1, 2, WB_STYLE_TEXT, "Nothing was run so far.");
    wb_canvas_text(
        cv, 3, 2, WB_STYLE_DIM,
        wb_doc_model(v->desk->doc) != NULL
            ? "r runs the pipeline into a checkpoint; :run OUT does so with options."
            : "A run writes what the pipeline makes; screen 'Pipeline' is where to write one.");
}

static void draw_head(struct wb_canvas *cv, const struct wb_live_run *run)
{
    char started[20], elapsed[30], text[600];
    enum wb_style style;
    const char *state = state_text(run, &style);
    struct tm tm;
    int col;

    localtime_r(&run->started, &tm);
    strftime(started, sizeof started, "%H:%M:%S", &tm);
    wb_format_seconds(elapsed, sizeof elapsed, run->end_seconds - run->start_seconds);
    snprintf(text, sizeof text, "%s -> %s", run->script_name, run->out);
    wb_canvas_fit(cv, 0, 1, cv->cols - 40 > 20 ? cv->cols - 40 : 20, WB_ALIGN_LEFT, WB_STYLE_TITLE,
                  text);
    wb_canvas_printf(cv, 0, cv->cols - 38, WB_STYLE_DIM, "started %s  elapsed %s", started,
                     elapsed);
    col = 1 + wb_canvas_text(cv, 1, 1, style, state);
    if (run->state == WB_LIVE_DONE)
        wb_canvas_text(cv, 1, col + 3, WB_STYLE_DIM, "o opens the result as a model");
    else if (run->state == WB_LIVE_FAILED || run->state == WB_LIVE_CANCELLED)
        wb_canvas_text(cv, 1, col + 3, WB_STYLE_DIM, "r runs it again");
}

static void draw_bars(struct wb_canvas *cv, const struct wb_live_run *run)
{
    char done[30], total[30], rate[30], eta[30];
    double share = run->bytes_total == 0 ? NAN : (double)run->bytes_done / (double)run->bytes_total;

    if (run->state == WB_LIVE_DONE)
        share = 1;
    wb_canvas_text(cv, 3, 1, WB_STYLE_TEXT, "bytes");
    wb_progress_draw(cv, 3, 8, cv->cols - 10, share);
    wb_format_bytes(done, sizeof done, (double)run->bytes_done);
    wb_format_bytes(total, sizeof total, (double)run->bytes_total);
    snprintf(rate, sizeof rate, "--");
    if (isfinite(run->rate_now))
        wb_format_bytes(rate, sizeof rate, run->rate_now);
    snprintf(eta, sizeof eta, "--");
    if (run->eta_seconds >= 0 && run->state == WB_LIVE_AT_WORK)
        wb_format_seconds(eta, sizeof eta, run->eta_seconds);
    wb_canvas_printf(cv, 4, 8, WB_STYLE_TEXT, "%s of %s   %s/s   ETA %s", done, total, rate, eta);
    wb_canvas_printf(cv, 5, 1, WB_STYLE_TEXT, "jobs   %" PRIu64 " of %" PRIu64, run->jobs_done,
                     run->jobs_total);
    if (run->state != WB_LIVE_AT_WORK && run->state != WB_LIVE_CANCELLING)
        return;
    wb_canvas_text(cv, 6, 1, WB_STYLE_TEXT, "tensor");
    wb_canvas_fit(cv, 6, 8, cv->cols - 10, WB_ALIGN_LEFT, WB_STYLE_TEXT, run->current);
}

static void draw_plan(struct wb_canvas *cv, const struct wb_live_run *run)
{
    struct wb_spark spark = { .value = run->rate, .n = run->rates };
    char read[30], written[30], memory[30], peak[30];

    if (run->has_plan)
        wb_canvas_printf(cv, 7, 1, WB_STYLE_TEXT,
                         "plan   %" PRIu64 " passes   read %s   write %s   memory about %s",
                         run->cost.passes,
                         wb_format_bytes(read, sizeof read, (double)run->cost.bytes_read),
                         wb_format_bytes(written, sizeof written, (double)run->cost.bytes_written),
                         wb_format_bytes(memory, sizeof memory, (double)run->cost.memory_bytes));
    if (run->state == WB_LIVE_DONE) {
        wb_format_bytes(read, sizeof read, (double)run->result.bytes_in);
        wb_format_bytes(written, sizeof written, (double)run->result.bytes_out);
        wb_format_bytes(peak, sizeof peak, (double)run->result.peak_rss_bytes);
        wb_canvas_printf(cv, 8, 1, WB_STYLE_TEXT,
                         "done   %" PRIu64 " tensors   read %s   wrote %s   peak %s",
                         run->result.tensors, read, written, peak);
        return;
    }
    wb_canvas_text(cv, 8, 1, WB_STYLE_TEXT, "rate");
    wb_spark_draw(cv, 8, 8, cv->cols - 10, WB_STYLE_BAR, &spark);
}

static void draw(const struct wb_view *v, struct wb_canvas *cv)
{
    const struct run_view *s = v->state;
    const struct wb_live_run *run = &v->desk->run;
    struct wb_canvas rest = wb_canvas_sub(cv, 10, 0, cv->rows - 10, cv->cols);

    if (run->state == WB_LIVE_NONE) {
        draw_empty(v, cv);
        return;
    }
    draw_head(cv, run);
    draw_bars(cv, run);
    draw_plan(cv, run);
    wb_table_draw(&s->table, &rest, true);
}

/* Acting */

static void answer_run(struct wb_view *v, const char *text)
{
    struct wb_live_run_options options = v->desk->run.options;
    struct wb_err err;

    if (!wb_live_run_start(v->desk, text, &options, &err))
        wb_desk_say(v->desk, WB_MESSAGE_ERROR, "%s", err.msg);
}

static void open_result(struct wb_view *v)
{
    const struct wb_live_run *run = &v->desk->run;
    struct wb_desk_model *m;

    if (run->state != WB_LIVE_DONE) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "there is no result to open yet");
        return;
    }
    m = wb_desk_open(v->desk, run->out, NULL);
    if (m == NULL)
        return;
    v->desk->current = m->id;
    wb_desk_go(v->desk, "models", NULL);
}

static bool act(struct wb_view *v, enum wb_action action, int count)
{
    struct run_view *s = v->state;
    const struct wb_live_run *run = &v->desk->run;

    switch (action) {
    case WB_ACTION_RUN:
        wb_desk_ask(v->desk, v, WB_ASK_PATH, "Run into: ", run->out == NULL ? "merged" : run->out,
                    answer_run);
        return true;
    case WB_ACTION_CANCEL:
        wb_live_run_cancel(v->desk);
        return true;
    case WB_ACTION_RESULT_OPEN:
    case WB_ACTION_OPEN:
        open_result(v);
        return true;
    case WB_ACTION_COPY:
        if (run->out != NULL)
            wb_desk_copy(v->desk, run->out);
        return run->out != NULL;
    default:
        return wb_table_act(&s->table, action, count, (size_t)(v->rows > 11 ? v->rows - 10 : 1));
    }
}

static bool poll(struct wb_view *v)
{
    struct run_view *s = v->state;
    const struct wb_live_run *run = &v->desk->run;

    if (s->seen == run->state && s->seen_end == run->start_seconds)
        return false;
    s->seen = run->state;
    s->seen_end = run->start_seconds;
    make_lines(v);
    return true;
}

static void mouse(struct wb_view *v, const struct wb_mouse *event)
{
    struct run_view *s = v->state;
    struct wb_mouse inside = *event;

    inside.row -= 10;
    if (inside.row >= 0)
        wb_table_mouse(&s->table, inside, v->rows - 10, v->cols);
}

static void status(const struct wb_view *v, struct wb_str *where, struct wb_str *position)
{
    const struct wb_live_run *run = &v->desk->run;
    enum wb_style style;

    wb_str_printf(where, "Run%s%s", run->out == NULL ? "" : " > ",
                  run->out == NULL ? "" : run->out);
    wb_str_printf(position, "%s", state_text(run, &style));
}

static bool busy(const struct wb_view *v)
{
    return v->desk->run.due != NULL || wb_live_run_at_work(&v->desk->run);
}

static const struct wb_table_column columns[] = { { .title = "", .width = 20, .flex = 1 } };

static bool open(struct wb_view *v, struct wb_err *err)
{
    struct run_view *s = v->state;

    (void)err;
    s->table = (struct wb_table){
        .column = columns, .columns = 1, .cell = line_cell, .user = s, .no_header = true, .sort = -1
    };
    return true;
}

static void close(struct wb_view *v)
{
    drop_lines(v->state);
}

static const enum wb_action actions[] = {
    WB_ACTION_RUN,       WB_ACTION_CANCEL,  WB_ACTION_RESULT_OPEN, WB_ACTION_OPEN,
    WB_ACTION_COPY,      WB_ACTION_UP,      WB_ACTION_DOWN,        WB_ACTION_FIRST,
    WB_ACTION_LAST,      WB_ACTION_PAGE_UP, WB_ACTION_PAGE_DOWN,   WB_ACTION_HALF_UP,
    WB_ACTION_HALF_DOWN, WB_ACTION_NONE,
};
static const enum wb_action hints[] = { WB_ACTION_RUN, WB_ACTION_CANCEL, WB_ACTION_RESULT_OPEN,
                                        WB_ACTION_MESSAGES, WB_ACTION_NONE };

const struct wb_view_ops wb_run_view = {
    .name = "run",
    .title = "Run",
    .doc = "A run of the pipeline into a checkpoint: progress, then what came out",
    .state_size = sizeof(struct run_view),
    .actions = actions,
    .hints = hints,
    .open = open,
    .close = close,
    .draw = draw,
    .act = act,
    .mouse = mouse,
    .poll = poll,
    .status = status,
    .busy = busy,
};
