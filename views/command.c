/* views/command.c - the commands behind `:`. */
#include "views/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "lua/bind/complete.h"
#include "lua/bind/record.h"
#include "views/doc.h"
#include "views/frame.h"
#include "views/screens.h"

#define ARGUMENTS_MAX 8
#define COUNT_MAX 9999 /* of `:down 5` */
#define THREADS_MAX 1024

/* Models */

static struct wb_desk_model *model_named(struct wb_frame *f, const char *name, struct wb_err *err)
{
    struct wb_desk_model *m =
        name != NULL ? wb_desk_find(f->desk, name) : wb_desk_get(f->desk, f->desk->current);

    if (m == NULL && name != NULL)
        wb_fail(err, WB_ENOTFOUND, "no open model is called %s", name);
    else if (m == NULL)
        wb_fail(err, WB_ENOTFOUND, "no model is open");
    return m;
}

static bool run_open(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_desk_model *m = wb_desk_open(f->desk, argv[0], argc > 1 ? argv[1] : NULL);

    (void)err;
    if (m != NULL)
        f->desk->current = m->id;
    return true;
}

static bool run_close(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_desk_model *m = model_named(f, argc > 0 ? argv[0] : NULL, err);

    if (m != NULL)
        wb_desk_close(f->desk, m->id);
    return m != NULL;
}

static bool run_rename(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_desk_model *m = model_named(f, argc > 1 ? argv[0] : NULL, err);

    return m != NULL && wb_desk_rename(f->desk, m->id, argv[argc - 1], err);
}

static bool run_model(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_desk_model *m = model_named(f, argv[0], err),
                         *other = argc > 1 ? model_named(f, argv[1], err) : NULL;

    if (m == NULL || (argc > 1 && other == NULL))
        return false;
    f->desk->current = m->id;
    if (other != NULL)
        f->desk->other = other->id;
    f->desk->version++;
    return true;
}

/* The pipeline */

static bool run_edit(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    if (wb_document_modified(f->desk->doc->text))
        return wb_fail(err, WB_EARG, "the pipeline is not saved: :write first, or :edit! FILE");
    return wb_doc_load(f->desk->doc, argv[0], err);
}

static bool run_edit_anyway(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    return wb_doc_load(f->desk->doc, argv[0], err);
}

static bool write_allowed(struct wb_frame *f, struct wb_err *err)
{
    return !f->desk->options.read_only ||
           wb_fail(err, WB_EARG, "the workbench is read-only: nothing is written");
}

static bool write_pipeline(struct wb_frame *f, const char *path, bool replace, struct wb_err *err)
{
    struct wb_doc *d = f->desk->doc;
    bool other = path != NULL && (d->path == NULL || strcmp(path, d->path) != 0);

    if (!write_allowed(f, err))
        return false;
    if (other && !replace && wb_is_file(path))
        return wb_fail(err, WB_EARG, "%s exists; :write! replaces it", path);
    if (!wb_doc_save(d, path, err))
        return false;
    wb_desk_say(f->desk, WB_MESSAGE_NOTE, "%s is written", wb_doc_name(d));
    return true;
}

static bool run_write(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    return write_pipeline(f, argc > 0 ? argv[0] : NULL, false, err);
}

static bool run_write_anyway(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    return write_pipeline(f, argc > 0 ? argv[0] : NULL, true, err);
}

static bool run_knob(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    return wb_doc_turn(f->desk->doc, argv[0], argv[1], false, err);
}

static bool run_keep(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    return wb_doc_keep(f->desk->doc, argv[0], err);
}

static bool run_use(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    return wb_doc_use(f->desk->doc, argc > 0 ? argv[0] : "", err);
}

static bool run_write_knobs(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    (void)argv;
    return wb_doc_write_knobs(f->desk->doc, err);
}

/* "force", "resume", "sha256", "dtype=BF16", "shard-size=5GB" */
static bool run_option(const char *word, struct wb_live_run_options *o, struct wb_err *err)
{
    if (strcmp(word, "force") == 0)
        o->force = true;
    else if (strcmp(word, "resume") == 0)
        o->resume = true;
    else if (strcmp(word, "sha256") == 0)
        o->sha256 = true;
    else if (strncmp(word, "shard-size=", 11) == 0)
        return wb_parse_bytes(word + 11, &o->shard_bytes, err);
    else if (strncmp(word, "dtype=", 6) == 0)
        o->has_dtype = wb_dtype_parse(word + 6, &o->dtype);
    else
        return wb_fail(err, WB_EARG,
                       "a run has the options force, resume, sha256, dtype= and shard-size=, not "
                       "'%s'",
                       word);
    return strncmp(word, "dtype=", 6) != 0 || o->has_dtype ||
           wb_fail(err, WB_EARG, "'%s' is no dtype", word + 6);
}

static bool run_run(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_live_run_options options = { 0 };

    for (int i = 1; i < argc; i++)
        if (!run_option(argv[i], &options, err))
            return false;
    if (!wb_live_run_start(f->desk, argv[0], &options, err))
        return false;
    wb_desk_go(f->desk, "run", NULL);
    return true;
}

/* Screens and looks */

static bool run_go(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    if (!wb_frame_go(f, argv[0]))
        return wb_fail(err, WB_ENOTFOUND, "there is no screen '%s'", argv[0]);
    if (argc > 1)
        wb_desk_go(f->desk, wb_frame_view(f)->ops->name, argv[1]);
    return true;
}

static bool run_map(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    if (argc > 2 && strcmp(argv[2], "all") != 0) {
        int i = 0;

        while (i < f->screens && strcmp(wb_screens[i]->name, argv[2]) != 0)
            i++;
        if (i == f->screens)
            return wb_fail(err, WB_EARG, "there is no screen '%s'", argv[2]);
    }
    return wb_keymap_bind(&f->keymap, argc > 2 ? argv[2] : NULL, argv[0], argc > 1 ? argv[1] : NULL,
                          err);
}

static bool set_switch(const char *value, bool *on, struct wb_err *err)
{
    *on = strcmp(value, "on") == 0;
    return *on || strcmp(value, "off") == 0 || wb_fail(err, WB_EARG, "on or off, not '%s'", value);
}

static bool set_threads(const char *value, int *threads, struct wb_err *err)
{
    char *end;
    long n = strtol(value, &end, 10);

    if (*end != '\0' || n < 1 || n > THREADS_MAX)
        return wb_fail(err, WB_EARG, "threads is a number from 1 to %d, not '%s'", THREADS_MAX,
                       value);
    *threads = (int)n;
    return true;
}

static bool run_set(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    struct wb_desk_options *o = &f->desk->options;
    const char *name = argv[0], *value = argv[1];
    bool on;

    (void)argc;
    if (strcmp(name, "mouse") == 0) {
        if (!set_switch(value, &on, err))
            return false;
        f->want.mouse = on ? 1 : -1;
        return true;
    }
    if (strcmp(name, "behaviour") == 0) {
        if (!set_switch(value, &on, err))
            return false;
        o->no_behaviour = !on;
        return true;
    }
    if (strcmp(name, "colormap") == 0) {
        if (strcmp(value, "viridis") != 0 && strcmp(value, "grey") != 0)
            return wb_fail(err, WB_EARG, "colormap is viridis or grey, not '%s'", value);
        wb_theme_set_colormap(&f->theme, value[0] == 'g' ? WB_COLORMAP_GREY : WB_COLORMAP_VIRIDIS);
        return true;
    }
    if (strcmp(name, "memory") == 0)
        return wb_parse_bytes(value, &o->memory_bytes, err);
    if (strcmp(name, "threads") == 0)
        return set_threads(value, &o->threads, err);
    if (strncmp(name, "style.", 6) == 0)
        return wb_theme_set(&f->theme, name + 6, value, err);
    return wb_fail(err, WB_EARG,
                   "there is no option '%s'; there are mouse, behaviour, colormap, threads, "
                   "memory, style.NAME",
                   name);
}

static bool write_text(struct wb_frame *f, const char *path, struct wb_str *text,
                       struct wb_err *err)
{
    bool ok = !text->failed || wb_fail(err, WB_ENOMEM, "no memory for %s", path);

    ok = ok && write_allowed(f, err) && wb_write_file(path, text->text, text->len, err);
    wb_str_free(text);
    if (ok)
        wb_desk_say(f->desk, WB_MESSAGE_NOTE, "%s is written", path);
    return ok;
}

static bool run_screenshot(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    size_t n = strlen(argv[0]);
    struct wb_str text = { 0 };

    (void)argc;
    if (!wb_frame_draw(f, f->surface.rows, f->surface.cols, err)) /* without the command line */
        return false;
    if (n > 4 && strcmp(argv[0] + n - 4, ".svg") == 0)
        wb_surface_svg(&f->surface, &f->theme, "weightbench", &text);
    else
        wb_surface_dump(&f->surface, &f->theme, false, &text);
    return write_text(f, argv[0], &text, err);
}

static bool run_record(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    const struct wb_doc *d = f->desk->doc;
    const struct wb_script *s = wb_doc_good(d);
    struct wb_str text = { 0 };

    (void)argc;
    if (s != NULL &&
        !wb_record_pipeline(f->desk->record, s->pipeline.text, strlen(s->pipeline.text),
                            s->pipeline.knob, s->pipeline.knobs))
        return wb_fail(err, WB_ENOMEM, "no memory to record");
    if (!wb_record_script(f->desk->record, &text, err)) {
        wb_str_free(&text);
        return false;
    }
    return write_text(f, argv[0], &text, err);
}

/* The rest */

static bool run_lua(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)err;
    wb_desk_go(f->desk, "console", argc > 0 ? argv[0] : NULL);
    return true;
}

static bool run_help(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    wb_frame_act(f, WB_ACTION_HELP, 1);
    return true;
}

static bool run_quit_anyway(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    (void)argv;
    (void)err;
    f->want.quit = true;
    return true;
}

static bool run_debug(struct wb_frame *f, int argc, char **argv, struct wb_err *err)
{
    (void)argc;
    if (strcmp(argv[0], "crash") != 0)
        return wb_fail(err, WB_EARG, "debug knows crash, not '%s'", argv[0]);
    f->want.crash = SIGSEGV;
    return true;
}

const struct wb_command wb_commands[] = {
    { "open", "MODEL [NAME]", "open a model: a path, a name in the hub cache, MODEL+ADAPTER",
      WB_ARGUMENT_MODEL_PATH, 1, 2, run_open },
    { "close", "[NAME]", "close a model", WB_ARGUMENT_MODEL, 0, 1, run_close },
    { "rename", "[NAME] NEW", "call a model something else", WB_ARGUMENT_MODEL, 1, 2, run_rename },
    { "model", "NAME [OTHER]", "look at this model, and compare it with the other",
      WB_ARGUMENT_MODEL, 1, 2, run_model },
    { "go", "SCREEN [WHAT]", "to a screen, and to a tensor or line there", WB_ARGUMENT_SCREEN, 1, 2,
      run_go },
    { "edit", "FILE", "open a pipeline", WB_ARGUMENT_PATH, 1, 1, run_edit },
    { "edit!", "FILE", "the same, dropping changes", WB_ARGUMENT_PATH, 1, 1, run_edit_anyway },
    { "write", "[FILE]", "save the pipeline", WB_ARGUMENT_PATH, 0, 1, run_write },
    { "write!", "[FILE]", "the same, replacing a file", WB_ARGUMENT_PATH, 0, 1, run_write_anyway },
    { "run", "OUT [force] [resume] [sha256] [dtype=D] [shard-size=S]",
      "run the pipeline into a checkpoint", WB_ARGUMENT_PATH, 1, 6, run_run },
    { "knob", "NAME VALUE", "turn a knob", WB_ARGUMENT_KNOB, 2, 2, run_knob },
    { "write-knobs", "", "make the turned knobs the script's defaults", WB_ARGUMENT_NONE, 0, 0,
      run_write_knobs },
    { "keep", "NAME", "keep the knobs as a setting", WB_ARGUMENT_SETTING, 1, 1, run_keep },
    { "use", "[NAME]", "turn the knobs to a kept setting; without a name to the defaults",
      WB_ARGUMENT_SETTING, 0, 1, run_use },
    { "eval", "[FILE] [window=N] [limit=N]",
      "the sets that models are asked; with a file, one more", WB_ARGUMENT_PATH, 0, 3,
      wb_eval_command },
    { "record", "FILE", "write what was done so far as a Lua script that does it again",
      WB_ARGUMENT_PATH, 1, 1, run_record },
    { "screenshot", "FILE", "write the screen as text, or as a picture to FILE.svg",
      WB_ARGUMENT_PATH, 1, 1, run_screenshot },
    { "lua", "[CODE]", "evaluate Lua in the console", WB_ARGUMENT_TEXT, 0, 1, run_lua },
    { "set", "OPTION VALUE",
      "mouse on|off, behaviour on|off, colormap viridis|grey, threads N, memory SIZE, "
      "style.NAME LOOK",
      WB_ARGUMENT_OPTION, 2, 2, run_set },
    { "map", "KEY [ACTION] [SCREEN]", "bind a key; without an action it does nothing",
      WB_ARGUMENT_ACTION, 1, 3, run_map },
    { "help", "", "the keys of this screen and all commands", WB_ARGUMENT_NONE, 0, 0, run_help },
    { "quit!", "", "quit without asking", WB_ARGUMENT_NONE, 0, 0, run_quit_anyway },
    { "debug", "crash", "raise a fatal signal, to see the terminal restored", WB_ARGUMENT_NONE, 1,
      1, run_debug },
    { NULL, NULL, NULL, WB_ARGUMENT_NONE, 0, 0, NULL },
};

/* Words of a line in place: blanks part them, "…" keeps them; the last of max takes the rest. */
static int split(char *line, char **word, int max)
{
    int n = 0;

    while (*(line += strspn(line, " ")) != '\0') {
        char end = ' ';

        if (*line == '"') {
            end = '"';
            line++;
        }
        word[n++] = line;
        if (n == max && end == ' ') { /* the rest, without blanks at its end */
            size_t len = strlen(line);

            while (len > 0 && line[len - 1] == ' ')
                line[--len] = '\0';
            break;
        }
        line += strcspn(line, (char[]){ end, '\0' });
        if (*line != '\0')
            *line++ = '\0';
        if (n == max)
            break;
    }
    return n;
}

static const struct wb_command *find_command(const char *name)
{
    for (const struct wb_command *c = wb_commands; c->name != NULL; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static bool run_command(struct wb_frame *f, const struct wb_command *c, char *rest,
                        struct wb_err *err)
{
    char *word[ARGUMENTS_MAX];
    int n = split(rest, word, c->arguments_max == 0 ? 1 : (int)c->arguments_max);

    if ((size_t)n < c->arguments_min || (size_t)n > c->arguments_max)
        return wb_fail(err, WB_EARG, "it is  :%s %s", c->name, c->arguments);
    return c->run(f, n, word, err);
}

bool wb_frame_command(struct wb_frame *f, const char *line, struct wb_err *err)
{
    char copy[WB_LINE_MAX], *name = copy, *rest;
    struct wb_view *v = wb_frame_view(f);
    const struct wb_command *c;
    enum wb_action action;
    long count;

    snprintf(copy, sizeof copy, "%s", line + strspn(line, " :"));
    rest = copy + strcspn(copy, " ");
    if (*rest != '\0')
        *rest++ = '\0';
    rest += strspn(rest, " ");
    c = find_command(name);
    if (c != NULL)
        return run_command(f, c, rest, err);
    if (v->ops->command != NULL && v->ops->command(v, name, rest))
        return true;
    action = wb_action_find(name);
    if (action == WB_ACTION_NONE ||
        (!wb_action_of_frame(action) && !wb_view_handles(v->ops, action)))
        return wb_fail(err, WB_EARG, "'%s' is nothing that %s knows; ? lists what there is", name,
                       v->ops->title);
    count = strtol(rest, NULL, 10);
    wb_frame_act(f, action, count < 1 ? 1 : count > COUNT_MAX ? COUNT_MAX : (int)count);
    return true;
}

/* Completion */

static void add_names(const struct wb_frame *f, struct wb_complete *out)
{
    const struct wb_view_ops *ops = wb_frame_view(f)->ops;

    for (const struct wb_command *c = wb_commands; c->name != NULL; c++)
        wb_complete_add(out, c->name, "command", c->doc);
    for (int i = 1; i < WB_ACTION_COUNT; i++) {
        enum wb_action a = (enum wb_action)i;

        if (wb_action_of_frame(a) || wb_view_handles(ops, a))
            wb_complete_add(out, wb_action_info(a)->name, "action", wb_action_info(a)->doc);
    }
}

static void add_models(const struct wb_desk *desk, struct wb_complete *out)
{
    for (size_t i = 0; i < desk->models; i++)
        wb_complete_add(out, desk->model[i]->name, "model", desk->model[i]->path);
}

static void add_knobs(const struct wb_desk *desk, struct wb_complete *out)
{
    for (size_t i = 0; i < wb_doc_knob_count(desk->doc); i++)
        wb_complete_add(out, wb_doc_knob(desk->doc, i)->name, "knob",
                        wb_doc_knob(desk->doc, i)->doc);
}

void wb_command_complete_path(const char *text, size_t at, size_t from, bool models,
                              struct wb_complete *out)
{
    struct wb_completion found = { 0 };
    struct wb_err err;
    char word[WB_LINE_MAX];

    snprintf(word, sizeof word, "%.*s", (int)(at - from), text + from);
    if (models ? wb_complete_model(word, &found, &err) : wb_complete_path(word, &found, &err))
        for (size_t i = 0; i < found.items; i++)
            wb_complete_add(out, found.item[i].text, models ? "model" : "file",
                            found.item[i].detail);
    wb_completion_free(&found);
}

static void add_arguments(const struct wb_frame *f, enum wb_argument kind, const char *line,
                          size_t at, size_t from, struct wb_complete *out)
{
    static const char *const options[] = { "mouse",   "behaviour", "colormap",
                                           "threads", "memory",    NULL };
    const struct wb_desk *desk = f->desk;

    switch (kind) {
    case WB_ARGUMENT_PATH:
    case WB_ARGUMENT_MODEL_PATH:
        wb_command_complete_path(line, at, from, kind == WB_ARGUMENT_MODEL_PATH, out);
        break;
    case WB_ARGUMENT_MODEL:
        add_models(desk, out);
        break;
    case WB_ARGUMENT_SCREEN:
        for (int i = 0; i < f->screens; i++)
            wb_complete_add(out, wb_screens[i]->name, "screen", wb_screens[i]->doc);
        break;
    case WB_ARGUMENT_OPTION:
        for (const char *const *o = options; *o != NULL; o++)
            wb_complete_add(out, *o, "option", "");
        for (int i = 0; i < WB_STYLE_COUNT; i++) {
            char name[40];

            snprintf(name, sizeof name, "style.%s", wb_style_name((enum wb_style)i));
            wb_complete_add(out, name, "option", "");
        }
        break;
    case WB_ARGUMENT_ACTION:
        for (int i = 1; i < WB_ACTION_COUNT; i++)
            wb_complete_add(out, wb_action_info((enum wb_action)i)->name, "action",
                            wb_action_info((enum wb_action)i)->doc);
        break;
    case WB_ARGUMENT_KNOB:
        add_knobs(desk, out);
        break;
    case WB_ARGUMENT_SETTING:
        for (size_t i = 0; i < desk->doc->keeps; i++)
            wb_complete_add(out, desk->doc->kept[i].name, "setting", "");
        break;
    case WB_ARGUMENT_NONE:
    case WB_ARGUMENT_TEXT:
        break;
    }
}

void wb_command_complete(const struct wb_frame *f, const char *line, size_t at, size_t *from,
                         struct wb_complete *out)
{
    char name[40];
    size_t n = strcspn(line, " ");
    const struct wb_command *c;

    *from = at;
    while (*from > 0 && line[*from - 1] != ' ')
        --*from;
    if (at <= n) {
        add_names(f, out);
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)n, line);
    c = find_command(name);
    if (c != NULL)
        add_arguments(f, c->complete, line, at, *from, out);
}
