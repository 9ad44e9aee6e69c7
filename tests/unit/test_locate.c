/* tests/unit/test_locate.c - paths, adapters behind a '+', and a hub cache made on the spot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "app/store/locate.h"
#include "tests/unit/store_files.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "fedcba9876543210fedcba9876543210fedcba98"

static struct wb_arena arena;
static struct wb_location found;
static struct wb_err err;

static void clear_variables(void)
{
    unsetenv("HF_HUB_CACHE");
    unsetenv("HUGGINGFACE_HUB_CACHE");
    unsetenv("HF_HOME");
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", files_root, 1);
}

static int begin(void **state)
{
    (void)state;
    clear_variables();
    err = (struct wb_err){ 0 };
    return 0;
}

static int end(void **state)
{
    (void)state;
    wb_arena_free(&arena);
    return 0;
}

/* ROOT/hub with org/name at COMMIT (main, and the ref of a pull request) and OTHER (no ref). */
static void make_hub(const char *hub)
{
    put_text(at("%s/models--org--name/refs/main", hub), COMMIT);
    put_text(at("%s/models--org--name/refs/refs/pr/1", hub), OTHER "\n");
    put_text(at("%s/models--org--name/snapshots/" COMMIT "/config.json", hub), "{}");
    put_text(at("%s/models--org--name/snapshots/" OTHER "/config.json", hub), "{}");
    put_text(at("%s/models--alone/refs/main", hub), COMMIT);
    put_text(at("%s/models--alone/snapshots/" COMMIT "/config.json", hub), "{}");
}

static void expect_path(const char *model, const char *path)
{
    if (!wb_locate(model, &arena, &found, &err))
        fail_msg("%s", err.msg);
    assert_string_equal(found.path, path);
    assert_int_equal(found.adapters, 0);
}

static void expect_failure(const char *model, enum wb_code code, const char *text)
{
    assert_false(wb_locate(model, &arena, &found, &err));
    assert_int_equal(err.code, code);
    assert_true(says(&err, text, NULL));
}

static void test_paths(void **state)
{
    (void)state;
    put_text(at("a/model.safetensors"), "");
    expect_path(at("a"), at("a"));
    expect_path(at("a/model.safetensors"), at("a/model.safetensors"));
    expect_path(at("a/"), at("a/"));
    expect_path(".", ".");
    expect_path("~/a", at("a"));
    expect_path("~", files_root);
}

static void test_adapters(void **state)
{
    char model[PATH_ROOM];

    (void)state;
    at("m/x");
    at("l1/x");
    at("l2/x");
    snprintf(model, sizeof model, "%s/m+%s/l1+~/l2", files_root, files_root);
    assert_true(wb_locate(model, &arena, &found, &err));
    assert_string_equal(found.path, at("m"));
    assert_int_equal(found.adapters, 2);
    assert_string_equal(found.adapter[0], at("l1"));
    assert_string_equal(found.adapter[1], at("l2"));
}

static void test_plus_in_a_path(void **state)
{
    char model[PATH_ROOM];

    (void)state;
    at("p/x");
    at("p+q/x");
    at("p+q+r/x");
    expect_path(at("p+q"), at("p+q"));
    snprintf(model, sizeof model, "%s/p+q+%s/p+q+r+%s/p", files_root, files_root, files_root);
    assert_true(wb_locate(model, &arena, &found, &err));
    assert_string_equal(found.path, at("p+q"));
    assert_int_equal(found.adapters, 2);
    assert_string_equal(found.adapter[0], at("p+q+r"));
    assert_string_equal(found.adapter[1], at("p"));
}

static void test_too_many_adapters(void **state)
{
    char model[100] = ".";

    (void)state;
    for (int i = 0; i < WB_ADAPTERS_MAX; i++)
        strcat(model, "+.");
    assert_true(wb_locate(model, &arena, &found, &err));
    assert_int_equal(found.adapters, WB_ADAPTERS_MAX);
    strcat(model, "+.");
    expect_failure(model, WB_EARG, "more than 8 adapters");
}

static void test_empty_names(void **state)
{
    char *long_name = calloc(1, 10001);

    (void)state;
    expect_failure("", WB_EARG, "an empty name of a model");
    expect_failure(".+", WB_EARG, "beside a '+'");
    expect_failure("+.", WB_EARG, "beside a '+'");
    expect_failure(".++.", WB_EARG, "beside a '+'");
    memset(long_name, '+', 10000);
    expect_failure(long_name, WB_EARG, "10000 bytes");
    free(long_name);
}

static void test_hub_root_order(void **state)
{
    static const struct {
        const char *variable, *value, *hub;
    } rows[] = {
        { "HOME", "", "home/.cache/huggingface/hub" },
        { "XDG_CACHE_HOME", "xdg", "xdg/huggingface/hub" },
        { "HF_HOME", "hf", "hf/hub" },
        { "HUGGINGFACE_HUB_CACHE", "old", "old" },
        { "HF_HUB_CACHE", "new", "new" },
    };
    char value[PATH_ROOM + 20];

    (void)state;
    setenv("HOME", at("home"), 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) { /* each wins over those before */
        if (i > 0)
            setenv(rows[i].variable, at("%s", rows[i].value), 1);
        make_hub(rows[i].hub);
        expect_path("org/name", at("%s/models--org--name/snapshots/" COMMIT, rows[i].hub));
    }
    setenv("HF_HUB_CACHE", "", 1); /* empty is not set */
    expect_path("alone", at("old/models--alone/snapshots/" COMMIT));
    setenv("HF_HUB_CACHE", "~/../xdg/huggingface/hub", 1);
    snprintf(value, sizeof value, "%s/home/../xdg/huggingface/hub/models--alone/snapshots/" COMMIT,
             files_root);
    expect_path("alone", value);
    setenv("WB_TEST_ROOT", files_root, 1);
    setenv("HF_HUB_CACHE", "$WB_TEST_ROOT/new", 1);
    expect_path("alone", at("new/models--alone/snapshots/" COMMIT));
    setenv("HF_HUB_CACHE", "${WB_TEST_ROOT}/new", 1);
    expect_path("alone", at("new/models--alone/snapshots/" COMMIT));
    setenv("HF_HUB_CACHE", "$WB_NOT_SET_AT_ALL/x${", 1);
    expect_failure("alone", WB_ENOTFOUND, "$WB_NOT_SET_AT_ALL/x${/models--alone");
}

static void test_revisions(void **state)
{
    (void)state;
    make_hub("rev");
    setenv("HF_HUB_CACHE", at("rev"), 1);
    expect_path("org/name@main", at("rev/models--org--name/snapshots/" COMMIT));
    expect_path("org/name@" OTHER, at("rev/models--org--name/snapshots/" OTHER));
    expect_path("org/name@refs/pr/1", at("rev/models--org--name/snapshots/" OTHER));
    expect_failure("org/name@v2", WB_ENOTFOUND, "hf download org/name --revision v2");
    assert_true(says(&err, at("rev"), COMMIT, OTHER, "'v2'", NULL));
    expect_failure("org/name@fedcba", WB_ENOTFOUND,
                   "there is no revision 'fedcba'"); /* no prefixes */
    assert_string_equal(wb_locate_hub("org/name", &arena),
                        at("rev/models--org--name/snapshots/" COMMIT));
    assert_string_equal(wb_locate_hub("org/name@" OTHER, &arena),
                        at("rev/models--org--name/snapshots/" OTHER));
    assert_null(wb_locate_hub("org/other", &arena));
    assert_null(wb_locate_hub("../name", &arena));
}

static void test_hub_adapters(void **state)
{
    (void)state;
    make_hub("both");
    setenv("HF_HUB_CACHE", at("both"), 1);
    assert_true(wb_locate("alone@main+org/name@" OTHER "+.", &arena, &found, &err));
    assert_string_equal(found.path, at("both/models--alone/snapshots/" COMMIT));
    assert_int_equal(found.adapters, 2);
    assert_string_equal(found.adapter[0], at("both/models--org--name/snapshots/" OTHER));
    assert_string_equal(found.adapter[1], ".");
    expect_failure("alone+org/nothing", WB_ENOTFOUND, "adapter: 'org/nothing'");
}

static void test_path_wins_over_hub(void **state)
{
    char before[PATH_ROOM];

    (void)state;
    make_hub("wins");
    setenv("HF_HUB_CACHE", at("wins"), 1);
    at("work/org/name/x");
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(at("work")), 0);
    expect_path("org/name", "org/name");
    assert_int_equal(chdir(before), 0);
}

static void test_nowhere(void **state)
{
    (void)state;
    expect_failure("org/nothing", WB_ENOTFOUND, ".cache/huggingface/hub/models--org--nothing");
    assert_true(says(&err, files_root, "hf download org/nothing", NULL));
    expect_failure("/not/here", WB_ENOTFOUND, "'/not/here' is no file or directory");
    expect_failure("a/b/c", WB_ENOTFOUND, "cannot be a name of the hub");
    expect_failure("./a", WB_ENOTFOUND, "cannot be a name of the hub");
    expect_failure("a b", WB_ENOTFOUND, "cannot be a name of the hub");
}

/* No name leads out of the cache, and no ref does. */
static void test_hostile_names(void **state)
{
    static const char *const names[] = {
        "../x",          "..",          "a/..",          "a/../b",
        "a..b/c",        "org/name@..", "org/name@../x", "org/name@a/../../x",
        "org/name@/etc", "org/name@",   "org/name@a//b", "@main",
        "org/@main",     "-x/y",        "org/.name",     "org/name@a@b c"
    };
    static const char *const refs[] = { "../../../../outside", "/etc", "..", "", "a/b", ".", "\n" };

    (void)state;
    make_hub("hostile");
    put_text(at("outside/config.json"), "{}");
    setenv("HF_HUB_CACHE", at("hostile"), 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], "..") != 0 && strcmp(names[i], "../x") != 0)
            assert_false(wb_locate(names[i], &arena, &found, &err));
        assert_null(wb_locate_hub(names[i], &arena));
    }
    for (size_t i = 0; i < sizeof refs / sizeof refs[0]; i++) {
        put_text(at("hostile/models--org--name/refs/main"), refs[i]);
        assert_null(wb_locate_hub("org/name", &arena));
        expect_failure("org/name", WB_ENOTFOUND, "there is no revision 'main'");
    }
    mkfifo(at("hostile/models--fifo/refs/main"), 0600);
    alarm(20); /* a FIFO in place of a ref must not block */
    assert_null(wb_locate_hub("fifo", &arena));
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths, begin, end),
        cmocka_unit_test_setup_teardown(test_adapters, begin, end),
        cmocka_unit_test_setup_teardown(test_plus_in_a_path, begin, end),
        cmocka_unit_test_setup_teardown(test_too_many_adapters, begin, end),
        cmocka_unit_test_setup_teardown(test_empty_names, begin, end),
        cmocka_unit_test_setup_teardown(test_hub_root_order, begin, end),
        cmocka_unit_test_setup_teardown(test_revisions, begin, end),
        cmocka_unit_test_setup_teardown(test_hub_adapters, begin, end),
        cmocka_unit_test_setup_teardown(test_path_wins_over_hub, begin, end),
        cmocka_unit_test_setup_teardown(test_nowhere, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile_names, begin, end),
    };

    return cmocka_run_group_tests(tests, files_begin, files_end);
}
