/* tests/unit/test_view_scores.c - what the pipeline's model does, on the Pipeline screen: made-up
 * scores for the drawings, small sets for the work. */
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

#include "app/infer/score.h"
#include "tests/unit/view_fixture.h"

#define PIPELINE "tests/data/demo/pipeline.lua"

static struct view_fixture f;
static struct wb_doc *doc;
static struct wb_err err;

static int setup(void **state)
{
    (void)state;
    view_fixture_open(&f, 24, 80);
    doc = f.desk->doc;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&f);
    return 0;
}

static void load(const char *path)
{
    if (!wb_doc_load(doc, path, &err))
        fail_msg("%s", err.msg);
    view_fixture_settle(&f);
    view_fixture_command(&f, "go pipeline density");
}

/* ---- drawings ---- */

static void make_names(struct wb_doc_scores *s)
{
    static const char *const model[] = { "base", "math", "german", "code", "result" };
    static const char *const set[] = { "code", "english", "german", "kjv", "math" };

    *s = (struct wb_doc_scores){ .models = 5, .sets = 5, .has_base = true, .done = 0.41 };
    s->name = calloc(6, sizeof *s->name);
    s->set_name = calloc(6, sizeof *s->set_name);
    s->kind = calloc(6, sizeof *s->kind);
    s->score = calloc(26, sizeof *s->score);
    for (int i = 0; i < 5; i++) {
        s->name[i] = strdup(model[i]);
        s->set_name[i] = strdup(set[i]);
        s->kind[i] = i == 4 ? WB_BEHAVIOUR_TASKS : WB_BEHAVIOUR_TEXT;
    }
}

/* The figures of `by` more than they were; the last two sets of the result are sampled, and of one nothing
 * is known but what was before. */
static void make_scores(struct wb_doc_scores *s, double by, bool half_way)
{
    make_names(s);
    for (size_t m = 0; m < 5; m++)
        for (size_t i = 0; i < 5; i++) {
            struct wb_doc_score *score = &s->score[m * 5 + i];
            double value = i == 4 ? 0.1 * (double)m + 0.0213 : 3 + 0.111 * (double)(m * 3 + i);

            value += m == 4 ? by : 0;
            *score = (struct wb_doc_score){ .sampled = value + 0.0312,
                                            .sampled_error = 0.021,
                                            .exact = value,
                                            .exact_error = 0.011,
                                            .kl = i == 4 ? NAN : 0.0123 * (double)(m + i),
                                            .agreement = 0.9123 - 0.05 * (double)m,
                                            .carried = value + 0.1,
                                            .done = 160,
                                            .total = 1600 };
            if (m == 4)
                score->kl = score->agreement = NAN;
            if (half_way && m == 4 && i >= 2)
                score->exact = score->exact_error = NAN;
            if (half_way && m == 4 && i == 3)
                score->sampled = score->sampled_error = NAN;
        }
    s->sample = strdup(" day of November, when the rain\nhad kept us indoors so long that I had "
                       "read every book in the house and quarrelled with both.");
    s->finished = !half_way;
}

static void put_scores(bool half_way)
{
    wb_doc_scores_free(&doc->scores);
    wb_doc_scores_free(&doc->scores_before);
    make_scores(&doc->scores, 0.0321, half_way);
    make_scores(&doc->scores_before, 0, false);
    doc->scores.figures = doc->now_number;
    doc->scores_before.figures = doc->before_number;
    doc->scores_due = false;
    doc->scores_seen = f.desk->eval_sets.version;
    f.desk->options.no_behaviour = false;
    doc->version++;
}

static void is_file(const char *name, int rows, int cols)
{
    char file[80];

    f.rows = rows;
    f.cols = cols;
    view_fixture_settle(&f);
    doc->exact_seconds = NAN;
    snprintf(file, sizeof file, "scores-%s-%dx%d", name, cols, rows);
    view_fixture_is_file(&f, file);
}

static void test_drawings(void **state)
{
    (void)state;
    load(PIPELINE);
    view_fixture_command(&f, "knob density 0.7");
    view_fixture_settle(&f);
    put_scores(true);
    is_file("strip", 24, 80);
    is_file("knobs", 40, 120);
    is_file("knobs", 60, 200);
    view_fixture_keys(&f, "<Tab>");
    is_file("preview", 24, 80);
    is_file("preview", 30, 100);
    view_fixture_command(&f, "mode behaviour");
    is_file("table", 24, 80);
    view_fixture_keys(&f, "10<Down>");
    is_file("table", 40, 120);
    is_file("table", 60, 200);
    view_fixture_shows(&f, "base on german: nll 3.222, perplexity 25.08, KL to the result 0.02460");
    view_fixture_keys(&f, "G");
    view_fixture_shows(&f, "result on math: exact match 48.5%, sampled: 160 of 1600");
    put_scores(false);
    view_fixture_settle(&f);
    view_fixture_shows(&f, "+3.2");
    view_fixture_command(&f, "mode summary");
    is_file("done", 40, 120);
}

static void test_sizes(void **state)
{
    static const int size[][2] = { { 24, 80 },  { 24, 99 },  { 24, 100 }, { 30, 104 },
                                   { 25, 160 }, { 80, 240 }, { 300, 80 }, { 24, 1000 } };

    (void)state;
    load(PIPELINE);
    put_scores(true);
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
        for (int mode = 0; mode < 12; mode++) {
            f.rows = size[i][0];
            f.cols = size[i][1];
            view_fixture_settle(&f);
            view_fixture_keys(&f, mode == 6 ? "<Tab>" : "m");
        }
}

/* ---- the work ---- */

static const char english[] =
    "It was a short letter, as all his letters were. He wrote that he was "
    "not ill, but that he was no longer well.\n";
static const char sums[] = "{\"prompt\": \"3+4=\", \"answer\": \"7\"}\n"
                           "{\"prompt\": \"12+7=\", \"answer\": \"19\"}\n";

/* A pipeline of two models with one text and two sums. */
static void load_small(void)
{
    static const char script[] =
        "local base = wb.open 'tests/data/zoo/base'\n"
        "local w = wb.knob('w', 0.5, {min = 0, max = 1, step = 0.1})\n"
        "return wb.merge('linear', {models = {base, wb.open 'tests/data/zoo/math'}, "
        "weight = {1 - w, w}})\n";

    view_fixture_write(&f, "$D/english.txt", english);
    view_fixture_write(&f, "$D/sums.jsonl", sums);
    assert_true(wb_doc_set_text(doc, script, strlen(script), &err));
    view_fixture_settle(&f);
    if (!doc->script.ok)
        fail_msg("%s", doc->script.err.msg);
    while (wb_doc_eval_list(doc)->sets > 0)
        wb_eval_sets_drop(&f.desk->eval_sets, wb_doc_eval_list(doc), 0);
    view_fixture_command(&f, view_fixture_path(&f, "eval $D/english.txt window=16"));
    view_fixture_command(&f, view_fixture_path(&f, "eval $D/sums.jsonl"));
    f.desk->options.no_behaviour = false;
    view_fixture_command(&f, "go pipeline w");
    view_fixture_settle(&f);
}

static struct wb_doc_score_figure result_on(size_t set)
{
    return wb_doc_score_figure(doc, doc->scores.models - 1, set);
}

static void is_what_eval_says(size_t set, enum wb_score_kind kind, const char *path, size_t window,
                              const char *key)
{
    struct wb_score_how how = { .kind = kind,
                                .path = view_fixture_path(&f, path),
                                .window = window,
                                .eval = wb_desk_eval(f.desk, false) };
    cJSON *json = wb_score_model(wb_doc_model(doc), &how, &err);

    if (json == NULL)
        fail_msg("%s", err.msg);
    assert_true(result_on(set).grade == WB_GRADE_EXACT);
    assert_true(result_on(set).value == cJSON_GetObjectItemCaseSensitive(json, key)->valuedouble);
    cJSON_Delete(json);
}

static void test_figures_come_and_move(void **state)
{
    double before;

    (void)state;
    load_small();
    assert_true(doc->scores.finished);
    assert_null(doc->scores.problem);
    assert_int_equal(doc->scores.sets, 2);
    is_what_eval_says(0, WB_SCORE_TEXT, "$D/english.txt", 16, "nll");
    is_what_eval_says(1, WB_SCORE_TASKS, "$D/sums.jsonl", 0, "exact_match");
    assert_true(isnan(result_on(0).from));
    assert_true(doc->scores.score[0].kl >= 0 && doc->scores.score[0].agreement <= 1);
    assert_true(doc->scores.sample[0] != '\0');
    before = result_on(0).value;
    view_fixture_keys(&f, "<Right>");
    assert_null(doc->scores_task); /* the turn ended what was at work */
    view_fixture_settle(&f);
    assert_true(doc->scores.finished);
    assert_true(result_on(0).from == before);
    assert_true(result_on(0).to == result_on(0).value);
    is_what_eval_says(0, WB_SCORE_TEXT, "$D/english.txt", 16, "nll");
    view_fixture_shows(&f, "english");
    view_fixture_shows(&f, "w 0.5 -> 0.6");
}

/* A comment changes no number: they stay, and what they are compared with. */
static void test_comments_change_nothing(void **state)
{
    double value, from;

    (void)state;
    load_small();
    view_fixture_keys(&f, "<Right>");
    view_fixture_settle(&f);
    value = result_on(0).value;
    from = result_on(0).from;
    view_fixture_keys(&f, "e-- hello<Enter><Esc>");
    view_fixture_settle(&f);
    assert_true(doc->script.ok);
    assert_true(result_on(0).value == value);
    assert_true(result_on(0).from == from);
    assert_true(doc->scores.finished);
}

static void test_sets_are_switched(void **state)
{
    double value;

    (void)state;
    load_small();
    value = result_on(1).value;
    view_fixture_keys(&f, "v");
    view_fixture_shows(&f, "2 of 2 on");
    view_fixture_keys(&f, "<Space>");
    view_fixture_shows(&f, "1 of 2 on");
    view_fixture_settle(&f);
    assert_int_equal(doc->scores.sets, 1);
    assert_true(result_on(0).value == value);
    view_fixture_keys(&f, "A");
    view_fixture_settle(&f);
    view_fixture_keys(&f, "<Esc>");
    assert_int_equal(doc->scores.sets, 0);
    f.rows = 40;
    f.cols = 120;
    view_fixture_settle(&f);
    view_fixture_shows(&f, "all evaluation sets are off");
    view_fixture_keys(&f, "va<Esc>");
    view_fixture_settle(&f);
    assert_true(doc->scores.finished);
    view_fixture_keys(&f, "vdd");
    view_fixture_shows(&f, "o adds a text");
    view_fixture_keys(&f, "R");
    view_fixture_shows(&f, "english");
    view_fixture_keys(&f, "Ao$D/none.txt<Enter>");
    view_fixture_shows(&f, "is no file");
    view_fixture_keys(&f, "<Esc>");
    view_fixture_settle(&f);
}

/* What cannot be asked is said, and the rest is asked. */
static void test_problems_are_lines(void **state)
{
    (void)state;
    load_small();
    view_fixture_write(&f, "$D/latin.txt", "caf\xff\n");
    view_fixture_command(&f, view_fixture_path(&f, "eval $D/latin.txt"));
    view_fixture_settle(&f);
    assert_non_null(doc->scores.problem);
    assert_true(result_on(0).grade == WB_GRADE_EXACT);
    assert_true(isnan(result_on(2).value));
    view_fixture_shows(&f, "! ");
    view_fixture_command(&f, "go problems");
    view_fixture_shows(&f, "latin.txt");
}

static void test_model_without_tokenizer(void **state)
{
    static const char script[] = "return wb.open 'tests/data/infer/llama'\n";

    (void)state;
    load_small();
    assert_true(wb_doc_set_text(doc, script, strlen(script), &err));
    view_fixture_settle(&f);
    view_fixture_command(&f, view_fixture_path(&f, "eval $D/english.txt"));
    view_fixture_settle(&f);
    assert_non_null(doc->scores.problem);
    assert_non_null(strstr(doc->scores.problem, "tokenizer"));
    view_fixture_shows(&f, "tokenizer");
}

static void test_switched_off(void **state)
{
    (void)state;
    load_small();
    view_fixture_command(&f, "set behaviour off");
    view_fixture_settle(&f);
    assert_int_equal(doc->scores.figures, 0);
    view_fixture_keys(&f, "<Right>");
    view_fixture_settle(&f);
    assert_int_equal(doc->scores.figures, 0);
}

/* Turns one after the other, work cut off everywhere. */
static void test_many_turns(void **state)
{
    (void)state;
    load_small();
    for (int i = 0; i < 12; i++) {
        view_fixture_keys(&f, i % 3 == 0 ? "<Left>" : i % 3 == 1 ? "<Right>" : "<C-c>");
        for (int k = 0; k < i; k++)
            wb_frame_poll(f.frame), usleep(2000);
    }
    view_fixture_keys(&f, "<Right>");
    view_fixture_settle(&f);
    assert_true(doc->scores.finished);
    is_what_eval_says(0, WB_SCORE_TEXT, "$D/english.txt", 16, "nll");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drawings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_figures_come_and_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_comments_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets_are_switched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_problems_are_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_without_tokenizer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_switched_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_turns, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
