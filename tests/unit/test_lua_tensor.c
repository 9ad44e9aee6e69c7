/* tests/unit/test_lua_tensor.c - tensors in Lua: every method's value and shape rule, errors that say what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lua_fixture.h"

#define M "wb.array{{1,-2,3},{-4,5,6}}"
#define N "wb.array{{2,2,2},{1,0,-1}}"
#define V "wb.array{3,-1,2,-5}"
#define S "wb.array{{2,1},{1,3}}"

struct value {
    const char *expression, *want;
};

static const struct value elementwise[] = {
    { M " + " N, "[[3,0,5],[-3,5,5]]" },
    { M " - 1", "[[0,-3,2],[-5,4,5]]" },
    { "1 - " M, "[[0,3,-2],[5,-4,-5]]" },
    { M " * " N, "[[2,-4,6],[-4,0,-6]]" },
    { "6 / wb.array{1,2,3}", "[6,3,2]" },
    { "wb.array{1,2,3} ^ 2", "[1,4,9]" },
    { "-" V, "[-3,1,-2,5]" },
    { M " * wb.scalar(2)", "[[2,-4,6],[-8,10,12]]" },
    { "wb.scalar(2) * 3", "6" },
    { V ":abs()", "[3,1,2,5]" },
    { V ":sign()", "[1,-1,1,-1]" },
    { "wb.array{4,9}:sqrt()", "[2,3]" },
    { "wb.array{0}:exp() + wb.array{1}:log() + wb.array{0}:sin() + wb.array{0}:cos()", "[2]" },
    { "wb.array{1}:acos()", "[0]" },
    { "wb.array{1.5,-1.5}:floor()", "[1,-2]" },
    { "wb.array{4}:recip()", "[0.25]" },
    { "wb.array{2}:pow(3)", "[8]" },
    { V ":clamp(-2, 2)", "[2,-1,2,-2]" },
    { V ":min(0)", "[0,-1,0,-5]" },
    { V ":max(wb.array{0,0,9,0})", "[3,0,9,0]" },
    { "wb.array{0,10}:lerp(wb.array{10,20}, 0.5)", "[5,15]" },
    { "wb.array{1,2}:fma(10, wb.array{1,1})", "[11,21]" },
    { V ":gt(0)", "[1,0,1,0]" },
    { V ":lt(0)", "[0,1,0,1]" },
    { V ":ge(2)", "[1,0,1,0]" },
    { V ":le(2)", "[0,1,1,1]" },
    { V ":eq(2)", "[0,0,1,0]" },
    { V ":ne(2)", "[1,1,0,1]" },
    { V ":gt(0):where(1, -1)", "[1,-1,1,-1]" },
    { "wb.array{1.00390625}:cast('bf16')", "[1]" },
    { "(wb.array{1.5} / 0):nan_to(7)", "[7]" },
    { "wb.fill({2,2}, 3)", "[[3,3],[3,3]]" },
    { M ":zeros()", "[[0,0,0],[0,0,0]]" },
    { M ":ones():fill(4)", "[[4,4,4],[4,4,4]]" },
    { M ":per_row(wb.array{1,2})", "[[1,1,1],[2,2,2]]" },
    { M ":per_column(wb.array{1,2,3})", "[[1,2,3],[1,2,3]]" },
    { V ":per_row(wb.scalar(2))", "[2,2,2,2]" },
    { V ":per_column(" V ")", "[3,-1,2,-5]" },
    { M ":per_row(5)", "[[5,5,5],[5,5,5]]" },
};

static const struct value reductions[] = {
    { M ":sum()", "9" },
    { M ":sum('row')", "[2,7]" },
    { M ":sum('column')", "[-3,3,9]" },
    { V ":sum('row')", "-1" },
    { V ":sum('column')", "[3,-1,2,-5]" },
    { M ":mean()", "1.5" },
    { "wb.array{{1,3},{4,8}}:mean('row')", "[2,6]" },
    { "wb.array{{1,3},{4,8}}:mean('column')", "[2.5,5.5]" },
    { M ":min()", "-4" },
    { M ":max('row')", "[3,6]" },
    { M ":absmax('column')", "[4,5,6]" },
    { V ":absmax()", "5" },
    { "wb.array{3,4}:norm()", "5" },
    { "wb.array{3,-4}:norm(1)", "7" },
    { "wb.array{3,-4}:norm(math.huge)", "4" },
    { "wb.array{{3,4},{6,8}}:norm('row')", "[5,10]" },
    { "wb.array{{3,4},{6,8}}:norm(1, 'row')", "[7,14]" },
    { "wb.array{1,1,1,1,1,1,1,1}:norm(3)", "2" },
    { M ":dot(" N ")", "-6" },
    { M ":dot(" N ", 'row')", "[4,-10]" },
    { "wb.array{1,0}:cosine(wb.array{0,1})", "0" },
    { "wb.array{2,0}:cosine(wb.array{3,0})", "1" },
    { "wb.array{0,0}:cosine(wb.array{1,1})", "0" },
    { "wb.array{{1,0},{0,0}}:cosine(wb.array{{2,0},{1,1}}, 'row')", "[1,0]" },
    { "wb.array{0,1,0,2}:count()", "2" },
    { "wb.array{{0,1},{2,3}}:count('row')", "[1,2]" },
    { "wb.array{1,2,3,4}:quantile(0.5)", "2.5" },
    { "wb.array{1,2,3,4}:quantile(0)", "1" },
    { "wb.array{1,2,3,4}:quantile(1)", "4" },
    { "wb.array{-1,-2,-3,-4,0}:quantile(0.25)", "-3" },
    { "wb.array{{1,2,3},{30,20,10}}:quantile(0.5, 'row')", "[2,20]" },
    { "wb.array{{1,10},{2,20},{3,30}}:quantile(0.5, 'column')", "[2,20]" },
    { V ":kth_largest(1)", "3" },
    { V ":kth_largest(4)", "-5" },
    { V ":kth_magnitude(2)", "3" },
    { "wb.array{{1,-9,3},{-4,5,6}}:kth_magnitude(1, 'row')", "[9,6]" },
};

static const struct value selection[] = {
    { V ":top(0.5)", "[1,0,0,1]" },
    { V ":top(0)", "[0,0,0,0]" },
    { V ":top(1)", "[1,1,1,1]" },
    { V ":top(wb.scalar(0.5))", "[1,0,0,1]" },
    { "wb.array{1,1,1,1}:top(0.5)", "[1,1,0,0]" }, /* ties: lower index first */
    { "wb.array{1,2,3}:top(0.5)", "[0,0,1]" },     /* int(1.5) */
    { V ":top_k(3)", "[1,0,1,1]" },
    { V ":top_value_k(1)", "[1,0,0,0]" },
    { V ":top_value(0.5)", "[1,0,1,0]" },
    { M ":top(0.34, 'row')", "[[0,0,1],[0,0,1]]" },
    { "wb.array{{1,9},{8,2}}:top_k(1, 'column')", "[[0,1],[1,0]]" },
    { V ":top_k(1, 'row')", "[0,0,0,1]" },
    { M ":rows(1, 2)", "[[-4,5,6]]" },
    { M ":columns(0, 2)", "[[1,-2],[-4,5]]" },
    { V ":rows(1, 3)", "[-1,2]" },
    { M ":gather_rows{1, 0, 1}", "[[-4,5,6],[1,-2,3],[-4,5,6]]" },
    { M ":gather_columns{2, 0}", "[[3,1],[6,-4]]" },
    { M ":gather_columns(wb.array{2, 0})", "[[3,1],[6,-4]]" },
    { M ":reshape{3, 2}", "[[1,-2],[3,-4],[5,6]]" },
    { M ":t()", "[[1,-4],[-2,5],[3,6]]" },
    { "wb.cat({" M ", " N "}, 0)", "[[1,-2,3],[-4,5,6],[2,2,2],[1,0,-1]]" },
    { "wb.cat({wb.array{{1}}, wb.array{{2}}}, 1)", "[[1,2]]" },
    { "wb.pack({1, wb.scalar(2), " V ":sum()}, {3})", "[1,2,-1]" },
    { "wb.pack{1, 2}", "[1,2]" },
    { V ":item(3)", "-5" },
    { "wb.eye(2)", "[[1,0],[0,1]]" },
    { M ":shape()", "[2,3]" },
    { M ":count_all()", "6" },
    { M ":dtype()", "\"F32\"" },
};

static const struct value dense[] = {
    { "wb.array{{1,2},{3,4}}:matmul(wb.array{{1},{1}})", "[[3],[7]]" },
    { S ":solve(wb.array{{3},{4}})", "[[1],[1]]" },
    { "(" S ":inverse():matmul(" S ") - wb.eye(2)):absmax():lt(1e-6)", "1" },
    { "select(2, wb.array{{3,0},{0,4}}:svd())", "[4,3]" },
    { "select('#', " S ":svd(1))", "3" },
    { "select(1, wb.array{{2,0},{0,1}}:eigh())", "[1,2]" },
    { "select(2, wb.array{{2,0},{0,1}}:qr())", "[[2,0],[0,1]]" },
    { "wb.array{{1},{1}}:least_squares(wb.array{{2},{4}})", "[[3]]" },
    { "wb.assignment(wb.array{{1,9},{9,1}})", "[1,0]" },
};

static const struct value lists[] = {
    { "wb.sum{wb.array{1,2}, wb.array{3,4}, 1}", "[5,7]" },
    { "wb.mean{wb.array{1,2}, wb.array{3,4}}", "[2,3]" },
    { "wb.combine({wb.array{1,2}, wb.array{3,6}}, {0.5, 0.5}, {affine = true})", "[2,4]" },
    { "wb.combine({wb.array{1,2}, wb.array{3,6}}, {1, 1})", "[4,8]" },
    { "wb.combine({wb.array{1,2}, wb.array{3,6}}, {2, -1})", "[-1,-2]" },
    { "wb.combine({wb.array{1,2}, wb.array{3,6}}, {wb.scalar(0.5), wb.scalar(0.5)}, {affine = "
      "true})",
      "[2,4]" },
    { "1 / wb.combine({wb.array{-0.0}, wb.array{-0.0}}, {0.3, 0.7}, {affine = true}):value()[1] < "
      "0",
      "true" },
    { "wb.over({a = wb.array{3}, b = wb.array{4}}, function(x) return x:norm() end)", "5" },
    { "wb.over({wb.array{3,1}, wb.array{4,2}}, function(x) return x:top(0.5).tensors "
      "end)['000000001']",
      "[1,0]" },
    { "wb.over({wb.array{3,1}}, {wb.array{1,1}}, function(x, y) return (x - y):sum() end)", "2" },
    { "wb.over({wb.array{3,1}, wb.array{4,2}}, function(x) return x:quantile(0.5) end)", "2.5" },
    { "wb.over({wb.array{3,1}, wb.array{4,2}}, function(x) return (2 * x):mean() end)", "5" },
    { "wb.over({wb.array{1,2}}, {wb.array{1,2}}, function(x, y) return x:cosine(y):gt(0.999) end)",
      "1" },
    { "(" V " == " V ")", "false" },
    { "(function(t) return t == t end)(" V ")", "true" },
    { "tostring(" M ")", "\"tensor F32 [2, 3]\"" },
};

static void check_all(void **state, const struct value *list, size_t n)
{
    struct lua_fixture *f = *state;

    for (size_t i = 0; i < n; i++) {
        const char *got = lua_fixture_value(f, list[i].expression);

        if (got == NULL)
            fail_msg("%s: %s", list[i].expression, f->err.msg);
        if (strcmp(got, list[i].want) != 0)
            fail_msg("%s is %s, not %s", list[i].expression, got, list[i].want);
    }
}

#define CHECK(name)                                           \
    static void test_##name(void **state)                     \
    {                                                         \
        check_all(state, name, sizeof name / sizeof name[0]); \
    }
CHECK(elementwise)
CHECK(reductions)
CHECK(selection)
CHECK(dense)
CHECK(lists)

static void test_errors(void **state)
{
    static const struct value bad[] = {
        { M " + " V, "[2, 3] and [4]" },
        { M ":matmul(" M ")", "[2, 3]" },
        { M ":per_row(" V ")", "4 values" },
        { V ":per_row(wb.array{1,2})", "one row" },
        { M ":reshape{4}", "[2, 3]" },
        { M ":rows(1, 5)", "of 2" },
        { M ":rows(2, 1)", "range from 2 to 1" },
        { M ":rows(-1, 1)", "whole number" },
        { M ":gather_rows{2}", "row 2 of 2" },
        { M ":top(1.5)", "outside [0, 1]" },
        { M ":top(0.5, 'all')", "wb.over" },
        { M ":sum('rows')", "not an axis" },
        { M ":quantile(2)", "in [0, 1]" },
        { M ":kth_largest(0)", "counts from 1" },
        { M ":foo()", "no 'foo'" },
        { M " + {}", "tensor or a number" },
        { M ":cast('f99')", "not a dtype" },
        { M ":clamp(2, 1)", "[2, 1]" },
        { M ":lerp(" N ", " N ")", "number" },
        { "wb.array{{1},{1,2}}", "one length" },
        { "wb.array{'a'}", "where a number belongs" },
        { "wb.bernoulli(" M ", 0.5, 1)", "keyed by a tensor's name" },
        { "wb.bernoulli(" M ", 2, 1, 0, 'x')", "outside [0, 1]" },
        { "wb.uniform(" M ", -1, 0, 'x')", "whole number" },
        { "wb.fill({2000, 2000}, 1):value()", "at most 1000000" },
        { "wb.cat({}, 0)", "cat" },
        { "wb.combine({" M "}, {1, 2})", "2 and 1" },
        { "wb.over({}, function() end)", "no tensor" },
        { "wb.over({a = wb.array{1}}, {b = wb.array{1}}, function(x, y) return x + y end)",
          "one of the models" },
    };
    struct lua_fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *got = lua_fixture_value(f, bad[i].expression);

        if (got != NULL)
            fail_msg("%s is %s, not an error", bad[i].expression, got);
        if (strstr(f->err.msg, bad[i].want) == NULL ||
            strncmp(f->err.msg, "script.lua:1: ", 14) != 0)
            fail_msg("%s: the error is \"%s\", without \"%s\"", bad[i].expression, f->err.msg,
                     bad[i].want);
    }
}

static void test_random(void **state)
{
    static const char same[] =
        "(function() local t = wb.fill({64}, 0)\n"
        "local a, b = wb.uniform(t, 7, 1, 'w'):value(), wb.uniform(t, 7, 1, 'w'):value()\n"
        "local c, d = wb.uniform(t, 7, 2, 'w'):value(), wb.uniform(t, 7, 1, 'v'):value()\n"
        "local equal, model, name = 0, 0, 0\n"
        "for i = 1, 64 do equal = equal + (a[i] == b[i] and 1 or 0) model = model + (a[i] == c[i] "
        "and 1 or 0)\n"
        "name = name + (a[i] == d[i] and 1 or 0) assert(a[i] >= 0 and a[i] < 1) end\n"
        "return {equal, model < 3, name < 3} end)()";
    struct lua_fixture *f = *state;
    const char *got = lua_fixture_value(f, same);

    assert_non_null(got);
    assert_string_equal(got, "[64,true,true]");
    got = lua_fixture_value(
        f, "wb.bernoulli(wb.fill({1000}, 0), 0.25, 3, 0, 'w'):sum():value() // 50");
    assert_non_null(got);
    assert_in_range(got[0] - '0', 4, 6);
}

/* Golden protect_key_derivation: HMAC-SHA256 blocks, little-endian draws. */
static void test_keys(void **state)
{
    static const struct value golden[] = {
        { "(wb.key_bytes(wb.master_key('"
          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'), "
          "'weightbench/lock/v1|layer=0|group=0|branch=qk|', 8):gsub('.', function(c) return "
          "('%02x'):format(c:byte()) end))",
          "\"3a9693e288fe923e\"" },
        { "('%.9f'):format(wb.key_uniforms(wb.master_key('"
          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'), "
          "'weightbench/lock/v1|layer=0|group=0|branch=qk|', 5)[5])",
          "\"0.895386825\"" },
        { "(function() local p, seen = wb.key_permutation('k', 'l', 100), {}\n"
          "for _, i in ipairs(p) do assert(i >= 0 and i < 100 and not seen[i]) seen[i] = true end\n"
          "local q = wb.inverse_permutation(p) for i = 1, 100 do assert(q[p[i] + 1] == i - 1) end "
          "return #p end)()",
          "100" },
        { "(function() local q = wb.key_orthogonal('k', 'l', 7)\n"
          "return (q:matmul(q:t()) - wb.eye(7)):absmax():lt(1e-5) end)()",
          "1" },
        { "#wb.key_normals('k', 'l', 3)", "3" },
        { "#wb.key_id('k')", "16" },
        { "wb.master_key('pass') == wb.master_key('pass') and wb.master_key('pass') ~= "
          "wb.master_key('word')",
          "true" },
        { "wb.sha256('abc'):sub(1, 8)", "\"ba7816bf\"" },
        { "#wb.hmac('key', 'message')", "32" },
    };

    check_all(state, golden, sizeof golden / sizeof golden[0]);
}

static void test_json(void **state)
{
    static const struct value cases[] = {
        { "wb.parse_json('{\"b\": [1, null, 2.5], \"a\": {}, \"c\": null}')",
          "{\"a\":{},\"b\":[1,null,2.5]}" },
        { "{z = 1, a = {true, false}, e = wb.array_of{}, n = wb.null}",
          "{\"a\":[true,false],\"e\":[],\"n\":null,\"z\":1}" },
        { "wb.keys{b = 1, a = 2, [2] = 1, [1] = 1}", "[1,2,\"a\",\"b\"]" },
    };

    check_all(state, cases, sizeof cases / sizeof cases[0]);
}

static int set_up(void **state)
{
    static struct lua_fixture f;

    lua_fixture_open(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    lua_fixture_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementwise), cmocka_unit_test(test_reductions),
        cmocka_unit_test(test_selection),   cmocka_unit_test(test_dense),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_errors),
        cmocka_unit_test(test_random),      cmocka_unit_test(test_keys),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
