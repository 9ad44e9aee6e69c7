/* tests/unit/test_key.c - the names of keys, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "views/key.h"

static void expect_parse(const char *name, uint32_t code, unsigned mods)
{
    struct wb_key key;
    struct wb_err err;

    if (!wb_key_parse(name, &key, &err))
        fail_msg("%s: %s", name, err.msg);
    if (key.code != code || key.mods != mods)
        fail_msg("%s: code 0x%x mods %u", name, key.code, key.mods);
}

static void test_names(void **state)
{
    (void)state;
    expect_parse("j", 'j', 0);
    expect_parse("G", 'G', 0);
    expect_parse("-", '-', 0);
    expect_parse("C-d", 'd', WB_MOD_CTRL);
    expect_parse("C--", '-', WB_MOD_CTRL);
    expect_parse("M-x", 'x', WB_MOD_ALT);
    expect_parse("M-C-x", 'x', WB_MOD_ALT | WB_MOD_CTRL);
    expect_parse("S-Tab", WB_KEY_TAB, WB_MOD_SHIFT);
    expect_parse("PgDn", WB_KEY_PAGE_DOWN, 0);
    expect_parse("pgdn", WB_KEY_PAGE_DOWN, 0);
    expect_parse("F1", WB_KEY_F1, 0);
    expect_parse("M-F12", WB_KEY_F12, WB_MOD_ALT);
    expect_parse("Space", ' ', 0);
    expect_parse("C-Space", ' ', WB_MOD_CTRL);
    expect_parse("\xc3\xa4", 0xe4, 0);
    expect_parse("M-\xf0\x9f\x98\x80", 0x1f600, WB_MOD_ALT);
}

/* A terminal sends one byte for each of these pairs. */
static void test_keys_that_are_one(void **state)
{
    (void)state;
    expect_parse("C-D", 'd', WB_MOD_CTRL);
    expect_parse("C-i", WB_KEY_TAB, 0);
    expect_parse("C-m", WB_KEY_ENTER, 0);
    expect_parse("C-[", WB_KEY_ESC, 0);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "",     "jj",   "C-",    "X-a",  "S-a",  "F0",       "F13",          "F1x",      "Pgdown",
        "\001", "\x7f", "C-C-x", "\xff", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xc2\x85", "a\xcc\x88"
    };
    struct wb_key key;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wb_err err = { .code = WB_OK };

        if (wb_key_parse(bad[i], &key, &err))
            fail_msg("'%s' is taken", bad[i]);
        assert_int_equal(err.code, WB_EARG);
        assert_non_null(strstr(err.msg, bad[i]));
    }
}

static void expect_round_trip(uint32_t code, unsigned mods)
{
    struct wb_key key = { .code = code, .mods = mods }, back;
    struct wb_err err;
    char name[32];

    wb_key_name(key, name, sizeof name);
    if (!wb_key_parse(name, &back, &err))
        fail_msg("0x%x %u: %s", code, mods, err.msg);
    if (!wb_key_equal(key, back))
        fail_msg("0x%x %u is called %s, which is 0x%x %u", code, mods, name, back.code, back.mods);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (unsigned mods = 0; mods < 8; mods++) {
        for (uint32_t code = WB_KEY_UP; code <= WB_KEY_F12; code++)
            expect_round_trip(code, mods);
        expect_round_trip(WB_KEY_TAB, mods);
    }
    for (uint32_t code = WB_KEY_SPACE; code <= 0x10ffff; code += code < 0x3000 ? 1 : 101)
        if (wb_key_is_text((struct wb_key){ .code = code }) && (code < 0xd800 || code > 0xdfff)) {
            expect_round_trip(code, 0);
            expect_round_trip(code, WB_MOD_ALT);
        }
    for (uint32_t code = 'a'; code <= 'z'; code++)
        if (code != 'i' && code != 'm')
            expect_round_trip(code, WB_MOD_CTRL);
}

static void test_is_text(void **state)
{
    (void)state;
    assert_true(wb_key_is_text((struct wb_key){ .code = 'a' }));
    assert_true(wb_key_is_text((struct wb_key){ .code = ' ' }));
    assert_true(wb_key_is_text((struct wb_key){ .code = 0x1f600 }));
    assert_false(wb_key_is_text((struct wb_key){ .code = 'a', .mods = WB_MOD_CTRL }));
    assert_false(wb_key_is_text((struct wb_key){ .code = 'a', .mods = WB_MOD_ALT }));
    assert_false(wb_key_is_text((struct wb_key){ .code = WB_KEY_BACKSPACE }));
    assert_false(wb_key_is_text((struct wb_key){ .code = WB_KEY_ENTER }));
    assert_false(wb_key_is_text((struct wb_key){ .code = WB_KEY_F1 }));
    assert_false(wb_key_is_text((struct wb_key){ .code = 0x9b }));
}

/* A name is cut to the room there is, whatever the key holds. */
static void test_short_room(void **state)
{
    char name[4];

    (void)state;
    wb_key_name((struct wb_key){ .code = WB_KEY_BACKSPACE, .mods = WB_MOD_ALT }, name, sizeof name);
    assert_string_equal(name, "M-B");
    wb_key_name((struct wb_key){ .code = 0xffffffff }, name, sizeof name);
    assert_string_equal(name, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   cmocka_unit_test(test_keys_that_are_one),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_is_text), cmocka_unit_test(test_short_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
