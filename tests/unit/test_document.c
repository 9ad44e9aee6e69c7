/* tests/unit/test_document.c - the document against a plain string: random edits, undo and redo,
 * positions, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/draw.h"
#include "views/document.h"

#define MODEL_MAX 6000

/* The document and what it should hold. */
struct pair {
    struct wb_document *d;
    char text[MODEL_MAX];
    size_t n;
};

static struct wb_document *document(const char *text, size_t n)
{
    struct wb_err err = { 0 };
    struct wb_document *d = wb_document_new(&err);

    assert_non_null(d);
    assert_true(wb_document_load(d, text, n, &err));
    return d;
}

static void check_text(const struct wb_document *d, const char *text, size_t n)
{
    struct wb_str out = { 0 };

    wb_document_text(d, &out);
    assert_false(out.failed);
    assert_int_equal(out.len, n);
    assert_memory_equal(out.text, text, n);
    assert_int_equal(wb_document_bytes(d), n);
    wb_str_free(&out);
}

/* Lines follow from the bytes alone, and positions and offsets from each other. */
static void check_lines(const struct wb_document *d, const char *text, size_t n)
{
    struct wb_document *fresh = document(text, n);
    size_t len, other;

    assert_int_equal(wb_document_lines(d), wb_document_lines(fresh));
    for (size_t i = 0; i < wb_document_lines(d); i++) {
        const char *line = wb_document_line(d, i, &len);
        const char *want = wb_document_line(fresh, i, &other);

        assert_int_equal(len, other);
        assert_memory_equal(line, want, len);
        assert_int_equal(line[len], 0);
    }
    assert_string_equal(wb_document_eol(d), wb_document_eol(fresh));
    for (struct wb_pos pos = { 0 }, next;; pos = next) {
        size_t offset = wb_document_offset(d, pos);
        struct wb_pos back = wb_document_at_offset(d, offset);

        assert_int_equal(wb_pos_compare(pos, back), 0);
        next = wb_document_next(d, pos);
        if (wb_pos_compare(pos, next) == 0)
            break;
    }
    wb_document_free(fresh);
}

static size_t random_text(char *out, size_t max)
{
    static const char *const piece[] = { "a",        "word ", "\n",   "\r\n",     "\r",
                                         "\t",       "\xC3",  "\xA9", "\xC3\xA9", "\xE6\xBC\xA2",
                                         "\xCC\x81", "\xFF",  "end",  "\n\n" };
    size_t n = 0, count = rng() % 6;

    for (size_t i = 0; i < count; i++) {
        const char *p = piece[rng() % (sizeof piece / sizeof piece[0])];

        if (n + strlen(p) < max)
            n += strlen(memcpy(out + n, p, strlen(p) + 1));
    }
    if (rng() % 50 == 0 && n + 1 < max)
        out[n++] = '\0';
    return n;
}

static void replace_both(struct pair *p, size_t a, size_t b, const char *text, size_t n,
                         enum wb_edit kind)
{
    struct wb_range r = wb_range_of(wb_document_at_offset(p->d, a), wb_document_at_offset(p->d, b));
    struct wb_pos end;
    struct wb_err err;

    a = wb_document_offset(p->d, r.from);
    b = wb_document_offset(p->d, r.to);
    if (p->n - (b - a) + n > MODEL_MAX)
        return;
    assert_true(wb_document_replace(p->d, r, text, n, kind, &end, &err));
    memmove(p->text + a + n, p->text + b, p->n - b);
    memcpy(p->text + a, text, n);
    p->n = p->n - (b - a) + n;
}

static void edit_at_random(struct pair *p)
{
    char text[64];
    size_t a = rng() % (p->n + 1), n = random_text(text, sizeof text);
    size_t far = rng() % 100 == 0 ? p->n : a + rng() % 8, b = far > p->n ? p->n : far;
    size_t cursor = wb_document_offset(p->d, wb_document_cursor(p->d));

    switch (rng() % 4) {
    case 0:
        replace_both(p, cursor, cursor, text, n, WB_EDIT_TYPE);
        break;
    case 1:
        replace_both(p, cursor > 0 ? cursor - 1 : 0, cursor, "", 0, WB_EDIT_ERASE);
        break;
    case 2:
        wb_document_set_cursor(p->d, wb_document_at_offset(p->d, a));
        break;
    default:
        replace_both(p, a, b, text, n, (enum wb_edit)(rng() % 3));
    }
}

static void test_random_edits(void **state)
{
    struct pair p = { .d = document("", 0) };

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t version = wb_document_version(p.d);
        size_t n = p.n;

        edit_at_random(&p);
        assert_true(n == p.n || wb_document_version(p.d) > version);
        if (i % 97 == 0)
            check_text(p.d, p.text, p.n);
        if (i % 997 == 0)
            check_lines(p.d, p.text, p.n);
    }
    check_text(p.d, p.text, p.n);
    wb_document_free(p.d);
}

/* Every state that a step of undo leads to was there before, in that order. */
static void test_undo_all_redo_all(void **state)
{
    static struct pair p;
    struct wb_str before = { 0 }, after = { 0 };
    size_t undone = 0, redone = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rng_state = seed;
        p.d = document("one\r\ntwo\nthree", 14);
        p.n = 14;
        memcpy(p.text, "one\r\ntwo\nthree", 14);
        for (int i = 0; i < 500; i++) {
            bool group = rng() % 8 == 0;

            if (group)
                wb_document_group_begin(p.d);
            for (size_t k = group ? rng() % 4 : 1; k > 0; k--)
                edit_at_random(&p);
            if (group)
                wb_document_group_end(p.d);
            if (rng() % 16 == 0 && wb_document_undo(p.d)) {
                wb_str_free(&after);
                wb_document_text(p.d, &after);
                p.n = after.len;
                memcpy(p.text, after.text, p.n);
            }
        }
        while (wb_document_redo(p.d))
            ;
        wb_str_free(&before);
        wb_document_text(p.d, &before);
        for (undone = 0; wb_document_undo(p.d); undone++)
            assert_int_equal(
                wb_document_offset(p.d, wb_document_cursor(p.d)) <= wb_document_bytes(p.d), 1);
        check_text(p.d, "one\r\ntwo\nthree", 14);
        check_lines(p.d, "one\r\ntwo\nthree", 14);
        assert_false(wb_document_modified(p.d));
        for (redone = 0; wb_document_redo(p.d); redone++)
            ;
        assert_int_equal(undone, redone);
        assert_true(undone > 50);
        check_text(p.d, before.text, before.len);
        check_lines(p.d, before.text, before.len);
        assert_true(wb_document_modified(p.d));
        wb_document_free(p.d);
    }
    wb_str_free(&before);
    wb_str_free(&after);
}

static void type(struct wb_document *d, const char *text)
{
    for (; *text != '\0'; text++) {
        struct wb_pos at = wb_document_cursor(d);
        enum wb_edit kind = WB_EDIT_TYPE;

        assert_true(wb_document_replace(d, (struct wb_range){ at, at }, text, 1, kind, NULL, NULL));
    }
}

static void erase(struct wb_document *d, size_t count)
{
    while (count-- > 0) {
        struct wb_pos at = wb_document_cursor(d);
        struct wb_range r = { wb_document_previous(d, at), at };

        assert_true(wb_document_replace(d, r, "", 0, WB_EDIT_ERASE, NULL, NULL));
    }
}

static void test_steps(void **state)
{
    struct wb_document *d = document("x", 1);

    (void)state;
    wb_document_set_cursor(d, wb_document_end(d));
    type(d, "local");
    erase(d, 2);
    type(d, "ad");
    check_text(d, "xlocad", 6);
    assert_true(wb_document_undo(d)); /* the typing, the erasing, the typing */
    check_text(d, "xloc", 4);
    assert_true(wb_document_undo(d));
    check_text(d, "xlocal", 6);
    assert_int_equal(wb_document_cursor(d).byte, 6);
    assert_true(wb_document_undo(d));
    check_text(d, "x", 1);
    assert_int_equal(wb_document_cursor(d).byte, 1);
    assert_false(wb_document_undo(d));
    assert_true(wb_document_redo(d));
    check_text(d, "xlocal", 6);
    type(d, "!"); /* what was undone is gone */
    assert_false(wb_document_redo(d));
    wb_document_set_cursor(d, (struct wb_pos){ 0, 0 });
    type(d, "a");
    wb_document_set_cursor(d, (struct wb_pos){ 0, 0 });
    type(d, "b"); /* moving away ended the step */
    assert_true(wb_document_undo(d));
    check_text(d, "axlocal!", 8);
    wb_document_free(d);
}

/* Erasing what an edit put in is a step of its own, whatever kind that edit was. */
static void test_erasing_what_was_put_in(void **state)
{
    struct wb_document *d = document("abc", 3);
    struct wb_range first = { { 0, 0 }, { 0, 1 } };

    (void)state;
    assert_true(wb_document_replace(d, first, "xy", 2, WB_EDIT_ERASE, NULL, NULL));
    assert_true(wb_document_replace(d, first, "", 0, WB_EDIT_ERASE, NULL, NULL));
    check_text(d, "ybc", 3);
    assert_true(wb_document_undo(d));
    check_text(d, "xybc", 4);
    assert_true(wb_document_undo(d));
    check_text(d, "abc", 3);
    wb_document_free(d);
}

static void test_groups(void **state)
{
    struct wb_document *d = document("", 0);

    (void)state;
    wb_document_group_begin(d);
    type(d, "one\n");
    wb_document_group_begin(d);
    type(d, "two");
    wb_document_group_end(d);
    assert_false(wb_document_undo(d)); /* not within a group */
    type(d, "\nthree");
    wb_document_group_end(d);
    wb_document_group_begin(d);
    wb_document_group_end(d); /* an empty one is no step */
    type(d, "!");
    assert_true(wb_document_undo(d));
    check_text(d, "one\ntwo\nthree", 13);
    assert_true(wb_document_undo(d));
    check_text(d, "", 0);
    assert_false(wb_document_undo(d));
    assert_true(wb_document_redo(d));
    check_text(d, "one\ntwo\nthree", 13);
    wb_document_free(d);
}

static void test_modified(void **state)
{
    struct wb_document *d = document("a", 1);

    (void)state;
    wb_document_set_cursor(d, wb_document_end(d));
    assert_false(wb_document_modified(d));
    type(d, "bc");
    assert_true(wb_document_modified(d));
    wb_document_set_saved(d);
    assert_false(wb_document_modified(d));
    type(d, "d"); /* not joined to what was saved */
    assert_true(wb_document_undo(d));
    check_text(d, "abc", 3);
    assert_false(wb_document_modified(d));
    assert_true(wb_document_undo(d));
    assert_true(wb_document_modified(d));
    type(d, "z"); /* the saved text cannot be reached any more */
    assert_true(wb_document_undo(d));
    assert_true(wb_document_modified(d));
    wb_document_free(d);
}

static void test_line_ends_and_columns(void **state)
{
    static const char text[] = "\tab\r\n\xE6\xBC\xA2x\xCC\x81\xFFy\r\n";
    struct wb_document *d = document(text, sizeof text - 1);
    struct wb_pos pos = { 1, 0 };

    (void)state;
    assert_int_equal(wb_document_lines(d), 3);
    assert_string_equal(wb_document_eol(d), "\r\n");
    assert_int_equal(wb_document_column(d, (struct wb_pos){ 0, 1 }), WB_TAB_COLS);
    assert_int_equal(wb_document_at_column(d, 0, WB_TAB_COLS - 1).byte, 0);
    assert_int_equal(wb_document_at_column(d, 0, 99).byte, 3);
    pos = wb_document_next(d, pos);
    assert_int_equal(pos.byte, 3);
    assert_int_equal(wb_document_column(d, pos), 2);
    assert_int_equal(wb_document_at_column(d, 1, 1).byte, 0); /* its right half */
    pos = wb_document_next(d, pos);
    assert_int_equal(pos.byte, 6); /* the accent goes with its letter */
    assert_int_equal(wb_document_previous(d, pos).byte, 3);
    pos = wb_document_next(d, pos);
    assert_int_equal(pos.byte, 7); /* a byte that is not UTF-8 is one character */
    assert_int_equal(wb_document_clamp(d, (struct wb_pos){ 1, 2 }).byte, 0);
    assert_int_equal(wb_document_clamp(d, (struct wb_pos){ 9, 9 }).line, 2);
    check_text(d, text, sizeof text - 1);
    wb_document_free(d);
}

static void test_words(void **state)
{
    struct wb_document *d = document("local a_b = wb.open\n  x", 23);
    static const size_t stops[] = { 0, 5, 9, 14, 19, 23 };
    static const size_t back[] = { 22, 15, 12, 6, 0, 0 };
    struct wb_pos pos = { 0, 0 };

    (void)state;
    for (size_t i = 0; i < 6; i++, pos = wb_document_word_next(d, pos))
        assert_int_equal(wb_document_offset(d, pos), stops[i]);
    for (size_t i = 0; i < 6; i++) {
        pos = wb_document_word_previous(d, pos);
        assert_int_equal(wb_document_offset(d, pos), back[i]);
    }
    wb_document_free(d);
}

static void test_find(void **state)
{
    struct wb_document *d = document("Merge merge\nmerged", 18);
    struct wb_range r;

    (void)state;
    assert_true(wb_document_find(d, "merge", 5, (struct wb_pos){ 0, 1 }, false, &r));
    assert_int_equal(r.from.byte, 6);
    assert_true(wb_document_find(d, "merge", 5, (struct wb_pos){ 1, 1 }, false, &r));
    assert_true(r.from.line == 0 && r.from.byte == 0); /* any case, from the top again */
    assert_true(wb_document_find(d, "Merge", 5, (struct wb_pos){ 0, 1 }, false, &r));
    assert_true(r.from.line == 0 && r.from.byte == 0);
    assert_true(wb_document_find(d, "merge", 5, (struct wb_pos){ 0, 6 }, true, &r));
    assert_true(r.from.line == 0 && r.from.byte == 0);
    assert_true(wb_document_find(d, "merge", 5, (struct wb_pos){ 0, 0 }, true, &r));
    assert_true(r.from.line == 1 && r.from.byte == 0);
    assert_false(wb_document_find(d, "mergers", 7, (struct wb_pos){ 0, 0 }, false, &r));
    assert_false(wb_document_find(d, "", 0, (struct wb_pos){ 0, 0 }, false, &r));
    wb_document_free(d);
}

static void test_bounds(void **state)
{
    size_t n = WB_DOCUMENT_BYTES_MAX;
    char *text = malloc(n + 1);
    struct wb_document *d = wb_document_new(NULL);
    struct wb_range start = { { 0, 0 }, { 0, 0 } };
    struct wb_err err;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', n + 1);
    assert_false(wb_document_load(d, text, n + 1, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_true(wb_document_load(d, text, n, &err));
    assert_false(wb_document_replace(d, start, "y", 1, WB_EDIT_TYPE, NULL, &err));
    assert_int_equal(err.code, WB_EARG);
    assert_false(wb_document_undo(d));
    assert_int_equal(wb_document_bytes(d), n);
    memset(text, '\n', WB_DOCUMENT_LINES_MAX);
    assert_false(wb_document_load(d, text, WB_DOCUMENT_LINES_MAX, &err));
    assert_true(wb_document_load(d, text, WB_DOCUMENT_LINES_MAX - 1, &err));
    assert_int_equal(wb_document_lines(d), WB_DOCUMENT_LINES_MAX);
    assert_false(wb_document_replace(d, start, "\n", 1, WB_EDIT_TYPE, NULL, &err));
    free(text);
    wb_document_free(d);
}

/* Undo keeps a bounded number of bytes, and what it forgot was not the saved text. */
static void test_undo_is_bounded(void **state)
{
    size_t n = WB_DOCUMENT_UNDO_MAX / 8, steps = 0;
    char *text = malloc(n);
    struct wb_document *d = document("", 0);
    struct wb_range all = { { 0, 0 }, { 0, 0 } };

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 12; i++) {
        memset(text, 'a' + i, n);
        assert_true(wb_document_replace(d, all, text, n, WB_EDIT_STEP, NULL, NULL));
        all.to = wb_document_end(d);
    }
    while (wb_document_undo(d))
        steps++;
    assert_in_range(steps, 1, 8);
    assert_true(wb_document_modified(d));
    free(text);
    wb_document_free(d);
}

static void note_change(void *user, const struct wb_document_change *change)
{
    *(struct wb_document_change *)user = *change;
}

static void test_watch(void **state)
{
    struct wb_document *d = document("a\nb\nc", 5);
    struct wb_document_change seen = { 0 };
    struct wb_range r = { { 0, 1 }, { 1, 0 } };

    (void)state;
    wb_document_watch(d, note_change, &seen);
    assert_true(wb_document_replace(d, r, "1\n2\n3", 5, WB_EDIT_STEP, NULL, NULL));
    assert_true(seen.first == 0 && seen.removed == 2 && seen.added == 3);
    assert_true(wb_document_undo(d));
    assert_true(seen.first == 0 && seen.removed == 3 && seen.added == 2);
    wb_document_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_undo_all_redo_all),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_erasing_what_was_put_in),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_modified),
        cmocka_unit_test(test_line_ends_and_columns),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_undo_is_bounded),
        cmocka_unit_test(test_watch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
