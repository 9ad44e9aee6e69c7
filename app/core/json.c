/* app/core/json.c - the checks that cJSON leaves out. */
#include "app/core/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"

/* Index of the first byte that is not well-formed UTF-8 (RFC 3629), n when all are. */
static size_t utf8_bad(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;

    for (size_t i = 0; i < n;) {
        unsigned c = p[i], more = c < 0x80                ? 0
                                  : c >= 0xC2 && c < 0xE0 ? 1
                                  : c >= 0xE0 && c < 0xF0 ? 2
                                  : c >= 0xF0 && c < 0xF5 ? 3
                                                          : 9;

        if (more == 9 || more >= n - i)
            return i;
        for (unsigned k = 1; k <= more; k++)
            if ((p[i + k] & 0xC0) != 0x80)
                return i;
        if ((c == 0xE0 && p[i + 1] < 0xA0) || (c == 0xED && p[i + 1] > 0x9F) ||
            (c == 0xF0 && p[i + 1] < 0x90) || (c == 0xF4 && p[i + 1] > 0x8F))
            return i;
        i += more + 1;
    }
    return n;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool check_keys(const cJSON *object, struct wb_err *err)
{
    size_t n = 0, i = 0;
    const cJSON *item;
    const char **key;
    bool ok = true;

    cJSON_ArrayForEach(item, object)
        n++;
    if (n < 2)
        return true;
    key = malloc(n * sizeof *key);
    if (key == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu keys", n);
    cJSON_ArrayForEach(item, object)
        key[i++] = item->string;
    qsort(key, n, sizeof *key, compare_keys);
    for (i = 1; ok && i < n; i++)
        if (strcmp(key[i - 1], key[i]) == 0)
            ok = wb_fail(err, WB_EFORMAT, "the JSON key \"%.200s\" stands twice", key[i]);
    free(key);
    return ok;
}

/* Depth is bounded by cJSON's own nesting limit of 1000. */
static bool check_tree(const cJSON *value, struct wb_err *err)
{
    const cJSON *item;

    if (cJSON_IsObject(value) && !check_keys(value, err))
        return false;
    cJSON_ArrayForEach(item, value)
        if ((cJSON_IsObject(item) || cJSON_IsArray(item)) && !check_tree(item, err))
            return false;
    return true;
}

cJSON *wb_json_parse(const char *text, size_t n, struct wb_err *err)
{
    const char *end = text;
    size_t bad = utf8_bad(text, n);
    cJSON *root;

    if (bad != n) {
        wb_fail(err, WB_EFORMAT, "byte %zu of the JSON text is not UTF-8", bad);
        return NULL;
    }
    if (memchr(text, '\0', n) != NULL) {
        wb_fail(err, WB_EFORMAT, "a NUL byte in the JSON text");
        return NULL;
    }
    root = cJSON_ParseWithLengthOpts(text, n, &end, false);
    if (root == NULL) {
        wb_fail(err, WB_EFORMAT, "not valid JSON near byte %zu", (size_t)(end - text));
        return NULL;
    }
    while (end < text + n && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (end != text + n) {
        wb_fail(err, WB_EFORMAT, "something follows the JSON value at byte %zu",
                (size_t)(end - text));
    } else if (check_tree(root, err)) {
        return root;
    }
    cJSON_Delete(root);
    return NULL;
}

cJSON *wb_json_parse_file(const char *path, size_t max, struct wb_err *err)
{
    size_t n;
    char *text = wb_read_file(path, max, &n, err);
    cJSON *root;

    if (text == NULL)
        return NULL;
    root = wb_json_parse(text, n, err);
    if (root == NULL)
        wb_wrap(err, "%s", path);
    free(text);
    return root;
}

const char *wb_json_text(const cJSON *object, const char *key, const char *fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsString(item) ? item->valuestring : fallback;
}

double wb_json_number(const cJSON *object, const char *key, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

bool wb_json_flag(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

bool wb_json_whole(const cJSON *value, uint64_t *out)
{
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble <= 0x1p53) ||
        value->valuedouble != floor(value->valuedouble))
        return false;
    *out = (uint64_t)value->valuedouble;
    return true;
}
