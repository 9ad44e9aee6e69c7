/* tests/unit/test_input.c - bytes of a terminal to keys, mouse events and pasted text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "views/input.h"

/* An event as text: "C-d", "press 3,4", "paste a". */
static void describe(const struct wb_event *ev, char *out, size_t size)
{
    static const char *const mouse[] = { "press", "double", "up", "down" };
    char name[32];

    if (ev->kind == WB_EVENT_MOUSE)
        snprintf(out, size, "%s %d,%d", mouse[ev->mouse.kind], ev->mouse.row, ev->mouse.col);
    else
        snprintf(out, size, "%s%s", ev->kind == WB_EVENT_PASTE ? "paste " : "",
                 wb_key_name(ev->key, name, sizeof name));
}

static void take_all(struct wb_input *in, bool late, int64_t now_ms, char *out, size_t size)
{
    struct wb_event ev;

    while (wb_input_next(in, late, now_ms, &ev)) {
        size_t used = strlen(out);

        if (used > 0)
            used += (size_t)snprintf(out + used, size - used, " | ");
        describe(&ev, out + used, size - used);
    }
}

/* What the bytes mean, whole and byte by byte: the same. */
static void expect(const char *bytes, size_t n, const char *want)
{
    char whole[500] = "", pieces[500] = "";
    struct wb_input in = { 0 };

    wb_input_push(&in, bytes, n);
    take_all(&in, false, 0, whole, sizeof whole);
    take_all(&in, true, 0, whole, sizeof whole);
    assert_string_equal(whole, want);
    assert_false(wb_input_waits(&in));
    in = (struct wb_input){ 0 };
    for (size_t i = 0; i < n; i++) {
        wb_input_push(&in, bytes + i, 1);
        take_all(&in, false, 0, pieces, sizeof pieces);
    }
    take_all(&in, true, 0, pieces, sizeof pieces);
    assert_string_equal(pieces, want);
}
#define EXPECT(bytes, want) expect(bytes, sizeof(bytes) - 1, want)

static void test_characters(void **state)
{
    (void)state;
    EXPECT("aZ0 ", "a | Z | 0 | Space");
    EXPECT("\xc3\xa4\xe6\xbc\xa2\xf0\x9f\x98\x80", "\xc3\xa4 | \xe6\xbc\xa2 | \xf0\x9f\x98\x80");
    EXPECT("\t\r\x7f", "Tab | Enter | Backspace");
    EXPECT("\x01\x03\x1a\x0c", "C-a | C-c | C-z | C-l");
    expect("\0", 1, "C-Space");
    EXPECT("\x1c\x1d\x1f", "C-\\ | C-] | C-_");
    EXPECT("a\xff\xc3z\xc2\x85", "a | z"); /* invalid, cut off, a control character */
}

static void test_alt(void **state)
{
    (void)state;
    EXPECT("\033x", "M-x");
    EXPECT("\033X\0331", "M-X | M-1");
    EXPECT("\033\xc3\xa4", "M-\xc3\xa4");
    EXPECT("\033\x04", "C-M-d");
    EXPECT("\033\r", "M-Enter");
    EXPECT("\033\x7f", "M-Backspace");
    EXPECT("\033\033[A", "M-Up");
    EXPECT("\033[", "M-[");
    EXPECT("\033O", "M-O");
}

static void test_escape(void **state)
{
    (void)state;
    EXPECT("\033", "Esc");
    EXPECT("\033\033", "Esc | Esc");
    EXPECT("\033\033\033", "Esc | Esc | Esc");
    EXPECT("\033\033x", "Esc | M-x");
}

static void test_sequences(void **state)
{
    (void)state;
    EXPECT("\033[A\033[B\033[C\033[D", "Up | Down | Right | Left");
    EXPECT("\033OA\033OB\033OC\033OD", "Up | Down | Right | Left");
    EXPECT("\033[H\033[F\033[1~\033[4~\033[7~\033[8~", "Home | End | Home | End | Home | End");
    EXPECT("\033[2~\033[3~\033[5~\033[6~", "Ins | Del | PgUp | PgDn");
    EXPECT("\033OP\033OQ\033OR\033OS\033[15~\033[17~\033[21~\033[23~\033[24~",
           "F1 | F2 | F3 | F4 | F5 | F6 | F10 | F11 | F12");
    EXPECT("\033[Z", "S-Tab");
    EXPECT("\033[1;5C\033[1;3A\033[1;2B\033[3;5~\033[15;2~\033[1;8D",
           "C-Right | M-Up | S-Down | C-Del | S-F5 | C-M-S-Left");
    EXPECT("\033Oj\033Oy\033OM", "* | 9 | Enter");
}

/* Answers and events nobody asked for give nothing, and what follows is read rightly. */
static void test_unknown_sequences(void **state)
{
    (void)state;
    EXPECT("\033[I\033[Oa", "a");
    EXPECT("\033[?62;22ca", "a");
    EXPECT("\033[12;40Ra", "a");
    EXPECT("\033[>0;276;0ca", "a");
    EXPECT("\033[99~a", "a");
    EXPECT("\033[1;5ya", "a");
    EXPECT("\033[1;2\033[A", "Up"); /* cut off by the next one */
    EXPECT("\033[999999999999999999999Aa", "a");
    EXPECT("\033[1;999999999999999999999Aa", "Up | a");
}

static void test_terminals_own(void **state)
{
    struct wb_input in = { 0 };
    char got[200] = "";

    (void)state;
    wb_input_define(&in, "\033[[A", (struct wb_key){ .code = WB_KEY_F1 });
    wb_input_define(&in, "\b", (struct wb_key){ .code = WB_KEY_BACKSPACE });
    wb_input_define(&in, "ab", (struct wb_key){ .code = WB_KEY_F12 }); /* printable: left out */
    wb_input_push(&in, "\b\033[[Aab\033[", 9);
    take_all(&in, false, 0, got, sizeof got);
    assert_string_equal(got, "Backspace | F1 | a | b");
    assert_true(wb_input_waits(&in));
    wb_input_push(&in, "[A\033[A", 5);
    take_all(&in, false, 0, got, sizeof got);
    assert_string_equal(got, "Backspace | F1 | a | b | F1 | Up");
}

static void test_mouse(void **state)
{
    (void)state;
    EXPECT("\033[<0;5;4M\033[<0;5;4m", "press 3,4");
    EXPECT("\033[<64;300;200M\033[<65;1;1M", "up 199,299 | down 0,0");
    EXPECT("\033[<2;5;4M\033[<32;5;4M\033[<66;5;4M\033[<128;5;4M", "");
    EXPECT("\033[<16;5;4M", "press 3,4"); /* with Ctrl */
    EXPECT("\033[<0;0;0M\033[<0;5Mx", "x");
    EXPECT("\033[M %$\033[M#%$\033[M`!!", "press 3,4 | up 0,0"); /* the old form */
}

static void test_double_press(void **state)
{
    static const struct {
        const char *bytes;
        int64_t ms;
    } press[] = {
        { "\033[<0;5;4M", 1000 },
        { "\033[<0;5;4M", 1200 },
        { "\033[<0;5;4M", 1400 },
        { "\033[<0;6;4M", 1500 },
        { "\033[<0;6;4M", 1500 + WB_INPUT_DOUBLE_MS + 1 },
        { "\033[<0;6;4M", 1500 + 2 * WB_INPUT_DOUBLE_MS + 1 },
    };
    struct wb_input in = { 0 };
    char got[300] = "";

    (void)state;
    for (size_t i = 0; i < sizeof press / sizeof press[0]; i++) {
        wb_input_push(&in, press[i].bytes, strlen(press[i].bytes));
        take_all(&in, false, press[i].ms, got, sizeof got);
    }
    assert_string_equal(got,
                        "press 3,4 | double 3,4 | press 3,4 | press 3,5 | press 3,5 | double 3,5");
}

static void test_paste(void **state)
{
    (void)state;
    EXPECT("\033[200~a\033[201~a", "paste a | a");
    EXPECT("\033[200~:q\r\033[201~", "paste : | paste q | paste Enter");
    EXPECT("\033[200~1\r\n2\n\n3\t\033[201~",
           "paste 1 | paste Enter | paste 2 | paste Enter | paste Enter | paste 3 | paste Tab");
    /* Nothing in it is a command or a key. */
    EXPECT("\033[200~\x03\x1a\x7f\b\033x\033[A\033[<0;1;1M\033[201~",
           "paste x | paste [ | paste A | paste [ | paste < | paste 0 | paste ; | paste 1 | "
           "paste ; | paste 1 | paste M");
    EXPECT("\033[200~\xe6\xbc\xa2\xff\033[201~", "paste \xe6\xbc\xa2");
    EXPECT("\033[201~a", "a");
}

/* 2 million bytes, many of them of sequences: decoding always goes on, and its buffer never fills
 * up with what waits for more. */
static void test_noise(void **state)
{
    static const char likely[] = "\033\033\033[[[OO<M;;015679~~mZAPR\r\n \x7f\xc3\xa4\xe6?";
    struct wb_input in = { 0 };
    struct wb_event ev;
    unsigned seed = 1;
    size_t events = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        unsigned char bytes[100];

        for (size_t k = 0; k < sizeof bytes; k++) {
            seed = seed * 1103515245 + 12345;
            bytes[k] = seed >> 30 == 0 ? (unsigned char)(seed >> 16)
                                       : (unsigned char)likely[(seed >> 16) % (sizeof likely - 1)];
        }
        assert_true(wb_input_room(&in) >= sizeof bytes);
        wb_input_push(&in, bytes, sizeof bytes);
        while (wb_input_next(&in, i % 7 == 0, i, &ev)) {
            assert_int_not_equal(ev.kind, WB_EVENT_NONE);
            assert_true(ev.kind != WB_EVENT_MOUSE || (ev.mouse.row >= 0 && ev.mouse.col >= 0));
            assert_true(ev.kind != WB_EVENT_PASTE || ev.key.code == WB_KEY_ENTER ||
                        ev.key.code == WB_KEY_TAB || wb_key_is_text(ev.key));
            events++;
        }
        if (i % 7 == 0)
            assert_false(wb_input_waits(&in));
    }
    assert_true(events > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_alt),
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_unknown_sequences),
        cmocka_unit_test(test_terminals_own),
        cmocka_unit_test(test_mouse),
        cmocka_unit_test(test_double_press),
        cmocka_unit_test(test_paste),
        cmocka_unit_test(test_noise),
    };

    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        printf("1..0 # SKIP no locale C.UTF-8\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
