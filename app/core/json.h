/* app/core/json.h - JSON through cJSON, made strict: bounded depth, no duplicate keys, nothing
 * behind the value, UTF-8. Values are cJSON's own type; free with cJSON_Delete. */
#ifndef WB_CORE_JSON_H
#define WB_CORE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

/* Parse exactly n bytes (text[n] must be readable as NUL). Owned; NULL on failure. */
cJSON *wb_json_parse(const char *text, size_t n, struct wb_err *err);
/* Parse a file of at most max bytes. */
cJSON *wb_json_parse_file(const char *path, size_t max, struct wb_err *err);
/* Fields of an object; a missing one, or one of another type, gives the fallback. */
const char *wb_json_text(const cJSON *object, const char *key, const char *fallback);
double wb_json_number(const cJSON *object, const char *key, double fallback);
bool wb_json_flag(const cJSON *object, const char *key, bool fallback);
/* A number that is a whole one in [0, 2^53]; false otherwise. */
bool wb_json_whole(const cJSON *value, uint64_t *out);

#endif
