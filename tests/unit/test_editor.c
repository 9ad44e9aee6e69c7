/* tests/unit/test_editor.c - the editor by scripted keys, and what stands on its canvas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/draw.h"
#include "tests/unit/keys.h"
#include "views/editor.h"

struct bench {
    struct wb_document *d;
    struct wb_editor *ed;
};

static struct bench open_bench(const char *text, int rows, int cols)
{
    struct bench b = { .d = wb_document_new(NULL) };

    assert_non_null(b.d);
    assert_true(wb_document_load(b.d, text, strlen(text), NULL));
    b.ed = wb_editor_new(b.d, NULL);
    assert_non_null(b.ed);
    wb_editor_resize(b.ed, rows, cols);
    return b;
}

static void close_bench(struct bench *b)
{
    wb_editor_free(b->ed);
    wb_document_free(b->d);
}

static enum wb_editor_result play(struct bench *b, const char *script)
{
    enum wb_editor_result result = WB_EDITOR_USED;
    struct wb_event event;
    bool pasting = false;

    while (next_event(&script, &event, &pasting))
        result = wb_editor_event(b->ed, &event);
    return result;
}

/* The text with a bar at the cursor. */
static void check_text(const struct bench *b, const char *want)
{
    struct wb_str got = { 0 };
    struct wb_pos cursor = wb_document_cursor(b->d), end = wb_document_end(b->d);

    wb_str_add(&got, "");
    wb_document_range_text(b->d, (struct wb_range){ { 0, 0 }, cursor }, &got);
    wb_str_add(&got, "|");
    wb_document_range_text(b->d, (struct wb_range){ cursor, end }, &got);
    assert_string_equal(got.text, want);
    wb_str_free(&got);
}

static void check_keys(const char *text, const char *script, const char *want)
{
    struct bench b = open_bench(text, 10, 60);

    play(&b, script);
    check_text(&b, want);
    close_bench(&b);
}

static void test_movements(void **state)
{
    (void)state;
    check_keys("abc\nd\nefg", "<End><Down><Down>", "abc\nd\nefg|"); /* keeps its column */
    check_keys("abc\nd\nefg", "<Right><Right><Down><Left><Down>", "abc\nd\n|efg");
    check_keys("abc\nd\nefg", "<C-End><Up><Up><C-n>", "abc\nd|\nefg");
    check_keys("  abc", "<C-e><C-a>", "  |abc");
    check_keys("  abc", "<C-e><Home><Home>", "|  abc");
    check_keys("local a = b", "<M-f><C-Right><M-b>", "local |a = b");
    check_keys("f(a, (b))", "<M-m>", "|f(a, (b))");
    check_keys("f(a, (b))", "<Right><M-m>", "f(a, (b)|)");
    check_keys("f(a, (b))", "<End><M-m>", "f|(a, (b))");
    check_keys("a\nb\nc", "<M->>x<M-<>y", "y|a\nb\ncx");
    check_keys("a\nb\nc", "<M-g>3<Enter>", "a\nb\n|c");
    check_keys("a\nb\nc", "<M-g>99<Enter>", "a\nb\nc|");
    check_keys("a\nb\nc", "<M-g>x<Enter>", "|a\nb\nc");
}

static void test_typing(void **state)
{
    (void)state;
    check_keys("", "if a then<Enter>b()<Enter>else<Enter>c()<Enter>end<Enter>d",
               "if a then\n  b()\nelse\n  c()\nend\nd|");
    check_keys("", "if a then<Enter>ending()", "if a then\n  ending()|"); /* not `end` after all */
    check_keys("", "if a then<Enter>elseif", "if a then\nelseif|");
    check_keys("", "x = {<Enter>1,<Enter>}<Enter>y", "x = {\n  1,\n}\ny|");
    check_keys("", "f(function()<Enter>g()<Enter>end)<Enter>", "f(function()\n  g()\nend)\n|");
    check_keys("f(a, b)", "<C-Right><C-Right><Right><Right><Enter>", "f(a,\n  |b)");
    check_keys("", "x = [[<Enter>  y <Enter>z", "x = [[\n  y \nz|"); /* content stays */
    check_keys("", "if a then<Enter><Enter>", "if a then\n\n  |");   /* no blanks are left */
    check_keys("a\r\nb", "<End><Enter>c", "a\r\nc|\r\nb");
    check_keys("    x", "<Home><Backspace>", "  |x");
    check_keys("   x", "<Home><Backspace>", "  |x");
    check_keys("\xE6\xBC\xA2x", "<End><Backspace><Backspace>", "|");
    check_keys("a\nb", "<Down><Backspace>", "a|b");
    check_keys("a\nb", "<End><Del>", "a|b");
    check_keys("if a then\nx", "<Down><Tab>", "if a then\n  |x");
    check_keys("ab", "<Right><Tab>", "a |b"); /* nothing completes: the next stop */
    check_keys("  a\n\n    b", "<M-a><S-Tab>", "a\n\n  b|");
    check_keys("  a\n\n    b", "<M-a><Tab><Tab>", "      a\n\n        b|");
    check_keys("a\n  b", "<M-a><M-;>", "-- a\n  -- b|");
    check_keys("-- a\n  --b\n", "<M-a><M-;>", "a\n  b\n|");
}

static void test_cut_and_yank(void **state)
{
    struct bench b = open_bench("one\ntwo\nthree", 10, 60);

    (void)state;
    assert_null(wb_editor_take_copied(b.ed));
    play(&b, "<C-k><C-k><C-k><C-k>");
    check_text(&b, "|three");
    assert_string_equal(wb_editor_take_copied(b.ed), "one\ntwo\n");
    assert_null(wb_editor_take_copied(b.ed));
    play(&b, "<End><C-y>");
    check_text(&b, "threeone\ntwo\n|");
    play(&b, "<Up><C-k>"); /* not joined to the cuts before */
    assert_string_equal(wb_editor_take_copied(b.ed), "two");
    close_bench(&b);
    check_keys("one two", "<End><C-w><Home><C-y> ", "two |one ");
    check_keys("one two", "<End><C-u><C-y><C-y>", "one twoone two|");
    check_keys("one two", "<M-d><C-e><C-y>", " twoone|");
    check_keys("one\ntwo", "<M-w><Down><C-y>", "one\none\n|two");
}

static void test_selection(void **state)
{
    (void)state;
    check_keys("abcd", "<Right><S-Right><S-Right>x", "ax|d");
    check_keys("abcd", "<S-End><M-w><End><C-y>", "abcdabcd|");
    check_keys("ab\ncd", "<S-Down><C-k><End><C-y>", "cdab\n|");
    check_keys("abcd", "<M-Space><Right><Right><M-w><C-e><C-y>", "abcdab|");
    check_keys("abcd", "<S-Right><Right><Backspace>", "a|cd"); /* moving on ends it */
    check_keys("abcd", "<S-Right><Esc><Backspace>", "|bcd");
    check_keys("a b c", "<C-S-Right><S-Right>\vx\ny\v", "x\ny|b c");
    check_keys("abcd", "<M-a><Del>", "|");
    check_keys("abcd", "<M-a>x<M-u>", "abcd|");
}

static void test_undo(void **state)
{
    struct bench b = open_bench("", 10, 60);

    (void)state;
    play(&b, "local x\v = 1\nlocal y = 2\r\n\tz\v");
    check_text(&b, "local x = 1\nlocal y = 2\n\tz|");
    play(&b, "<C-_>"); /* the paste */
    check_text(&b, "local x|");
    play(&b, "<M-u>");
    check_text(&b, "|");
    assert_string_equal(wb_editor_note(b.ed), "");
    play(&b, "<M-u>");
    assert_string_equal(wb_editor_note(b.ed), "nothing to undo");
    play(&b, "<M-r><M-r>");
    check_text(&b, "local x = 1\nlocal y = 2\n\tz|");
    play(&b, "<Enter>if x then<Enter>end"); /* with its move to the left */
    play(&b, "<M-u>");
    check_text(&b, "local x = 1\nlocal y = 2\n\tz\n    if x then\n      |");
    assert_true(wb_editor_insert(b.ed, "a\r\nb\n", NULL));
    check_text(&b, "local x = 1\nlocal y = 2\n\tz\n    if x then\n      a\nb\n|");
    play(&b, "<M-u>");
    check_text(&b, "local x = 1\nlocal y = 2\n\tz\n    if x then\n      |");
    close_bench(&b);
}

static void test_search(void **state)
{
    struct bench b = open_bench("merge\nMerge b\nmerge c", 10, 60);

    (void)state;
    play(&b, "<C-f>me");
    check_text(&b, "|merge\nMerge b\nmerge c");
    play(&b, "<Enter>");
    check_text(&b, "merge\n|Merge b\nmerge c");
    play(&b, "<Backspace><Backspace>Mer");
    check_text(&b, "merge\n|Merge b\nmerge c");
    play(&b, "<C-u>merge c");
    check_text(&b, "merge\nMerge b\n|merge c");
    play(&b, "<C-u>merge<Enter><S-Enter><S-Enter><Esc>x");
    check_text(&b, "merge\nMerge b\nx|merge c");
    play(&b, "<M-u><C-Home><F3><M-n><S-F3>");
    check_text(&b, "merge\n|Merge b\nmerge c");
    play(&b, "<C-s>nowhere");
    assert_string_equal(wb_editor_note(b.ed), "no match for 'nowhere'");
    play(&b, "<C-g>");
    check_text(&b, "merge\n|Merge b\nmerge c");
    play(&b, "<C-f>merge c<Right>x"); /* a movement goes on in the line of the prompt */
    play(&b, "<C-End>y");             /* the text's own ends the search */
    check_text(&b, "merge\nMerge b\nmerge cy|");
    close_bench(&b);
}

static void test_replace(void **state)
{
    struct bench b = open_bench("a = a\n\xE6\xBC\xA2 a\nb a", 10, 60);

    (void)state;
    play(&b, "<Down><M-%>a<Enter>xy<Enter>");
    check_text(&b, "xy = xy\n|\xE6\xBC\xA2 xy\nb xy");
    assert_string_equal(wb_editor_note(b.ed), "4 replaced");
    play(&b, "<M-u>");
    check_text(&b, "a = a\n|\xE6\xBC\xA2 a\nb a");
    play(&b, "<S-Down><M-%><C-u>a<Enter><Enter>"); /* within the selection, by nothing */
    check_text(&b, "a = a\n\xE6\xBC\xA2 \n|b a");
    play(&b, "<M-%><C-u>zzz<Enter>q<Enter>");
    assert_string_equal(wb_editor_note(b.ed), "0 replaced");
    play(&b, "<M-%><C-u><Enter>"); /* nothing to look for */
    check_text(&b, "a = a\n\xE6\xBC\xA2 \n|b a");
    close_bench(&b);
}

static void offer(void *user, const struct wb_document *d, const struct wb_lua_place *place,
                  bool asked, struct wb_complete *out)
{
    (void)user;
    (void)d;
    if (place->where == WB_LUA_AT_WB) {
        wb_complete_add(out, "merge", "function", "merge models by a method");
        wb_complete_add(out, "open", "function", "a model from its path");
        wb_complete_add(out, "over", "function", NULL);
    } else if (place->where == WB_LUA_AT_STRATEGY) {
        wb_complete_add(out, "ties", "merge", NULL);
        wb_complete_add(out, "dare_ties", "merge", NULL);
    } else if (asked) {
        wb_complete_add(out, "local", "keyword", NULL);
    }
}

static void check_completed(const char *script, const char *want)
{
    static const struct wb_editor_completer completer = { offer, NULL };
    struct bench b = open_bench("", 10, 60);

    wb_editor_set_completer(b.ed, &completer);
    play(&b, script);
    check_text(&b, want);
    close_bench(&b);
}

static void test_completion(void **state)
{
    (void)state;
    check_completed("lo<Tab>", "local|");
    check_completed("lo<Enter>", "lo\n|"); /* not asked for */
    check_completed("wb.<Tab>", "wb.merge|");
    check_completed("wb.o<Down><Down><Enter>", "wb.over|");
    check_completed("wb.o<Enter>x", "wb.o\nx|"); /* nothing was chosen */
    check_completed("wb.o<M-/><Enter>", "wb.open|");
    check_completed("wb.ov<Backspace><Tab>", "wb.open|");
    check_completed("wb.o<Esc><Enter>", "wb.o\n|");
    check_completed("wb.merge(\"ti<Down><Down><Enter>", "wb.merge(\"dare_ties|");
    check_completed("wb.o<Tab><M-u>", "wb.o|"); /* one step */
    check_completed("wb.open<Enter>x", "wb.open\nx|");
    check_completed("x <Tab>", "x   |");
}

static void test_others_edit(void **state)
{
    struct bench b = open_bench("a\nb\nc\nd", 10, 60);
    struct wb_range two = { { 0, 0 }, { 1, 0 } };
    struct wb_surface s = { 0 };
    struct wb_str out = { 0 };
    struct wb_theme theme;
    struct wb_canvas cv;

    (void)state;
    wb_editor_set_error(b.ed, 2, "bad c");
    play(&b, "<C-End>");
    assert_true(wb_document_replace(b.d, two, "x\ny\nz\n", 6, WB_EDIT_STEP, NULL, NULL));
    check_text(&b, "x\ny\nz\nb\nc\nd|");
    wb_theme_init(&theme, WB_TIER_MONO, true);
    assert_true(wb_surface_resize(&s, 7, 30, NULL));
    cv = wb_canvas_of(&s, &theme);
    wb_editor_resize(b.ed, 7, 30);
    wb_editor_draw(b.ed, &cv, true);
    wb_surface_dump(&s, &theme, false, &out);
    assert_string_equal(out.text, "   1 x\n   2 y\n   3 z\n   4 b\n!  5 c  ! bad c\n>  6 d\n\n");
    wb_str_free(&out);
    wb_surface_free(&s);
    play(&b, "<C-Home><M-e>");
    assert_int_equal(wb_document_cursor(b.d).line, 4);
    close_bench(&b);
}

static void check_drawn(struct bench *b, int rows, int cols, bool styles, const char *want)
{
    struct wb_surface s = { 0 };
    struct wb_str out = { 0 };
    struct wb_theme theme;
    struct wb_canvas cv;

    wb_theme_init(&theme, WB_TIER_256, false);
    assert_true(wb_surface_resize(&s, rows, cols, NULL));
    cv = wb_canvas_of(&s, &theme);
    wb_editor_resize(b->ed, rows, cols);
    wb_editor_draw(b->ed, &cv, true);
    wb_surface_dump(&s, &theme, styles, &out);
    assert_string_equal(out.text, want);
    assert_true(s.cursor_row >= 0 && s.cursor_row < rows);
    assert_true(s.cursor_col >= 0 && s.cursor_col < cols);
    wb_str_free(&out);
    wb_surface_free(&s);
}

static const char script[] = "local base = wb.open \"zoo/base\" -- the base\n"
                             "local n = 0x10\n"
                             "\n"
                             "return f(base, {\xE6\xBC\xA2 = [[a\n"
                             "\tb]]})";

static void test_drawing(void **state)
{
    struct bench b = open_bench(script, 6, 50);

    (void)state;
    check_drawn(&b, 6, 50, true,
                ">  1 local base = wb.open \"zoo/base\" -- the base\n"
                "   2 local n = 0x10\n"
                "   3\n"
                "   4 return f(base, {\xE6\xBC\xA2 = [[a\n"
                "   5     b]]})\n"
                "\n"
                "-- styles\n"
                "hhhh.KKKKK........ff.ffff.qqqqqqqqqq.///////////\n"
                "dddd.KKKKK.....nnnn\n"
                "dddd\n"
                "dddd.KKKKKK..........ee...qqq\n"
                "dddd.qqqqqqq\n"
                "\n");
    wb_editor_set_error(b.ed, 1, "unexpected symbol near '='");
    play(&b, "<Down><Down><Down><C-Right><C-Right><C-a><C-Right><C-Right>");
    check_drawn(&b, 5, 30, true,
                "   1 local base = wb.open \"zo>\n"
                "!  2 local n = 0x10\n"
                "   3\n"
                ">  4 return f(base, {\xE6\xBC\xA2 = [[a\n"
                "! unexpected symbol near '='\n"
                "-- styles\n"
                "dddd.KKKKK........ff.ffff.qqqd\n"
                "eeee.KKKKK.....nnnn\n"
                "dddd\n"
                "hhhh.KKKKKK..m.......ee...qqq\n"
                "eeeeeeeeeeeeeeeeeeeeeeeeeeeeee\n");
    wb_editor_set_error(b.ed, 1, NULL);
    play(&b, "<C-Home><C-e>"); /* to the side */
    check_drawn(&b, 3, 30, true,
                ">  1 <se\" -- the base\n"
                "   2 <\n"
                "   3\n"
                "-- styles\n"
                "hhhh.dqqq.///////////\n"
                "dddd.d\n"
                "dddd\n");
    play(&b, "<C-Home><S-Down><S-Right>"); /* a selection over a line end */
    check_drawn(&b, 2, 30, true,
                "   1 local base = wb.open \"zo>\n"
                ">  2 local n = 0x10\n"
                "-- styles\n"
                "dddd.SSSSSSSSSSSSSSSSSSSSSSSSd\n"
                "hhhh.SKKKK.....nnnn\n");
    play(&b, "<C-Home><C-f>base");
    check_drawn(&b, 3, 40, true,
                ">  1 local base = wb.open \"zoo/base\" -->\n"
                "   2 local n = 0x10\n"
                "search: base\n"
                "-- styles\n"
                "hhhh.KKKKK.!!!!...ff.ffff.qqqqqMMMMq.//d\n"
                "dddd.KKKKK.....nnnn\n"
                "kkkkkkkk\n");
    close_bench(&b);
}

static void test_menu(void **state)
{
    static const struct wb_editor_completer completer = { offer, NULL };
    struct bench b = open_bench("", 6, 50);

    (void)state;
    wb_editor_set_completer(b.ed, &completer);
    play(&b, "x = wb.o<Down>");
    check_drawn(&b, 6, 50, false,
                ">  1 x = wb.o\n"
                "           >open              function\n"
                "            over              function\n"
                "            a model from its path 1/2\n"
                "\n\n");
    close_bench(&b);
}

/* Random keys, pastes, clicks and sizes under the sanitizers; the text stays sound. */
static void test_random_events(void **state)
{
    static const struct wb_editor_completer completer = { offer, NULL };
    static const char *const piece[] = { "if x then",    "end", "[[",          "]]", "wb.",
                                         "\xE6\xBC\xA2", "\"",  "\v\r\n\ta\v", " ",  "<<",
                                         "e\xCC\x81",    "1",   "(",           "}" };
    struct bench b = open_bench(script, 6, 50);
    struct wb_theme theme;

    (void)state;
    wb_theme_init(&theme, WB_TIER_256, false);
    wb_editor_set_completer(b.ed, &completer);
    wb_editor_set_error(b.ed, 2, "\xFF of a long message with \xE6\xBC\xA2 in it");
    for (int i = 0; i < 20000; i++) {
        struct wb_event mouse = { .kind = WB_EVENT_MOUSE };
        int rows = 1 + (int)(rng() % 12), cols = 1 + (int)(rng() % 50);
        struct wb_surface s = { 0 };
        struct wb_canvas cv;
        char name[80];

        mouse.mouse = (struct wb_mouse){ (enum wb_mouse_kind)(rng() % 4), (int)(rng() % 12),
                                         (int)(rng() % 60) };
        if (rng() % 3 == 0) {
            play(&b, piece[rng() % (sizeof piece / sizeof piece[0])]);
        } else if (rng() % 10 == 0) {
            wb_editor_event(b.ed, &mouse);
        } else {
            const struct wb_key_doc *key = &wb_editor_keys[rng() % (WB_EDITOR_COMMAND_COUNT - 1)];

            snprintf(name, sizeof name, "<%.*s>", (int)strcspn(key->keys, " "), key->keys);
            play(&b, name);
        }
        if (wb_document_bytes(b.d) > 5000)
            play(&b, "<Esc><Esc><Esc><M-a><Del>");
        if (rng() % 4 != 0)
            continue;
        assert_true(wb_surface_resize(&s, rows, cols, NULL));
        cv = wb_canvas_of(&s, &theme);
        wb_editor_resize(b.ed, rows, cols);
        wb_editor_draw(b.ed, &cv, rng() % 2);
        wb_surface_free(&s);
    }
    play(&b, "x");
    while (wb_document_undo(b.d))
        ;
    while (wb_document_redo(b.d))
        ;
    close_bench(&b);
}

static void test_mouse(void **state)
{
    struct bench b = open_bench("one two\n\xE6\xBC\xA2x\n3\n4\n5\n6\n7\n8", 4, 40);
    struct wb_event event = { .kind = WB_EVENT_MOUSE, .mouse = { WB_MOUSE_PRESS, 1, 6 } };

    (void)state;
    wb_editor_event(b.ed, &event); /* the right half of a wide character */
    check_text(&b, "one two\n|\xE6\xBC\xA2x\n3\n4\n5\n6\n7\n8");
    event.mouse = (struct wb_mouse){ WB_MOUSE_DOUBLE, 0, 10 };
    wb_editor_event(b.ed, &event);
    play(&b, "2");
    check_text(&b, "one 2|\n\xE6\xBC\xA2x\n3\n4\n5\n6\n7\n8");
    event.mouse = (struct wb_mouse){ WB_MOUSE_WHEEL_DOWN, 0, 0 };
    wb_editor_event(b.ed, &event); /* the cursor stays in sight, in its column */
    check_drawn(&b, 4, 40, false, ">  4 4\n   5 5\n   6 6\n   7 7\n");
    wb_editor_event(b.ed, &event);
    check_drawn(&b, 4, 40, false, ">  5 5\n   6 6\n   7 7\n   8 8\n");
    event.mouse.kind = WB_MOUSE_WHEEL_UP;
    wb_editor_event(b.ed, &event);
    check_drawn(&b, 4, 40, false, "   2 \xE6\xBC\xA2x\n   3 3\n   4 4\n>  5 5\n");
    event.mouse = (struct wb_mouse){ WB_MOUSE_PRESS, 99, 99 };
    wb_editor_event(b.ed, &event);
    assert_int_equal(wb_document_cursor(b.d).line, 7);
    close_bench(&b);
}

static void test_leaving(void **state)
{
    struct bench b = open_bench("a a", 5, 40);

    (void)state;
    play(&b, "<C-f>a<Esc><M-Space>");
    assert_int_equal(play(&b, "<Esc>"), WB_EDITOR_USED); /* the selection */
    assert_int_equal(play(&b, "<Esc>"), WB_EDITOR_USED); /* the matches */
    assert_int_equal(play(&b, "<Esc>"), WB_EDITOR_LEAVE);
    assert_int_equal(play(&b, "<F5>"), WB_EDITOR_UNUSED);
    assert_int_equal(play(&b, "<C-c>"), WB_EDITOR_UNUSED);
    assert_int_equal(play(&b, "<C-z>"), WB_EDITOR_UNUSED);
    close_bench(&b);
}

/* No key means two things, and each is a key. */
static void test_key_table(void **state)
{
    struct wb_key seen[200];
    size_t n = 0;

    (void)state;
    for (int i = 0; wb_editor_keys[i].keys != NULL; i++) {
        char names[100], *rest = names, *name;

        assert_true(wb_editor_keys[i].doc[0] != '\0');
        snprintf(names, sizeof names, "%s", wb_editor_keys[i].keys);
        while ((name = strsep(&rest, " ")) != NULL) {
            assert_true(wb_key_parse(name, &seen[n], NULL));
            for (size_t k = 0; k < n; k++)
                assert_false(wb_key_equal(seen[k], seen[n]));
            n++;
        }
    }
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_movements),    cmocka_unit_test(test_typing),
        cmocka_unit_test(test_cut_and_yank), cmocka_unit_test(test_selection),
        cmocka_unit_test(test_undo),         cmocka_unit_test(test_search),
        cmocka_unit_test(test_replace),      cmocka_unit_test(test_completion),
        cmocka_unit_test(test_others_edit),  cmocka_unit_test(test_drawing),
        cmocka_unit_test(test_menu),         cmocka_unit_test(test_random_events),
        cmocka_unit_test(test_mouse),        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_key_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
