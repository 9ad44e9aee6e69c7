/* views/play_export.c - what the playground's models wrote, as a text to read or as JSON with every
 * number. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/save.h"
#include "views/view_play.h"

static void add_settings(const struct play_settings *s, struct wb_str *out)
{
    char text[40];

    for (int i = 0; i < PLAY_SETTINGS; i++)
        if (!s->greedy || i == PLAY_GREEDY || i == PLAY_TOKENS)
            wb_str_printf(out, "%s%s %s", i > 0 ? "  " : "", wb_play_setting_name[i],
                          wb_play_setting_text(s, (enum play_setting)i, text, sizeof text));
}

static void add_column(const struct play *p, const struct play_column *c, struct wb_str *out)
{
    size_t differ = 0;
    double nll = 0;

    if (c->run == NULL)
        return;
    pthread_mutex_lock(&c->run->lock);
    for (size_t i = 0; i < c->run->tokens; i++) {
        differ += wb_play_differs(p, &c->run->token[i]);
        nll -= c->run->token[i].logprob;
    }
    wb_str_printf(out, "\n== %s: %zu tokens", c->name, c->run->tokens);
    if (c->run->tokens > 0)
        wb_str_printf(out, ", mean nll %.4g", nll / (double)c->run->tokens);
    if (p->columns > 1)
        wb_str_printf(out, ", others would say something else at %zu", differ);
    wb_str_add(out, "\n");
    for (size_t i = 0; i < c->run->tokens; i++)
        wb_str_add(out, c->run->token[i].text);
    wb_str_add(out, "\n");
    pthread_mutex_unlock(&c->run->lock);
}

static const struct play_run *first_run(const struct play *p)
{
    for (size_t i = 0; i < p->columns; i++)
        if (p->shown[i].run != NULL)
            return p->shown[i].run;
    return NULL;
}

static cJSON *token_json(const struct play *p, const struct play_token *t)
{
    cJSON *item = cJSON_CreateObject(), *top = cJSON_AddArrayToObject(item, "top"), *others;

    cJSON_AddNumberToObject(item, "id", t->id);
    cJSON_AddStringToObject(item, "text", t->text);
    cJSON_AddNumberToObject(item, "logprob", t->logprob);
    cJSON_AddNumberToObject(item, "entropy", t->entropy);
    for (int i = 0; i < WB_GENERATE_TOP && t->top[i] != NULL; i++) {
        cJSON *one = cJSON_CreateObject();

        cJSON_AddStringToObject(one, "text", t->top[i]);
        cJSON_AddNumberToObject(one, "logprob", t->top_logprob[i]);
        cJSON_AddItemToArray(top, one);
    }
    others = cJSON_AddObjectToObject(item, "others");
    for (size_t i = 0; i < p->columns; i++)
        if (t->opinion[i].known) {
            cJSON *one = cJSON_AddObjectToObject(others, p->shown[i].name);

            cJSON_AddNumberToObject(one, "logprob", t->opinion[i].logprob);
            cJSON_AddStringToObject(one, "first", t->opinion[i].first);
            cJSON_AddNumberToObject(one, "first_logprob", t->opinion[i].first_logprob);
        }
    return item;
}

static void add_json(const struct play *p, struct wb_str *out)
{
    const struct play_run *first = first_run(p);
    cJSON *root = cJSON_CreateObject(), *models = cJSON_AddArrayToObject(root, "models");
    char *text, value[40];

    cJSON_AddStringToObject(root, "prompt", first->prompt);
    for (int i = 0; i < PLAY_SETTINGS; i++)
        cJSON_AddStringToObject(
            root, wb_play_setting_name[i],
            wb_play_setting_text(&first->settings, (enum play_setting)i, value, sizeof value));
    for (size_t i = 0; i < p->columns; i++) {
        const struct play_column *c = &p->shown[i];
        cJSON *item = cJSON_CreateObject(), *tokens = cJSON_AddArrayToObject(item, "tokens");

        cJSON_AddStringToObject(item, "name", c->name);
        if (c->run != NULL) {
            pthread_mutex_lock(&c->run->lock);
            for (size_t k = 0; k < c->run->tokens; k++)
                cJSON_AddItemToArray(tokens, token_json(p, &c->run->token[k]));
            pthread_mutex_unlock(&c->run->lock);
        }
        cJSON_AddItemToArray(models, item);
    }
    text = cJSON_Print(root);
    wb_str_printf(out, "%s\n", text == NULL ? "" : text);
    out->failed = out->failed || text == NULL;
    free(text);
    cJSON_Delete(root);
}

void wb_play_transcript(const struct play *p, bool json, struct wb_str *out)
{
    const struct play_run *first = first_run(p);

    if (first == NULL)
        return;
    if (json) {
        add_json(p, out);
        return;
    }
    wb_str_printf(out, "%s\n\n", first->prompt);
    add_settings(&first->settings, out);
    wb_str_add(out, "\n");
    for (size_t i = 0; i < p->columns; i++)
        add_column(p, &p->shown[i], out);
}

void wb_play_export(struct wb_view *v, const char *path)
{
    size_t n = strlen(path);
    struct wb_str text = { 0 };

    if (first_run(v->state) == NULL) {
        wb_desk_say(v->desk, WB_MESSAGE_NOTE, "nothing was written yet: p continues the prompt");
        return;
    }
    wb_play_transcript(v->state, n > 5 && strcmp(path + n - 5, ".json") == 0, &text);
    wb_save_text(v, path, &text);
}
