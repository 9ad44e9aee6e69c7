/* app/cli/subject.c - opening a model with a text or images for it. */
#include "app/cli/subject.h"

#include <math.h>
#include <stdio.h>

#include "app/cli/script.h"

static bool read_text(struct wb_cli_subject *s, const char *path, struct wb_model *model,
                      struct wb_err *err)
{
    const struct wb_args *args = &s->cli->args;
    struct wb_tokenizer *t;

    if (wb_net_spec(s->net)->kind == WB_NET_VISION)
        return wb_fail(err, WB_EARG, "the model looks at images, and has no text: use --images");
    t = wb_tokenizer_open(wb_model_side_dir(model), err);
    if (t == NULL)
        return false;
    s->text =
        wb_windows_read(t, wb_net_spec(s->net), path, (size_t)wb_args_number(args, "window", 0),
                        (size_t)wb_args_number(args, "limit", 0), &s->windows, err);
    wb_tokenizer_free(t);
    if (s->text)
        s->rows = wb_windows_rows(&s->windows);
    return s->text;
}

static bool read_images(struct wb_cli_subject *s, const char *path, struct wb_err *err)
{
    const struct wb_spec *spec = wb_net_spec(s->net);

    if (spec->kind != WB_NET_VISION)
        return wb_fail(err, WB_EARG, "the model reads text, and sees no images: use --text");
    s->images =
        wb_image_set_read(path, (size_t)wb_args_number(&s->cli->args, "limit", 0), &s->set, err);
    if (!s->images)
        return false;
    if (s->set.channels != (size_t)spec->channels || s->set.rows != (size_t)spec->image_rows ||
        s->set.columns != (size_t)spec->image_columns)
        return wb_fail(err, WB_ESHAPE,
                       "%s: images of %zu x %zu x %zu, but the model's are %d x %d x %d", path,
                       s->set.channels, s->set.rows, s->set.columns, spec->channels,
                       spec->image_rows, spec->image_columns);
    s->rows = wb_image_set_rows(&s->set);
    return true;
}

bool wb_cli_subject_open(const struct wb_cli *cli, struct wb_cli_subject *s, struct wb_err *err)
{
    const char *text = wb_args_text(&cli->args, "text", NULL);
    const char *images = wb_args_text(&cli->args, "images", NULL);
    struct wb_eval how = wb_cli_eval(cli);
    struct wb_model *model;
    bool ok;

    *s = (struct wb_cli_subject){ .cli = cli };
    wb_cli_ticker_start(&s->ticker, text != NULL ? "tokens" : "positions");
    model = wb_cli_open_any(cli, cli->args.operand[0], err);
    if (model == NULL)
        return false;
    s->net = wb_net_open(model, wb_args_text(&cli->args, "stack", NULL), &how, err);
    ok = s->net != NULL && (text == NULL || read_text(s, text, model, err)) &&
         (images == NULL || read_images(s, images, err));
    if (ok && (s->text || s->images))
        s->positions = wb_rows_start(s->net, &s->rows, s->rows.sequences);
    wb_model_unref(model);
    return ok;
}

void wb_cli_subject_close(struct wb_cli_subject *s)
{
    wb_cli_ticker_stop(&s->ticker);
    if (s->text)
        wb_windows_free(&s->windows);
    if (s->images)
        wb_image_set_free(&s->set);
    wb_net_close(s->net);
    *s = (struct wb_cli_subject){ 0 };
}

bool wb_cli_subject_show(struct wb_cli_subject *s, size_t done)
{
    wb_cli_ticker_show(&s->ticker, done, s->positions);
    return s->cli->cancel == NULL || !atomic_load(s->cli->cancel);
}

void wb_cli_subject_json(const struct wb_cli_subject *s, cJSON *object)
{
    wb_cli_json_number(object, "tokens", (double)s->positions);
    if (!s->text)
        return;
    wb_cli_json_number(object, "window", (double)s->windows.window);
    wb_cli_json_number(object, "windows", (double)s->windows.windows);
    wb_cli_json_number(object, "bos",
                       s->windows.bos == WB_TOKEN_NONE ? (double)NAN : s->windows.bos);
    wb_cli_json_number(object, "text_tokens", (double)s->windows.text_tokens);
}

void wb_cli_subject_print(const struct wb_cli_subject *s)
{
    if (s->text && s->windows.bos != WB_TOKEN_NONE)
        wb_cli_out(stdout, WB_CLI_FAINT,
                   "%zu positions: %zu windows of %zu tokens, each behind token %d\n", s->positions,
                   s->windows.windows, s->windows.window, (int)s->windows.bos);
    else if (s->text)
        wb_cli_out(stdout, WB_CLI_FAINT, "%zu positions: %zu windows of %zu tokens\n", s->positions,
                   s->windows.windows, s->windows.window);
    else if (s->images)
        wb_cli_out(stdout, WB_CLI_FAINT, "%zu positions of %zu images\n", s->positions,
                   s->rows.sequences);
}

void wb_cli_json_numbers(cJSON *object, const char *key, size_t n, const double *value)
{
    cJSON *list = cJSON_CreateArray();

    if (key != NULL)
        cJSON_AddItemToObject(object, key, list);
    else
        cJSON_AddItemToArray(object, list);
    for (size_t i = 0; i < n; i++)
        wb_cli_json_number(list, NULL, value[i]);
}

void wb_cli_json_grid(cJSON *object, const char *key, size_t n, size_t columns, const double *value)
{
    cJSON *rows = cJSON_AddArrayToObject(object, key);

    for (size_t i = 0; i < n; i++)
        wb_cli_json_numbers(rows, NULL, columns, value + i * columns);
}
