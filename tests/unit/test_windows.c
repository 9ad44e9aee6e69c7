/* tests/unit/test_windows.c - texts cut into windows, task files, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/core/io.h"
#include "app/infer/score.h"
#include "app/infer/windows.h"

#define BASE "tests/data/zoo/base"
#define BOS 0 /* <s> */

static char dir[64], path[128];
static struct wb_tokenizer *with_bos, *without;
/* The zoo's: every byte is a token at least, so a text of digits has one for each. */
static const struct wb_spec spec = { .vocab = 1536, .context = 256 };

static void put(const char *name, const char *bytes, size_t n)
{
    struct wb_err err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!wb_write_file(path, bytes, n, &err))
        fail_msg("%s", err.msg);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

/* The same tokenizer, of a model that has no beginning of text. */
static int setup(void **state)
{
    struct wb_err err = { 0 };
    size_t n;
    char *text = wb_read_file(BASE "/tokenizer.json", (size_t)1 << 24, &n, &err);

    (void)state;
    snprintf(dir, sizeof dir, "/tmp/wb-windows-XXXXXX");
    if (text == NULL || mkdtemp(dir) == NULL)
        return -1;
    put("tokenizer.json", text, n);
    free(text);
    put_text("tokenizer_config.json", "{\"bos_token\": null}");
    with_bos = wb_tokenizer_open(BASE, &err);
    without = with_bos == NULL ? NULL : wb_tokenizer_open(dir, &err);
    if (without == NULL)
        printf("%s\n", err.msg);
    return without != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct wb_err err;

    (void)state;
    wb_tokenizer_free(with_bos);
    wb_tokenizer_free(without);
    return wb_remove_tree(dir, &err) ? 0 : -1;
}

static struct wb_windows cut(const struct wb_tokenizer *t, const char *text, size_t window,
                             size_t limit)
{
    struct wb_windows w;
    struct wb_err err;

    if (!wb_windows_cut(t, &spec, text, strlen(text), window, limit, &w, &err))
        fail_msg("%s", err.msg);
    return w;
}

static void test_with_beginning(void **state)
{
    struct wb_windows w = cut(with_bos, "01234567890", 4, 0);
    struct wb_rows rows = wb_windows_rows(&w);

    (void)state;
    assert_int_equal(w.windows, 3);
    assert_int_equal(w.window, 4);
    assert_int_equal(w.bos, BOS);
    assert_int_equal(w.text_tokens, 11);
    assert_int_equal(w.scored, 11); /* every token of the text */
    assert_int_equal(w.start[1], 5);
    assert_int_equal(w.start[2], 10);
    assert_int_equal(w.start[3], 14); /* the last one is shorter */
    for (size_t i = 0; i < w.windows; i++)
        assert_int_equal(w.token[w.start[i]], BOS);
    assert_int_equal(w.token[1], w.token[13]); /* both are "0" */
    assert_int_equal(rows.sequences, 3);
    assert_ptr_equal(rows.token, w.token);
    wb_windows_free(&w);
}

static void test_without_beginning(void **state)
{
    struct wb_windows w = cut(without, "01234567890", 4, 0);

    (void)state;
    assert_int_equal(w.bos, WB_TOKEN_NONE);
    assert_int_equal(w.start[1], 4);
    assert_int_equal(w.start[3], 11);
    assert_int_equal(w.scored, 8); /* the first of every window has nothing before it */
    assert_int_equal(wb_score_text_count(&w, 0, 3), 8);
    assert_int_equal(wb_score_text_count(&w, 2, 3), 2);
    wb_windows_free(&w);
}

static void test_limit_and_default(void **state)
{
    char text[1001];
    struct wb_windows w;

    (void)state;
    memset(text, '7', 1000);
    text[1000] = '\0';
    w = cut(with_bos, text, 4, 2);
    assert_int_equal(w.windows, 2);
    assert_int_equal(w.text_tokens, 1000);
    assert_int_equal(w.scored, 8);
    wb_windows_free(&w);
    w = cut(with_bos, text, 4, 100000); /* more than there are */
    assert_int_equal(w.windows, 250);
    wb_windows_free(&w);
    w = cut(with_bos, text, 0, 0); /* the context less one */
    assert_int_equal(w.window, 255);
    assert_int_equal(w.windows, 4);
    wb_windows_free(&w);
    w = cut(with_bos, text, 5000, 0); /* beyond the text: one window */
    assert_int_equal(w.windows, 1);
    assert_int_equal(w.scored, 1000);
    wb_windows_free(&w);
}

static void refuse(const struct wb_spec *of, const char *text, size_t n, size_t window,
                   enum wb_code code, const char *part)
{
    struct wb_windows w;
    struct wb_err err = { 0 };

    assert_false(wb_windows_cut(with_bos, of, text, n, window, 0, &w, &err));
    assert_null(w.token);
    if (err.code != code || strstr(err.msg, part) == NULL)
        fail_msg("error %d: %s", err.code, err.msg);
}

static void test_refused(void **state)
{
    struct wb_spec learned = spec, small = spec;

    (void)state;
    learned.learned_positions = true;
    small.vocab = 20;
    refuse(&spec, "", 0, 0, WB_EARG, "empty");
    refuse(&spec, "fine \xff not", 10, 0, WB_EFORMAT, "UTF-8");
    refuse(&spec, "cut \xc3", 5, 0, WB_EFORMAT, "UTF-8");
    refuse(&learned, "123", 3, 256, WB_EARG, "256 positions");
    refuse(&small, "the", 3, 0, WB_ESHAPE, "vocabulary of 20");
}

static void test_files(void **state)
{
    struct wb_windows w;
    struct wb_err err;

    (void)state;
    put_text("text", "12\n34");
    assert_true(wb_windows_read(with_bos, &spec, path, 3, 0, &w, &err));
    assert_int_equal(w.text_tokens, 5);
    wb_windows_free(&w);
    put_text("bad", "\xff");
    assert_false(wb_windows_read(with_bos, &spec, path, 3, 0, &w, &err));
    assert_non_null(strstr(err.msg, path));
    assert_false(wb_windows_read(with_bos, &spec, "no/such/text", 3, 0, &w, &err));
    assert_non_null(strstr(err.msg, "no/such/text"));
    wb_windows_free(&w);
}

/* Tasks */

static void test_tasks(void **state)
{
    struct wb_task_set set;
    struct wb_task_rows rows;
    struct wb_err err;

    (void)state;
    put_text("tasks", "{\"prompt\": \"1+2=\", \"answer\": \"3\"}\r\n\n"
                      "{\"answer\": \"\", \"prompt\": \"\", \"why\": 3}");
    assert_true(wb_task_set_read(path, 0, &set, &err));
    assert_int_equal(set.items, 2);
    assert_string_equal(set.item[0].prompt, "1+2=");
    assert_string_equal(set.item[1].answer, "");
    assert_true(wb_task_rows_of(with_bos, &spec, &set, &rows, &err));
    assert_int_equal(rows.start[1], 7); /* BOS, four of the prompt, the answer, newline */
    assert_int_equal(rows.answer[1], 2);
    assert_int_equal(rows.start[2], 9); /* BOS, newline */
    assert_int_equal(rows.answer[2], 3);
    wb_task_rows_free(&rows);
    assert_false(wb_task_rows_of(without, &spec, &set, &rows, &err));
    assert_non_null(strstr(err.msg, "item 2: an empty prompt"));
    wb_task_set_free(&set);
    assert_true(wb_task_set_read(path, 1, &set, &err));
    assert_int_equal(set.items, 1);
    wb_task_set_free(&set);
}

static void test_broken_tasks(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        { "{\"prompt\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \"a\"\n", "line 2" },
        { "\n\n{\"prompt\": \"a\"}\n", "line 3: needs" },
        { "{\"prompt\": \"a\", \"answer\": 3}", "line 1: needs" },
        { "[]", "line 1: needs" },
        { "{\"prompt\": \"a\", \"answer\": \"b\\nc\"}", "line 1: the answer goes beyond" },
        { "\n \n", "no tasks" },
        { "", "no tasks" },
    };
    struct wb_task_set set;
    struct wb_err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text("broken", cases[i].text);
        assert_false(wb_task_set_read(path, 0, &set, &err));
        assert_null(set.item);
        if (strstr(err.msg, cases[i].part) == NULL || strstr(err.msg, path) == NULL)
            fail_msg("%s: '%s'", cases[i].text, err.msg);
    }
    put("broken", "{}\0", 3);
    assert_false(wb_task_set_read(path, 0, &set, &err));
    assert_non_null(strstr(err.msg, "zero byte"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_beginning),
        cmocka_unit_test(test_without_beginning),
        cmocka_unit_test(test_limit_and_default),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_broken_tasks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
