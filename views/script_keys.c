/* views/script_keys.c - playing steps. */
#include "views/script_keys.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/str.h"
#include "views/doc.h"

#define FILE_BYTES_MAX ((size_t)16 << 20)
#define CELLS_MAX 1000       /* rows, and columns */
#define SETTLE_SECONDS 300.0 /* work that takes longer is a failure */

struct player {
    struct wb_frame *f;
    int rows, cols;
    struct wb_err *err;
};

static bool draw(struct player *p)
{
    return wb_frame_draw(p->f, p->rows, p->cols, p->err);
}

static void sleep_for_work(struct player *p, int ms)
{
    struct pollfd fd[4];
    int wake[4];
    size_t n = wb_desk_wake_fds(p->f->desk, wake);

    for (size_t i = 0; i < n; i++)
        fd[i] = (struct pollfd){ .fd = wake[i], .events = POLLIN };
    poll(fd, n, ms);
}

/* Until nothing is at work; with timers, until none of them runs either. */
static bool settle(struct player *p, bool timers)
{
    double until = wb_now_seconds() + SETTLE_SECONDS;

    wb_frame_poll(p->f);
    while (wb_desk_busy(p->f->desk) || (timers && wb_frame_timeout_ms(p->f) >= 0)) {
        int ms = wb_frame_timeout_ms(p->f);

        if (wb_now_seconds() > until)
            return wb_fail(p->err, WB_ESCRIPT, "work did not end within %.0f s", SETTLE_SECONDS);
        sleep_for_work(p, ms >= 0 && ms < 20 ? ms : 20);
        wb_frame_poll(p->f);
    }
    return draw(p);
}

static void send_key(struct player *p, struct wb_key key)
{
    wb_frame_event(p->f, &(struct wb_event){ .kind = WB_EVENT_KEY, .key = key });
}

static void type(struct player *p, const char *text, enum wb_event_kind kind)
{
    int width;
    uint32_t ch;

    while ((ch = wb_text_next(&text, &width)) != 0)
        wb_frame_event(p->f, &(struct wb_event){ .kind = kind, .key = { .code = ch } });
}

static bool step_keys(struct player *p, char *names)
{
    for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " ")) {
        struct wb_key key;

        if (!wb_key_parse(name, &key, p->err))
            return false;
        send_key(p, key);
        if (!draw(p))
            return false;
    }
    return true;
}

static bool step_mouse(struct player *p, const char *text)
{
    static const char *const kinds[] = { "press", "double", "up", "down" };
    struct wb_event event = { .kind = WB_EVENT_MOUSE };
    size_t n = strcspn(text, " ");

    if (text[n] == '\0' ||
        !wb_parse_pair(text + n + 1, ' ', CELLS_MAX, &event.mouse.row, &event.mouse.col))
        return wb_fail(p->err, WB_EARG, "mouse KIND ROW COL, not '%s'", text);
    for (int i = 0; i < 4; i++)
        if (strlen(kinds[i]) == n && memcmp(text, kinds[i], n) == 0) {
            event.mouse.kind = (enum wb_mouse_kind)i;
            wb_frame_event(p->f, &event);
            return true;
        }
    return wb_fail(p->err, WB_EARG, "a mouse does press, double, up or down, not '%.*s'", (int)n,
                   text);
}

static bool step_dump(struct player *p, const char *what)
{
    struct wb_str text = { 0 };
    bool ok = true;

    if (strncmp(what, "svg ", 4) == 0) {
        wb_surface_svg(&p->f->surface, &p->f->theme, "weightbench", &text);
        ok = wb_write_file(what + 4, text.text, text.len, p->err);
    } else {
        wb_surface_dump(&p->f->surface, &p->f->theme, strcmp(what, "styles") == 0, &text);
        fwrite(text.text, 1, text.len, stdout);
    }
    wb_str_free(&text);
    return ok;
}

static bool step_expect(struct player *p, const char *what, bool wanted)
{
    struct wb_str text = { 0 };
    bool there;

    wb_surface_dump(&p->f->surface, &p->f->theme, false, &text);
    there = text.text != NULL && strstr(text.text, what) != NULL;
    if (there != wanted) {
        fwrite(text.text, 1, text.len, stdout);
        wb_fail(p->err, WB_ESCRIPT, "the screen %s '%s'", wanted ? "does not show" : "shows", what);
    }
    wb_str_free(&text);
    return there == wanted;
}

/* One step; *settles: its work is to be waited for. */
static bool step(struct player *p, char *line, bool *settles)
{
    char *rest = line + strcspn(line, " ");

    if (line[0] == ':') {
        type(p, line, WB_EVENT_KEY);
        send_key(p, (struct wb_key){ .code = WB_KEY_ENTER });
        return true;
    }
    if (*rest == ' ')
        *rest++ = '\0';
    if (strcmp(line, "nowait") == 0) {
        bool ignored;

        *settles = false;
        return step(p, rest, &ignored);
    }
    if (strcmp(line, "keys") == 0)
        return step_keys(p, rest);
    if (strcmp(line, "type") == 0)
        return type(p, rest, WB_EVENT_KEY), true;
    if (strcmp(line, "paste") == 0)
        return type(p, rest, WB_EVENT_PASTE), true;
    if (strcmp(line, "mouse") == 0)
        return step_mouse(p, rest);
    if (strcmp(line, "wait") == 0)
        return settle(p, true);
    if (strcmp(line, "expect") == 0 || strcmp(line, "refuse") == 0)
        return step_expect(p, rest, line[0] == 'e');
    if (strcmp(line, "dump") == 0)
        return step_dump(p, rest);
    if (strcmp(line, "resize") == 0)
        return wb_parse_pair(rest, 'x', CELLS_MAX, &p->cols, &p->rows) ||
               wb_fail(p->err, WB_EARG, "resize COLSxROWS, not '%s'", rest);
    return wb_fail(p->err, WB_EARG, "'%s' is no step", line);
}

bool wb_script_keys_play(struct wb_frame *f, const char *path, int rows, int cols,
                         struct wb_err *err)
{
    struct player p = { .f = f, .rows = rows, .cols = cols, .err = err };
    char *text = wb_read_file(path, FILE_BYTES_MAX, NULL, err), *line = text, *next;
    bool ok = text != NULL && draw(&p) && settle(&p, false);

    for (int number = 1; ok && line != NULL && !f->want.quit; line = next, number++) {
        bool settles = true;

        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (line[0] == '#' || line[strspn(line, " ")] == '\0')
            continue;
        ok = step(&p, line, &settles) && (settles ? settle(&p, false) : draw(&p));
        if (!ok)
            wb_wrap(err, "%s:%d", path, number);
    }
    free(text);
    return ok;
}
