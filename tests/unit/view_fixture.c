/* tests/unit/view_fixture.c */
#include "tests/unit/view_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/core/io.h"
#include "lua/bind/families.h"
#include "tests/unit/keys.h"
#include "tests/unit/screen.h"

#define SETTLE_SECONDS 60.0

void view_fixture_open(struct view_fixture *f, int rows, int cols)
{
    const char *families[] = { "lua/arch" };
    struct wb_desk_options options = { .share_dir = ".", .threads = 2, .no_behaviour = true };

    memset(f, 0, sizeof *f);
    strcpy(f->dir, "/tmp/wb-view-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->rows = rows;
    f->cols = cols;
    f->set = wb_arch_set_new();
    assert_non_null(f->set);
    if (!wb_families_load(f->set, families, 1, &f->err))
        fail_msg("%s", f->err.msg);
    options.families = f->set;
    wb_theme_init(&f->theme, WB_TIER_256, false);
    f->desk = wb_desk_new(&options, &f->err);
    if (f->desk == NULL)
        fail_msg("%s", f->err.msg);
    f->frame = wb_frame_new(f->desk, &f->theme, false, &f->err);
    if (f->frame == NULL)
        fail_msg("%s", f->err.msg);
    view_fixture_settle(f);
}

void view_fixture_close(struct view_fixture *f)
{
    wb_frame_free(f->frame);
    wb_desk_free(f->desk);
    wb_arch_set_free(f->set);
    assert_true(wb_remove_tree(f->dir, &f->err));
}

static void draw(struct view_fixture *f)
{
    if (!wb_frame_draw(f->frame, f->rows, f->cols, &f->err))
        fail_msg("%s", f->err.msg);
}

void view_fixture_settle(struct view_fixture *f)
{
    double until = wb_now_seconds() + SETTLE_SECONDS;

    wb_frame_poll(f->frame);
    while (wb_desk_busy(f->desk)) {
        struct pollfd fd[4];
        int wake[4];
        size_t n = wb_desk_wake_fds(f->desk, wake);

        if (wb_now_seconds() > until)
            fail_msg("work did not end");
        for (size_t i = 0; i < n; i++)
            fd[i] = (struct pollfd){ .fd = wake[i], .events = POLLIN };
        poll(fd, n, 10);
        wb_frame_poll(f->frame);
    }
    draw(f);
}

void view_fixture_keys(struct view_fixture *f, const char *keys)
{
    struct wb_event event;
    bool pasting = false;

    while (next_event(&keys, &event, &pasting)) {
        wb_frame_event(f->frame, &event);
        draw(f);
    }
}

void view_fixture_command(struct view_fixture *f, const char *line)
{
    if (!wb_frame_command(f->frame, line, &f->err))
        fail_msg("%s: %s", line, f->err.msg);
    wb_frame_poll(f->frame);
    draw(f);
}

void view_fixture_mouse(struct view_fixture *f, enum wb_mouse_kind kind, int row, int col)
{
    struct wb_event event = { .kind = WB_EVENT_MOUSE,
                              .mouse = { .kind = kind, .row = row, .col = col } };

    wb_frame_event(f->frame, &event);
    draw(f);
}

const char *view_fixture_path(const struct view_fixture *f, const char *text)
{
    static char buffer[4][400];
    static int next;
    char *out = buffer[next++ % 4];
    const char *at = strstr(text, "$D");

    if (at == NULL)
        snprintf(out, sizeof buffer[0], "%s", text);
    else
        snprintf(out, sizeof buffer[0], "%.*s%s%s", (int)(at - text), text, f->dir, at + 2);
    return out;
}

void view_fixture_write(const struct view_fixture *f, const char *path, const char *text)
{
    struct wb_err err;

    if (!wb_write_file(view_fixture_path(f, path), text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static bool on_screen(const struct view_fixture *f, const char *text, bool wanted)
{
    struct wb_str out = { 0 };
    bool there;

    wb_surface_dump(&f->frame->surface, &f->theme, false, &out);
    there = strstr(out.text, text) != NULL;
    if (there != wanted)
        fprintf(stderr, "%s\n", out.text); /* print_error cuts it */
    wb_str_free(&out);
    return there;
}

void view_fixture_shows(struct view_fixture *f, const char *text)
{
    if (!on_screen(f, text, true))
        fail_msg("the screen does not show '%s'", text);
}

void view_fixture_hides(struct view_fixture *f, const char *text)
{
    if (on_screen(f, text, false))
        fail_msg("the screen shows '%s'", text);
}

void view_fixture_is_file(struct view_fixture *f, const char *name)
{
    struct wb_view *v = wb_frame_view(f->frame);
    struct wb_str where = { 0 }, position = { 0 };
    struct wb_canvas inner;
    struct screen s;

    screen_open(&s, f->rows - 2, f->cols, WB_TIER_256, false);
    inner = wb_canvas_sub(&s.cv, 0, 0, f->rows - 3, f->cols);
    v->rows = inner.rows;
    v->cols = inner.cols;
    v->ops->draw(v, &inner);
    v->ops->status(v, &where, &position);
    wb_canvas_printf(&s.cv, f->rows - 3, 0, WB_STYLE_STATUS, "%s | %s",
                     where.text == NULL ? "" : where.text,
                     position.text == NULL ? "" : position.text);
    screen_is_sound(&s);
    screen_is_file(&s, name);
    wb_str_free(&where);
    wb_str_free(&position);
    screen_close(&s);
}
