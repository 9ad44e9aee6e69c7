/* tests/unit/test_keymap.c - the table of actions: names, keys, no key with two meanings; bindings of
 * the user's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "views/help.h"
#include "views/keymap.h"

/* The default keys of an action, one after the other. */
static bool next_key(const char **list, struct wb_key *key, char name[20])
{
    size_t n = strcspn(*list, " ");
    struct wb_err err;

    if (n == 0)
        return false;
    assert_true(n < 20);
    memcpy(name, *list, n);
    name[n] = '\0';
    *list += n + strspn(*list + n, " ");
    if (!wb_key_parse(name, key, &err))
        fail_msg("%s: %s", name, err.msg);
    return true;
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 1; i < WB_ACTION_COUNT; i++) {
        const struct wb_action_info *info = wb_action_info((enum wb_action)i);
        const char *list = info->keys;
        struct wb_key key;
        char name[20];

        assert_int_equal(wb_action_find(info->name), i); /* no two have one name */
        assert_true(strlen(info->doc) > 3);
        while (next_key(&list, &key, name)) {
            char again[20];

            assert_string_equal(wb_key_name(key, again, sizeof again), name);
        }
    }
    assert_int_equal(wb_action_find("no such action"), WB_ACTION_NONE);
}

/* A key of the view means one thing, and none of the frame's unless the view takes that action too. */
static void check_view(const struct wb_view_ops *view)
{
    for (const enum wb_action *a = view->actions; *a != WB_ACTION_NONE; a++) {
        const char *list = wb_action_info(*a)->keys;
        struct wb_keymap map = { 0 };
        struct wb_key key;
        char name[20];

        for (const enum wb_action *b = view->actions; b < a; b++)
            assert_int_not_equal(*a, *b);
        while (next_key(&list, &key, name)) {
            enum wb_action found = wb_keymap_find(&map, view, key);

            if (found != *a)
                fail_msg("%s: key %s of %s does %s", view->name, name, wb_action_info(*a)->name,
                         wb_action_info(found)->name);
            for (int i = 1; i < WB_ACTION_COUNT; i++) {
                const char *frames = wb_action_info((enum wb_action)i)->keys;
                struct wb_key other;
                char other_name[20];

                while (wb_action_of_frame((enum wb_action)i) && (enum wb_action)i != *a &&
                       !wb_view_handles(view, (enum wb_action)i) &&
                       next_key(&frames, &other, other_name))
                    if (wb_key_equal(other, key))
                        fail_msg("%s: key %s hides %s of the frame", view->name, name,
                                 wb_action_info((enum wb_action)i)->name);
            }
        }
    }
    for (const enum wb_action *a = view->hints; a != NULL && *a != WB_ACTION_NONE; a++)
        assert_true(wb_view_handles(view, *a) || wb_action_of_frame(*a));
}

static void test_views(void **state)
{
    size_t n = 0;

    (void)state;
    for (; wb_screens[n] != NULL; n++) {
        check_view(wb_screens[n]);
        for (size_t i = 0; i < n; i++)
            assert_string_not_equal(wb_screens[i]->name, wb_screens[n]->name);
    }
    assert_true(n > 0 && n <= 11); /* ten have a digit; [ leads from the first to the last */
    check_view(&wb_messages_view);
}

static void bind(struct wb_keymap *map, const char *view, const char *key, const char *action)
{
    struct wb_err err;

    if (!wb_keymap_bind(map, view, key, action, &err))
        fail_msg("%s", err.msg);
}

static enum wb_action find(const struct wb_keymap *map, const char *name)
{
    struct wb_key key;

    assert_true(wb_key_parse(name, &key, NULL));
    return wb_keymap_find(map, wb_screens[0], key);
}

static void test_bindings(void **state)
{
    struct wb_keymap map = { 0 };
    struct wb_err err;
    char keys[80];

    (void)state;
    assert_int_equal(find(&map, "j"), WB_ACTION_DOWN);
    assert_string_equal(wb_keymap_keys(&map, wb_screens[0], WB_ACTION_DOWN, keys, sizeof keys),
                        "j Down");
    bind(&map, "all", "j", "up");
    assert_int_equal(find(&map, "j"), WB_ACTION_UP);
    bind(&map, wb_screens[0]->name, "j", "last");
    assert_int_equal(find(&map, "j"), WB_ACTION_LAST);
    bind(&map, wb_screens[1]->name, "j", "first"); /* another view's */
    assert_int_equal(find(&map, "j"), WB_ACTION_LAST);
    assert_string_equal(wb_keymap_keys(&map, wb_screens[0], WB_ACTION_DOWN, keys, sizeof keys),
                        "Down");
    bind(&map, NULL, "?", NULL);
    assert_int_equal(find(&map, "?"), WB_ACTION_NONE);
    assert_int_equal(find(&map, "F1"), WB_ACTION_HELP);
    assert_false(wb_keymap_bind(&map, "all", "j", "jump about", &err));
    assert_non_null(strstr(err.msg, "jump about"));
    assert_false(wb_keymap_bind(&map, "all", "C-", "up", &err));
    assert_non_null(strstr(err.msg, "C-"));
    wb_keymap_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_bindings),
    };

    return cmocka_run_group_tests_name("keymap", tests, NULL, NULL);
}
