/* views/eval_sets.c - lists of evaluation sets: found, chosen, kept. */
#include "views/eval_sets.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/arena.h"
#include "app/core/io.h"
#include "app/core/json.h"
#include "app/infer/spec.h"

#define NAME_BYTES_MAX 40
#define NUMBER_MAX 1e9 /* of windows, tokens or items in a session file */

/* One set */

static const struct {
    const char *suffix, *name;
} kinds[] = {
    [WB_BEHAVIOUR_TEXT] = { ".txt", "text" },
    [WB_BEHAVIOUR_TASKS] = { ".jsonl", "tasks" },
    [WB_BEHAVIOUR_IMAGES] = { ".safetensors", "images" },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

const char *wb_eval_kind_name(enum wb_behaviour_kind kind)
{
    return kinds[kind].name;
}

static bool kind_of(const char *path, enum wb_behaviour_kind *kind)
{
    size_t n = strlen(path);

    for (int k = 0; k < KINDS; k++) {
        size_t suffix = strlen(kinds[k].suffix);

        if (n > suffix && strcmp(path + n - suffix, kinds[k].suffix) == 0) {
            *kind = (enum wb_behaviour_kind)k;
            return true;
        }
    }
    return false;
}

static bool has_name(const struct wb_eval_list *l, const char *name)
{
    for (size_t i = 0; i < l->sets; i++)
        if (strcmp(l->set[i].name, name) == 0)
            return true;
    return false;
}

/* The file's name without its suffix; a number behind it where two are alike. */
static char *name_of(const struct wb_eval_list *l, const char *path, enum wb_behaviour_kind kind)
{
    const char *slash = strrchr(path, '/'), *file = slash == NULL ? path : slash + 1;
    int n = (int)(strlen(file) - strlen(kinds[kind].suffix));
    char name[NAME_BYTES_MAX + 12];

    n = n > NAME_BYTES_MAX ? NAME_BYTES_MAX : n;
    snprintf(name, sizeof name, "%.*s", n, file);
    for (int i = 2; has_name(l, name); i++)
        snprintf(name, sizeof name, "%.*s-%d", n, file, i);
    return strdup(name);
}

static void set_free(struct wb_eval_set *s)
{
    free(s->name);
    free(s->path);
    *s = (struct wb_eval_set){ 0 };
}

/* NULL with err. The file need not be there. */
static struct wb_eval_set *add(struct wb_eval_list *l, const char *path, struct wb_err *err)
{
    struct wb_eval_set set = { 0 };

    for (size_t i = 0; i < l->sets; i++)
        if (strcmp(l->set[i].path, path) == 0)
            return &l->set[i];
    if (l->sets == WB_EVAL_SETS_MAX) {
        wb_fail(err, WB_EARG, "there are %d evaluation sets already", WB_EVAL_SETS_MAX);
        return NULL;
    }
    if (!kind_of(path, &set.kind)) {
        wb_fail(err, WB_EARG,
                "%s: an evaluation set is a text (.txt), tasks (.jsonl) or images (.safetensors)",
                path);
        return NULL;
    }
    set.name = name_of(l, path, set.kind);
    set.path = strdup(path);
    if (set.name == NULL || set.path == NULL) {
        set_free(&set);
        wb_fail(err, WB_ENOMEM, "no memory for an evaluation set");
        return NULL;
    }
    l->set[l->sets] = set;
    return &l->set[l->sets++];
}

/* What there is when nothing was chosen */

static bool is_vision(const struct wb_model *model)
{
    struct wb_arena arena = { 0 };
    struct wb_spec spec;
    struct wb_err err;
    bool vision = wb_spec_of(model, NULL, &arena, &spec, &err) && spec.kind == WB_NET_VISION;

    wb_arena_free(&arena);
    return vision;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wb_eval_set *)a)->name, ((const struct wb_eval_set *)b)->name);
}

/* The files of a folder that this kind of model can be asked, by name. */
static void add_folder(struct wb_eval_list *l, const char *dir, bool vision)
{
    DIR *d = opendir(dir);
    struct wb_err err;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char *path = wb_path_join(dir, e->d_name);
        enum wb_behaviour_kind kind;

        if (path != NULL && e->d_name[0] != '.' && kind_of(path, &kind) &&
            (kind == WB_BEHAVIOUR_IMAGES) == vision && wb_is_file(path))
            add(l, path, &err);
        free(path);
    }
    if (d != NULL)
        closedir(d);
    qsort(l->set, l->sets, sizeof *l->set, by_name);
}

static void add_beside(struct wb_eval_list *l, const struct wb_model *model)
{
    const char *dir = wb_model_side_dir(model) != NULL ? wb_model_side_dir(model) : l->about;
    size_t n = strlen(dir);
    char *in = wb_path_join(dir, "eval"), *beside = NULL, *parent;

    while (n > 0 && dir[n - 1] == '/')
        n--;
    while (n > 0 && dir[n - 1] != '/')
        n--;
    parent = strndup(n > 0 ? dir : ".", n > 1 ? n - 1 : 1);
    if (parent != NULL)
        beside = wb_path_join(parent, "eval");
    if (in != NULL)
        add_folder(l, in, is_vision(model));
    if (l->sets == 0 && beside != NULL)
        add_folder(l, beside, is_vision(model));
    free(parent);
    free(beside);
    free(in);
}

static void find_sets(struct wb_eval_sets *e, struct wb_eval_list *l, const struct wb_model *model)
{
    struct wb_err err;

    for (size_t i = 0; i < e->usuals; i++)
        add(l, e->usual[i], &err);
    if (l->sets == 0)
        add_beside(l, model);
}

/* Lists */

static void list_clear(struct wb_eval_list *l)
{
    while (l->sets > 0)
        set_free(&l->set[--l->sets]);
}

static struct wb_eval_list *new_list(struct wb_eval_sets *e, const char *about)
{
    struct wb_eval_list **more = realloc(e->list, (e->lists + 1) * sizeof *more);
    struct wb_eval_list *l = calloc(1, sizeof *l);

    if (more != NULL)
        e->list = more;
    if (more == NULL || l == NULL || (l->about = strdup(about)) == NULL) {
        free(l);
        return NULL;
    }
    e->list[e->lists++] = l;
    return l;
}

static struct wb_eval_list *find_list(const struct wb_eval_sets *e, const char *about)
{
    for (size_t i = 0; i < e->lists; i++)
        if (strcmp(e->list[i]->about, about) == 0)
            return e->list[i];
    return NULL;
}

struct wb_eval_list *wb_eval_sets_of(struct wb_eval_sets *e, const struct wb_model *model)
{
    struct wb_eval_list *l = find_list(e, wb_model_path(model));

    if (l != NULL)
        return l;
    l = new_list(e, wb_model_path(model));
    if (l != NULL)
        find_sets(e, l, model);
    return l;
}

void wb_eval_sets_free(struct wb_eval_sets *e)
{
    for (size_t i = 0; i < e->lists; i++) {
        list_clear(e->list[i]);
        free(e->list[i]->about);
        free(e->list[i]);
    }
    free(e->list);
    *e = (struct wb_eval_sets){ 0 };
}

/* Choosing */

static void changed(struct wb_eval_sets *e, struct wb_eval_list *l)
{
    l->chosen = true;
    e->version++;
}

bool wb_eval_sets_add(struct wb_eval_sets *e, struct wb_eval_list *l, const char *path,
                      size_t window, size_t limit, struct wb_err *err)
{
    struct wb_eval_set *s;

    if (!wb_is_file(path))
        return wb_fail(err, WB_ENOTFOUND, "%s is no file", path);
    s = add(l, path, err);
    if (s == NULL)
        return false;
    s->window = window;
    s->limit = limit;
    s->off = false;
    changed(e, l);
    return true;
}

void wb_eval_sets_drop(struct wb_eval_sets *e, struct wb_eval_list *l, size_t i)
{
    set_free(&l->set[i]);
    memmove(l->set + i, l->set + i + 1, (--l->sets - i) * sizeof *l->set);
    changed(e, l);
}

void wb_eval_sets_switch(struct wb_eval_sets *e, struct wb_eval_list *l, size_t i, bool on)
{
    l->set[i].off = !on;
    changed(e, l);
}

void wb_eval_sets_reset(struct wb_eval_sets *e, struct wb_eval_list *l,
                        const struct wb_model *model)
{
    list_clear(l);
    find_sets(e, l, model);
    changed(e, l);
    l->chosen = false;
}

size_t wb_eval_sets_on(const struct wb_eval_list *l, struct wb_behaviour_set *out)
{
    size_t n = 0;

    for (size_t i = 0; l != NULL && i < l->sets; i++)
        if (!l->set[i].off)
            out[n++] = (struct wb_behaviour_set){ .kind = l->set[i].kind,
                                                  .name = l->set[i].name,
                                                  .path = l->set[i].path,
                                                  .window = l->set[i].window,
                                                  .limit = l->set[i].limit };
    return n;
}

/* The session: {"MODEL": [{"path": "a.txt", "limit": 3, "off": true}]} */

static void write_set(cJSON *list, const struct wb_eval_set *s)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "path", s->path);
    if (s->window > 0)
        cJSON_AddNumberToObject(item, "window", (double)s->window);
    if (s->limit > 0)
        cJSON_AddNumberToObject(item, "limit", (double)s->limit);
    if (s->off)
        cJSON_AddTrueToObject(item, "off");
    cJSON_AddItemToArray(list, item);
}

void wb_eval_sets_write(const struct wb_eval_sets *e, cJSON *object)
{
    for (size_t i = 0; i < e->lists; i++) {
        cJSON *list = e->list[i]->chosen ? cJSON_AddArrayToObject(object, e->list[i]->about) : NULL;

        for (size_t k = 0; list != NULL && k < e->list[i]->sets; k++)
            write_set(list, &e->list[i]->set[k]);
    }
}

static size_t read_number(const cJSON *item, const char *key)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(item, key);

    return cJSON_IsNumber(n) && n->valuedouble >= 1 && n->valuedouble <= NUMBER_MAX
               ? (size_t)n->valuedouble
               : 0;
}

void wb_eval_sets_read(struct wb_eval_sets *e, const cJSON *object)
{
    const cJSON *list, *item;
    struct wb_err err;

    cJSON_ArrayForEach(list, object) {
        struct wb_eval_list *l = list->string == NULL || find_list(e, list->string) != NULL
                                     ? NULL
                                     : new_list(e, list->string);

        if (l == NULL)
            continue;
        l->chosen = true;
        cJSON_ArrayForEach(item, list) {
            const char *path = wb_json_text(item, "path", NULL);
            struct wb_eval_set *s = path == NULL ? NULL : add(l, path, &err);

            if (s == NULL)
                continue;
            s->window = read_number(item, "window");
            s->limit = read_number(item, "limit");
            s->off = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "off"));
        }
    }
}
