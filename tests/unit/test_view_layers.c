/* tests/unit/test_view_layers.c - the layers view: screens, actions, models that go away, work that is
 * stopped, the record. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lua/bind/record.h"
#include "tests/unit/layers_view.h"

/* ---- work that stands still ---- */

enum { HELD = 4 };
static atomic_bool go_on;
static struct wb_task *held[HELD];

static bool hold(struct wb_task *task, void *ctx, struct wb_err *err)
{
    (void)ctx, (void)err;
    while (!atomic_load(&go_on) && !wb_task_cancelled(task))
        usleep(500);
    return true;
}

/* All threads for background work are taken until release, the one for urgent work last: what starts
 * now waits. */
static void hold_all(struct view_fixture *f)
{
    struct wb_err err;

    atomic_store(&go_on, false);
    for (int i = 0; i < HELD; i++) {
        held[i] = i + 1 < HELD
                      ? wb_task_start(f->desk->tasks, "hold", hold, NULL, NULL, &err)
                      : wb_task_start_urgent(f->desk->tasks, "hold", hold, NULL, NULL, &err);
        assert_non_null(held[i]);
        while (wb_task_poll(held[i], NULL) == WB_TASK_WAITING)
            usleep(500);
    }
}

static void release(struct view_fixture *f)
{
    atomic_store(&go_on, true);
    for (int i = 0; i < HELD; i++)
        wb_task_drop(held[i]);
    view_fixture_settle(f);
}

/* ---- screens ---- */

static void test_screens(void **state)
{
    static const struct {
        const char *name;
        int rows, cols;
    } sizes[] = { { "80", 24, 80 }, { "120", 40, 120 } };
    struct view_fixture f;
    char name[60];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        open_models(&f, sizes[i].rows, sizes[i].cols, "base math german");
        run(&f, "model math base");
        run(&f, "go layers");
        keys(&f, "jl");
        snprintf(name, sizeof name, "layers-pair-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "OD");
        snprintf(name, sizeof name, "layers-pair-deltas-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "mf");
        keys(&f, "j>>");
        snprintf(name, sizeof name, "layers-within-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "mD");
        keys(&f, "l<Tab>");
        snprintf(name, sizeof name, "layers-models-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        view_fixture_close(&f);
    }
}

/* No size cuts what matters or draws outside; nor does any place of the cursor. */
static void test_sizes(void **state)
{
    static const int sizes[][2] = { { 24, 80 }, { 24, 99 }, { 24, 100 }, { 60, 200 }, { 80, 240 } };
    struct view_fixture f;

    (void)state;
    open_models(&f, 24, 80, "base math vit-base");
    run(&f, "model base math");
    run(&f, "go layers");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        f.rows = sizes[i][0];
        f.cols = sizes[i][1];
        for (int mode = 0; mode < LAYERS_MODES; mode++) {
            keys(&f, "m");
            if (mode == LAYERS_MODES - 1) /* past the states: test_view_heads */
                keys(&f, "m");
            keys(&f, "Glzjf<Tab>");
            view_fixture_shows(&f, " : ");
            keys(&f, "<Tab>");
            view_fixture_shows(&f, "nearest");
            view_fixture_shows(&f, "range ");
        }
    }
    view_fixture_close(&f);
}

/* What was worked out once is there when one comes back. */
static void test_kept(void **state)
{
    struct view_fixture f;
    struct layers *s;
    double before;

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "go layers");
    s = state_of(&f);
    before = number(s, "3", "up");
    keys(&f, "mm");
    keys(&f, "D");
    view_fixture_keys(&f, "D");
    run(&f, "mode pair");
    assert_false(wb_desk_busy(f.desk));
    assert_int_equal(s->mode, LAYERS_PAIR);
    assert_int_equal(s->answer->grade, LAYERS_EXACT);
    same(number(s, "3", "up"), before);
    keys(&f, "OO"); /* the other one, and back */
    assert_true(number(s, "3", "up") == before);
    view_fixture_close(&f);
}

/* ---- models that go, work that is stopped ---- */

static void test_closed_while_computing(void **state)
{
    struct view_fixture f;

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "model math base");
    hold_all(&f);
    view_fixture_command(&f, "go layers");
    view_fixture_shows(&f, "computing 0 %");
    assert_true(wb_frame_view(f.frame)->ops->busy(wb_frame_view(f.frame)));
    wb_desk_close(f.desk, wb_desk_find(f.desk, "math")->id);
    view_fixture_keys(&f, "ctDm"); /* before anything was polled */
    release(&f);
    run(&f, "mode pair");
    view_fixture_hides(&f, "math");
    view_fixture_shows(&f, "base");
    wb_desk_close(f.desk, wb_desk_find(f.desk, "base")->id);
    view_fixture_keys(&f, "<Enter>xyc<Esc>");
    view_fixture_settle(&f);
    view_fixture_shows(&f, "no model to compare german with");
    wb_desk_close(f.desk, wb_desk_find(f.desk, "german")->id);
    view_fixture_settle(&f);
    view_fixture_shows(&f, "No model is open");
    assert_null(state_of(&f)->kept);
    view_fixture_close(&f);
}

/* Closed while another screen is shown: nothing of it is kept, nothing starts. */
static void test_closed_while_away(void **state)
{
    struct view_fixture f;
    struct layers *s;

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "model math base");
    run(&f, "go layers");
    s = state_of(&f);
    assert_non_null(s->answer);
    run(&f, "go models");
    wb_desk_close(f.desk, wb_desk_find(f.desk, "math")->id);
    view_fixture_settle(&f);
    assert_null(s->answer);
    assert_null(s->kept);
    assert_null(s->task);
    run(&f, "go layers");
    assert_non_null(s->answer);
    view_fixture_close(&f);
}

static void test_cancel(void **state)
{
    struct view_fixture f;

    (void)state;
    open_models(&f, 24, 80, "base math");
    hold_all(&f);
    view_fixture_command(&f, "go layers");
    view_fixture_keys(&f, "<C-c>");
    wb_frame_poll(f.frame);
    assert_true(wb_frame_draw(f.frame, 24, 80, &f.err));
    view_fixture_shows(&f, "Cancelled. c computes it");
    assert_null(state_of(&f)->task);
    release(&f);
    assert_null(state_of(&f)->answer);
    keys(&f, "c");
    assert_int_equal(state_of(&f)->answer->grade, LAYERS_EXACT);
    view_fixture_shows(&f, "exact");
    view_fixture_close(&f);
}

/* The sample comes first and is marked; cancelled, it stays. */
static void test_sampled_first(void **state)
{
    struct view_fixture f;
    struct layers *s;

    (void)state;
    open_models(&f, 24, 80, "base math");
    view_fixture_command(&f, "go layers");
    s = state_of(&f);
    for (int i = 0; i < 20000 && s->answer == NULL; i++) {
        usleep(1000);
        wb_frame_poll(f.frame);
        if (s->answer != NULL && s->answer->grade == LAYERS_SAMPLED)
            view_fixture_keys(&f, "<C-c>");
    }
    view_fixture_settle(&f);
    assert_non_null(s->answer);
    if (s->answer->grade == LAYERS_SAMPLED) /* the exact one may have been quicker */
        view_fixture_shows(&f, "~ sampled, c for exact");
    assert_true(number(s, "0", "q") > 0);
    keys(&f, "c");
    assert_int_equal(s->answer->grade, LAYERS_EXACT);
    view_fixture_close(&f);
}

/* ---- whatever happens to be there ---- */

static void every_action(struct view_fixture *f)
{
    struct wb_view *v = wb_frame_view(f->frame);

    for (int round = 0; round < 2; round++)
        for (const enum wb_action *a = v->ops->actions; *a != WB_ACTION_NONE; a++) {
            v->ops->act(v, *a, 1 + 3 * round);
            assert_true(wb_frame_draw(f->frame, f->rows, f->cols, &f->err));
        }
}

static void test_every_action(void **state)
{
    struct view_fixture f;

    (void)state;
    view_fixture_open(&f, 24, 80);
    view_fixture_command(&f, "go layers");
    every_action(&f);
    view_fixture_command(&f, "open " ZOO "no-such-model");
    view_fixture_command(&f, "go layers");
    every_action(&f);
    view_fixture_settle(&f);
    every_action(&f);
    view_fixture_command(&f, "open " ZOO "base");
    every_action(&f); /* while it opens */
    view_fixture_settle(&f);
    every_action(&f);
    view_fixture_settle(&f);
    every_action(&f);
    view_fixture_settle(&f);
    view_fixture_close(&f);
}

static void test_words(void **state)
{
    struct view_fixture f;
    struct layers *s;

    (void)state;
    open_models(&f, 24, 80, "base math");
    run(&f, "go layers");
    s = state_of(&f);
    run(&f, "metric sign");
    assert_int_equal(s->metric[LAYERS_PAIR], LAYERS_SIGN);
    run(&f, "metric delta-l2");
    view_fixture_shows(&f, "changes need a third open model");
    assert_int_equal(s->metric[LAYERS_PAIR], LAYERS_L2);
    run(&f, "metric");
    assert_int_equal(s->metric[LAYERS_PAIR], LAYERS_SIGN);
    run(&f, "metric nearness");
    view_fixture_shows(&f, "no metric nearness: cosine, ");
    run(&f, "mode layers");
    run(&f, "metric sign");
    assert_int_equal(s->metric[LAYERS_WITHIN], LAYERS_COSINE);
    run(&f, "role tail");
    view_fixture_shows(&f, "no role tail");
    run(&f, "role up");
    view_fixture_shows(&f, "role up");
    keys(&f, ">>");
    assert_string_equal(s->role, ""); /* down is the last, then all */
    run(&f, "mode sideways");
    view_fixture_shows(&f, "there is no mode sideways");
    run(&f, "mode pair");
    keys(&f, "/down<Enter>");
    assert_string_equal(s->map.col_label[s->heat[LAYERS_PAIR].col], "down");
    keys(&f, "?/:role NAME<Enter>");
    view_fixture_shows(&f, "Commands of this screen");
    view_fixture_shows(&f, "q, gate and so on");
    view_fixture_close(&f);
}

/* ---- further ---- */

static void test_drill_down(void **state)
{
    struct view_fixture f;
    struct layers *s;

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "go layers");
    run(&f, "mode models");
    s = state_of(&f);
    keys(&f, "jl<Enter>"); /* math : math */
    assert_int_equal(s->mode, LAYERS_WITHIN);
    keys(&f, "<Esc>");
    assert_int_equal(s->mode, LAYERS_MODELS);
    keys(&f, "l<Enter>");
    view_fixture_shows(&f, "math against german");
    run(&f, "mode models");
    keys(&f, "2G<Enter>");
    s->heat[LAYERS_PAIR].row = 5;
    s->heat[LAYERS_PAIR].col = find(s->map.col_label, s->map.cols, "gate");
    keys(&f, "kj<Enter>");
    assert_string_equal(wb_frame_view(f.frame)->ops->name, "tensors");
    view_fixture_shows(&f, "model.layers.5.mlp.gate_proj.weight");
    keys(&f, "<Esc>");
    assert_true(state_of(&f) == s);
    view_fixture_close(&f);
}

static void test_mouse(void **state)
{
    struct view_fixture f;
    struct layers *s;
    struct wb_heat_layout l;
    struct layers_parts parts;

    (void)state;
    open_models(&f, 40, 120, "base math");
    run(&f, "go layers");
    s = state_of(&f);
    parts = wb_layers_parts(s, 37, 120);
    wb_heat_layout(&s->heat[0], &f.theme, parts.map.rows - 1, parts.map.cols, &l);
    /* the screen has the tabs above, the pane its title */
    view_fixture_mouse(&f, WB_MOUSE_PRESS, 2 + l.map_row + 4 * l.halves / 2 + 1,
                       l.map_col + 3 * l.width);
    assert_int_equal(s->heat[0].row, 4);
    assert_int_equal(s->heat[0].col, 3);
    view_fixture_mouse(&f, WB_MOUSE_WHEEL_DOWN, 10, 10);
    assert_int_equal(s->heat[0].row, 5);
    view_fixture_mouse(&f, WB_MOUSE_PRESS, 1 + parts.list.row + 1, parts.list.col + 2);
    assert_true(s->on_detail);
    view_fixture_mouse(&f, WB_MOUSE_DOUBLE, 2 + l.map_row, l.map_col + 3 * l.width);
    assert_string_equal(wb_frame_view(f.frame)->ops->name, "tensors");
    view_fixture_shows(&f, "layers.0.self_attn.k_proj.weight");
    view_fixture_close(&f);
}

/* ---- the record ---- */

static void test_record(void **state)
{
    struct view_fixture f;
    struct wb_str out = { 0 };
    struct wb_err err;

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "model math base");
    run(&f, "go layers");
    keys(&f, "OD");
    keys(&f, "m");
    keys(&f, "m");
    assert_true(wb_record_script(f.desk->record, &out, &err));
    assert_non_null(strstr(out.text, "wb.compare(models[\"base\"], models[\"math\"])"));
    assert_non_null(strstr(out.text, "wb.compare(models[\"german\"], models[\"math\"], {base = "
                                     "models[\"base\"]})"));
    assert_non_null(strstr(out.text, "-- looked at the layers of math against each other"));
    assert_non_null(strstr(out.text, "wb.compare(models[\"math\"], models[\"german\"], {base = "
                                     "models[\"base\"]})"));
    assert_null(strstr(out.text, "sample"));
    wb_str_free(&out);
    view_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screens),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_closed_while_computing),
        cmocka_unit_test(test_closed_while_away),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_sampled_first),
        cmocka_unit_test(test_every_action),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_drill_down),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_record),
    };

    return cmocka_run_group_tests_name("layers view", tests, NULL, NULL);
}
