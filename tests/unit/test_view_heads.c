/* tests/unit/test_view_heads.c - the screens of what models do: heads and their patterns, states along
 * the depth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/layers_view.h"
#include "views/states_draw.h"
#include "views/view_heads.h"

static const struct {
    const char *name;
    int rows, cols;
} sizes[] = { { "80x24", 24, 80 }, { "120x40", 40, 120 }, { "200x60", 60, 200 } };

static struct heads *heads_of(struct view_fixture *f)
{
    struct wb_view *v = wb_frame_view(f->frame);

    assert_string_equal(v->ops->name, "heads");
    return v->state;
}

static void open_heads(struct view_fixture *f, int rows, int cols, const char *names)
{
    open_models(f, rows, cols, names);
    view_fixture_command(f, "go heads"); /* what it begins is left for the text */
    run(f, "text tests/data/zoo/eval/english.txt");
}

/* ---- screens ---- */

static void test_heads_screens(void **state)
{
    struct view_fixture f;
    char name[60];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open_heads(&f, sizes[i].rows, sizes[i].cols, "base");
        run(&f, "stat previous");
        keys(&f, "jjlll");
        snprintf(name, sizeof name, "heads-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "ss<Tab>j");
        snprintf(name, sizeof name, "heads-list-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "<Tab>g<Enter>kl");
        snprintf(name, sizeof name, "heads-pattern-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        view_fixture_close(&f);
    }
}

static void test_states_screens(void **state)
{
    struct view_fixture f;
    char name[60];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        open_models(&f, sizes[i].rows, sizes[i].cols, "base math");
        run(&f, "go layers");
        run(&f, "text tests/data/zoo/eval/english.txt");
        keys(&f, "jjl");
        snprintf(name, sizeof name, "states-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "D");
        snprintf(name, sizeof name, "states-beside-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        keys(&f, "Dt");
        snprintf(name, sizeof name, "states-difference-%s", sizes[i].name);
        view_fixture_is_file(&f, name);
        view_fixture_close(&f);
    }
}

/* ---- figures ---- */

/* What stands on the screen is what the engine says of the same text. */
static void test_figures(void **state)
{
    struct wb_subject_choice choice = { .text = "tests/data/zoo/eval/english.txt" };
    struct wb_heads_how how = { .text = true, .repeated = true, .seed = 1 };
    struct wb_subject subject;
    struct view_fixture f;
    struct wb_heads want;
    struct wb_eval eval;
    struct wb_err err;
    const struct heads *s;

    (void)state;
    open_heads(&f, 40, 120, "math");
    s = heads_of(&f);
    eval = wb_desk_eval(f.desk, false);
    assert_true(wb_subject_open(&subject, model(&f, "math"), &choice, &eval, &err));
    assert_true(wb_heads_run(subject.net, &subject.rows, &how, &want, &err));
    for (int i = 0; i < WB_HEAD_STAT_COUNT; i++)
        for (int at = 0; want.stat[i] != NULL && at < want.layers * want.heads; at++)
            same(wb_headview_number(s, i, at / want.heads, at % want.heads), want.stat[i][at]);
    assert_int_equal(s->answer->positions, subject.positions);
    wb_heads_free(&want);
    wb_subject_close(&subject);
    view_fixture_close(&f);
}

/* A pattern: rows of weights that sum to 1 over what is seen, blank above the diagonal. */
static void test_pattern(void **state)
{
    struct view_fixture f;
    const struct heads *s;

    (void)state;
    open_heads(&f, 40, 120, "base");
    run(&f, "attend the cat and the dog and the cat");
    s = heads_of(&f);
    assert_true(s->pattern.n > 8);
    assert_string_equal(s->pattern.label[0], "<s>");
    for (size_t i = 0; i < s->pattern.n; i++) {
        double sum = 0;

        for (size_t j = 0; j < s->pattern.n; j++)
            if (j > i)
                assert_true(wb_heat_is_blank(s->pattern.weight[i * s->pattern.n + j]));
            else
                sum += (double)s->pattern.weight[i * s->pattern.n + j];
        assert_true(fabs(sum - 1) < 1e-5);
    }
    keys(&f, ">");
    assert_int_equal(s->heat.col, 1);
    view_fixture_shows(&f, "layer 0 head 1 attends to");
    keys(&f, "<Esc>");
    assert_int_equal(s->mode, HEADS_GRID);
    view_fixture_close(&f);
}

/* ---- what is done with them ---- */

static void test_unasked(void **state)
{
    struct view_fixture f;
    const struct heads *s;

    (void)state;
    open_heads(&f, 40, 120, "base");
    s = heads_of(&f);
    run(&f, "stat k_composition");
    assert_null(wb_headview_grid(s, WB_HEAD_k_composition));
    view_fixture_shows(&f, "not computed: c does it");
    keys(&f, "c");
    assert_non_null(wb_headview_grid(s, WB_HEAD_k_composition));
    view_fixture_hides(&f, "not computed");
    keys(&f, "c");
    view_fixture_shows(&f, "that is there already");
    view_fixture_close(&f);
}

static void test_kept(void **state)
{
    struct view_fixture f;
    const struct heads *s;
    const struct heads_answer *base;

    (void)state;
    open_heads(&f, 40, 120, "math base");
    s = heads_of(&f);
    base = s->answer;
    keys(&f, "M");
    assert_ptr_not_equal(s->answer, base);
    view_fixture_keys(&f, "M"); /* no work: it is there at once */
    assert_ptr_equal(s->answer, base);
    assert_null(s->task);
    view_fixture_close(&f);
}

static void test_problems(void **state)
{
    struct view_fixture f;

    (void)state;
    view_fixture_open(&f, 24, 80);
    run(&f, "go heads");
    view_fixture_shows(&f, "No model is open");
    keys(&f, "jkt<Tab><Enter>xyJcm>s");
    run(&f, "open tests/data/infer/llama");
    run(&f, "go heads");
    view_fixture_shows(&f, "tokenizer.json");
    run(&f, "mode states");
    run(&f, "go layers");
    run(&f, "mode states");
    view_fixture_shows(&f, "tokenizer.json");
    run(&f, "open " ZOO "vit-digits");
    run(&f, "go heads");
    view_fixture_shows(&f, "positions");
    keys(&f, "<Enter>");
    view_fixture_shows(&f, "reads no text");
    view_fixture_close(&f);
}

static void test_export(void **state)
{
    struct view_fixture f;
    char line[200], *text;

    (void)state;
    open_heads(&f, 40, 120, "base");
    snprintf(line, sizeof line, "export %s", view_fixture_path(&f, "$D/heads.csv"));
    run(&f, line);
    text = read_file(view_fixture_path(&f, "$D/heads.csv"));
    assert_memory_equal(text, "layer,head,entropy,", 19);
    free(text);
    snprintf(line, sizeof line, "export %s", view_fixture_path(&f, "$D/heads.svg"));
    run(&f, line);
    text = read_file(view_fixture_path(&f, "$D/heads.svg"));
    assert_non_null(strstr(text, "</svg>"));
    free(text);
    run(&f, "go layers");
    run(&f, "mode states");
    snprintf(line, sizeof line, "export %s", view_fixture_path(&f, "$D/states.csv"));
    run(&f, line);
    text = read_file(view_fixture_path(&f, "$D/states.csv"));
    assert_memory_equal(text, "state,emb,0,1,", 14);
    free(text);
    view_fixture_close(&f);
}

/* Stopped: what is known stays, and c goes on. */
static void test_stop(void **state)
{
    struct view_fixture f;
    const struct heads *s;

    (void)state;
    open_models(&f, 40, 120, "base");
    view_fixture_command(&f, "go heads");
    view_fixture_keys(&f, "<C-c>");
    view_fixture_settle(&f);
    s = heads_of(&f);
    assert_null(s->task);
    keys(&f, "c");
    assert_int_equal(s->answer->done & HEADS_UNASKED, HEADS_UNASKED);
    view_fixture_close(&f);
}

/* Any key at any size, with every mode. */
static void test_sizes(void **state)
{
    static const int size[][2] = { { 24, 80 }, { 24, 99 }, { 24, 100 }, { 60, 200 }, { 80, 240 } };
    struct view_fixture f;

    (void)state;
    open_heads(&f, 24, 80, "base math");
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        f.rows = size[i][0];
        f.cols = size[i][1];
        run(&f, "go heads");
        keys(&f, "Glzjf<Tab>jG<Tab>mjGsm<Enter>Glzfk<Esc>t");
        run(&f, "go layers");
        run(&f, "mode states");
        keys(&f, "GlzjfDtDtD");
        view_fixture_shows(&f, "range ");
    }
    view_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_screens), cmocka_unit_test(test_states_screens),
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_unasked),       cmocka_unit_test(test_kept),
        cmocka_unit_test(test_problems),      cmocka_unit_test(test_export),
        cmocka_unit_test(test_stop),          cmocka_unit_test(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
