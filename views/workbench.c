/* views/workbench.c - starting up, the event loop, and leaving.
 *
 * DESIGN. One thread, one ppoll (in wb_term_read). Keys are drawn at once; what work brings is drawn
 * at most ten times a second. An idle workbench has no timer. */
#include "views/workbench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/core/io.h"
#include "lua/bind/config.h"
#include "views/doc.h"
#include "views/frame.h"
#include "views/script_keys.h"
#include "views/session.h"
#include "views/term.h"

#define FRAME_SECONDS 0.1 /* between two drawings that no key asked for */
#define DRAIN_MAX 2000    /* events taken before a drawing: a paste must not starve the screen */

struct workbench {
    const struct wb_workbench_options *options;
    struct wb_config config;
    struct wb_theme theme;
    struct wb_desk *desk;
    struct wb_frame *frame;
    struct wb_term *term;
    struct wb_session session;
    bool dirty, keyed; /* keyed: draw at once */
    double drawn_at;
};

/* The config file */

static const char *names_of_styles[WB_STYLE_COUNT + 1], *names_of_views[WB_SCREENS_MAX + 1],
    *names_of_actions[WB_ACTION_COUNT + 1];

static struct wb_config_names config_names(void)
{
    for (int i = 0; i < WB_STYLE_COUNT; i++)
        names_of_styles[i] = wb_style_name((enum wb_style)i);
    for (int i = 0; i < WB_SCREENS_MAX && wb_screens[i] != NULL; i++)
        names_of_views[i] = wb_screens[i]->name;
    for (int i = 0; i < WB_ACTION_COUNT; i++)
        names_of_actions[i] = wb_action_info((enum wb_action)i)->name;
    return (struct wb_config_names){ .style = names_of_styles,
                                     .view = names_of_views,
                                     .action = names_of_actions };
}

static bool read_config(struct workbench *w, struct wb_err *err)
{
    struct wb_config_names names = config_names();
    char path[1000];

    if (w->options->no_config || !wb_config_path(path, sizeof path))
        return true;
    return wb_config_read(path, &names, &w->config, err);
}

static bool apply_config(struct workbench *w, struct wb_err *err)
{
    const struct wb_config *c = &w->config;

    for (size_t i = 0; i < c->styles; i++)
        if (!wb_theme_set(&w->frame->theme, c->style[i].style, c->style[i].look, err))
            return wb_wrap(err, "%s: theme.%s", c->path, c->style[i].style);
    for (size_t i = 0; i < c->keys; i++)
        if (!wb_keymap_bind(&w->frame->keymap, c->key[i].view, c->key[i].key, c->key[i].action,
                            err))
            return wb_wrap(err, "%s: keys", c->path);
    for (size_t i = 0; i < c->startups; i++)
        if (!wb_frame_command(w->frame, c->startup[i], err))
            return wb_wrap(err, "%s: startup: %s", c->path, c->startup[i]);
    return true;
}

/* Opening */

static bool is_pipeline(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".lua") == 0;
}

static bool open_arguments(struct workbench *w, struct wb_err *err)
{
    for (size_t i = 0; i < w->options->opens; i++) {
        const char *path = w->options->open[i];

        if (!is_pipeline(path)) {
            if (wb_desk_open(w->desk, path, NULL) == NULL)
                return wb_fail(err, WB_ENOMEM, "no memory to open %s", path);
        } else if (!wb_doc_load(w->desk->doc, path, err)) {
            return false;
        } else {
            wb_frame_go(w->frame, "pipeline");
            w->frame->backs = 0;
        }
    }
    return true;
}

static bool make_desk(struct workbench *w, struct wb_err *err)
{
    const struct wb_workbench_options *o = w->options;
    struct wb_desk_options desk = {
        .families = o->families,
        .share_dir = o->share_dir,
        .trust = o->trust,
        .read_only = o->read_only,
        .no_behaviour = o->no_behaviour || w->config.behaviour == WB_CONFIG_OFF,
        .threads = o->threads > 0 ? o->threads : w->config.threads,
        .memory_bytes = o->memory_bytes > 0 ? o->memory_bytes : w->config.memory_bytes,
        .cache_bytes = w->config.cache_bytes
    };
    const char *colormap = o->colormap != NULL ? o->colormap : w->config.colormap;
    bool keep = !o->no_session && w->config.session != WB_CONFIG_OFF;

    w->desk = wb_desk_new(&desk, err);
    if (w->desk == NULL)
        return false;
    if (colormap != NULL && strcmp(colormap, "grey") == 0)
        wb_theme_set_colormap(&w->theme, WB_COLORMAP_GREY);
    w->desk->eval_sets.usual = w->config.eval;
    w->desk->eval_sets.usuals = w->config.evals;
    w->frame = wb_frame_new(w->desk, &w->theme, keep, err);
    wb_session_init(&w->session, keep);
    return w->frame != NULL && apply_config(w, err);
}

static bool open_all(struct workbench *w, struct wb_err *err)
{
    if (w->options->opens > 0)
        return open_arguments(w, err);
    wb_session_restore(&w->session, w->frame);
    return true;
}

/* What the frame wants of the terminal */

/* Run $VISUAL or $EDITOR on a file, in the terminal. */
static void run_editor(struct workbench *w, const char *path)
{
    const char *editor = getenv("VISUAL");
    pid_t pid;
    int status = -1;

    if (editor == NULL || editor[0] == '\0')
        editor = getenv("EDITOR");
    if (editor == NULL || editor[0] == '\0')
        editor = "vi";
    wb_term_leave(w->term);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "eval \"$0 \\\"\\$1\\\"\"", editor, path, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        ;
    wb_term_enter(w->term);
    if (pid < 0 || status != 0)
        wb_desk_say(w->desk, WB_MESSAGE_ERROR, "%s did not end well; the pipeline is as it was",
                    editor);
    else if (w->desk->edited != NULL)
        w->desk->edited(w->desk, path);
}

static void do_wants(struct workbench *w)
{
    struct wb_frame_want *want = &w->frame->want;
    struct wb_err err;

    if (want->copy != NULL && !wb_term_copy(w->term, want->copy, strlen(want->copy), &err))
        wb_desk_say(w->desk, WB_MESSAGE_WARNING, "%s", err.msg);
    free(want->copy);
    want->copy = NULL;
    if (want->mouse != 0)
        wb_term_set_mouse(w->term, want->mouse > 0);
    want->mouse = 0;
    if (want->edit != NULL)
        run_editor(w, want->edit);
    free(want->edit);
    want->edit = NULL;
    if (want->repaint)
        wb_term_repaint(w->term);
    if (want->suspend)
        wb_term_suspend(w->term);
    want->repaint = want->suspend = false;
    if (want->crash != 0)
        raise(want->crash);
}

/* The loop */

static bool draw(struct workbench *w, struct wb_err *err)
{
    int rows, cols;

    wb_term_size(w->term, &rows, &cols);
    w->dirty = w->keyed = false;
    w->drawn_at = wb_now_seconds();
    return wb_frame_draw(w->frame, rows, cols, err) &&
           wb_term_present(w->term, &w->frame->surface, &w->frame->theme, err);
}

static int least(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int timeout_ms(const struct workbench *w)
{
    int ms = least(wb_frame_timeout_ms(w->frame), wb_doc_timeout_ms(w->desk->doc));
    double left = w->drawn_at + FRAME_SECONDS - wb_now_seconds();

    ms = least(ms, wb_session_timeout_ms(&w->session));
    return w->dirty ? least(ms, left <= 0 ? 0 : (int)(left * 1000) + 1) : ms;
}

/* Take what there is to take; false: leave. */
static bool take_events(struct workbench *w)
{
    struct wb_event event;
    int wake[4], ms = timeout_ms(w);
    size_t wakes = wb_desk_wake_fds(w->desk, wake);

    for (int i = 0; i < DRAIN_MAX; i++, ms = 0) {
        switch (wb_term_read(w->term, ms, wake, wakes, &event)) {
        case WB_TERM_EVENT:
            wb_frame_event(w->frame, &event);
            w->dirty = w->keyed = true;
            do_wants(w);
            if (w->frame->want.quit)
                return false;
            break;
        case WB_TERM_END:
            return false;
        default:
            return true;
        }
    }
    return true;
}

static bool loop(struct workbench *w, struct wb_err *err)
{
    wb_frame_poll(w->frame); /* so that keys typed ahead find what they are for */
    if (!draw(w, err))
        return false;
    while (take_events(w)) {
        if (wb_frame_poll(w->frame))
            w->dirty = true;
        if (w->desk->at_once) /* the answer to a key is drawn like its echo */
            w->dirty = w->keyed = true;
        w->desk->at_once = false;
        do_wants(w);
        wb_session_keep(&w->session, w->frame, false);
        if (w->dirty && (w->keyed || wb_now_seconds() >= w->drawn_at + FRAME_SECONDS) &&
            !draw(w, err))
            return false;
    }
    return true;
}

/* With and without a terminal */

static void log_line(void *ctx, const char *line)
{
    struct workbench *w = ctx;

    if (w->desk != NULL)
        wb_messages_log(&w->desk->messages, WB_MESSAGE_WARNING, line);
}

static bool on_terminal(struct workbench *w, struct wb_err *err)
{
    const struct wb_workbench_options *o = w->options;
    struct wb_term_options term = { .color = o->color != NULL ? o->color : w->config.color,
                                    .ascii = o->ascii || w->config.ascii == WB_CONFIG_ON,
                                    .no_mouse = o->no_mouse || w->config.mouse == WB_CONFIG_OFF,
                                    .log = log_line,
                                    .log_ctx = w };
    bool ok;

    w->term = wb_term_open(&term, err);
    if (w->term == NULL)
        return false;
    wb_theme_init(&w->theme, wb_term_tier(w->term), wb_term_ascii(w->term));
    ok = make_desk(w, err) && open_all(w, err) && loop(w, err);
    if (w->frame != NULL)
        wb_session_keep(&w->session, w->frame, true);
    return ok;
}

static bool on_script(struct workbench *w, struct wb_err *err)
{
    const struct wb_workbench_options *o = w->options;
    enum wb_tier tier = WB_TIER_256;

    if (o->color != NULL && strcmp(o->color, "never") != 0 && !wb_tier_parse(o->color, &tier))
        return wb_fail(err, WB_EARG, "--color is never, 16, 256 or direct, not '%s'", o->color);
    if (o->color != NULL && strcmp(o->color, "never") == 0)
        tier = WB_TIER_MONO;
    wb_theme_init(&w->theme, tier, o->ascii);
    if (!make_desk(w, err) || !open_all(w, err))
        return false;
    if (!wb_script_keys_play(w->frame, o->script, o->rows, o->cols, err))
        return false;
    wb_session_keep(&w->session, w->frame, true);
    return true;
}

bool wb_workbench_run(const struct wb_workbench_options *options, struct wb_err *err)
{
    struct workbench w = { .options = options,
                           .config = { .ascii = WB_CONFIG_UNSET,
                                       .mouse = WB_CONFIG_UNSET,
                                       .session = WB_CONFIG_UNSET,
                                       .preview = WB_CONFIG_UNSET,
                                       .behaviour = WB_CONFIG_UNSET } };
    bool ok = read_config(&w, err) &&
              (options->script != NULL ? on_script(&w, err) : on_terminal(&w, err));

    wb_term_close(w.term); /* first: whatever follows may take a moment */
    wb_frame_free(w.frame);
    wb_desk_free(w.desk);
    wb_session_free(&w.session);
    wb_config_free(&w.config);
    return ok;
}
