/* tests/unit/test_eval_sets.c - evaluation sets: found beside a model, chosen, kept for a session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lua/bind/families.h"
#include "views/eval_sets.h"

static struct wb_arch_set *families;
static struct wb_eval_sets sets;
static struct wb_model *model;
static struct wb_err err;

static int setup(void **state)
{
    const char *dirs[] = { "lua/arch" };

    (void)state;
    families = wb_arch_set_new();
    assert_true(wb_families_load(families, dirs, 1, &err));
    sets = (struct wb_eval_sets){ 0 };
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wb_eval_sets_free(&sets);
    wb_model_unref(model);
    model = NULL;
    wb_arch_set_free(families);
    return 0;
}

static struct wb_eval_list *list_of(const char *path)
{
    wb_model_unref(model);
    model = wb_model_open(path, families, &err);
    if (model == NULL)
        fail_msg("%s", err.msg);
    return wb_eval_sets_of(&sets, model);
}

static void are(const struct wb_eval_list *l, const char *names)
{
    char text[400] = "";

    for (size_t i = 0; i < l->sets; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, l->set[i].name);
        strcat(text, l->set[i].off ? "-" : "");
    }
    assert_string_equal(text, names);
}

static void test_found_beside_the_model(void **state)
{
    struct wb_eval_list *l = list_of("tests/data/zoo/base");

    (void)state;
    are(l, "code english german kjv math");
    assert_int_equal(l->set[1].kind, WB_BEHAVIOUR_TEXT);
    assert_int_equal(l->set[4].kind, WB_BEHAVIOUR_TASKS);
    assert_string_equal(l->set[4].path, "tests/data/zoo/eval/math.jsonl");
    assert_false(l->chosen);
    assert_ptr_equal(list_of("tests/data/zoo/base"), l);
    are(list_of("tests/data/zoo/vit-base"), "vit-digits vit-inverted vit-parity vit-rotated");
}

static void test_what_the_config_names_comes_first(void **state)
{
    static const char *const usual[] = { "tests/data/zoo/eval/kjv.txt", "nothing.md",
                                         "not/there.jsonl" };

    (void)state;
    sets.usual = usual;
    sets.usuals = 3;
    are(list_of("tests/data/zoo/base"), "kjv there"); /* a file may come later */
}

static void test_choosing(void **state)
{
    struct wb_eval_list *l = list_of("tests/data/zoo/base");
    struct wb_behaviour_set on[WB_EVAL_SETS_MAX];
    unsigned long version = sets.version;

    (void)state;
    assert_true(wb_eval_sets_add(&sets, l, "tests/data/zoo/eval/../eval/kjv.txt", 32, 2, &err));
    are(l, "code english german kjv math kjv-2");
    assert_true(sets.version > version);
    wb_eval_sets_switch(&sets, l, 0, false);
    wb_eval_sets_drop(&sets, l, 1);
    are(l, "code- german kjv math kjv-2");
    assert_int_equal(wb_eval_sets_on(l, on), 4);
    assert_string_equal(on[3].name, "kjv-2");
    assert_int_equal(on[3].window, 32);
    assert_int_equal(on[3].limit, 2);
    assert_true(wb_eval_sets_add(&sets, l, "tests/data/zoo/eval/code.txt", 0, 0, &err));
    are(l, "code german kjv math kjv-2"); /* the same file: on again */
    wb_eval_sets_reset(&sets, l, model);
    are(l, "code english german kjv math");
    assert_false(l->chosen);
}

static void test_refused(void **state)
{
    struct wb_eval_list *l = list_of("tests/data/zoo/base");

    (void)state;
    assert_false(wb_eval_sets_add(&sets, l, "tests/data/zoo/eval/README.md", 0, 0, &err));
    assert_non_null(strstr(err.msg, ".jsonl"));
    assert_false(wb_eval_sets_add(&sets, l, "tests/data/zoo/eval/none.txt", 0, 0, &err));
    assert_int_equal(err.code, WB_ENOTFOUND);
    assert_false(wb_eval_sets_add(&sets, l, ".txt", 0, 0, &err));
    for (int i = 0; i < WB_EVAL_SETS_MAX; i++) {
        char path[300] = "tests/data/zoo/eval/";

        for (int k = 0; k < i; k++)
            strcat(path, "./");
        strcat(path, "kjv.txt");
        wb_eval_sets_add(&sets, l, path, 0, 0, &err);
    }
    assert_int_equal(l->sets, WB_EVAL_SETS_MAX);
    assert_non_null(strstr(err.msg, "already"));
}

static void test_session(void **state)
{
    struct wb_eval_list *l = list_of("tests/data/zoo/base");
    cJSON *object = cJSON_CreateObject();

    (void)state;
    wb_eval_sets_write(&sets, object);
    assert_null(object->child); /* nothing was chosen */
    wb_eval_sets_add(&sets, l, "tests/data/zoo/eval/kjv.txt", 32, 2, &err);
    wb_eval_sets_switch(&sets, l, 0, false);
    wb_eval_sets_write(&sets, object);
    wb_eval_sets_free(&sets);
    wb_eval_sets_read(&sets, object);
    cJSON_Delete(object);
    l = list_of("tests/data/zoo/base");
    are(l, "code- english german kjv math");
    assert_int_equal(l->set[3].window, 32);
    assert_int_equal(l->set[3].limit, 2);
    assert_true(l->chosen);
}

/* A session file is a file like any other. */
static void test_session_that_is_none(void **state)
{
    static const char *const texts[] = {
        "1",
        "[]",
        "{\"m\": 1}",
        "{\"m\": [1, {}, {\"path\": 2}, {\"path\": \"x\"}]}",
        "{\"m\": [{\"path\": \"a.txt\", \"limit\": -1, \"window\": 1e300, \"off\": 3}]}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cJSON *json = cJSON_Parse(texts[i]);

        assert_non_null(json);
        wb_eval_sets_read(&sets, json);
        cJSON_Delete(json);
        if (i == 4) {
            assert_int_equal(sets.list[0]->set[0].limit, 0);
            assert_int_equal(sets.list[0]->set[0].window, 0);
            assert_false(sets.list[0]->set[0].off);
        }
        wb_eval_sets_free(&sets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_found_beside_the_model, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_the_config_names_comes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_choosing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_that_is_none, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
