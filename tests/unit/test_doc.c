/* tests/unit/test_doc.c - the pipeline document: turning, undo, settings, what stays and what goes
 * when the script changes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "tests/unit/view_fixture.h"

#define SCRIPT                                                                               \
    "local a = wb.open 'tests/data/zoo/vit-rotated'\n"                                       \
    "local b = wb.open 'tests/data/zoo/vit-digits'\n"                                        \
    "local w = wb.knob('w', 0.5, {min = 0, max = 1, step = 0.25})\n"                         \
    "local how = wb.knob('how', 'linear', {choices = {'linear', 'slerp'}})\n"                \
    "local on = wb.knob('on', true)\n"                                                       \
    "if not on then return a end\n"                                                          \
    "if how == 'slerp' then return wb.merge('slerp', {base = a, models = {b}, t = w}) end\n" \
    "return wb.merge('linear', {models = {a, b}, weight = {1 - w, w}})\n"

static struct view_fixture fixture;
static struct wb_doc *doc;
static struct wb_err err;

static int setup(void **state)
{
    (void)state;
    view_fixture_open(&fixture, 24, 80);
    doc = fixture.desk->doc;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&fixture);
    return 0;
}

static void settle(void)
{
    view_fixture_settle(&fixture);
}

static void load(const char *text)
{
    assert_true(wb_doc_set_text(doc, text, strlen(text), &err));
    settle();
}

static void turn(const char *knob, const char *value)
{
    if (!wb_doc_turn(doc, knob, value, false, &err))
        fail_msg("%s", err.msg);
}

static const char *value_of(size_t i)
{
    static char value[300];

    return wb_doc_knob_value(doc, i, value, sizeof value);
}

/* The value that the script really ran with. */
static const char *ran_with(void)
{
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    return doc->script.pipeline.knobs_json;
}

static void replace(size_t line, const char *text)
{
    size_t n;
    struct wb_range range = { { line, 0 }, { line, 0 } };

    wb_document_line(doc->text, line, &n);
    range.to.byte = n;
    assert_true(
        wb_document_replace(doc->text, range, text, strlen(text), WB_EDIT_STEP, NULL, &err));
}

static bool text_has(const char *what)
{
    struct wb_str text = { 0 };
    bool has;

    wb_document_text(doc->text, &text);
    has = text.text != NULL && strstr(text.text, what) != NULL;
    wb_str_free(&text);
    return has;
}

static void test_turning(void **state)
{
    (void)state;
    load(SCRIPT);
    assert_int_equal(wb_doc_knob_count(doc), 3);
    assert_string_equal(value_of(0), "0.5");
    assert_false(wb_doc_knob_turned(doc, 0));
    turn("w", "0.750");
    assert_string_equal(value_of(0), "0.75");
    assert_true(wb_doc_knob_turned(doc, 0));
    settle();
    assert_non_null(strstr(ran_with(), "0.75"));
    assert_false(wb_doc_turn(doc, "w", "1.5", false, &err));
    assert_non_null(strstr(err.msg, "from 0 to 1"));
    assert_false(wb_doc_turn(doc, "w", "much", false, &err));
    assert_false(wb_doc_turn(doc, "w", "nan", false, &err));
    assert_false(wb_doc_turn(doc, "how", "cubic", false, &err));
    assert_non_null(strstr(err.msg, "linear, slerp"));
    assert_false(wb_doc_turn(doc, "on", "perhaps", false, &err));
    assert_false(wb_doc_turn(doc, "v", "1", false, &err));
    assert_non_null(strstr(err.msg, "no knob 'v'"));
    assert_string_equal(value_of(0), "0.75");
    turn("w", "0.50"); /* at its default it is not turned any more */
    assert_false(wb_doc_knob_turned(doc, 0));
    assert_int_equal(doc->now.knobs, 0);
}

static void test_steps(void **state)
{
    (void)state;
    load(SCRIPT);
    assert_true(wb_doc_step_knob(doc, 0, 1, &err));
    assert_string_equal(value_of(0), "0.75");
    assert_true(wb_doc_step_knob(doc, 0, 5, &err)); /* no further than the range */
    assert_string_equal(value_of(0), "1");
    assert_true(wb_doc_step_knob(doc, 0, -9, &err));
    assert_string_equal(value_of(0), "0");
    turn("w", "0.3");
    assert_true(wb_doc_step_knob(doc, 0, 1, &err)); /* onto the grid */
    assert_string_equal(value_of(0), "0.5");
    assert_true(wb_doc_slide_knob(doc, 0, 0.8, &err));
    assert_string_equal(value_of(0), "0.75");
    assert_true(fabs(wb_doc_knob_share(doc, 0) - 0.75) < 1e-12);
    assert_true(wb_doc_step_knob(doc, 1, 1, &err));
    assert_string_equal(value_of(1), "slerp");
    assert_true(wb_doc_step_knob(doc, 1, 1, &err)); /* choices go round */
    assert_string_equal(value_of(1), "linear");
    assert_true(wb_doc_step_knob(doc, 2, -1, &err));
    assert_string_equal(value_of(2), "false");
    assert_true(isnan(wb_doc_knob_share(doc, 1)));
    assert_false(wb_doc_slide_knob(doc, 2, 0.5, &err));
}

static void test_undo(void **state)
{
    (void)state;
    load(SCRIPT);
    assert_false(wb_doc_undo_knob(doc));
    turn("w", "0.25");
    turn("on", "false");
    turn("w", "0");
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(0), "0.25");
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(2), "true");
    assert_true(wb_doc_redo_knob(doc));
    assert_string_equal(value_of(2), "false");
    assert_true(wb_doc_redo_knob(doc));
    assert_string_equal(value_of(0), "0");
    assert_false(wb_doc_redo_knob(doc));
    assert_true(wb_doc_undo_knob(doc));
    turn("w", "1"); /* a new turn ends what could be redone */
    assert_false(wb_doc_redo_knob(doc));
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(0), "0.25");
    settle();
    assert_non_null(strstr(ran_with(), "0.25"));
}

static void test_turns_of_one_drag_are_one_step(void **state)
{
    (void)state;
    load(SCRIPT);
    for (int i = 0; i < 2; i++)
        assert_true(wb_doc_step_knob(doc, 0, 1, &err));
    assert_string_equal(value_of(0), "1");
    assert_true(wb_doc_step_knob(doc, 2, 1, &err)); /* another knob: another step */
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(0), "1");
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(0), "0.5");
    assert_false(wb_doc_undo_knob(doc));
}

static void test_undo_is_bounded(void **state)
{
    int undone = 0;

    (void)state;
    load(SCRIPT);
    for (int i = 0; i < 500; i++)
        turn("w", i % 2 == 0 ? "0.25" : "0.75");
    while (wb_doc_undo_knob(doc))
        undone++;
    assert_in_range(undone, 100, 499);
    assert_string_equal(value_of(0), "0.75"); /* the oldest that is kept */
}

static void test_settings(void **state)
{
    (void)state;
    load(SCRIPT);
    turn("w", "0.25");
    assert_true(wb_doc_keep(doc, "light", &err));
    turn("w", "1");
    turn("how", "slerp");
    assert_true(wb_doc_keep(doc, "heavy", &err));
    assert_false(wb_doc_keep(doc, "", &err));
    assert_true(wb_doc_use(doc, "light", &err));
    assert_string_equal(value_of(0), "0.25");
    assert_string_equal(value_of(1), "linear");
    assert_true(wb_doc_use(doc, "heavy", &err));
    assert_string_equal(value_of(1), "slerp");
    assert_true(wb_doc_use(doc, "", &err)); /* what the script says */
    assert_string_equal(value_of(0), "0.5");
    assert_false(wb_doc_use(doc, "none", &err));
    assert_true(wb_doc_undo_knob(doc));
    assert_string_equal(value_of(0), "1");
    assert_true(wb_doc_keep(doc, "light", &err)); /* again: replaced */
    assert_int_equal(doc->keeps, 2);
    assert_true(wb_doc_use(doc, "", &err));
    assert_true(wb_doc_use(doc, "light", &err));
    assert_string_equal(value_of(0), "1");
    wb_doc_drop_kept(doc, 0);
    assert_int_equal(doc->keeps, 1);
    assert_string_equal(doc->kept[0].name, "heavy");
}

static void test_stale_knobs_are_dropped(void **state)
{
    (void)state;
    load(SCRIPT);
    turn("w", "0.25");
    turn("on", "false");
    settle();
    replace(2, "local w = 0.5");
    settle();
    assert_true(doc->script.ok);
    assert_int_equal(doc->now.knobs, 1); /* "on" is still there */
    assert_string_equal(doc->now.knob[0], "on=false");
    /* one without a step too */
    load("local k = wb.knob('k', 1)\nreturn wb.open 'tests/data/zoo/vit-base'\n");
    turn("k", "2");
    settle();
    replace(0, "");
    settle();
    assert_true(doc->script.ok);
    assert_int_equal(doc->now.knobs, 0);
}

static void test_error_before_a_knob_keeps_it(void **state)
{
    (void)state;
    load(SCRIPT);
    turn("on", "false");
    settle();
    replace(3, "error('stop')");
    settle();
    assert_false(doc->script.ok);
    assert_int_equal(doc->script.err_line, 4);
    assert_int_equal(doc->now.knobs, 1);
    assert_int_equal(wb_doc_knob_count(doc), 3); /* those of the last good script */
    wb_document_undo(doc->text);
    settle();
    assert_true(doc->script.ok);
    assert_non_null(strstr(ran_with(), "false"));
}

static void test_broken_script_keeps_the_last_model(void **state)
{
    struct wb_model *before;
    double norm;
    size_t q;

    (void)state;
    load(SCRIPT);
    before = wb_doc_model(doc);
    assert_non_null(before);
    assert_int_equal(doc->now_figures.grade, WB_GRADE_EXACT);
    q = wb_preview_find(&doc->now_figures, WB_PREVIEW_norm, -1);
    norm = doc->now_figures.total_value[q];
    for (int i = 0; i < 2; i++) { /* broken twice in a row */
        replace(7, i == 0 ? "return wb.merge(" : "return wb.merge('nothing', {})");
        settle();
        assert_false(doc->script.ok);
        assert_ptr_equal(wb_doc_model(doc), before);
        assert_true(doc->now_figures.total_value[q] == norm);
    }
    load("return 1");
    assert_null(wb_doc_model(doc)); /* another script: nothing of the one before stays */
    assert_int_equal(doc->now_figures.quantities, 0);
    assert_int_equal(wb_doc_knob_count(doc), 0);
}

static void test_same_model_keeps_the_preview(void **state)
{
    struct wb_preview *preview;

    (void)state;
    load(SCRIPT);
    preview = doc->preview;
    assert_non_null(preview);
    replace(4, "local on = wb.knob('on', true) -- a comment");
    settle();
    assert_ptr_equal(doc->preview, preview);
    assert_int_equal(doc->before.grade, WB_GRADE_NONE);
    turn("w", "0.75");
    settle();
    assert_ptr_not_equal(doc->preview, preview);
}

/* A turn moves the numbers; they are compared with those before it, whatever came between. */
static void test_moves(void **state)
{
    const struct wb_preview_snapshot *before, *now;
    struct wb_str cause = { 0 };
    double at_half, at_most;
    size_t q;

    (void)state;
    load(SCRIPT);
    assert_false(wb_doc_moves(doc, &before, &now));
    q = wb_preview_find(&doc->now_figures, WB_PREVIEW_cosine, 0);
    assert_true(q < doc->now_figures.quantities);
    at_half = doc->now_figures.total_value[q];
    for (int i = 0; i < 2; i++) { /* one drag, its numbers seen on the way */
        doc->merged_at = wb_now_seconds();
        assert_true(wb_doc_step_knob(doc, 0, 1, &err));
        settle();
    }
    at_most = doc->now_figures.total_value[q];
    assert_true(wb_doc_moves(doc, &before, &now));
    assert_true(now->total_value[q] == at_most);
    assert_true(before->total_value[q] == at_half);
    assert_true(at_most < at_half); /* all of the other model: further from this one */
    wb_doc_cause(doc, &cause);
    assert_string_equal(cause.text, "w 0.5 -> 1");
    wb_str_free(&cause);
    assert_true(wb_doc_undo_knob(doc));
    settle();
    assert_true(wb_doc_moves(doc, &before, &now));
    assert_true(now->total_value[q] == at_half);
    assert_true(before->total_value[q] == at_most);
    wb_doc_cause(doc, &cause);
    assert_string_equal(cause.text, "w 1 -> 0.5");
    wb_str_free(&cause);
    replace(2, "local w = wb.knob('w', 0.25, {min = 0, max = 1})");
    settle();
    wb_doc_cause(doc, &cause);
    assert_non_null(strstr(cause.text, "the script"));
    wb_str_free(&cause);
}

/* A turn that changes nothing says so. */
static void test_turn_without_effect(void **state)
{
    const struct wb_preview_snapshot *before, *now;
    struct wb_str cause = { 0 };

    (void)state;
    load("local k = wb.knob('k', 1)\nreturn wb.open 'tests/data/zoo/vit-base'\n");
    turn("k", "2");
    settle();
    assert_true(wb_doc_moves(doc, &before, &now));
    wb_doc_cause(doc, &cause);
    assert_string_equal(cause.text, "k 1 -> 2");
    wb_str_free(&cause);
    for (size_t q = 0; q < now->quantities; q++)
        assert_true(now->total_value[q] == before->total_value[q] || isnan(now->total_value[q]));
}

static void test_write_knobs(void **state)
{
    (void)state;
    load(SCRIPT);
    turn("w", "0.125");
    turn("how", "slerp");
    turn("on", "false");
    assert_true(wb_doc_write_knobs(doc, &err));
    assert_true(text_has("wb.knob('w', 0.125, {min"));
    assert_true(text_has("slerp\", {choices") || text_has("slerp', {choices"));
    assert_true(text_has("wb.knob('on', false)"));
    assert_int_equal(doc->now.knobs, 0);
    assert_false(wb_doc_undo_knob(doc));
    settle();
    assert_string_equal(value_of(0), "0.125");
    assert_true(wb_document_undo(doc->text)); /* all of it in one step */
    assert_true(text_has("wb.knob('w', 0.5, {min"));
    assert_true(text_has("wb.knob('on', true)"));
    assert_false(wb_document_undo(doc->text));
}

static void test_write_knobs_whole_or_not_at_all(void **state)
{
    (void)state;
    load("local a = wb.knob('a', 1)\nlocal b = wb.knob('b', 1 + 1)\n"
         "return wb.open 'tests/data/zoo/vit-base'\n");
    turn("a", "5");
    turn("b", "6");
    assert_false(wb_doc_write_knobs(doc, &err));
    assert_true(text_has("wb.knob('a', 1)"));
    assert_int_equal(doc->now.knobs, 2);
}

static void test_save_and_load(void **state)
{
    const char *path = view_fixture_path(&fixture, "$D/one.lua");
    const char *other = view_fixture_path(&fixture, "$D/two.lua");

    (void)state;
    load(SCRIPT);
    assert_false(wb_doc_save(doc, NULL, &err)); /* it has no file yet */
    assert_true(wb_doc_save(doc, path, &err));
    assert_string_equal(wb_doc_name(doc), path);
    assert_false(wb_document_modified(doc->text));
    replace(0, "-- changed");
    assert_true(wb_document_modified(doc->text));
    turn("w", "1");
    assert_true(wb_doc_keep(doc, "kept", &err));
    assert_true(wb_doc_load(doc, path, &err)); /* the same file: settings stay */
    assert_false(text_has("-- changed"));
    assert_int_equal(doc->now.knobs, 0);
    assert_int_equal(doc->keeps, 1);
    assert_true(wb_doc_save(doc, other, &err));
    assert_string_equal(wb_doc_name(doc), other);
    assert_true(wb_doc_load(doc, path, &err));
    assert_int_equal(doc->keeps, 0); /* another one: they are not its own */
    assert_false(wb_doc_load(doc, view_fixture_path(&fixture, "$D/none.lua"), &err));
    assert_string_equal(wb_doc_name(doc), path);
    assert_true(text_has("vit-digits"));
    settle();
    assert_true(doc->script.ok);
}

static void test_restore_of_unsaved_text(void **state)
{
    const char *path = view_fixture_path(&fixture, "$D/one.lua");

    (void)state;
    view_fixture_write(&fixture, "$D/one.lua", SCRIPT);
    assert_true(wb_doc_load(doc, path, &err));
    assert_true(wb_doc_restore_text(doc, "return wb.open 'tests/data/zoo/vit-base'\n", &err));
    assert_true(wb_document_modified(doc->text));
    settle();
    assert_true(doc->script.ok);
    assert_int_equal(wb_doc_knob_count(doc), 0);
    assert_true(wb_document_undo(doc->text)); /* back to the file's */
    assert_false(wb_document_modified(doc->text));
    settle();
    assert_int_equal(wb_doc_knob_count(doc), 3);
}

static void test_empty_text_is_no_error(void **state)
{
    (void)state;
    load(SCRIPT);
    load(" \n\n");
    assert_null(wb_doc_model(doc));
    assert_int_equal(doc->script.err.code, WB_OK);
    assert_int_equal(doc->script.findings, 0);
    assert_int_equal(doc->now_figures.quantities, 0);
}

static void test_parents(void **state)
{
    struct wb_model *base, *parent[2];
    const char *name[2];

    (void)state;
    assert_int_equal(wb_doc_parents(doc, &base, parent, name, 2), 0);
    assert_null(base);
    load(SCRIPT);
    assert_int_equal(wb_doc_parents(doc, &base, parent, name, 2), 2);
    assert_string_equal(name[1], "vit-digits");
    assert_int_equal(wb_doc_parents(doc, &base, parent, NULL, 1), 1);
}

static void test_endless_loop_is_cancelled(void **state)
{
    (void)state;
    load(SCRIPT);
    replace(7, "while true do end");
    for (int i = 0; i < 100 && doc->run_id == 0; i++) {
        struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

        wb_frame_poll(fixture.frame);
        nanosleep(&moment, NULL);
    }
    assert_true(doc->run_id != 0);
    assert_true(wb_doc_busy(doc));
    wb_doc_cancel(doc); /* at once: its thread may not have begun with it */
    settle();
    assert_false(doc->script.ok);
    assert_int_equal(doc->script.err.code, WB_ECANCELLED);
    assert_non_null(wb_doc_model(doc));
}

static void test_setting_lists(void **state)
{
    struct wb_setting a = { 0 }, b;

    (void)state;
    assert_true(wb_setting_set(&a, "x", "1"));
    assert_true(wb_setting_set(&a, "xy", "2"));
    assert_true(wb_setting_set(&a, "x", "a=b"));
    assert_string_equal(wb_setting_get(&a, "x"), "a=b");
    assert_string_equal(wb_setting_get(&a, "xy"), "2");
    assert_null(wb_setting_get(&a, "y"));
    assert_true(wb_setting_copy(&a, &b));
    assert_true(wb_setting_equal(&a, &b));
    wb_setting_drop(&b, 0);
    assert_false(wb_setting_equal(&a, &b));
    assert_null(wb_setting_get(&b, "x"));
    wb_setting_free(&a);
    wb_setting_free(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_turning),
        T(test_steps),
        T(test_undo),
        T(test_turns_of_one_drag_are_one_step),
        T(test_undo_is_bounded),
        T(test_settings),
        T(test_stale_knobs_are_dropped),
        T(test_error_before_a_knob_keeps_it),
        T(test_broken_script_keeps_the_last_model),
        T(test_same_model_keeps_the_preview),
        T(test_moves),
        T(test_turn_without_effect),
        T(test_write_knobs),
        T(test_write_knobs_whole_or_not_at_all),
        T(test_save_and_load),
        T(test_restore_of_unsaved_text),
        T(test_empty_text_is_no_error),
        T(test_parents),
        T(test_endless_loop_is_cancelled),
        cmocka_unit_test(test_setting_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
