/* tests/unit/test_view_pipeline.c - the Pipeline screen, by its keys. */
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

#include "app/core/io.h"
#include "tests/unit/view_fixture.h"

#define PIPELINE "tests/data/demo/pipeline.lua"

static struct view_fixture f;
static struct wb_doc *doc;
static struct wb_err err;

static void open_at(int rows, int cols)
{
    view_fixture_open(&f, rows, cols);
    doc = f.desk->doc;
    view_fixture_command(&f, "go pipeline");
}

static int setup(void **state)
{
    (void)state;
    open_at(24, 80);
    return 0;
}

static int setup_wide(void **state)
{
    (void)state;
    open_at(40, 120);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&f);
    return 0;
}

static void settle(void)
{
    view_fixture_settle(&f);
}

static void keys(const char *text)
{
    view_fixture_keys(&f, text);
}

static void load(const char *path)
{
    if (!wb_doc_load(doc, path, &err))
        fail_msg("%s", err.msg);
    settle();
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    view_fixture_command(&f, "go pipeline density"); /* onto that knob */
}

static void load_text(const char *text)
{
    assert_true(wb_doc_set_text(doc, text, strlen(text), &err));
    settle();
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

static const char *density(void)
{
    static char value[300];

    assert_string_equal(wb_doc_knob(doc, 0)->name, "density");
    return wb_doc_knob_value(doc, 0, value, sizeof value);
}

/* Times differ from run to run. */
static void is_file(const char *name)
{
    doc->exact_seconds = NAN;
    view_fixture_is_file(&f, name);
}

/* Screens */

static void test_screen_narrow(void **state)
{
    (void)state;
    load(PIPELINE);
    is_file("pipeline-80x24");
    keys("2<Right>");
    settle();
    is_file("pipeline-turned-80x24");
    keys("<Tab>"); /* the preview takes the window */
    is_file("pipeline-preview-80x24");
    keys("m");
    is_file("pipeline-layers-80x24");
    keys("mmmm");
    is_file("pipeline-reports-80x24");
}

static void test_screen_wide(void **state)
{
    (void)state;
    load(PIPELINE);
    is_file("pipeline-120x40");
    keys("2<Left>K<Enter>");
    settle();
    keys("=<C-u>0.95<Enter><Tab>");
    settle();
    is_file("pipeline-turned-120x40");
    keys("tmm");
    is_file("pipeline-map-120x40");
    keys("m");
    is_file("pipeline-moves-120x40");
    keys("i");
    is_file("pipeline-insert-120x40");
}

static void test_screen_empty(void **state)
{
    (void)state;
    is_file("pipeline-empty-80x24");
    keys("<Enter>"); /* no model is open: nothing happens, and it says why */
    view_fixture_shows(&f, "no model is open");
    assert_int_equal(wb_document_bytes(doc->text), 0);
}

/* Every action in every pane, with nothing open and with a broken script. */
static void test_every_action_everywhere(void **state)
{
    static const char *const scripts[] = { "", "return wb.merge(", "return 1", "error('x')" };
    const struct wb_view_ops *ops = wb_frame_view(f.frame)->ops;

    (void)state;
    for (size_t s = 0; s < sizeof scripts / sizeof scripts[0]; s++) {
        load_text(scripts[s]);
        for (int pane = 0; pane < 4; pane++) {
            for (const enum wb_action *a = ops->actions; *a != WB_ACTION_NONE; a++) {
                wb_frame_act(f.frame, *a, 3);
                settle();
                keys("<Esc><Esc>"); /* out of questions, the list of steps, typing */
                if (strcmp(wb_frame_view(f.frame)->ops->name, "pipeline") != 0)
                    view_fixture_command(&f, "go pipeline");
            }
            wb_frame_act(f.frame, WB_ACTION_PANE_NEXT, 1);
        }
    }
}

/* Knobs */

static void test_turning_by_keys(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("<Right>");
    assert_string_equal(density(), "0.85");
    keys("3<Left>");
    assert_string_equal(density(), "0.7");
    keys("u");
    assert_string_equal(density(), "0.8");
    keys("<C-r>");
    assert_string_equal(density(), "0.7");
    keys("=<C-u>0.25<Enter>");
    assert_string_equal(density(), "0.25");
    view_fixture_shows(&f, "* was 0.8");
    keys("=<C-u>7<Enter>");
    view_fixture_shows(&f, "from 0 to 1");
    assert_string_equal(density(), "0.25");
    settle();
    view_fixture_shows(&f, "density 0.8 -> 0.25");
}

static void test_settings_are_compared(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("b");
    view_fixture_shows(&f, "nothing to compare with");
    keys("<Left><Left>K<C-u>thin<Enter>");
    assert_int_equal(doc->keeps, 1);
    settle();
    keys("=<C-u>0.95<Enter>");
    settle();
    keys("b");
    assert_string_equal(density(), "0.7");
    settle();
    view_fixture_shows(&f, "density 0.95 -> 0.7");
    keys("b");
    assert_string_equal(density(), "0.95");
    settle();
    view_fixture_shows(&f, "density 0.7 -> 0.95");
    keys("jj<Enter>"); /* the kept setting stands below the two knobs */
    assert_string_equal(density(), "0.7");
    keys("d");
    assert_int_equal(doc->keeps, 0);
}

/* The row of the screen that begins with a text; fails when there is none. */
static int row_with(const char *text)
{
    const struct wb_surface *s = &f.frame->surface;

    for (int row = 0; row < s->rows; row++) {
        size_t i = 0;

        while (text[i] != '\0' && (int)i + 2 < s->cols &&
               s->cell[row * s->cols + (int)i + 2].ch == (uint32_t)text[i])
            i++;
        if (text[i] == '\0')
            return row;
    }
    fail_msg("no row with '%s'", text);
    return -1;
}

static int column_of(int row, uint32_t ch)
{
    const struct wb_surface *s = &f.frame->surface;

    for (int col = 0; col < s->cols; col++)
        if (s->cell[row * s->cols + col].ch == ch)
            return col;
    fail_msg("no such character in row %d", row);
    return -1;
}

static void test_mouse_on_sliders(void **state)
{
    int row, from, to;

    (void)state;
    load(PIPELINE);
    row = row_with("density");
    from = column_of(row, '[');
    to = column_of(row, ']');
    view_fixture_mouse(&f, WB_MOUSE_PRESS, row, from);
    assert_string_equal(density(), "0");
    view_fixture_mouse(&f, WB_MOUSE_PRESS, row, to);
    assert_string_equal(density(), "1");
    view_fixture_mouse(&f, WB_MOUSE_PRESS, row, (from + to) / 2);
    assert_true(fabs(strtod(density(), NULL) - 0.5) < 0.06);
    view_fixture_mouse(&f, WB_MOUSE_PRESS, row_with("strength"), 3);
    keys("<Right>");
    assert_true(wb_doc_knob_turned(doc, 1));
}

/* The text */

static void test_typing(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("egq-- hello<Esc>"); /* letters are text while typing, not actions */
    assert_true(text_has("gq-- hello-- Three experts"));
    keys("u");
    assert_false(text_has("gq-- hello"));
    settle();
    assert_true(doc->script.ok);
}

static void test_error_as_one_types(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("e<C-End>!<Esc>");
    settle();
    assert_false(doc->script.ok);
    view_fixture_shows(&f, "! line ");
    view_fixture_hides(&f, "pipeline.lua:1"); /* the place stands there once */
    assert_non_null(wb_doc_model(doc));
    view_fixture_shows(&f, "cos math"); /* the numbers of the last good one stay */
    keys("u");
    settle();
    view_fixture_shows(&f, "no problems");
}

static void test_completion(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("e<C-End><Enter>wb.mer<Tab>");
    assert_true(text_has("wb.merge"));
}

static void test_inserting_a_step(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("iprun");
    view_fixture_shows(&f, "search: prun");
    view_fixture_shows(&f, "sparsity");
    keys("<Enter>");
    assert_true(text_has("wb.compress(\"prune\", merged, {"));
    settle();
    assert_true(doc->script.ok);
    assert_int_equal(doc->script.steps, 2);
    view_fixture_shows(&f, "compress prune");
    keys("u");
    assert_false(text_has("prune"));
    keys("inothing like it<Enter>");
    view_fixture_shows(&f, "no method matches");
    keys("<Esc>");
    view_fixture_shows(&f, "STEPS");
}

static void open_models(void)
{
    view_fixture_command(&f, "open tests/data/zoo/base");
    view_fixture_command(&f, "open tests/data/zoo/math");
    view_fixture_command(&f, "open tests/data/zoo/german");
    settle();
}

static void test_starting_script(void **state)
{
    (void)state;
    open_models();
    keys("<Enter>");
    settle();
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    assert_int_equal(wb_doc_knob_count(doc), 3);
    assert_true(text_has("wb.merge(\"linear\""));
    view_fixture_shows(&f, "no problems");
}

static void test_first_step_takes_the_open_models(void **state)
{
    (void)state;
    open_models();
    keys("ities<Enter>");
    settle();
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    assert_true(text_has("local base = wb.open \"tests/data/zoo/base\""));
    assert_int_equal(doc->script.openeds, 3);
    keys("u");
    assert_int_equal(wb_document_bytes(doc->text), 0); /* all of it was one step */
    keys("iprune<Enter>");
    settle();
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    assert_true(text_has("wb.compress(\"prune\", model, {"));
}

static void test_external_editor(void **state)
{
    char *path;

    (void)state;
    load(PIPELINE);
    keys("E");
    path = f.frame->want.edit;
    f.frame->want.edit = NULL;
    assert_non_null(path);
    assert_true(wb_is_file(path));
    assert_true(wb_write_file(path, "return wb.open 'tests/data/zoo/base'\n", 37, &err));
    f.desk->edited(f.desk, path);
    assert_false(wb_is_file(path));
    assert_true(text_has("return wb.open 'tests/data/zoo/base'"));
    assert_false(text_has("ties"));
    assert_true(wb_document_undo(doc->text));
    assert_true(text_has("ties"));
    assert_false(wb_document_modified(doc->text)); /* one step */
    free(path);
}

static void test_steps_jump(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("<S-Tab><Enter>");
    assert_int_equal(wb_document_cursor(doc->text).line, 13);
    view_fixture_command(&f, "go pipeline 4");
    assert_int_equal(wb_document_cursor(doc->text).line, 3);
    view_fixture_command(&f, "go pipeline strength");
    keys("<Right>");
    assert_true(wb_doc_knob_turned(doc, 1));
}

static void test_search(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("/strength<Enter>");
    assert_int_equal(wb_document_cursor(doc->text).line, 10);
    keys("n");
    assert_int_equal(wb_document_cursor(doc->text).line, 10);
    assert_true(wb_document_cursor(doc->text).byte > 6);
}

/* Saving and running */

static void test_saving(void **state)
{
    (void)state;
    load_text("return wb.open 'tests/data/zoo/base'\n");
    keys("w<C-u>");
    keys(view_fixture_path(&f, "$D/new.lua<Enter>"));
    view_fixture_shows(&f, "is written");
    assert_true(wb_is_file(view_fixture_path(&f, "$D/new.lua")));
    view_fixture_write(&f, "$D/other.lua", "return nil\n");
    load_text("return wb.open 'tests/data/zoo/math'\n");
    free(doc->path);
    doc->path = NULL;
    keys("w<C-u>");
    keys(view_fixture_path(&f, "$D/other.lua<Enter>"));
    view_fixture_shows(&f, "that file exists");
    f.desk->options.read_only = true;
    keys("w");
    view_fixture_shows(&f, "read-only");
}

static void test_running(void **state)
{
    (void)state;
    keys("r");
    view_fixture_shows(&f, "no pipeline to run");
    load(PIPELINE);
    keys("r");
    view_fixture_shows(&f, "run into: merged");
    keys("<C-u>");
    keys(view_fixture_path(&f, "$D/out<Enter>"));
    assert_string_equal(wb_frame_view(f.frame)->ops->name, "run");
    settle();
    assert_true(wb_is_file(view_fixture_path(&f, "$D/out/model.safetensors")));
}

/* The preview */

static void test_map_opens_a_tensor(void **state)
{
    struct wb_desk_model *m;

    (void)state;
    load(PIPELINE);
    keys("<Tab>mm"); /* the map */
    view_fixture_shows(&f, "layer 0 ");
    keys("jj<Right>");
    view_fixture_shows(&f, "layer 2 q: relative norm");
    keys("<Enter>");
    m = wb_desk_current(f.desk);
    assert_non_null(m);
    assert_string_equal(m->name, "result");
    assert_ptr_equal(m->model, wb_doc_model(doc));
    assert_string_equal(f.desk->go_what, "model.layers.2.self_attn.q_proj.weight");
    view_fixture_command(&f, "go pipeline");
    keys("<Enter>"); /* the same result is not put there twice */
    assert_int_equal(f.desk->models, 1);
}

static void test_layers_are_sorted(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("<Tab>m");
    view_fixture_shows(&f, "> 0 ");
    keys("ss"); /* by delta norm, by relative norm: both grow with depth */
    view_fixture_shows(&f, "> 0 ");
    keys("S<Home>");
    view_fixture_shows(&f, "> 7 ");
}

static void test_metrics(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("<Tab>");
    view_fixture_command(&f, "mode map");
    view_fixture_command(&f, "metric sparsity");
    view_fixture_shows(&f, "sparsity by layer and role");
    view_fixture_command(&f, "metric cosine");
    view_fixture_shows(&f, "cosine to math by layer");
    view_fixture_hides(&f, "delta cosine to");
    keys("t");
    view_fixture_shows(&f, "delta cosine to math by layer");
    view_fixture_command(&f, "metric nonsense");
    view_fixture_shows(&f, "no metric 'nonsense'");
    view_fixture_shows(&f, "delta cosine to math by layer");
}

/* Numbers that are none stand out. */
static void test_nan_stands_out(void **state)
{
    (void)state;
    load_text("local m = wb.open 'tests/data/zoo/vit-digits'\n"
              "return m:map(function(t) return t / (t - t) end, {layers = {0, 1}})\n");
    keys("<S-Tab>");
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    view_fixture_shows(&f, "! Inf 33,472");
}

static void test_cancel(void **state)
{
    (void)state;
    load(PIPELINE);
    keys("<C-c>");
    view_fixture_shows(&f, "nothing is at work");
    keys("e<C-Home>while true do end <Esc>");
    for (int i = 0; i < 500 && doc->run_id == 0; i++)
        wb_frame_poll(f.frame), usleep(2000);
    keys("<C-c>");
    settle();
    assert_int_equal(doc->script.err.code, WB_ECANCELLED);
    view_fixture_shows(&f, "cos math");
}

/* Models may be closed at any time: the pipeline has its own. */
static void test_models_come_and_go(void **state)
{
    (void)state;
    open_models();
    load(PIPELINE);
    while (f.desk->models > 0)
        wb_desk_close(f.desk, f.desk->model[0]->id);
    keys("<Right>");
    settle();
    assert_true(doc->script.ok);
}

static void test_sizes(void **state)
{
    static const int size[][2] = { { 24, 80 },  { 24, 99 },  { 24, 100 }, { 30, 100 },
                                   { 40, 159 }, { 60, 200 }, { 80, 240 }, { 25, 300 } };

    (void)state;
    load(PIPELINE);
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        for (int pane = 0; pane < 4; pane++)
            for (int mode = 0; mode < 5; mode++) {
                f.rows = size[i][0];
                f.cols = size[i][1];
                keys("mjk");
                if (mode == 4)
                    keys("<Tab>");
                view_fixture_shows(&f, "Pipeline");
            }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define W(name) cmocka_unit_test_setup_teardown(name, setup_wide, teardown)
    const struct CMUnitTest tests[] = {
        T(test_screen_narrow),
        W(test_screen_wide),
        T(test_screen_empty),
        T(test_every_action_everywhere),
        T(test_turning_by_keys),
        T(test_settings_are_compared),
        T(test_mouse_on_sliders),
        T(test_typing),
        T(test_error_as_one_types),
        T(test_completion),
        T(test_inserting_a_step),
        T(test_starting_script),
        T(test_first_step_takes_the_open_models),
        T(test_external_editor),
        T(test_steps_jump),
        T(test_search),
        T(test_saving),
        T(test_running),
        T(test_map_opens_a_tensor),
        T(test_layers_are_sorted),
        T(test_metrics),
        T(test_nan_stands_out),
        T(test_cancel),
        T(test_models_come_and_go),
        T(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
