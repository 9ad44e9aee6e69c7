/* app/job/config.c - the config.json of an output: fitted to what was written, else as it was.
 *
 * Programs that load a checkpoint tell 10000.0 from 10000, and cJSON does not. So the source's
 * text is read once more for the spelling of its numbers, and a number that has the same place
 * and value is printed with it. */
#include <stdlib.h>
#include <string.h>

#include "app/core/json.h"
#include "app/core/str.h"
#include "app/job/job.h"

#define INDENT 2

/* Spelling of numbers */

/* The next number of a JSON text that was parsed before, behind *p; its length, 0 at the end. */
static size_t next_number(const char **p)
{
    const char *s = *p;

    while (*s != '\0' && *s != '-' && !(*s >= '0' && *s <= '9')) {
        if (*s == '"')
            for (s++; *s != '"' && *s != '\0'; s++)
                s += *s == '\\' && s[1] != '\0';
        if (*s != '\0')
            s++;
    }
    *p = s;
    return strspn(s, "+-.0123456789eE");
}

/* Keep the spelling of every number as the valuestring of its node (which cJSON frees with it). */
static void spell(cJSON *node, const char **text)
{
    if (cJSON_IsNumber(node)) {
        size_t n = next_number(text);
        char *copy = cJSON_malloc(n + 1);

        if (copy != NULL) {
            memcpy(copy, *text, n);
            copy[n] = '\0';
        }
        node->valuestring = copy;
        *text += n;
    }
    for (cJSON *child = node->child; child != NULL; child = child->next)
        spell(child, text);
}

/* The config as its source has it, numbers with their spelling; NULL when there is none. */
static cJSON *spelt_source(const struct wb_model *model)
{
    const char *side = wb_model_side_dir(model), *text = NULL;
    cJSON *tree;

    for (size_t i = 0; side != NULL && i < wb_model_source_count(model) && text == NULL; i++)
        if (strcmp(wb_ckpt_dir(wb_model_source(model, i)), side) == 0)
            text = wb_ckpt_config(wb_model_source(model, i));
    tree = text == NULL ? NULL : wb_json_parse(text, strlen(text), NULL);
    if (tree != NULL)
        spell(tree, &text);
    return tree;
}

/* Printing */

static void print_leaf(struct wb_str *s, const cJSON *node, const cJSON *was)
{
    char *text;

    if (cJSON_IsNumber(node) && was != NULL && cJSON_IsNumber(was) && was->valuestring != NULL &&
        was->valuedouble == node->valuedouble) {
        wb_str_add(s, was->valuestring);
        return;
    }
    text = cJSON_PrintUnformatted(node);
    if (text == NULL)
        s->failed = true;
    else
        wb_str_add(s, text);
    cJSON_free(text);
}

static void print_key(struct wb_str *s, const char *key)
{
    cJSON *text = cJSON_CreateStringReference(key);

    if (text == NULL)
        s->failed = true;
    else
        print_leaf(s, text, NULL);
    wb_str_add(s, ": ");
    cJSON_Delete(text);
}

/* As Python's json.dump(indent=2) does it. was: the node at the same place of the source, or
 * NULL. */
static void print_node(struct wb_str *s, const cJSON *node, const cJSON *was, int depth)
{
    const cJSON *child, *old = NULL;
    bool object = cJSON_IsObject(node);

    if ((!object && !cJSON_IsArray(node)) || node->child == NULL) {
        print_leaf(s, node, was);
        return;
    }
    if (!object && was != NULL && cJSON_IsArray(was))
        old = was->child;
    wb_str_add(s, object ? "{" : "[");
    cJSON_ArrayForEach(child, node) {
        if (object)
            old = cJSON_GetObjectItemCaseSensitive(was, child->string);
        wb_str_printf(s, "%s\n%*s", child == node->child ? "" : ",", (depth + 1) * INDENT, "");
        if (object)
            print_key(s, child->string);
        print_node(s, child, old, depth + 1);
        if (!object && old != NULL)
            old = old->next;
    }
    wb_str_printf(s, "\n%*s%s", depth * INDENT, "", object ? "}" : "]");
}

/* What was written */

/* The floating type most entries have, among those a config can name; false when there is none. */
static bool leading_dtype(const uint64_t count[WB_DTYPE_COUNT], enum wb_dtype *dtype)
{
    static const enum wb_dtype floats[] = { WB_DTYPE_BF16, WB_DTYPE_F16, WB_DTYPE_F32,
                                            WB_DTYPE_F64 };
    uint64_t most = 0;

    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
        if (count[floats[i]] > most) {
            most = count[floats[i]];
            *dtype = floats[i];
        }
    return most > 0;
}

/* Has the output another floating type than the checkpoint the config came from? */
static bool dtype_changed(const struct wb_run_job *job, enum wb_dtype *now)
{
    uint64_t count[WB_DTYPE_COUNT] = { 0 };
    enum wb_dtype was = WB_DTYPE_COUNT;

    for (size_t i = 0; i < wb_model_count(job->model); i++)
        count[job->tensor[i].dtype] += wb_node_count(wb_model_entry(job->model, i)->node);
    if (!leading_dtype(count, now))
        return false;
    if (job->run->has_dtype || wb_model_source_count(job->model) == 0)
        return true;
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < wb_ckpt_count(wb_model_source(job->model, 0)); i++) {
        const struct wb_tensor_info *info = wb_ckpt_info(wb_model_source(job->model, 0), i);

        count[info->dtype] += info->count;
    }
    return !leading_dtype(count, &was) || was != *now;
}

static bool set_text(cJSON *object, const char *key, const char *text)
{
    cJSON *value = cJSON_CreateString(text);

    if (value != NULL && cJSON_ReplaceItemInObjectCaseSensitive(object, key, value))
        return true;
    cJSON_Delete(value);
    return false;
}

/* Set "torch_dtype" and "dtype" wherever they name a type, in parts (text_config …) too. *found:
 * any was there. */
static bool set_dtype(cJSON *object, const char *name, bool *found)
{
    static const char *const keys[] = { "torch_dtype", "dtype" };
    enum wb_dtype was;
    cJSON *child;

    for (int i = 0; i < 2; i++) {
        const char *text = wb_json_text(object, keys[i], NULL);

        if (text == NULL || !wb_dtype_parse(text, &was))
            continue;
        *found = true;
        if (!set_text(object, keys[i], name))
            return false;
    }
    cJSON_ArrayForEach(child, object)
        if (cJSON_IsObject(child) && strcmp(child->string, "quantization_config") != 0 &&
            !set_dtype(child, name, found))
            return false;
    return true;
}

static bool fit_dtype(struct wb_run_job *job, cJSON *config)
{
    enum wb_dtype now;
    bool found = false;
    const char *name;

    if (!dtype_changed(job, &now) || (name = wb_dtype_torch_name(now)) == NULL)
        return true;
    return set_dtype(config, name, &found) &&
           (found || cJSON_AddStringToObject(config, "torch_dtype", name) != NULL);
}

static size_t entry_index(const struct wb_model *model, const char *name)
{
    size_t i = 0;

    while (i < wb_model_count(model) && strcmp(wb_model_entry(model, i)->name, name) != 0)
        i++;
    return i;
}

/* A head that was tied to the embedding and was written with other bytes is tied no more. */
static bool fit_ties(struct wb_run_job *job, cJSON *config)
{
    cJSON *off;

    for (size_t i = 0; i < wb_model_count(job->model); i++) {
        const struct wb_entry *e = wb_model_entry(job->model, i);
        size_t to = e->role.tied_to == NULL ? SIZE_MAX : entry_index(job->model, e->role.tied_to);

        if (to >= wb_model_count(job->model) || wb_hash_equal(job->hash[i], job->hash[to]))
            continue;
        if (strcmp(e->role.kind, "lm_head") != 0) {
            wb_job_warn(job,
                        "%s was the same as %s and is not any more; a program that ties them "
                        "will use one of the two",
                        e->name, e->role.tied_to);
            continue;
        }
        wb_job_warn(job,
                    "%s is no longer the same as %s: config.json says tie_word_embeddings false",
                    e->name, e->role.tied_to);
        cJSON_DeleteItemFromObjectCaseSensitive(config, "tie_word_embeddings");
        off = cJSON_AddFalseToObject(config, "tie_word_embeddings");
        if (off == NULL)
            return false;
    }
    return true;
}

char *wb_job_config(struct wb_run_job *job, struct wb_err *err)
{
    cJSON *config = cJSON_Duplicate(wb_model_config(job->model), true), *was = NULL;
    struct wb_str s = { 0 };

    if (config != NULL && fit_dtype(job, config) && fit_ties(job, config)) {
        was = spelt_source(job->model);
        print_node(&s, config, was, 0);
        wb_str_add(&s, "\n");
    }
    cJSON_Delete(config);
    cJSON_Delete(was);
    if (s.failed)
        wb_str_free(&s);
    if (s.text == NULL)
        wb_fail(err, WB_ENOMEM, "no memory for config.json");
    return s.text;
}
