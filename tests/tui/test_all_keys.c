/* tests/tui/test_all_keys.c - every key that a help lists and every command, in every state.
 *
 * A key may do nothing only where that needs no words: a movement at an end. Otherwise the screen
 * changes, something is said, or the owner of the terminal is asked for something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "tests/tui/desk_state.h"
#include "tests/unit/screen.h"
#include "views/command.h"
#include "views/editor.h"
#include "views/screens.h"

static struct view_fixture fixture;

static int setup(void **state)
{
    (void)state;
    view_fixture_open(&fixture, 24, 80);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    view_fixture_close(&fixture);
    return 0;
}

/* With styles, and where the cursor is. */
static char *screen_text(void)
{
    const struct wb_surface *s = &fixture.frame->surface;
    struct wb_str text = { 0 };

    wb_surface_dump(s, &fixture.frame->theme, true, &text);
    wb_str_printf(&text, "cursor %d,%d\n", s->cursor_row, s->cursor_col);
    return text.text;
}

static void draw(void)
{
    struct screen s;

    if (!wb_frame_draw(fixture.frame, fixture.rows, fixture.cols, &fixture.err))
        fail_msg("%s", fixture.err.msg);
    s = (struct screen){ .surface = fixture.frame->surface, .theme = fixture.frame->theme };
    screen_is_sound(&s);
}

/* No question, no command line, no help: the screen itself. */
static void back_to(const char *screen)
{
    static const struct wb_event esc = { .kind = WB_EVENT_KEY, .key = { .code = WB_KEY_ESC } };
    struct wb_frame *f = fixture.frame;

    for (int i = 0; i < 4; i++) /* out of typing too */
        wb_frame_event(f, &esc);
    f->want.quit = f->want.suspend = f->want.repaint = false;
    free(f->want.copy);
    free(f->want.edit);
    f->want.copy = f->want.edit = NULL;
    f->desk->messages.toast = 0;
    assert_true(wb_frame_go(f, screen));
    draw();
}

/* ---- keys ---- */

static bool may_be_silent(enum wb_action action)
{
    static const enum wb_action silent[] = {
        WB_ACTION_UP,      WB_ACTION_DOWN,      WB_ACTION_LEFT,       WB_ACTION_RIGHT,
        WB_ACTION_FIRST,   WB_ACTION_LAST,      WB_ACTION_PAGE_UP,    WB_ACTION_PAGE_DOWN,
        WB_ACTION_HALF_UP, WB_ACTION_HALF_DOWN, WB_ACTION_BACK,       WB_ACTION_PANE_NEXT,
        WB_ACTION_MARK,    WB_ACTION_MARK_ALL,  WB_ACTION_UNMARK_ALL, WB_ACTION_PANE_PREVIOUS,
    };

    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        if (silent[i] == action)
            return true;
    return false;
}

static bool is_asked(const struct wb_frame *f)
{
    return f->want.quit || f->want.suspend || f->want.repaint || f->want.copy != NULL ||
           f->want.edit != NULL;
}

static int complaints;

/* One key by its name; what it did is judged unless it may be silent. */
static void press(const char *state, const char *screen, const char *name, bool silent)
{
    struct wb_event event = { .kind = WB_EVENT_KEY };
    struct wb_frame *f = fixture.frame;
    unsigned long said = f->desk->messages.total;
    char *before, *after;

    if (!wb_key_parse(name, &event.key, &fixture.err))
        fail_msg("%s", fixture.err.msg);
    before = screen_text();
    wb_frame_event(f, &event);
    draw();
    after = screen_text();
    if (!silent && strcmp(before, after) == 0 && f->desk->messages.total == said && !is_asked(f)) {
        view_fixture_settle(&fixture); /* what it began may show later */
        free(after);
        after = screen_text();
    }
    if (!silent && strcmp(before, after) == 0 && f->desk->messages.total == said && !is_asked(f)) {
        print_error("%s: %s does nothing on screen '%s' and does not say why\n", state, name,
                    screen);
        complaints++;
    }
    free(before);
    free(after);
}

static void press_all(const char *state, const struct wb_view_ops *ops, enum wb_action action)
{
    char keys[80];

    wb_keymap_keys(&fixture.frame->keymap, ops, action, keys, sizeof keys);
    for (char *name = strtok(keys, " "); name != NULL; name = strtok(NULL, " ")) {
        back_to(ops->name);
        press(state, ops->name, name, may_be_silent(action));
    }
}

/* An action that others need the fruits of comes last. */
static bool is_last(enum wb_action action)
{
    return action == WB_ACTION_DELETE || action == WB_ACTION_MODEL_RELOAD ||
           action == WB_ACTION_CANCEL || action == WB_ACTION_EDIT;
}

static void press_help(const char *state, const struct wb_view_ops *ops)
{
    for (int last = 0; last < 2; last++) {
        for (const enum wb_action *a = ops->actions; *a != WB_ACTION_NONE; a++)
            if (is_last(*a) == last)
                press_all(state, ops, *a);
        for (int i = 1; i < WB_ACTION_COUNT; i++)
            if (wb_action_of_frame((enum wb_action)i) && is_last((enum wb_action)i) == last)
                press_all(state, ops, (enum wb_action)i);
    }
}

/* state: one of desk_states. */
static void test_keys(void **state)
{
    const struct desk_state *s = *state;

    complaints = 0;
    for (int i = 0; wb_screens[i] != NULL; i++) {
        view_fixture_open(&fixture, 24, 80);
        s->make(&fixture);
        back_to(wb_screens[i]->name);
        if (strcmp(s->name, "opening") != 0 && strcmp(s->name, "running") != 0)
            view_fixture_settle(&fixture);
        press_help(s->name, wb_screens[i]);
        view_fixture_settle(&fixture);
        view_fixture_close(&fixture);
    }
    assert_int_equal(complaints, 0);
}

/* Typing: each key of the editor's table, at the start, amid and at the end of a text. */
static void test_editor_keys(void **state)
{
    static const char *const places[] = { "<C-Home>", "<C-Home><Down><Down><C-Right>", "<C-End>" };

    (void)state;
    desk_state_make(&fixture, "pipeline");
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++)
        for (const struct wb_key_doc *k = wb_editor_keys; k->keys != NULL; k++) {
            char keys[80];

            snprintf(keys, sizeof keys, "%s", k->keys);
            for (char *name = strtok(keys, " "); name != NULL; name = strtok(NULL, " ")) {
                back_to("pipeline");
                view_fixture_keys(&fixture, "e");
                view_fixture_keys(&fixture, places[p]);
                press("editing", "pipeline", name, true);
                view_fixture_keys(&fixture, "x<Esc><Esc><Esc><Esc>");
            }
        }
    view_fixture_settle(&fixture);
}

/* ---- commands ---- */

static const struct {
    const char *line, *complaint; /* a piece of it; NULL: it works */
} commands[] = {
    { "open tests/data/zoo/code", NULL },
    { "open tests/data/zoo/code again", NULL },
    { "open", "it is  :open" },
    { "open a b c d", NULL }, /* the name takes the rest */
    { "close again", NULL },
    { "close nobody", "no open model is called nobody" },
    { "close code", NULL },
    { "rename math sums", NULL },
    { "rename sums math", NULL },
    { "rename nobody x", "no open model is called nobody" },
    { "rename base math", "" },
    { "rename", "it is  :rename" },
    { "model math base", NULL },
    { "model math nobody", "no open model is called nobody" },
    { "model nobody", "no open model is called nobody" },
    { "model", "it is  :model" },
    { "go tensors model.norm.weight", NULL },
    { "go pipeline 9", NULL },
    { "go pipeline 99999999999999999999", NULL },
    { "go nowhere", "there is no screen 'nowhere'" },
    { "go 2", NULL },
    { "go 99", "there is no screen '99'" },
    { "go", "it is  :go" },
    { "edit tests/data/demo/depth.lua", NULL },
    { "edit $D/none.lua", "No such file" },
    { "edit $D", "" },
    { "edit", "it is  :edit" },
    { "edit! tests/data/demo/pipeline.lua", NULL },
    { "edit! tests/data/zoo/base/model.safetensors", "" },
    { "edit!", "it is  :edit!" },
    { "write $D/w.lua", NULL },
    { "write", NULL },
    { "write $D/no/such/w.lua", "" },
    { "write! $D/w.lua", NULL },
    { "write! $D", "" },
    { "edit! tests/data/demo/pipeline.lua", NULL },
    { "write $D/w.lua", "exists; :write! replaces it" },
    { "knob density 0.5", NULL },
    { "knob density much", "" },
    { "knob density 7", "from 0 to 1" },
    { "knob nobody 1", "no knob 'nobody'" },
    { "knob density", "it is  :knob" },
    { "keep mine", NULL },
    { "keep", "it is  :keep" },
    { "use", NULL },
    { "use mine", NULL },
    { "use nobody", "nobody" },
    { "write-knobs", NULL },
    { "write-knobs x", "it is  :write-knobs" },
    { "edit tests/data/demo/depth.lua", "not saved" },
    { "run $D/out x=1", "not 'x=1'" },
    { "run $D/out dtype=Q1", "no dtype" },
    { "run $D/out shard-size=-3", "" },
    { "run", "it is  :run" },
    { "run $D/out force sha256 dtype=F32 shard-size=2MB", NULL },
    { "eval", NULL },
    { "eval tests/data/zoo/eval/english.txt window=64 limit=1", NULL },
    { "eval tests/data/zoo/eval/math.jsonl limit=2", NULL },
    { "eval tests/data/zoo/eval/english.txt limit=0", "not a number from 1" },
    { "eval tests/data/zoo/eval/english.txt size=1", "window= and limit=" },
    { "eval tests/data/zoo/eval/README.md", "a text (.txt)" },
    { "eval $D/none.txt", "is no file" },
    { "eval a b c d", "" },
    { "set behaviour off", NULL },
    { "set behaviour perhaps", "on or off, not 'perhaps'" },
    { "record $D/r.lua", NULL },
    { "record $D/no/such/r.lua", "" },
    { "record", "it is  :record" },
    { "screenshot $D/s.txt", NULL },
    { "screenshot $D/s.svg", NULL },
    { "screenshot $D", "" },
    { "screenshot", "it is  :screenshot" },
    { "lua 1 + 1", NULL },
    { "lua )", NULL }, /* the console answers */
    { "lua", NULL },
    { "set mouse off", NULL },
    { "set mouse on", NULL },
    { "set mouse perhaps", "on or off, not 'perhaps'" },
    { "set colormap grey", NULL },
    { "set colormap pink", "not 'pink'" },
    { "set threads 2", NULL },
    { "set threads 0", "not '0'" },
    { "set threads 2x", "not '2x'" },
    { "set threads 99999999999", "not '99999999999'" },
    { "set memory 1GB", NULL },
    { "set memory much", "" },
    { "set memory 0", NULL }, /* the default */
    { "set style.title bold", NULL },
    { "set style.nobody bold", "" },
    { "set style.title bald", "" },
    { "set nothing 1", "no option 'nothing'" },
    { "set mouse", "it is  :set" },
    { "map F9 help", NULL },
    { "map F9 nobody", "" },
    { "map Hyper help", "" },
    { "map F9 help nowhere", "there is no screen 'nowhere'" },
    { "map F9", NULL },
    { "map", "it is  :map" },
    { "help", NULL },
    { "debug nothing", "debug knows crash" },
    { "debug", "it is  :debug" },
    { "quit! x", "it is  :quit!" },
    { "nobody", "'nobody' is nothing that" },
    { "", "" },
    { "   ", "" },
    { "\"", "" },
    { "open \"tests/data/zoo/code\" \"a name\"", NULL },
    { "close \"a name\"", NULL },
    { "quit!", NULL },
};

#define COMMANDS (sizeof commands / sizeof commands[0])

static bool is_tried(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < COMMANDS; i++)
        if (strncmp(commands[i].line, name, n) == 0 && strchr(" ", commands[i].line[n]) != NULL)
            return true;
    return false;
}

static void try_command(const char *line, const char *complaint)
{
    struct wb_err err = { .msg = "" };
    bool done = wb_frame_command(fixture.frame, line, &err);

    wb_frame_poll(fixture.frame);
    draw();
    view_fixture_settle(&fixture);
    if (done != (complaint == NULL))
        fail_msg(":%s %s", line, done ? "is taken" : err.msg);
    if (!done && (err.msg[0] == '\0' || strstr(err.msg, complaint) == NULL))
        fail_msg(":%s says '%s', not '%s'", line, err.msg, complaint);
}

static void test_commands(void **state)
{
    (void)state;
    desk_state_make(&fixture, "pipeline");
    for (const struct wb_command *c = wb_commands; c->name != NULL; c++)
        if (!is_tried(c->name))
            fail_msg(":%s is not tried", c->name);
    for (size_t i = 0; i < COMMANDS; i++)
        try_command(view_fixture_path(&fixture, commands[i].line), commands[i].complaint);
    assert_true(fixture.frame->want.quit);
}

/* The same lines where there is nothing, and where all is broken: an answer, whatever it is. */
static void commands_in(const char *name)
{
    struct wb_err err;

    desk_state_make(&fixture, name);
    for (size_t i = 0; i < COMMANDS; i++) {
        err.msg[0] = '\0';
        if (!wb_frame_command(fixture.frame, view_fixture_path(&fixture, commands[i].line), &err))
            assert_true(err.msg[0] != '\0');
        wb_frame_poll(fixture.frame);
        draw();
    }
    view_fixture_settle(&fixture);
}

static void test_commands_with_nothing(void **state)
{
    (void)state;
    commands_in("nothing");
}

static void test_commands_with_failed(void **state)
{
    (void)state;
    commands_in("failed");
}

/* Each action by its `:` name, in each view. */
static void test_actions_by_name(void **state)
{
    (void)state;
    desk_state_make(&fixture, "pipeline");
    for (int i = 0; wb_screens[i] != NULL; i++)
        for (int a = 1; a < WB_ACTION_COUNT; a++) {
            const struct wb_action_info *info = wb_action_info((enum wb_action)a);
            bool there = wb_action_of_frame((enum wb_action)a) ||
                         wb_view_handles(wb_screens[i], (enum wb_action)a);
            struct wb_err err = { .msg = "" };

            back_to(wb_screens[i]->name);
            if (wb_action_find(info->name) != (enum wb_action)a)
                continue; /* a name that two have is the first one's */
            if (!wb_frame_command(fixture.frame, info->name, &err) && there &&
                !is_tried(info->name))
                fail_msg("%s on screen '%s': %s", info->name, wb_screens[i]->name, err.msg);
            draw();
        }
    view_fixture_settle(&fixture);
}

/* Tab after every command, with nothing and with half a word behind it. */
static void test_completion(void **state)
{
    static const char *const tails[] = { "", " ", " m", " /", " \"", " style.", " ../", " x y z" };
    char keys[200];

    (void)state;
    desk_state_make(&fixture, "pipeline");
    back_to("models");
    for (const struct wb_command *c = wb_commands; c->name != NULL; c++)
        for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
            snprintf(keys, sizeof keys, ":%s%s<Tab><Tab><Down><S-Tab><Up><Esc><Esc>", c->name,
                     tails[i]);
            view_fixture_keys(&fixture, keys);
            back_to("models");
        }
    view_fixture_keys(&fixture, ":go ten<Tab><Enter>");
    view_fixture_shows(&fixture, "[2 Tensors]");
}

/* Nothing is written where nothing may be. */
static void test_read_only(void **state)
{
    static const char *const lines[] = { "run $D/out",         "write",
                                         "write! $D/a.lua",    "write $D/b.lua",
                                         "record $D/r.lua",    "screenshot $D/s.txt",
                                         "screenshot $D/s.svg" };
    struct wb_err err;

    (void)state;
    desk_state_make(&fixture, "pipeline");
    fixture.desk->options.read_only = true;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        err.msg[0] = '\0';
        assert_false(wb_frame_command(fixture.frame, view_fixture_path(&fixture, lines[i]), &err));
        assert_non_null(strstr(err.msg, "read-only"));
    }
    assert_false(wb_is_file(view_fixture_path(&fixture, "$D/a.lua")));
    assert_false(wb_is_file(view_fixture_path(&fixture, "$D/s.txt")));
}

#define KEYS_IN(i)                                                                                \
    {                                                                                             \
        .name = "test_keys " #i, .test_func = test_keys, .initial_state = (void *)&desk_states[i] \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEYS_IN(0),
        KEYS_IN(1),
        KEYS_IN(2),
        KEYS_IN(3),
        KEYS_IN(4),
        KEYS_IN(5),
        KEYS_IN(6),
        KEYS_IN(7),
        cmocka_unit_test_setup_teardown(test_editor_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands_with_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_commands_with_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_actions_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
