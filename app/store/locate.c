/* app/store/locate.c - paths first, then the Hugging Face hub cache (read only, offline).
 *
 * Names come from users, scripts and config files: what is put into a cache path is checked to be a
 * plain name, so that no name leads out of the cache. */
#include "app/store/locate.h"

#include <dirent.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/core/str.h"

#define REF_MAX_BYTES ((size_t)1000)
#define HUB_NAME_MAX 200
#define MODEL_MAX_BYTES 8192
#define REVISIONS_TOLD 4
#define HUB_MODELS_MAX 4096

/* "org/name@revision" taken apart; revision NULL when not given. */
struct hub_name {
    const char *id, *revision;
};

static bool no_memory(struct wb_err *err)
{
    return wb_fail(err, WB_ENOMEM, "no memory for the paths");
}

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

static const char *home_dir(void)
{
    const char *home = getenv("HOME");
    const struct passwd *user;

    if (home != NULL && home[0] != '\0')
        return home;
    user = getpwuid(getuid());
    return user != NULL ? user->pw_dir : "/";
}

/* "$NAME" or "${NAME}" at text: adds its value; bytes consumed, 0 when it is none or not set. */
static size_t expand_variable(const char *text, struct wb_str *out)
{
    bool braced = text[1] == '{';
    const char *first = text + 1 + braced;
    size_t n = strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    char name[128];
    const char *value;

    if (n == 0 || n >= sizeof name || (braced && first[n] != '}'))
        return 0;
    memcpy(name, first, n);
    name[n] = '\0';
    value = getenv(name);
    if (value == NULL)
        return 0;
    wb_str_add(out, value);
    return n + 1 + 2 * (size_t)braced;
}

/* A leading ~ and variables, as the hub library expands them; what is not set stays. */
static char *expand(const char *path, struct wb_arena *arena)
{
    struct wb_str out = { 0 };
    size_t used;
    char *copy;

    wb_str_add(&out, "");
    if (path[0] == '~' && (path[1] == '/' || path[1] == '\0')) {
        wb_str_add(&out, home_dir());
        path++;
    }
    while (*path != '\0') {
        used = *path == '$' ? expand_variable(path, &out) : 0;
        if (used == 0)
            wb_str_add_n(&out, path, used = 1);
        path += used;
    }
    copy = out.failed ? NULL : wb_arena_strdup(arena, out.text);
    wb_str_free(&out);
    return copy;
}

/* The hub cache, in the library's order of variables; an empty one counts as not set. */
static char *hub_root(struct wb_arena *arena)
{
    static const struct {
        const char *variable, *below;
    } rows[] = {
        { "HF_HUB_CACHE", "" },
        { "HUGGINGFACE_HUB_CACHE", "" },
        { "HF_HOME", "/hub" },
        { "XDG_CACHE_HOME", "/huggingface/hub" },
    };
    char *root;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *value = getenv(rows[i].variable);

        if (value == NULL || value[0] == '\0')
            continue;
        root = expand(value, arena);
        return root != NULL ? wb_arena_printf(arena, "%s%s", root, rows[i].below) : NULL;
    }
    return wb_arena_printf(arena, "%s/.cache/huggingface/hub", home_dir());
}

/* "name" or "org/name" of the characters the hub allows. */
static bool is_hub_id(const char *id)
{
    const char *slash = strchr(id, '/');
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/");

    if (n == 0 || n > HUB_NAME_MAX || id[n] != '\0' || strstr(id, "..") != NULL || id[0] == '.' ||
        id[0] == '-')
        return false;
    return slash == NULL ||
           (slash > id && slash[1] != '\0' && slash[1] != '.' && strchr(slash + 1, '/') == NULL);
}

/* No empty part, no "." and "..", nothing strange: refs may nest, "refs/pr/1". */
static bool is_revision(const char *text)
{
    size_t n;

    for (const char *p = text;; p += n + 1) {
        n = strcspn(p, "/");
        if (n == 0 || p[0] == '.' || n > HUB_NAME_MAX)
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] <= ' ' || p[i] == '\\' || p[i] == 0x7F)
                return false;
        if (p[n] == '\0')
            return true;
    }
}

/* False when it is no name of the hub at all. */
static bool parse_hub_name(const char *text, struct wb_arena *arena, struct hub_name *out)
{
    char *copy = wb_arena_strdup(arena, text), *at;

    if (copy == NULL)
        return false;
    at = strchr(copy, '@');
    if (at != NULL)
        *at++ = '\0';
    *out = (struct hub_name){ copy, at };
    return is_hub_id(copy) && (at == NULL || is_revision(at));
}

/* "org/name" -> ROOT/models--org--name */
static char *hub_repo(const char *id, struct wb_arena *arena)
{
    const char *root = hub_root(arena), *slash = strchr(id, '/');

    if (root == NULL)
        return NULL;
    if (slash == NULL)
        return wb_arena_printf(arena, "%s/models--%s", root, id);
    return wb_arena_printf(arena, "%s/models--%.*s--%s", root, (int)(slash - id), id, slash + 1);
}

/* The commit a ref stands for, NULL when there is no such ref or it holds no commit. */
static const char *read_ref(const char *repo, const char *ref, struct wb_arena *arena)
{
    char *path = wb_arena_printf(arena, "%s/refs/%s", repo, ref);
    char *text = path != NULL ? wb_read_file(path, REF_MAX_BYTES, NULL, NULL) : NULL, *copy = NULL;

    if (text != NULL) {
        text[strcspn(text, " \t\r\n")] = '\0';
        if (is_revision(text) && strchr(text, '/') == NULL)
            copy = wb_arena_strdup(arena, text);
    }
    free(text);
    return copy;
}

/* The snapshot's directory, NULL when it is not there. */
static const char *hub_snapshot(const struct hub_name *name, const char *repo,
                                struct wb_arena *arena)
{
    const char *revision = name->revision != NULL ? name->revision : "main";
    const char *commit = read_ref(repo, revision, arena), *dir;

    if (commit == NULL)
        commit = revision;
    if (strchr(commit, '/') != NULL)
        return NULL;
    dir = wb_arena_printf(arena, "%s/snapshots/%s", repo, commit);
    return dir != NULL && wb_is_dir(dir) ? dir : NULL;
}

const char *wb_locate_hub(const char *name, struct wb_arena *arena)
{
    struct hub_name hub;
    const char *repo;

    if (!parse_hub_name(name, arena, &hub))
        return NULL;
    repo = hub_repo(hub.id, arena);
    return repo != NULL ? hub_snapshot(&hub, repo, arena) : NULL;
}

/* "models--org--name" -> "org/name"; NULL for what is no model. */
static const char *hub_model(const char *entry, struct wb_arena *arena)
{
    static const char front[] = "models--";
    const char *id = entry + sizeof front - 1, *mark;
    char *name;

    if (strncmp(entry, front, sizeof front - 1) != 0)
        return NULL;
    mark = strstr(id, "--");
    if (mark == NULL)
        name = wb_arena_strdup(arena, id);
    else
        name = wb_arena_printf(arena, "%.*s/%s", (int)(mark - id), id, mark + 2);
    return name != NULL && is_hub_id(name) ? name : NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **wb_locate_hub_list(struct wb_arena *arena, size_t *n)
{
    const char *root = hub_root(arena),
               **list = wb_arena_calloc(arena, HUB_MODELS_MAX, sizeof *list);
    DIR *handle = root != NULL && list != NULL ? opendir(root) : NULL;
    struct dirent *entry;

    *n = 0;
    while (handle != NULL && *n < HUB_MODELS_MAX && (entry = readdir(handle)) != NULL) {
        list[*n] = hub_model(entry->d_name, arena);
        *n += list[*n] != NULL;
    }
    if (handle != NULL)
        closedir(handle);
    if (*n > 1)
        qsort(list, *n, sizeof *list, compare_names);
    return list;
}

/* " (revisions there: a, b)" for a repository whose wanted revision is not there. */
static void add_revisions(struct wb_str *text, const char *repo)
{
    char *path = wb_path_join(repo, "snapshots");
    DIR *handle = path != NULL ? opendir(path) : NULL;
    struct dirent *entry;
    int told = 0;

    while (handle != NULL && told < REVISIONS_TOLD && (entry = readdir(handle)) != NULL)
        if (entry->d_name[0] != '.')
            wb_str_printf(text, "%s%.64s", told++ == 0 ? "; revisions there: " : ", ",
                          entry->d_name);
    if (handle != NULL)
        closedir(handle);
    free(path);
}

static bool fail_hub(const char *text, const struct hub_name *hub, const char *repo,
                     struct wb_err *err)
{
    struct wb_str there = { 0 };
    const char *revision = hub->revision != NULL ? hub->revision : "main";

    if (wb_is_dir(repo)) {
        add_revisions(&there, repo);
        wb_fail(err, WB_ENOTFOUND,
                "'%s' is no file or directory, and in the hub cache %s there is no revision "
                "'%s'%s; to fetch it: hf download %s%s%s",
                text, repo, revision, there.text != NULL ? there.text : "", hub->id,
                hub->revision != NULL ? " --revision " : "",
                hub->revision != NULL ? hub->revision : "");
    } else {
        wb_fail(err, WB_ENOTFOUND,
                "'%s' is no file or directory, and not in the hub cache: no %s; to fetch it: "
                "hf download %s%s%s",
                text, repo, hub->id, hub->revision != NULL ? " --revision " : "",
                hub->revision != NULL ? hub->revision : "");
    }
    wb_str_free(&there);
    return false;
}

/* One part of MODEL to a path. */
static const char *resolve(const char *text, struct wb_arena *arena, struct wb_err *err)
{
    const char *path = text[0] == '~' ? expand(text, arena) : text, *repo, *dir;
    struct hub_name hub;

    if (path == NULL) {
        no_memory(err);
        return NULL;
    }
    if (exists(path))
        return path;
    if (!parse_hub_name(text, arena, &hub)) {
        wb_fail(err, WB_ENOTFOUND,
                "'%.500s' is no file or directory, and cannot be a name of the hub "
                "(name, org/name, org/name@revision)",
                text);
        return NULL;
    }
    repo = hub_repo(hub.id, arena);
    if (repo == NULL) {
        no_memory(err);
        return NULL;
    }
    dir = hub_snapshot(&hub, repo, arena);
    if (dir == NULL)
        fail_hub(text, &hub, repo, err);
    return dir;
}

static bool part_exists(const char *text, size_t n, struct wb_arena *arena)
{
    const char *part = wb_arena_strndup(arena, text, n);

    if (part != NULL && part[0] == '~')
        part = expand(part, arena);
    return part != NULL && exists(part);
}

/* Length of the first part of "a+b+c": the longest front that exists, else up to the '+'. */
static size_t first_part(const char *text, struct wb_arena *arena)
{
    for (size_t n = strlen(text); n > 0; n--)
        if ((text[n] == '\0' || text[n] == '+') && part_exists(text, n, arena))
            return n;
    return strcspn(text, "+");
}

bool wb_locate(const char *model, struct wb_arena *arena, struct wb_location *out,
               struct wb_err *err)
{
    const char *part, *path;
    size_t n;

    *out = (struct wb_location){ 0 };
    if (strlen(model) > MODEL_MAX_BYTES)
        return wb_fail(err, WB_EARG, "a name of a model of %zu bytes, more than %d", strlen(model),
                       MODEL_MAX_BYTES);
    for (const char *p = model;; p += n + 1) {
        n = first_part(p, arena);
        part = wb_arena_strndup(arena, p, n);
        if (part == NULL)
            return no_memory(err);
        if (n == 0)
            return wb_fail(err, WB_EARG, "'%.500s': %s", model,
                           model[0] == '\0' ? "an empty name of a model"
                                            : "an empty name beside a '+'");
        path = resolve(part, arena, err);
        if (path == NULL)
            return out->path != NULL ? wb_wrap(err, "adapter") : false;
        if (out->path == NULL)
            out->path = path;
        else if (out->adapters < WB_ADAPTERS_MAX)
            out->adapter[out->adapters++] = path;
        else
            return wb_fail(err, WB_EARG, "'%.500s': more than %d adapters", model, WB_ADAPTERS_MAX);
        if (p[n] == '\0')
            return true;
    }
}
