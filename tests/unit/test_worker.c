/* tests/unit/test_worker.c - the script thread: results in order, the latest wins, cancelling,
 * threads left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "lua/bind/worker.h"
#include "tests/unit/lua_fixture.h"

#define WAIT_MS 60000 /* nothing here takes so long: a hang is a failure, not a slow test */

struct fixture {
    struct lua_fixture lua;
    struct wb_worker *w;
    int wake[2];
};

static int set_up(void **state)
{
    static struct fixture f;
    struct wb_worker_options options;
    struct wb_err err;

    lua_fixture_open(&f.lua);
    lua_fixture_model(&f.lua, "base", NULL, "w:2,2=1;model.layers.0.mlp.up_proj.weight:2,2=1");
    lua_fixture_model(&f.lua, "math", NULL, "w:2,2=2;model.layers.0.mlp.up_proj.weight:2,2=3");
    assert_int_equal(pipe2(f.wake, O_NONBLOCK | O_CLOEXEC), 0);
    options =
        (struct wb_worker_options){ .vm = f.lua.options, .wake_fd = f.wake[1], .patience_ms = 200 };
    f.w = wb_worker_new(&options, &err);
    assert_non_null(f.w);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wb_worker_free(f->w);
    close(f->wake[0]);
    close(f->wake[1]);
    lua_fixture_close(&f->lua);
    return 0;
}

/* The text with $D replaced, owned. */
static char *expand(const struct fixture *f, const char *text)
{
    struct wb_str full = { 0 };
    const char *at;

    for (; (at = strstr(text, "$D")) != NULL; text = at + 2) {
        wb_str_add_n(&full, text, (size_t)(at - text));
        wb_str_add(&full, f->lua.dir);
    }
    wb_str_add(&full, text);
    return full.text;
}

static uint64_t run(struct fixture *f, const char *text)
{
    char *full = expand(f, text);
    uint64_t id = wb_worker_run(f->w, "script.lua", full, strlen(full), NULL, 0);

    free(full);
    assert_true(id > 0);
    return id;
}

/* The next event, waited for as a screen does: by the wake pipe. */
static struct wb_worker_event *next(struct fixture *f)
{
    struct pollfd p = { .fd = f->wake[0], .events = POLLIN };
    struct wb_worker_event *e;
    char byte;

    while ((e = wb_worker_next(f->w)) == NULL) {
        if (poll(&p, 1, WAIT_MS) != 1)
            fail_msg("nothing came through the wake pipe");
        if (read(f->wake[0], &byte, 1) != 1)
            fail_msg("the wake pipe gave nothing");
    }
    return e;
}

static struct wb_worker_event *next_of(struct fixture *f, uint64_t id, enum wb_worker_kind kind)
{
    struct wb_worker_event *e = next(f);

    if (e->id != id || e->kind != kind)
        fail_msg("event %d of request %llu: %s", (int)e->kind, (unsigned long long)e->id,
                 e->text != NULL ? e->text : e->err.msg);
    return e;
}

static void test_run(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run(f, "local b, m = wb.open '$D/base', wb.open '$D/math'\n"
                         "local x = wb.knob('x', 0.5, {min = 0, max = 1})\n"
                         "print('hello')\n"
                         "local merged = wb.merge('task_arithmetic', {base = b, models = {m},\n"
                         "  weight = x})\n"
                         "return wb.compress('prune', merged, {sparsity = 0.5})\n");
    struct wb_worker_event *e = next_of(f, id, WB_WORKER_LOG);
    const struct wb_script *s;

    assert_string_equal(e->text, "hello");
    wb_worker_event_free(e);
    e = next_of(f, id, WB_WORKER_RUN);
    s = &e->script;
    if (!e->ok)
        fail_msg("%s", e->err.msg);
    assert_non_null(s->pipeline.model);
    assert_int_equal(s->pipeline.knobs, 1);
    assert_int_equal(s->pipeline.knob[0].line, 2);
    assert_int_equal(s->steps, 2);
    assert_string_equal(s->step[0].kind, "merge");
    assert_string_equal(s->step[0].method, "task_arithmetic");
    assert_int_equal(s->step[0].line, 4);
    assert_true(s->step[0].done && s->step[0].notes > 0);
    assert_true(cJSON_GetObjectItemCaseSensitive(s->step[0].params, "weight")->valuedouble == 0.5);
    assert_true(cJSON_GetObjectItemCaseSensitive(s->step[0].values, "lambda")->valuedouble == 1);
    assert_string_equal(s->step[1].method, "prune");
    assert_int_equal(s->step[1].line, 6);
    assert_int_equal(s->openeds, 2);
    assert_string_equal(s->opened[0].name, "base");
    assert_int_equal(s->opened[0].role, WB_OPENED_BASE);
    assert_int_equal(s->opened[1].role, WB_OPENED_PARENT);
    assert_int_equal(s->opened[1].parent, 1);
    assert_int_equal(s->opened[1].line, 1);
    assert_true(wb_model_count(s->opened[1].model) == 2);
    wb_worker_event_free(e);
    assert_false(wb_worker_counts(f->w).busy);
}

/* Errors: the line of the script, whoever raises them, and what else is known by then. */
static void test_errors(void **state)
{
    static const struct {
        const char *text, *says;
        int line;
    } bad[] = {
        { "local x = 1\nlocal y = = 2\n", "unexpected symbol", 2 },
        { "local x\nx()\nreturn 1", "attempt to call", 2 },
        { "\n\nerror 'mine'", "mine", 3 },
        { "local b = wb.open '$D/base'\n\nreturn wb.merge('tise', {models = {b}})",
          "no merge method", 3 },
        { "local b = wb.open '$D/base'\nlocal m = wb.merge('ties',\n  {base = b, models = {b}, "
          "density = 9})\n"
          "return m",
          "density", 2 },
        { "return wb.open '$D/none'", "none", 1 },
        { "local function f() return wb.open '$D/none' end\nlocal a = 1\nlocal b = f()\nreturn b",
          "none", 3 },
        { "return 1", "returns a model", 0 },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct wb_worker_event *e = next_of(f, run(f, bad[i].text), WB_WORKER_RUN);

        assert_false(e->ok);
        assert_null(e->script.pipeline.model);
        if (strstr(e->err.msg, bad[i].says) == NULL || e->script.err_line != bad[i].line)
            fail_msg("line %d: %s", e->script.err_line, e->err.msg);
        assert_true(e->script.findings > 0 && e->script.finding[0].error);
        assert_int_equal(e->script.finding[0].line, bad[i].line);
        wb_worker_event_free(e);
    }
}

static void test_findings(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run(f, "local b, m = wb.open '$D/base', wb.open '$D/math'\n"
                         "local r = wb.merge('ties', {base = b, models = {m},\n"
                         "  density = {default = 1, ['*.mlq.*'] = 0.5}})\n"
                         "return r");
    struct wb_worker_event *e = next_of(f, id, WB_WORKER_RUN);
    bool found = false;

    assert_true(e->ok);
    for (size_t i = 0; i < e->script.findings; i++) {
        const struct wb_finding *x = &e->script.finding[i];

        if (strstr(x->text, "*.mlq.*") != NULL) {
            found = true;
            assert_false(x->error);
            assert_int_equal(x->line, 2);
        }
    }
    assert_true(found);
    wb_worker_event_free(e);
}

/* A newer run cancels an endless one; neither it nor those that waited give a result. */
static void test_latest_wins(void **state)
{
    struct fixture *f = *state;
    struct wb_worker_event *e;
    uint64_t id = 0;

    run(f, "while true do end");
    for (int i = 0; i < 20; i++)
        run(f, "while true do pcall(function() while true do end end) end");
    id = run(f, "return wb.open '$D/base'");
    e = next_of(f, id, WB_WORKER_RUN);
    assert_true(e->ok);
    wb_worker_event_free(e);
    assert_null(wb_worker_next(f->w));
    assert_int_equal(wb_worker_counts(f->w).left_behind, 0);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    uint64_t id = run(f, "print 'go' while true do end");
    struct wb_worker_event *e = next_of(f, id, WB_WORKER_LOG);

    wb_worker_event_free(e);
    assert_true(wb_worker_counts(f->w).busy);
    wb_worker_cancel(f->w);
    e = next_of(f, id, WB_WORKER_RUN);
    assert_false(e->ok);
    assert_int_equal(e->err.code, WB_ECANCELLED);
    assert_int_equal(wb_worker_counts(f->w).left_behind, 0);
    wb_worker_event_free(e);
    wb_worker_cancel(f->w); /* nothing is at work: nothing happens */
    e = next_of(f, run(f, "return wb.open '$D/base'"), WB_WORKER_RUN);
    assert_true(e->ok);
    wb_worker_event_free(e);
}

/* A pattern that takes hours: no hook is called within it. */
#define STUCK "print 'go' local s = ('a'):rep(300):find(('.-'):rep(12) .. 'b')"

/* A stuck script, then what is to end it; its first event. The hook may still come between the word
 * and the pattern, so it is tried until it does not. */
static struct wb_worker_event *end_stuck(struct fixture *f, bool by_run, uint64_t *id)
{
    struct wb_worker_event *e = NULL;

    for (int tries = 0; tries < 100; tries++) {
        *id = run(f, STUCK);
        e = next_of(f, *id, WB_WORKER_LOG);
        wb_worker_event_free(e);
        if (by_run)
            *id = run(f, "return wb.open '$D/base'");
        else
            wb_worker_cancel(f->w);
        e = next(f);
        if (e->kind == WB_WORKER_LOG)
            return e;
        wb_worker_event_free(e);
    }
    fail_msg("no script was left behind");
    return NULL;
}

static void test_left_behind(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct wb_worker_event *e = end_stuck(f, true, &id);

    assert_non_null(strstr(e->text, "left behind"));
    wb_worker_event_free(e);
    e = next_of(f, id, WB_WORKER_RUN);
    assert_true(e->ok);
    wb_worker_event_free(e);
    assert_int_equal(wb_worker_counts(f->w).left_behind, 1);
    /* By hand the stuck one itself ends, as cancelled. */
    e = end_stuck(f, false, &id);
    wb_worker_event_free(e);
    e = next_of(f, id, WB_WORKER_RUN);
    assert_int_equal(e->err.code, WB_ECANCELLED);
    wb_worker_event_free(e);
    assert_int_equal(wb_worker_counts(f->w).left_behind, 2);
    run(f, STUCK); /* and at the end nobody waits for it either */
}

/* Other requests queue up and keep their order. */
static void test_queue(void **state)
{
    struct fixture *f = *state;
    struct wb_console_input in = { .text = "1 + 1" };
    uint64_t plugins = wb_worker_plugins(f->w), complete = wb_worker_complete(f->w),
             console = wb_worker_console(f->w, &in), reload = wb_worker_reload(f->w),
             check = wb_worker_check(f->w, "plugins/merge/ties.lua"), map = wb_worker_map(f->w, 0);
    struct wb_worker_event *e = next_of(f, plugins, WB_WORKER_PLUGINS);

    assert_non_null(cJSON_GetObjectItemCaseSensitive(e->json, "plugins"));
    wb_worker_event_free(e);
    e = next_of(f, complete, WB_WORKER_COMPLETE);
    if (!e->ok)
        fail_msg("%s", e->err.msg);
    assert_true(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(e->json, "wb")) > 30);
    wb_worker_event_free(e);
    e = next_of(f, console, WB_WORKER_CONSOLE);
    assert_string_equal(e->console.text, "2");
    wb_worker_event_free(e);
    e = next_of(f, reload, WB_WORKER_RELOAD);
    assert_true(e->ok && !e->changed);
    wb_worker_event_free(e);
    e = next_of(f, check, WB_WORKER_CHECK);
    if (!e->ok || e->failed > 0)
        fail_msg("%s", e->ok ? e->text : e->err.msg);
    wb_worker_event_free(e);
    e = next_of(f, map, WB_WORKER_MAP);
    assert_false(e->ok);
    assert_int_equal(e->err.code, WB_ENOTFOUND);
    wb_worker_event_free(e);
}

/* A script that never stops talking does not fill the memory. */
static void test_many_lines(void **state)
{
    struct fixture *f = *state;
    struct wb_worker_event *e;
    size_t lines = 0;

    run(f, "for i = 1, 20000 do print(i) end return wb.open '$D/base'");
    while (wb_worker_counts(f->w).busy)
        usleep(1000);
    while ((e = wb_worker_next(f->w)) != NULL) {
        lines += e->kind == WB_WORKER_LOG;
        wb_worker_event_free(e);
    }
    assert_true(lines > 100 && lines < 2000);
}

/* Events outlive the worker. */
static void test_outlive(void **state)
{
    struct fixture *f = *state;
    struct wb_worker_event *e = next_of(f, run(f, "return wb.open '$D/base'"), WB_WORKER_RUN);
    struct wb_worker_options options = { .vm = f->lua.options, .wake_fd = -1, .patience_ms = 200 };
    struct wb_err err;

    wb_worker_free(f->w);
    assert_int_equal(wb_model_count(e->script.pipeline.model), 2);
    wb_worker_event_free(e);
    f->w = wb_worker_new(&options, &err);
    assert_non_null(f->w);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_run),         TEST(test_errors), TEST(test_findings),   TEST(test_latest_wins),
        TEST(test_cancel),      TEST(test_queue),  TEST(test_many_lines), TEST(test_outlive),
        TEST(test_left_behind), /* last: it leaves threads that never end */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
