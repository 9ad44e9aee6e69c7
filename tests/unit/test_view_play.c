/* tests/unit/test_view_play.c - the playground, by its keys: made-up texts for the drawings, the
 * bundled models for the work. */
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
#include "app/core/json.h"
#include "tests/unit/screen.h"
#include "tests/unit/view_fixture.h"
#include "views/view_play.h"

#define PROMPT "The old man looked at his wife and said"

static struct view_fixture f;
static struct play *p;
static struct wb_err err;

static int setup(void **state)
{
    (void)state;
    view_fixture_open(&f, 24, 80);
    view_fixture_command(&f, "open tests/data/zoo/base");
    view_fixture_command(&f, "open tests/data/zoo/math");
    view_fixture_settle(&f);
    view_fixture_command(&f, "go play");
    view_fixture_settle(&f);
    p = wb_frame_view(f.frame)->state;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&f);
    return 0;
}

static void keys(const char *text)
{
    view_fixture_keys(&f, text);
}

static void settle(void)
{
    view_fixture_settle(&f);
}

/* ---- drawings ---- */

static const char *const word[] = {
    ",",     " “",  "It", " is",    " a",    " very", " good",
    " deal", " of", " a", " young", " man",  ",”",    "\n",
    "said",  " he", ".",  "",       " 日本", "\n",    " Unwahrscheinlichkeit"
};
enum { WORDS = sizeof word / sizeof word[0] };

/* A text of made-up probabilities; others differ at every `differ`th token. */
static struct play_run *make_run(size_t column, size_t columns, size_t tokens, size_t differ)
{
    struct play_run *r = wb_play_run_new(PROMPT, &p->settings);

    assert_non_null(r);
    for (size_t i = 0; i < tokens; i++) {
        double share = (double)((i * 37 + column * 11) % 100 + 1) / 101;
        struct play_token t = { .id = (int32_t)i,
                                .logprob = log(share),
                                .entropy = 0.125 * (double)i,
                                .text = strdup(word[(i + column) % WORDS]) };

        for (int k = 0; k < WB_GENERATE_TOP; k++) {
            t.top[k] = strdup(word[(i + column + (size_t)k) % WORDS]);
            t.top_logprob[k] = log(share / (k + 1));
        }
        for (size_t by = 0; by < columns; by++)
            if (by != column)
                t.opinion[by] = (struct play_opinion){
                    .known = true,
                    .logprob = log(share / 2),
                    .first_logprob = log(0.5),
                    .first = strdup(i % differ == 0 ? " other" : t.top[0]),
                };
        assert_true(wb_play_run_add(r, &t));
    }
    r->prompt_seconds = r->seconds = 1;
    return r;
}

static void fill(size_t tokens)
{
    for (size_t i = 0; i < p->columns; i++) {
        wb_play_drop_run(&p->shown[i]);
        p->shown[i].run = make_run(i, p->columns, tokens, 3 + i);
    }
    p->chosen = true;
}

static void is_file(const char *name, int rows, int cols)
{
    char file[80];

    f.rows = rows;
    f.cols = cols;
    settle();
    snprintf(file, sizeof file, "play-%s-%dx%d", name, cols, rows);
    view_fixture_is_file(&f, file);
}

static void test_drawings(void **state)
{
    (void)state;
    is_file("nothing", 24, 80);
    view_fixture_command(&f, "prompt " PROMPT ", who was at the window and did not hear him, that");
    fill(60);
    keys("<Tab><Tab>lll");
    is_file("text", 24, 80);
    is_file("text", 40, 120);
    is_file("text", 60, 200);
    keys(">m");
    is_file("plain", 24, 80);
    keys("<S-Tab>jl");
    is_file("settings", 40, 120);
    keys("eAnd<Enter>more");
    is_file("typing", 24, 80);
}

/* Where colours do not tell, digits do. */
static void test_mono(void **state)
{
    struct wb_str text = { 0 };

    (void)state;
    wb_theme_init(&f.theme, WB_TIER_MONO, true);
    f.frame->theme = f.theme;
    fill(20);
    keys("<Tab><Tab>");
    settle();
    wb_surface_dump(&f.frame->surface, &f.frame->theme, false, &text);
    assert_non_null(strstr(text.text, "digits: probability in tenths"));
    assert_non_null(strstr(text.text, "^"));
    for (const char *c = text.text; *c != '\0'; c++)
        assert_true((unsigned char)*c < 127);
    wb_str_free(&text);
}

static void test_many_columns(void **state)
{
    static const char *const more[] = { "german", "code", "kjv", "base-b", "base-f16", "base-f32" };
    char line[100];

    (void)state;
    view_fixture_command(&f, "columns base math");
    for (size_t i = 0; i < 6; i++) {
        snprintf(line, sizeof line, "open tests/data/zoo/%s", more[i]);
        view_fixture_command(&f, line);
        settle();
        snprintf(line, sizeof line, "%s<Enter>", more[i]);
        keys("o");
        keys(line);
    }
    assert_int_equal(p->columns, 8);
    fill(30);
    is_file("many", 24, 80);
    keys("<S-Tab>");
    is_file("many-last", 24, 80);
    keys("obase<Enter>");
    view_fixture_shows(&f, "is there already");
    keys("onobody<Enter>");
    view_fixture_shows(&f, "no open model is called nobody");
    keys("d");
    assert_int_equal(p->columns, 7);
    view_fixture_command(&f, "columns math base");
    assert_int_equal(p->columns, 2);
    assert_string_equal(p->shown[0].name, "math");
}

static void test_sizes(void **state)
{
    static const int size[][2] = { { 24, 80 },  { 24, 99 },  { 25, 100 }, { 30, 120 },
                                   { 80, 240 }, { 300, 80 }, { 24, 1000 } };

    (void)state;
    for (size_t tokens = 0; tokens <= 300; tokens += 100)
        for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
            fill(tokens);
            f.rows = size[i][0];
            f.cols = size[i][1];
            settle();
            keys("<Tab><Tab>lljjkG<PgUp>gm<Tab><Down><Down>5<C-d>");
            keys(">m<Tab>");
        }
}

/* ---- moving ---- */

static void test_moving(void **state)
{
    (void)state;
    fill(60);
    keys("<Tab><Tab>");
    view_fixture_shows(&f, "token 1/60");
    keys("3l");
    view_fixture_shows(&f, "token 4/60");
    view_fixture_shows(&f, "\" is\"");
    keys("G");
    view_fixture_shows(&f, "token 60/60");
    keys("g>");
    view_fixture_shows(&f, "token 4/60"); /* of the first text every third one */
    view_fixture_shows(&f, "another first \" other\" 50.0%");
    view_fixture_command(&f, "previous-difference");
    view_fixture_shows(&f, "token 1/60");
    keys("j");
    assert_true(p->shown[0].cursor > 1);
    keys("k");
    assert_int_equal(p->shown[0].cursor, 0);
    keys("/young<Enter>");
    view_fixture_shows(&f, "token 11/60");
    keys("n");
    view_fixture_shows(&f, "token 32/60");
    keys("N");
    view_fixture_shows(&f, "token 11/60");
    keys("<Tab>y");
    assert_non_null(f.frame->want.copy);
    assert_non_null(strstr(f.frame->want.copy, "very good deal"));
    view_fixture_mouse(&f, WB_MOUSE_PRESS, 8, 1);
    assert_int_equal(p->column, 0);
    assert_int_equal(p->shown[0].cursor, 1);
}

static void test_settings(void **state)
{
    (void)state;
    keys("<Tab>");
    view_fixture_shows(&f, "likely token: the same text");
    keys("l");
    assert_false(p->settings.greedy);
    keys("jll");
    assert_true(fabs(p->settings.temperature - 0.9) < 1e-9);
    keys("=<C-u>1.25<Enter>");
    assert_true(p->settings.temperature == 1.25);
    keys("=<C-u>9<Enter>");
    view_fixture_shows(&f, "from 0.05 to 2");
    keys("G100l");
    assert_int_equal(p->settings.seed, 101);
    view_fixture_command(&f, "tokens 12");
    view_fixture_command(&f, "greedy on");
    assert_int_equal(p->settings.tokens, 12);
    assert_true(p->settings.greedy);
    view_fixture_command(&f, "greedy maybe");
    view_fixture_shows(&f, "on or off");
    view_fixture_command(&f, "tokens 1.5");
    view_fixture_shows(&f, "whole number");
    view_fixture_mouse(&f, WB_MOUSE_PRESS, 4, 80 - 38 + 14);
    assert_true(p->settings.top_p < 0.11);
}

static void test_typing(void **state)
{
    struct wb_str text = { 0 };

    (void)state;
    keys("eOne p line<Enter>  two<Esc>");
    wb_document_text(p->text, &text);
    assert_string_equal(text.text, "One p line\n  two");
    wb_str_free(&text);
    view_fixture_shows(&f, "One p line");
    keys("e<C-Home>x<M-Enter>");
    assert_false(p->typing);
    assert_non_null(p->shown[0].run);
    assert_string_equal(p->shown[0].run->prompt, "xOne p line\n  two");
    settle();
}

/* ---- writing ---- */

static void start(void)
{
    view_fixture_command(&f, "prompt " PROMPT);
    view_fixture_command(&f, "tokens 12");
    keys("p");
}

static void whole_text(size_t column, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < p->shown[column].run->tokens; i++)
        strncat(out, p->shown[column].run->token[i].text, size - strlen(out) - 1);
}

/* What is written is what `generate` gives; opinions are those of the models themselves. */
static void test_writes_as_generate(void **state)
{
    struct wb_generate_how how = { .tokens = 12, .top_p = 1 };
    struct wb_eval eval = wb_desk_eval(f.desk, false);
    char text[1000];

    (void)state;
    start();
    settle();
    for (size_t i = 0; i < 2; i++) {
        struct wb_model *model = wb_desk_find(f.desk, p->shown[i].name)->model;
        struct wb_net *net = wb_net_open(model, NULL, &eval, &err);
        struct wb_tokenizer *t = wb_tokenizer_open(wb_model_side_dir(model), &err);
        struct wb_generation g;

        assert_non_null(net);
        assert_non_null(t);
        assert_true(wb_generate(net, t, PROMPT, &how, &g, &err));
        whole_text(i, text, sizeof text);
        assert_string_equal(text, g.text);
        for (size_t k = 0; k < g.tokens; k++) {
            const struct play_token *token = &p->shown[i].run->token[k];

            assert_int_equal(token->id, g.token[k].id);
            assert_true(token->opinion[1 - i].known);
            assert_false(token->opinion[i].known);
            assert_true(token->opinion[1 - i].logprob <= token->opinion[1 - i].first_logprob);
        }
        wb_generation_free(&g);
        wb_tokenizer_free(t);
        wb_net_close(net);
    }
    view_fixture_shows(&f, "12 tokens");
}

static void test_seeds(void **state)
{
    char first[1000], second[1000];

    (void)state;
    view_fixture_command(&f, "greedy off");
    start();
    settle();
    whole_text(0, first, sizeof first);
    keys("R");
    settle();
    whole_text(0, second, sizeof second);
    assert_string_not_equal(first, second);
    assert_int_equal(p->settings.seed, 2);
    view_fixture_command(&f, "seed 1");
    keys("p");
    settle();
    whole_text(0, second, sizeof second);
    assert_string_equal(first, second);
}

static void test_cancel(void **state)
{
    (void)state;
    view_fixture_command(&f, "prompt " PROMPT);
    view_fixture_command(&f, "tokens 1000");
    keys("p");
    for (int i = 0; i < 500 && p->shown[0].seen == 0; i++)
        wb_frame_poll(f.frame), usleep(2000);
    keys("<C-c>");
    settle();
    assert_true(p->shown[0].run->tokens < 1000);
    view_fixture_shows(&f, ", stopped");
    keys("<C-c>");
    view_fixture_shows(&f, "nothing is at work");
}

/* Whatever was at work ends: starts, stops, columns that go, models that close. */
static void test_restless(void **state)
{
    static const char *const what[] = { "p", "R", "<C-c>", "<Tab>", "d", "M", "p", "obase<Enter>" };

    (void)state;
    view_fixture_command(&f, "prompt " PROMPT);
    for (size_t i = 0; i < 40; i++) {
        keys(what[i * 7 % 8]);
        for (size_t k = 0; k < i % 5; k++)
            wb_frame_poll(f.frame), usleep(1000);
    }
    keys("p");
    while (f.desk->models > 0)
        wb_desk_close(f.desk, f.desk->model[0]->id);
    f.desk->version++;
    settle();
    assert_int_equal(p->columns, 0);
    keys("p");
    view_fixture_shows(&f, "no model to write with");
}

static void test_the_pipelines_result(void **state)
{
    static const char script[] =
        "local a, b = wb.open 'tests/data/zoo/base', wb.open "
        "'tests/data/zoo/math'\n"
        "local w = wb.knob('w', 0.5, {min = 0, max = 1, step = 0.1})\n"
        "return wb.merge('linear', {models = {a, b}, weight = {1 - w, w}})\n";
    char base[1000], result[1000];

    (void)state;
    assert_true(wb_doc_set_text(f.desk->doc, script, strlen(script), &err));
    settle();
    assert_int_equal(p->columns, 3);
    assert_string_equal(p->shown[2].name, "result");
    view_fixture_command(&f, "knob w 0");
    settle();
    start();
    settle();
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(p->shown[i].err.code, WB_OK);
    whole_text(strcmp(p->shown[0].name, "base") == 0 ? 0 : 1, base, sizeof base);
    whole_text(2, result, sizeof result);
    assert_string_equal(base, result); /* with w = 0 it is the base */
}

/* A model that cannot write says why, the others write. */
static void test_model_without_tokenizer(void **state)
{
    (void)state;
    view_fixture_command(&f, "open tests/data/infer/llama");
    view_fixture_command(&f, "open tests/data/zoo/vit-base");
    settle();
    view_fixture_command(&f, "columns base llama vit-base");
    start();
    settle();
    assert_int_equal(p->shown[0].err.code, WB_OK);
    assert_int_equal(p->shown[0].run->tokens, 12);
    assert_true(p->shown[1].err.code != WB_OK);
    assert_true(p->shown[2].err.code != WB_OK);
    view_fixture_shows(&f, "! ");
}

static void test_export(void **state)
{
    char *text;
    cJSON *json;
    size_t n;

    (void)state;
    view_fixture_command(&f, view_fixture_path(&f, "export $D/t.txt"));
    view_fixture_shows(&f, "nothing was written yet");
    start();
    settle();
    view_fixture_command(&f, view_fixture_path(&f, "export $D/t.txt"));
    view_fixture_settle(&f);
    text = wb_read_file(view_fixture_path(&f, "$D/t.txt"), 1 << 20, &n, &err);
    assert_non_null(text);
    assert_non_null(strstr(text, PROMPT));
    assert_non_null(strstr(text, "== base: 12 tokens"));
    free(text);
    view_fixture_command(&f, view_fixture_path(&f, "export $D/t.txt"));
    view_fixture_shows(&f, "Replace it?");
    keys("n");
    keys("x<C-u>");
    keys(view_fixture_path(&f, "$D/t.json<Enter>"));
    view_fixture_settle(&f);
    json = wb_json_parse_file(view_fixture_path(&f, "$D/t.json"), 1 << 20, &err);
    assert_non_null(json);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetArrayItem(cJSON_GetObjectItem(json, "models"), 0), "tokens")),
                     12);
    cJSON_Delete(json);
    f.desk->options.read_only = true;
    keys("x");
    view_fixture_shows(&f, "read-only");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drawings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mono, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_typing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_as_generate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seeds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_pipelines_result, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_without_tokenizer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_export, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
