/* app/infer/spec_config.c - flags of a family and settings of a config, bounded. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/core/json.h"
#include "app/infer/spec_impl.h"

const cJSON *wb_spec_flag(const struct wb_spec_reading *r, const char *name)
{
    char own[80];
    const cJSON *flag = NULL;

    if (r->several) {
        snprintf(own, sizeof own, "%s.%s", r->out->stack, name);
        flag = cJSON_GetObjectItemCaseSensitive(r->flags, own);
    }
    return flag != NULL ? flag : cJSON_GetObjectItemCaseSensitive(r->flags, name);
}

const char *wb_spec_flag_text(const struct wb_spec_reading *r, const char *name,
                              const char *fallback)
{
    const cJSON *flag = wb_spec_flag(r, name);

    return cJSON_IsString(flag) ? flag->valuestring : fallback;
}

bool wb_spec_flag_true(const struct wb_spec_reading *r, const char *name)
{
    return cJSON_IsTrue(wb_spec_flag(r, name));
}

const cJSON *wb_spec_setting(const struct wb_spec_reading *r, const char *key)
{
    const cJSON *found = wb_config_find(r->config, key, NULL);

    return found != NULL || r->several ? found : wb_config_find(r->top, key, NULL);
}

/* Does the config say that there is none? */
static bool said_null(const struct wb_spec_reading *r, const char *key)
{
    char one[80];

    for (;;) {
        size_t n = strcspn(key, "|");

        snprintf(one, sizeof one, "%.*s", (int)n, key);
        if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->config, one)))
            return true;
        if (key[n] == '\0')
            return false;
        key += n + 1;
    }
}

bool wb_spec_refuse(const cJSON *item, struct wb_err *err, const char *fmt, ...)
{
    char what[200], value[40];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (cJSON_IsNumber(item))
        snprintf(value, sizeof value, "%.9g", item->valuedouble);
    else if (cJSON_IsString(item))
        snprintf(value, sizeof value, "\"%.30s\"", item->valuestring);
    else
        snprintf(value, sizeof value, "%s",
                 cJSON_IsArray(item)    ? "a list"
                 : cJSON_IsObject(item) ? "an object"
                 : cJSON_IsTrue(item)   ? "true"
                                        : "false");
    return wb_fail(err, WB_EFORMAT, "config.json: %s is %s: %s",
                   item->string != NULL ? item->string : "an entry", value, what);
}

bool wb_spec_count(const struct wb_spec_reading *r, const char *key, uint64_t fallback, int *out,
                   struct wb_err *err)
{
    const cJSON *item = wb_spec_setting(r, key);
    uint64_t value = fallback;

    if (item != NULL && (!wb_json_whole(item, &value) || value < 1 || value > WB_SPEC_COUNT_MAX))
        return wb_spec_refuse(item, err, "a count from 1 to %d is needed", WB_SPEC_COUNT_MAX);
    if (value < 1)
        return wb_fail(err, WB_EFORMAT, "config.json does not say %.*s", (int)strcspn(key, "|"),
                       key);
    if (value > WB_SPEC_COUNT_MAX)
        return wb_fail(err, WB_EFORMAT, "%.*s is %" PRIu64 ": a count from 1 to %d is needed",
                       (int)strcspn(key, "|"), key, value, WB_SPEC_COUNT_MAX);
    *out = (int)value;
    return true;
}

static double default_of(const struct wb_spec_reading *r, const char *flag, double none)
{
    char name[80];
    const cJSON *value;

    snprintf(name, sizeof name, "%s_default", flag);
    value = wb_spec_flag(r, name);
    return cJSON_IsNumber(value) ? value->valuedouble : none;
}

bool wb_spec_number(const struct wb_spec_reading *r, const char *flag, const char *usual,
                    double none, double low, double high, double *out, struct wb_err *err)
{
    const char *key = wb_spec_flag_text(r, flag, usual);
    const cJSON *item = key != NULL ? wb_spec_setting(r, key) : NULL;

    if (item == NULL) {
        *out = key != NULL && said_null(r, key) ? none : default_of(r, flag, none);
        return true;
    }
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= low && item->valuedouble <= high))
        return wb_spec_refuse(item, err, "a number from %g to %g is needed", low, high);
    *out = item->valuedouble;
    return true;
}

bool wb_spec_boolean(const struct wb_spec_reading *r, const char *key, bool fallback, bool *out,
                     struct wb_err *err)
{
    const cJSON *item = key != NULL ? wb_spec_setting(r, key) : NULL;

    *out = item != NULL ? cJSON_IsTrue(item) : fallback;
    return item == NULL || cJSON_IsBool(item) ||
           wb_spec_refuse(item, err, "true or false is needed");
}
