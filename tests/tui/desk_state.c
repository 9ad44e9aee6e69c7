/* tests/tui/desk_state.c - making the states. */
#include "tests/tui/desk_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void load(struct view_fixture *f, const char *path)
{
    if (!wb_doc_load(f->desk->doc, path, &f->err))
        fail_msg("%s", f->err.msg);
}

void desk_state_load(struct view_fixture *f, const char *text)
{
    view_fixture_write(f, "$D/own.lua", text);
    load(f, view_fixture_path(f, "$D/own.lua"));
}

static void make_nothing(struct view_fixture *f)
{
    view_fixture_settle(f);
}

/* Nothing is waited for: the keys that follow meet it half done. */
static void make_opening(struct view_fixture *f)
{
    wb_desk_open(f->desk, "tests/data/zoo/base", NULL);
    wb_desk_open(f->desk, "tests/data/zoo/math", NULL);
    load(f, DESK_PIPELINE);
}

static void make_failed(struct view_fixture *f)
{
    wb_desk_open(f->desk, "tests/data/zoo/nowhere", NULL);
    desk_state_load(f, "return wb.open 'tests/data/zoo/nowhere'\n");
    view_fixture_settle(f);
}

static void make_models(struct view_fixture *f)
{
    wb_desk_open(f->desk, "tests/data/zoo/base", NULL);
    wb_desk_open(f->desk, "tests/data/zoo/math", NULL);
    view_fixture_settle(f);
}

static void make_pipeline(struct view_fixture *f)
{
    make_models(f);
    load(f, DESK_PIPELINE);
    view_fixture_settle(f);
}

static void make_broken(struct view_fixture *f)
{
    make_pipeline(f);
    desk_state_load(f, "local base = wb.open 'tests/data/zoo/base'\nreturn base +\n");
    view_fixture_settle(f);
}

static void make_running(struct view_fixture *f)
{
    make_pipeline(f);
    view_fixture_command(f, view_fixture_path(f, "run $D/merged"));
}

static void make_ran(struct view_fixture *f)
{
    make_running(f);
    view_fixture_settle(f);
}

const struct desk_state desk_states[] = {
    { "nothing", make_nothing }, { "opening", make_opening },   { "failed", make_failed },
    { "models", make_models },   { "pipeline", make_pipeline }, { "broken", make_broken },
    { "ran", make_ran },         { "running", make_running },   { NULL, NULL },
};

void desk_state_make(struct view_fixture *f, const char *name)
{
    for (const struct desk_state *s = desk_states; s->name != NULL; s++)
        if (strcmp(s->name, name) == 0) {
            s->make(f);
            return;
        }
    fail_msg("no state is called %s", name);
}
