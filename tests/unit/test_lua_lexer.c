/* tests/unit/test_lua_lexer.c - tokens of the project's own Lua and of garbage, states of lines
 * after edits, brackets, indentation, places of completion. */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "tests/unit/draw.h"
#include "views/lua_lexer.h"
#include "views/lua_text.h"

#define FILE_MAX ((size_t)1 << 20)

static struct wb_document *document(const char *text)
{
    struct wb_document *d = wb_document_new(NULL);

    assert_non_null(d);
    assert_true(wb_document_load(d, text, strlen(text), NULL));
    return d;
}

/* Tokens follow each other without a gap and cover the line; gives the state after it. */
static unsigned check_line(const char *line, size_t len, unsigned state, size_t *garbage)
{
    struct wb_lua_lexer lx;
    struct wb_lua_token t;
    size_t at = 0;

    wb_lua_lexer_init(&lx, line, len, state);
    while (wb_lua_lexer_next(&lx, &t)) {
        assert_int_equal(t.from, at);
        assert_true(t.len > 0);
        at += t.len;
        *garbage += t.kind == WB_LUA_GARBAGE;
    }
    assert_int_equal(at, len);
    assert_int_equal(wb_lua_lex_line(line, len, state), lx.state);
    return lx.state;
}

static size_t files;

static void check_indentation(const char *path, const struct wb_document *d)
{
    struct wb_lua_states s = { 0 };
    size_t good = 0, all = 0, len;

    (void)path;
    for (size_t i = 0; i < wb_document_lines(d); i++) {
        const char *line = wb_document_line(d, i, &len);
        size_t indent = strspn(line, " ");

        if (indent == len)
            continue;
        all++;
        good += wb_lua_indentation(&s, d, i) == indent;
    }
    /* the rest are lines that somebody aligned by hand */
    if (good * 10 < all * 9)
        fail_msg("%s: %zu of %zu lines", path, good, all);
    wb_lua_states_free(&s);
}

static int check_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    size_t n, garbage = 0, len;
    unsigned state = WB_LUA_START;
    char *text;
    struct wb_document *d;

    (void)st;
    (void)ftw;
    if (kind != FTW_F || strlen(path) < 4 || strcmp(path + strlen(path) - 4, ".lua") != 0)
        return 0;
    text = wb_read_file(path, FILE_MAX, &n, NULL);
    assert_non_null(text);
    d = document(text);
    for (size_t i = 0; i < wb_document_lines(d); i++) {
        const char *line = wb_document_line(d, i, &len);

        state = check_line(line, len, state, &garbage);
    }
    assert_int_equal(garbage, 0);
    assert_int_equal(state, WB_LUA_START);
    check_indentation(path, d);
    wb_document_free(d);
    free(text);
    files++;
    return 0;
}

static void test_own_files(void **state)
{
    (void)state;
    assert_int_equal(nftw("lua", check_file, 16, FTW_PHYS), 0);
    assert_int_equal(nftw("plugins", check_file, 16, FTW_PHYS), 0);
    assert_true(files > 20);
}

/* One letter a byte: the kind of the token that covers it. */
static void kinds_of(const char *text, char *out)
{
    struct wb_document *d = document(text);
    unsigned state = WB_LUA_START;

    for (size_t i = 0; i < wb_document_lines(d); i++) {
        struct wb_lua_lexer lx;
        struct wb_lua_token t;
        size_t len;
        const char *line = wb_document_line(d, i, &len);

        wb_lua_lexer_init(&lx, line, len, state);
        while (wb_lua_lexer_next(&lx, &t)) {
            memset(out, " ks1cngo!"[t.kind], t.len);
            out += t.len;
        }
        state = lx.state;
        *out++ = '\n';
    }
    out[-1] = '\0';
    wb_document_free(d);
}

static void test_kinds(void **state)
{
    static const char *const known[][2] = {
        { "local a = wb.open \"x\" -- y", "kkkkk n o ggogggg sss cccc" },
        { "t.type(math.abs(-0x1.8p-3))", "nonnnnoggggogggoo11111111oo" },
        { "1e+5 .5 3..2 08 0x 1z", "1111 11 1111 11 11 !!" },
        { "a.wb.open(string.rep)", "nonnonnnnoggggggogggo" },
        { "x = [[a\n]] y", "n o sss\nss n" },
        { "x = [==[a]]\n]=]\n]==] y", "n o sssssss\nsss\nssss n" },
        { "--[[ a\nb ]] c", "cccccc\ncccc n" },
        { "--[=[ a\nb ]] c ]=] d", "ccccccc\ncccccccccc n" },
        { "\"a\\\nb\" c", "sss\nss n" },
        { "\"a\\z\n  \n b\" c", "ssss\nss\nsss n" },
        { "\"open\nx", "sssss\nn" },
        { "\"a\\\n\nx", "sss\n\nn" },
        { "'it\\'s' .. \"\"", "sssssss oo ss" },
        { "goto done ::done:: a//b ~= @ $", "kkkk nnnn oonnnnoo noon oo ! !" },
        { "if end2 end andy and _ENV", "kk nnnn kkk nnnn kkk gggg" },
        { "x:sub(print)", "nonnnogggggo" },
        { "wb .open", "gg ogggg" },
        { "[=x", "oon" },
    };
    char out[200];

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        kinds_of(known[i][0], out);
        assert_string_equal(out, known[i][1]);
    }
}

static void test_garbage(void **state)
{
    static const char alphabet[] = "\"'[]=-\\z \t\xC3\xFF()ax0.:;~";
    unsigned st = WB_LUA_START;
    char line[80];
    size_t garbage = 0;

    (void)state;
    for (int i = 0; i < 50000; i++) {
        size_t n = rng() % sizeof line;
        bool any = rng() % 2;

        for (size_t k = 0; k < n; k++)
            line[k] = any ? (char)rng() : alphabet[rng() % (sizeof alphabet - 1)];
        st = check_line(line, n, st, &garbage);
        if (rng() % 20 == 0)
            st = WB_LUA_START;
    }
    assert_true(garbage > 0);
}

static void forward(void *user, const struct wb_document_change *change)
{
    wb_lua_states_change(user, change);
}

/* After random edits the states are those of lexing everything anew. */
static void test_states(void **state)
{
    static const char *const piece[] = {
        "[[", "]]", "--[[", "\n", "x", "\"", "\\\n", "a\nb\n", ""
    };
    struct wb_document *d = document("");
    struct wb_lua_states s = { 0 };

    (void)state;
    wb_document_watch(d, forward, &s);
    for (int i = 0; i < 20000; i++) {
        struct wb_pos a = { rng() % wb_document_lines(d), rng() % 8 }, b = a;
        const char *text = piece[rng() % (sizeof piece / sizeof piece[0])];
        unsigned want = WB_LUA_START;
        size_t len, last = rng() % wb_document_lines(d);

        b.line += wb_document_lines(d) > 60 ? rng() % 8 : rng() % 2;
        assert_true(wb_document_replace(d, wb_range_of(a, b), text, strlen(text), WB_EDIT_STEP,
                                        NULL, NULL));
        if (rng() % 10 == 0)
            wb_document_undo(d);
        if (rng() % 3 == 0) /* several edits between two looks */
            continue;
        last = last < wb_document_lines(d) ? last : 0;
        for (size_t k = 0; k < last; k++) {
            const char *line = wb_document_line(d, k, &len);

            assert_int_equal(wb_lua_states_at(&s, d, k), want);
            want = wb_lua_lex_line(line, len, want);
        }
        assert_int_equal(wb_lua_states_at(&s, d, last), want);
    }
    wb_document_free(d);
    wb_lua_states_free(&s);
}

/* An edit in a long text costs the line, not the text. */
static void test_states_are_reused(void **state)
{
    struct wb_str text = { 0 };
    struct wb_document *d;
    struct wb_lua_states s = { 0 };
    struct wb_range at = { { 10, 0 }, { 10, 0 } };
    size_t before;

    (void)state;
    for (int i = 0; i < 5000; i++)
        wb_str_add(&text, "local x = 1\n");
    d = document(text.text);
    wb_document_watch(d, forward, &s);
    assert_int_equal(wb_lua_states_at(&s, d, 5000), WB_LUA_START);
    before = s.lexed;
    assert_true(wb_document_replace(d, at, "y = 2\nz", 7, WB_EDIT_STEP, NULL, NULL));
    assert_int_equal(wb_lua_states_at(&s, d, 5001), WB_LUA_START);
    assert_in_range(s.lexed - before, 1, 3);
    assert_true(wb_document_replace(d, at, "--[[", 4, WB_EDIT_STEP, NULL, NULL));
    assert_int_not_equal(wb_lua_states_at(&s, d, 5001), WB_LUA_START);
    before = s.lexed;
    assert_true(wb_document_undo(d));
    assert_int_equal(wb_lua_states_at(&s, d, 20), WB_LUA_START); /* only what is asked for */
    assert_in_range(s.lexed - before, 1, 20);
    wb_document_free(d);
    wb_lua_states_free(&s);
    wb_str_free(&text);
}

static void test_match(void **state)
{
    struct wb_document *d = document("f(a, {\n  \")\", -- }\n  [1] = (2)\n})");
    struct wb_lua_states s = { 0 };
    struct wb_pos open, close;

    (void)state;
    assert_true(wb_lua_match(&s, d, (struct wb_pos){ 0, 1 }, &open, &close));
    assert_true(close.line == 3 && close.byte == 1);
    assert_true(wb_lua_match(&s, d, (struct wb_pos){ 0, 5 }, &open, &close));
    assert_true(close.line == 3 && close.byte == 0);
    assert_true(wb_lua_match(&s, d, (struct wb_pos){ 3, 2 }, &open, &close)); /* behind it */
    assert_true(open.line == 0 && open.byte == 1);
    assert_true(wb_lua_match(&s, d, (struct wb_pos){ 3, 0 }, &open, &close));
    assert_true(open.line == 0 && open.byte == 5);
    assert_true(wb_lua_match(&s, d, (struct wb_pos){ 2, 10 }, &open, &close));
    assert_true(open.line == 2 && open.byte == 8);
    assert_false(wb_lua_match(&s, d, (struct wb_pos){ 1, 3 }, &open, &close)); /* in a string */
    assert_false(wb_lua_match(&s, d, (struct wb_pos){ 0, 4 }, &open, &close));
    wb_document_free(d);
    wb_lua_states_free(&s);
    d = document("((");
    assert_false(wb_lua_match(&s, d, (struct wb_pos){ 0, 0 }, &open, &close));
    wb_document_free(d);
    wb_lua_states_free(&s);
}

static void test_indentation(void **state)
{
    static const struct {
        const char *text;
        size_t indent; /* of the last line */
    } known[] = {
        { "x", 0 },
        { "if a then\n", 2 },
        { "  if a then b() end\n", 2 },
        { "if a then\n  b()\nend", 0 },
        { "if a then\n  b()\nelse\n", 2 },
        { "if a then\n  b()\nelseif c then\n", 2 },
        { "for i = 1, 3 do\n  f(function(x)\n", 4 },
        { "for i = 1, 3 do\n  f(function(x)\n    y()\n  end)\n", 2 },
        { "return {\n  a = 1,\n\n", 2 },
        { "return {\n  a = {1,\n       2},\n", 2 },
        { "x = wb.merge(\"ties\", {\n  base = b,\n})", 0 },
        { "repeat\n  x()\nuntil y\n", 0 },
        { "-- if then\n", 0 },
        { "x = \"then {\"\n", 0 },
        { "x = [[\n   a\n b]]\n", 0 },
        { "if a then -- why\n", 2 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct wb_document *d = document(known[i].text);
        struct wb_lua_states s = { 0 };
        size_t last = wb_document_lines(d) - 1;

        if (wb_lua_indentation(&s, d, last) != known[i].indent)
            fail_msg("%s: %zu", known[i].text, wb_lua_indentation(&s, d, last));
        wb_document_free(d);
        wb_lua_states_free(&s);
    }
}

/* The cursor stands at the bar; "where word call strategy key owner". */
static void check_place(const char *text, enum wb_lua_where where, const char *rest)
{
    const char *bar = strchr(text, '|');
    struct wb_str whole = { 0 }, word = { 0 };
    struct wb_document *d;
    struct wb_lua_states s = { 0 };
    struct wb_lua_place p;
    char got[400];

    wb_str_add_n(&whole, text, (size_t)(bar - text));
    wb_str_add(&whole, bar + 1);
    d = document(whole.text);
    wb_lua_place_find(&s, d, wb_document_at_offset(d, (size_t)(bar - text)), &p);
    wb_str_add(&word, "");
    wb_document_range_text(d, p.word, &word);
    snprintf(got, sizeof got, "%s,%s,%s,%s,%s", word.text, p.call, p.strategy, p.key, p.owner);
    if (p.where != where || strcmp(got, rest) != 0)
        fail_msg("%s: %d %s", text, p.where, got);
    wb_document_free(d);
    wb_lua_states_free(&s);
    wb_str_free(&whole);
    wb_str_free(&word);
}

static void test_places(void **state)
{
    (void)state;
    check_place("lo|", WB_LUA_AT_NAME, "lo,,,,");
    check_place("|", WB_LUA_AT_NAME, ",,,,");
    check_place("x = wb.|", WB_LUA_AT_WB, ",,,,wb");
    check_place("x = wb.me|rge", WB_LUA_AT_WB, "me,,,,wb");
    check_place("x = base.la|", WB_LUA_AT_FIELD, "la,,,,base");
    check_place("base:te|", WB_LUA_AT_METHOD, "te,,,,base");
    check_place("(a - b):no|", WB_LUA_AT_METHOD, "no,,,,");
    check_place("a ..|", WB_LUA_AT_NAME, ",,,,");
    check_place("-- wb.|", WB_LUA_AT_NOTHING, ",,,,");
    check_place("--[[\nwb.|\n]]", WB_LUA_AT_NOTHING, ",,,,");
    check_place("--[[\n|\n]]", WB_LUA_AT_NOTHING, ",,,,");
    check_place("x = 12|", WB_LUA_AT_NOTHING, "12,,,,");
    check_place("x = \"wb.|", WB_LUA_AT_NOTHING, "wb.,,,,");
    check_place("wb.open \"zoo/ba|", WB_LUA_AT_PATH, "zoo/ba,open,,,");
    check_place("wb.open(\"zoo/ba|\")", WB_LUA_AT_PATH, "zoo/ba,open,,,");
    check_place("wb.open '|'", WB_LUA_AT_PATH, ",open,,,");
    check_place("wb.open 'a'|", WB_LUA_AT_NAME, ",,,,");
    check_place("wb.open(\"a\", {lora = \"b|\"})", WB_LUA_AT_PATH, "b,open,,lora,");
    check_place("m = wb.merge(\"ti|", WB_LUA_AT_STRATEGY, "ti,merge,,,");
    check_place("m = wb.protect(\n  'lo|'", WB_LUA_AT_STRATEGY, "lo,protect,,,");
    check_place("m = wb.log(\"lo|\")", WB_LUA_AT_NOTHING, "lo,log,,,");
    check_place("wb.merge(\"ties\", {|})", WB_LUA_AT_PARAMETER, ",merge,ties,,");
    check_place("wb.merge(\"ties\", {base = b,\n  -- so\n  models = {x, y}, de|\n})",
                WB_LUA_AT_PARAMETER, "de,merge,ties,,");
    check_place("wb.merge(\"ties\", {base = b|})", WB_LUA_AT_NAME, "b,,,,");
    check_place("wb.merge(\"ties\", {models = {x|})", WB_LUA_AT_NAME, "x,,,,");
    check_place("wb.compress(\"drop\", m, {by = \"inf|\"})", WB_LUA_AT_VALUE,
                "inf,compress,drop,by,");
    check_place("wb.compress(\"drop\", m, {text = \"inf|", WB_LUA_AT_PATH,
                "inf,compress,drop,text,");
    check_place("wb.merge(method, {de|})", WB_LUA_AT_PARAMETER, "de,merge,,,");
    check_place("wb.knob(\"a\", 1, {mi|})", WB_LUA_AT_PARAMETER, "mi,knob,,,");
    check_place("x = {de|}", WB_LUA_AT_NAME, "de,,,,");
    check_place("f(\"a\", {de|})", WB_LUA_AT_NAME, "de,,,,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_files),         cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_garbage),           cmocka_unit_test(test_states),
        cmocka_unit_test(test_states_are_reused), cmocka_unit_test(test_match),
        cmocka_unit_test(test_indentation),       cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
