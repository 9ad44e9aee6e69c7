/* views/keymap.c - bindings looked up: the user's first, then the defaults. */
#include "views/keymap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wb_keymap_free(struct wb_keymap *map)
{
    free(map->own);
    *map = (struct wb_keymap){ 0 };
}

bool wb_action_of_frame(enum wb_action action)
{
    switch (action) {
#define WB_ACTION_CASE(id, keys, name, doc) case WB_ACTION_##id:
        WB_ACTIONS_FRAME(WB_ACTION_CASE)
#undef WB_ACTION_CASE
        return true;
    default:
        return false;
    }
}

bool wb_view_handles(const struct wb_view_ops *view, enum wb_action action)
{
    for (const enum wb_action *a = view->actions; *a != WB_ACTION_NONE; a++)
        if (*a == action)
            return true;
    return false;
}

bool wb_keymap_bind(struct wb_keymap *map, const char *view, const char *key, const char *action,
                    struct wb_err *err)
{
    struct wb_binding b = { .action = WB_ACTION_NONE };

    if (!wb_key_parse(key, &b.key, err))
        return false;
    if (action != NULL && strcmp(action, "none") != 0) {
        b.action = wb_action_find(action);
        if (b.action == WB_ACTION_NONE)
            return wb_fail(err, WB_EARG, "there is no action '%s'; :help lists them", action);
    }
    if (view != NULL && strcmp(view, "all") != 0) {
        if (strlen(view) >= sizeof b.view)
            return wb_fail(err, WB_EARG, "there is no view '%s'", view);
        snprintf(b.view, sizeof b.view, "%s", view);
    }
    if (map->count == map->room) {
        size_t room = map->room == 0 ? 16 : 2 * map->room;
        struct wb_binding *more = realloc(map->own, room * sizeof *more);

        if (more == NULL)
            return wb_fail(err, WB_ENOMEM, "no memory for key bindings");
        map->own = more;
        map->room = room;
    }
    map->own[map->count++] = b;
    return true;
}

/* The next name of a list into key; false at its end. Names of the table are valid: a test
 * parses all of them. */
static bool next_key(const char **list, struct wb_key *key)
{
    char name[16];
    size_t n = strcspn(*list, " ");

    if (n == 0 || n >= sizeof name)
        return false;
    memcpy(name, *list, n);
    name[n] = '\0';
    *list += n + strspn(*list + n, " ");
    return wb_key_parse(name, key, NULL);
}

static bool has_default(enum wb_action action, struct wb_key key)
{
    const char *list = wb_action_info(action)->keys;
    struct wb_key one;

    while (next_key(&list, &one))
        if (wb_key_equal(one, key))
            return true;
    return false;
}

/* The user's binding of a key, the last one for this view before those for all; NULL: none. */
static const struct wb_binding *own_binding(const struct wb_keymap *map,
                                            const struct wb_view_ops *view, struct wb_key key)
{
    const struct wb_binding *everywhere = NULL;

    for (size_t i = map->count; i-- > 0;) {
        const struct wb_binding *b = &map->own[i];

        if (!wb_key_equal(b->key, key))
            continue;
        if (strcmp(b->view, view->name) == 0)
            return b;
        if (b->view[0] == '\0' && everywhere == NULL)
            everywhere = b;
    }
    return everywhere;
}

enum wb_action wb_keymap_find(const struct wb_keymap *map, const struct wb_view_ops *view,
                              struct wb_key key)
{
    const struct wb_binding *own = own_binding(map, view, key);

    if (own != NULL)
        return own->action;
    for (const enum wb_action *a = view->actions; *a != WB_ACTION_NONE; a++)
        if (has_default(*a, key))
            return *a;
    for (int i = 1; i < WB_ACTION_COUNT; i++)
        if (wb_action_of_frame((enum wb_action)i) && has_default((enum wb_action)i, key))
            return (enum wb_action)i;
    return WB_ACTION_NONE;
}

static void add_name(struct wb_key key, char *out, size_t size)
{
    size_t used = strlen(out);
    char name[16];

    snprintf(out + used, size - used, "%s%s", used > 0 ? " " : "",
             wb_key_name(key, name, sizeof name));
}

const char *wb_keymap_keys(const struct wb_keymap *map, const struct wb_view_ops *view,
                           enum wb_action action, char *out, size_t size)
{
    const char *list = wb_action_info(action)->keys;
    struct wb_key key;

    out[0] = '\0';
    for (size_t i = 0; i < map->count; i++)
        if (map->own[i].action == action && wb_keymap_find(map, view, map->own[i].key) == action)
            add_name(map->own[i].key, out, size);
    while (next_key(&list, &key))
        if (own_binding(map, view, key) == NULL && wb_keymap_find(map, view, key) == action)
            add_name(key, out, size);
    return out;
}
