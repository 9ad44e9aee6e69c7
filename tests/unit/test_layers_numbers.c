/* tests/unit/test_layers_numbers.c - what the layers view shows against the engine's own figures, on
 * models that differ and with values that are no numbers; and the files it writes. */
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

#include "tests/unit/layers_view.h"
#include "tests/unit/xml.h"
#include "views/save.h"

#define CSV_DIGITS 1e-8 /* of %.9g, relative */

/* ---- numbers ---- */

static void check_pair(struct view_fixture *f, struct wb_model *base)
{
    static const enum wb_delta_metric of[] = { WB_DELTA_RELATIVE_L2, WB_DELTA_SIGN,
                                               WB_DELTA_COSINE };
    struct wb_eval how = { .threads = 1 };
    struct wb_delta_list list;
    struct wb_delta_grid grid;
    struct wb_err err;
    char layer[20];

    assert_true(
        wb_delta_compare(&how, model(f, "german"), model(f, "math"), base, NULL, &list, &err));
    assert_true(wb_delta_grid(&list, &grid, &err));
    for (size_t m = 0; m < 3; m++) {
        struct layers *s = state_of(f);
        int there = 0;

        for (size_t r = 0; r < grid.rows; r++)
            for (size_t c = 0; c < grid.columns; c++) {
                const struct wb_delta *cell = &grid.cell[r * grid.columns + c];

                snprintf(layer, sizeof layer, "%d", grid.row[r].layer);
                if (grid.row[r].layer < 0)
                    strcpy(layer, "none");
                same(number(s, layer, grid.column[c]), wb_delta_get(cell, of[m]));
                there += !isnan(number(s, layer, grid.column[c]));
            }
        assert_int_equal(s->map.rows, grid.rows);
        assert_int_equal(s->map.cols, grid.columns);
        assert_int_equal(there, 8 * 9 + 2); /* roles of a layer; embeddings and the last norm */
        view_fixture_keys(f, "t");
        assert_false(wb_desk_busy(f->desk)); /* from the sums that there are */
    }
    wb_delta_free(&list);
}

static void test_pair_numbers(void **state)
{
    struct view_fixture f;

    (void)state;
    open_models(&f, 40, 120, "base math german");
    run(&f, "model math german");
    run(&f, "go layers");
    check_pair(&f, NULL);
    keys(&f, "D");
    check_pair(&f, model(&f, "base"));
    view_fixture_close(&f);
}

/* A map of pairs against what the engine says, for one role and for all. */
static void check_pairwise(struct view_fixture *f, const struct wb_pairwise *p, const char **name)
{
    for (int metric = WB_PAIRWISE_COSINE; metric <= WB_PAIRWISE_RELATIVE_L2; metric++) {
        const char *role[] = { "all", "o", "gate" };

        for (size_t k = 0; k < 3; k++) {
            struct layers *s = state_of(f);
            size_t at = 0;
            char line[40];

            snprintf(line, sizeof line, "role %s", role[k]);
            view_fixture_command(f, line);
            while (k > 0 && strcmp(p->role[at], role[k]) != 0)
                at++;
            for (size_t i = 0; i < p->items; i++)
                for (size_t j = 0; j < p->items; j++)
                    same(number(s, name[i], name[j]),
                         wb_pairwise_get(p, (enum wb_pairwise_metric)metric,
                                         k == 0 ? WB_ALL_ROLES : at, i, j));
        }
        view_fixture_keys(f, "t");
    }
    assert_false(wb_desk_busy(f->desk));
}

static void test_pairwise_numbers(void **state)
{
    const char *layer[] = { "0", "1", "2", "3", "4", "5", "6", "7" };
    const char *name[] = { "math", "german", "code" };
    struct wb_eval how = { .threads = 1 };
    struct wb_model *all[3];
    struct wb_pairwise p;
    struct view_fixture f;
    struct wb_err err;

    (void)state;
    open_models(&f, 40, 120, "base math german code");
    run(&f, "model math base");
    run(&f, "go layers");
    run(&f, "mode layers");
    assert_true(wb_similarity_layers(&how, model(&f, "math"), NULL, NULL, &p, &err));
    check_pairwise(&f, &p, layer);
    wb_pairwise_free(&p);
    keys(&f, "D");
    assert_true(wb_similarity_layers(&how, model(&f, "math"), model(&f, "base"), NULL, &p, &err));
    check_pairwise(&f, &p, layer);
    wb_pairwise_free(&p);
    run(&f, "mode models"); /* of the changes: the base is not among them */
    for (int i = 0; i < 3; i++)
        all[i] = model(&f, name[i]);
    assert_int_equal(state_of(&f)->map.rows, 3);
    assert_true(wb_similarity_models(&how, all, 3, model(&f, "base"), NULL, &p, &err));
    check_pairwise(&f, &p, name);
    wb_pairwise_free(&p);
    keys(&f, "D");
    assert_int_equal(state_of(&f)->map.rows, 4);
    view_fixture_close(&f);
}

/* ---- models made on the spot ---- */

enum { SIDE = 4 };

/* Layers of a q and a k of 4 x 4, and an embedding. One entry of q in layer `odd` (-1: none) is what
 * is given; layer `wide` (-1: none) has a k of another shape. */
struct made {
    int layers, odd, wide;
    float entry, scale;
};

static float weight(int i)
{
    return (float)((i * 37 + 11) % 19 - 9) / 8;
}

static void add_tensor(struct wb_str *head, size_t *at, const char *name, int rows)
{
    wb_str_printf(head, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}",
                  *at == 0 ? "{" : ",", name, rows, SIDE, *at,
                  *at + (size_t)rows * SIDE * sizeof(float));
    *at += (size_t)rows * SIDE * sizeof(float);
}

static void make_model(struct view_fixture *f, const char *name, const struct made *m)
{
    struct wb_str head = { 0 }, file = { 0 };
    char path[300], tensor[80];
    size_t at = 0, odd = 0;
    uint8_t length[8];

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    assert_true(wb_make_dirs(path, &f->err));
    add_tensor(&head, &at, "model.embed_tokens.weight", 8);
    for (int i = 0; i < m->layers; i++) {
        if (i == m->odd)
            odd = at / sizeof(float);
        snprintf(tensor, sizeof tensor, "model.layers.%d.self_attn.q_proj.weight", i);
        add_tensor(&head, &at, tensor, SIDE);
        snprintf(tensor, sizeof tensor, "model.layers.%d.self_attn.k_proj.weight", i);
        add_tensor(&head, &at, tensor, i == m->wide ? 2 : SIDE);
    }
    wb_str_add(&head, "}");
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(head.len >> (8 * i));
    wb_str_add_n(&file, (const char *)length, sizeof length);
    wb_str_add_n(&file, head.text, head.len);
    for (size_t i = 0; i < at / sizeof(float); i++) {
        float v = i == odd && m->odd >= 0 ? m->entry : m->scale * weight((int)i);

        wb_str_add_n(&file, (const char *)&v, sizeof v);
    }
    snprintf(path, sizeof path, "%s/%s/model.safetensors", f->dir, name);
    assert_true(wb_write_file(path, file.text, file.len, &f->err));
    wb_str_free(&head);
    wb_str_free(&file);
    snprintf(path, sizeof path, "$D/%s/config.json", name);
    view_fixture_write(f, path,
                       "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],"
                       "\"hidden_size\":4,\"intermediate_size\":8,\"num_attention_heads\":1,"
                       "\"num_hidden_layers\":3,\"vocab_size\":8}");
    snprintf(path, sizeof path, "open %s/%s", f->dir, name);
    view_fixture_command(f, path);
    view_fixture_settle(f);
}

/* ---- models that differ ---- */

static void test_unlike_models(void **state)
{
    struct made three = { 3, -1, -1, 0, 1 }, two = { 2, -1, 1, 0, 0.5f };
    struct view_fixture f;
    struct layers *s;

    (void)state;
    view_fixture_open(&f, 40, 120);
    make_model(&f, "three", &three);
    make_model(&f, "two", &two);
    run(&f, "go layers");
    run(&f, "model two three");
    s = state_of(&f);
    assert_int_equal(s->map.rows, 4);        /* the layer that one of them lacks too */
    assert_true(number(s, "0", "q") == 0.5); /* |x/2 - x| / |x| */
    assert_true(isnan(number(s, "2", "q")));
    assert_true(wb_heat_is_missing(s->map.value[2 * s->map.cols + find(s->map.col_label, 3, "q")]));
    assert_true(wb_heat_is_missing(s->map.value[1 * s->map.cols + find(s->map.col_label, 3, "k")]));
    assert_true(wb_heat_is_blank(s->map.value[0]));
    run(&f, "metric cosine");
    assert_true(number(s, "0", "q") == 1);
    s->heat[LAYERS_PAIR].row = 2;
    keys(&f, "l");
    view_fixture_shows(&f, "not in both");
    view_fixture_shows(&f, "other only");
    keys(&f, "kl");
    view_fixture_shows(&f, "! reshaped");
    view_fixture_close(&f);
}

static void test_not_finite(void **state)
{
    struct made plain = { 3, -1, -1, 0, 1 }, broken = { 3, 1, -1, NAN, 1 },
                zero = { 3, -1, -1, 0, 0 };
    struct view_fixture f;
    struct layers *s;
    char note[40];

    (void)state;
    view_fixture_open(&f, 40, 120);
    make_model(&f, "plain", &plain);
    make_model(&f, "broken", &broken);
    run(&f, "go layers");
    run(&f, "model broken plain");
    s = state_of(&f);
    assert_true(number(s, "1", "q") == 0); /* without the pair, which is told */
    s->heat[LAYERS_PAIR].row = 1;
    s->heat[LAYERS_PAIR].col = find(s->map.col_label, s->map.cols, "k");
    keys(&f, "h");
    snprintf(note, sizeof note, "! 1 pairs not finite");
    view_fixture_shows(&f, note);
    run(&f, "mode layers"); /* there it makes the layer's figures NaN */
    run(&f, "role q");
    assert_true(isnan(number(s, "0", "1")) && isnan(number(s, "1", "2")));
    assert_false(isnan(number(s, "0", "2")));
    assert_false(wb_heat_is_missing(s->map.value[1]));
    view_fixture_shows(&f, "N NaN");
    make_model(&f, "zero", &zero);
    run(&f, "model zero plain");
    run(&f, "mode pair");
    run(&f, "metric cosine");
    assert_true(isnan(number(s, "0", "q"))); /* 0/0 is no number, but it was computed */
    assert_false(wb_heat_is_missing(s->map.value[find(s->map.col_label, s->map.cols, "q")]));
    view_fixture_close(&f);
}

/* No tensor in common is not a number that failed. */
static void test_nothing_in_common(void **state)
{
    struct view_fixture f;
    struct layers *s;

    (void)state;
    open_models(&f, 24, 100, "base vit-base");
    run(&f, "model base vit-base");
    run(&f, "go layers");
    s = state_of(&f);
    for (int i = 0; i < s->map.rows * s->map.cols; i++)
        assert_true(wb_heat_is_missing(s->map.value[i]) || wb_heat_is_blank(s->map.value[i]));
    run(&f, "mode models");
    assert_true(wb_heat_is_missing(s->map.value[1]));
    assert_true(number(s, "base", "vit-base") != 1);
    view_fixture_close(&f);
}

/* A file that became shorter is an error that one can read; what was sampled before stays. */
static void test_file_cut(void **state)
{
    struct made plain = { 3, -1, -1, 0, 1 };
    struct view_fixture f;
    struct wb_err err;
    char path[200], *bytes;
    size_t n;

    (void)state;
    view_fixture_open(&f, 24, 80);
    make_model(&f, "one", &plain);
    plain.scale = 2;
    make_model(&f, "two", &plain);
    snprintf(path, sizeof path, "%s/two/model.safetensors", f.dir);
    bytes = wb_read_file(path, 1 << 20, &n, &err);
    assert_non_null(bytes);
    assert_int_equal(truncate(path, (off_t)n - 200), 0);
    run(&f, "go layers");
    for (int i = 0; i < 2; i++) {
        view_fixture_shows(&f, "c tries again");
        view_fixture_shows(&f, "since it was opened");
        assert_true(state_of(&f)->answer == NULL || /* of the sample, that Models read before */
                    state_of(&f)->answer->grade == LAYERS_SAMPLED);
        keys(&f, "c");
    }
    free(bytes);
    view_fixture_close(&f);
}

/* ---- files ---- */

/* Numbers of a CSV file of plain fields against the map. */
static void check_csv(struct layers *s, char *text)
{
    char *line, *rest = text, *field, *fields;
    int rows = 0;

    line = strsep(&rest, "\n");
    assert_int_equal(line[strlen(line) - 1], '\r');
    line[strlen(line) - 1] = '\0';
    fields = line;
    strsep(&fields, ",");
    for (int c = 0; c < s->map.cols; c++)
        assert_string_equal(strsep(&fields, ","), s->map.col_label[c]);
    assert_null(fields);
    for (; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0'; rows++) {
        line[strlen(line) - 1] = '\0';
        fields = line;
        assert_string_equal(strsep(&fields, ","), s->map.row_label[rows]);
        for (int c = 0; c < s->map.cols; c++) {
            double want = wb_layers_number(s, rows, c);

            field = strsep(&fields, ",");
            assert_non_null(field);
            if (isnan(want))
                assert_string_equal(field, "");
            else if (!(fabs(strtod(field, NULL) - want) <= CSV_DIGITS * fabs(want)))
                fail_msg("%s is not %.17g", field, want);
        }
        assert_null(fields);
    }
    assert_int_equal(rows, s->map.rows);
}

static void export_to(struct view_fixture *f, const char *name)
{
    char line[200];

    snprintf(line, sizeof line, "export %s/%s", f->dir, name);
    run(f, line);
}

static void test_export(void **state)
{
    struct view_fixture f;
    char *text, path[200];

    (void)state;
    open_models(&f, 24, 80, "base math german");
    run(&f, "model base math");
    run(&f, "go layers");
    for (int mode = 0; mode < LAYERS_MODES; mode++) {
        static const char *const names[] = { "a.csv", "b.csv", "c.CSV" };

        export_to(&f, names[mode]);
        snprintf(path, sizeof path, "%s/%s", f.dir, names[mode]);
        text = read_file(path);
        check_csv(state_of(&f), text);
        free(text);
        keys(&f, "m");
    }
    keys(&f, "m"); /* past the states */
    export_to(&f, "pair.svg");
    snprintf(path, sizeof path, "%s/pair.svg", f.dir);
    text = read_file(path);
    /* a rectangle a cell, the ground, and the legend; each with its number */
    assert_int_equal(check_xml(text, "rect"), 8 * 9 + 2 + 1 + 65);
    assert_non_null(strstr(text, ">base against math</text>"));
    assert_non_null(strstr(text, ">final_norm</text>"));
    assert_non_null(strstr(text, "<title>7 : down  "));
    free(text);
    export_to(&f, "pair.txt");
    view_fixture_shows(&f, "written are .csv");
    snprintf(path, sizeof path, "%s/pair.txt", f.dir);
    assert_false(wb_is_file(path));
    view_fixture_close(&f);
}

static void test_export_asks(void **state)
{
    struct view_fixture f;
    struct wb_str one = { 0 }, two = { 0 };
    char *text, keys_of[300], path[200];

    (void)state;
    open_models(&f, 24, 80, "base math");
    run(&f, "go layers");
    snprintf(path, sizeof path, "%s/map.csv", f.dir);
    view_fixture_write(&f, "$D/map.csv", "mine");
    snprintf(keys_of, sizeof keys_of, "x<C-a><C-k>%s<Enter>n", path);
    keys(&f, keys_of);
    text = read_file(path);
    assert_string_equal(text, "mine");
    free(text);
    keys_of[strlen(keys_of) - 1] = 'y';
    keys(&f, keys_of);
    text = read_file(path);
    check_csv(state_of(&f), text);
    free(text);
    keys(&f, "x");
    view_fixture_shows(&f, "math-base-relative-l2.svg");
    keys(&f, "<Esc>");
    export_to(&f, "no/such/folder.svg");
    view_fixture_shows(&f, "folder.svg");
    /* one at a time, and not without a question in the middle of it */
    wb_str_add(&one, "1");
    wb_str_add(&two, "2");
    wb_save_text(wb_frame_view(f.frame), view_fixture_path(&f, "$D/one.txt"), &one);
    assert_non_null(strstr(wb_desk_worry(f.desk), "being written"));
    wb_save_text(wb_frame_view(f.frame), view_fixture_path(&f, "$D/two.txt"), &two);
    assert_int_equal(two.len, 0);
    view_fixture_settle(&f);
    assert_null(wb_desk_worry(f.desk));
    assert_true(wb_is_file(view_fixture_path(&f, "$D/one.txt")));
    assert_false(wb_is_file(view_fixture_path(&f, "$D/two.txt")));
    f.desk->options.read_only = true;
    export_to(&f, "more.svg");
    view_fixture_shows(&f, "read-only");
    snprintf(path, sizeof path, "%s/more.svg", f.dir);
    assert_false(wb_is_file(path));
    view_fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_numbers),
        cmocka_unit_test(test_pairwise_numbers),
        cmocka_unit_test(test_unlike_models),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_nothing_in_common),
        cmocka_unit_test(test_file_cut),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_export_asks),
    };

    return cmocka_run_group_tests_name("numbers of the layers view", tests, NULL, NULL);
}
