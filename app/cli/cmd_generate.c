/* app/cli/cmd_generate.c - weightbench generate MODEL --prompt TEXT: what it says next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/cli/cli.h"
#include "app/cli/out.h"
#include "app/cli/script.h"
#include "app/infer/generate.h"

#define TOKENS_DEFAULT 64

static const struct wb_option options[] = {
    { .name = "prompt", .kind = WB_OPTION_ANY, .value = "TEXT", .doc = "what to continue" },
    { .name = "tokens",
      .letter = 'n',
      .kind = WB_OPTION_NUMBER,
      .value = "N",
      .min = 1,
      .max = 1 << 20,
      .whole = true,
      .doc = "at most this many new tokens (default 64)" },
    { .name = "temperature",
      .kind = WB_OPTION_NUMBER,
      .value = "T",
      .min = 0,
      .max = 100,
      .doc = "0: always the likeliest token; 1: as the model has it (default 0)" },
    { .name = "top-k",
      .kind = WB_OPTION_NUMBER,
      .value = "K",
      .min = 0,
      .max = 1 << 24,
      .whole = true,
      .doc = "draw among the K likeliest (default 0: all)" },
    { .name = "top-p",
      .kind = WB_OPTION_NUMBER,
      .value = "P",
      .min = 0,
      .max = 1,
      .doc = "draw among the likeliest that make up this share (default 1)" },
    { .name = "seed",
      .kind = WB_OPTION_NUMBER,
      .value = "S",
      .min = 0,
      .max = 9007199254740992.0,
      .whole = true,
      .doc = "of the draws, which depend on it and the position alone (default 0)" },
    WB_CLI_SET,
    WB_CLI_TRUST,
    WB_CLI_THREADS,
    WB_CLI_MEMORY,
    WB_CLI_JSON,
    { 0 },
};

struct stream {
    const atomic_bool *cancel;
    bool quiet; /* JSON comes at the end */
    size_t bytes;
};

/* Newlines and tabs are text; everything else that steers a terminal is not. */
static void print_text(const char *text)
{
    char *copy = strdup(text), *line = copy;

    while (line != NULL) {
        char *next = strpbrk(line, "\n\t"), end = next != NULL ? *next : '\0';

        if (next != NULL)
            *next++ = '\0';
        wb_cli_clean(line);
        fputs(line, stdout);
        if (end != '\0')
            putchar(end);
        line = next;
    }
    free(copy);
    fflush(stdout);
}

static bool say(void *ctx, const struct wb_generated *token, const char *text)
{
    struct stream *s = ctx;

    (void)token;
    if (!s->quiet)
        print_text(text);
    s->bytes += strlen(text);
    return !atomic_load(s->cancel);
}

static bool print_json(const struct wb_generation *g, struct wb_err *err)
{
    cJSON *object = cJSON_CreateObject(), *tokens, *logprobs;

    wb_cli_json_text(object, "text", g->text);
    tokens = cJSON_AddArrayToObject(object, "tokens");
    logprobs = cJSON_AddArrayToObject(object, "logprobs");
    for (size_t i = 0; i < g->tokens; i++) {
        wb_cli_json_number(tokens, NULL, g->token[i].id);
        wb_cli_json_number(logprobs, NULL, g->token[i].logprob);
    }
    wb_cli_json_number(object, "prompt_tokens", (double)g->prompt_tokens);
    cJSON_AddBoolToObject(object, "ended", g->ended);
    wb_cli_json_number(object, "prompt_seconds", g->prompt_seconds);
    wb_cli_json_number(object, "tokens_per_second", (double)g->tokens / g->token_seconds);
    return wb_cli_json_print(object, err);
}

static struct wb_generate_how how_of(const struct wb_args *args)
{
    return (struct wb_generate_how){
        .tokens = (size_t)wb_args_number(args, "tokens", TOKENS_DEFAULT),
        .temperature = wb_args_number(args, "temperature", 0),
        .top_k = (int)wb_args_number(args, "top-k", 0),
        .top_p = wb_args_number(args, "top-p", 1),
        .seed = (uint64_t)wb_args_number(args, "seed", 0),
        .token = say,
    };
}

static bool generate(struct wb_cli *cli, struct wb_model *model, struct wb_err *err)
{
    struct wb_eval eval = wb_cli_eval(cli);
    struct wb_generate_how how = how_of(&cli->args);
    struct stream stream = { .cancel = cli->cancel, .quiet = cli->json };
    struct wb_tokenizer *t = wb_tokenizer_open(wb_model_side_dir(model), err);
    struct wb_net *net = t == NULL ? NULL : wb_net_open(model, NULL, &eval, err);
    struct wb_generation g = { 0 };
    bool ok;

    how.ctx = &stream;
    ok = net != NULL && wb_generate(net, t, wb_args_text(&cli->args, "prompt", ""), &how, &g, err);
    if (!cli->json && (ok || stream.bytes > 0)) {
        print_text(ok ? g.text + stream.bytes : "");
        putchar('\n');
    }
    if (ok && atomic_load(cli->cancel))
        ok = wb_fail(err, WB_ECANCELLED, "cancelled");
    else if (ok && cli->json)
        ok = print_json(&g, err);
    wb_generation_free(&g);
    wb_net_close(net);
    wb_tokenizer_free(t);
    return ok;
}

static int run_generate(struct wb_cli *cli)
{
    struct wb_model *model;
    struct wb_err err;
    bool ok;

    if (!wb_cli_check_sets(&cli->args, &err))
        return wb_cli_misuse(cli->command, &err);
    if (!wb_args_has(&cli->args, "prompt")) {
        wb_fail(&err, WB_EARG, "generate: needs --prompt TEXT");
        return wb_cli_misuse(cli->command, &err);
    }
    model = wb_cli_open_any(cli, cli->args.operand[0], &err);
    ok = model != NULL && generate(cli, model, &err);
    wb_model_unref(model);
    return ok ? WB_EXIT_DONE : wb_cli_fail(&err);
}

const struct wb_cli_command wb_cmd_generate = {
    .name = "generate",
    .operands = "MODEL",
    .operands_min = 1,
    .operands_max = 1,
    .summary = "continue a text",
    .details = "The text comes as it is made. MODEL may be a pipeline (a .lua file): its model "
               "speaks, and nothing\n"
               "is written.",
    .option = options,
    .opens_models = true,
    .cancels = true,
    .run = run_generate,
};
