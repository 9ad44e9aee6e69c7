/* lua/bind/record.c - acts as the Lua that does them again.
 *
 * Models are kept in a table of the script, models["name"], so that any name will do. A pipeline
 * stands as a function of its own around its text: its locals stay its own, and knobs come with the
 * values they had. */
#include "lua/bind/record.h"

#include <stdlib.h>
#include <string.h>

#include "lua/bind/literal.h"

struct act {
    struct wb_str lua; /* statements that do it; of a pipeline those that keep its function */
    char *opened;      /* name of the model it opens */
    bool pipeline;
};

struct wb_record {
    struct act *act;
    size_t acts, room;
};

struct wb_record *wb_record_new(void)
{
    return calloc(1, sizeof(struct wb_record));
}

static void act_free(struct act *a)
{
    wb_str_free(&a->lua);
    free(a->opened);
}

void wb_record_clear(struct wb_record *r)
{
    for (size_t i = 0; i < r->acts; i++)
        act_free(&r->act[i]);
    r->acts = 0;
}

void wb_record_free(struct wb_record *r)
{
    if (r == NULL)
        return;
    wb_record_clear(r);
    free(r->act);
    free(r);
}

size_t wb_record_count(const struct wb_record *r)
{
    return r->acts;
}

/* Lua text. */

static void quote(struct wb_str *out, const char *text)
{
    wb_lua_quote(out, text, strlen(text));
}

static void add_model(struct wb_str *out, const char *name)
{
    wb_str_add(out, "models[");
    quote(out, name);
    wb_str_add(out, "]");
}

/* A new act; NULL without memory. */
static struct act *begin(struct wb_record *r)
{
    struct act *more;

    if (r->acts == r->room) {
        r->room = r->room == 0 ? 16 : 2 * r->room;
        more = realloc(r->act, r->room * sizeof *more);
        if (more == NULL)
            return NULL;
        r->act = more;
    }
    r->act[r->acts] = (struct act){ 0 };
    return &r->act[r->acts];
}

static bool commit(struct wb_record *r, struct act *a)
{
    if (a->lua.failed) {
        act_free(a);
        return false;
    }
    r->acts++;
    return true;
}

bool wb_record_open(struct wb_record *r, const char *name, const char *path)
{
    struct act *a = begin(r);

    if (a == NULL || (a->opened = strdup(name)) == NULL)
        return false;
    add_model(&a->lua, name);
    wb_str_add(&a->lua, " = wb.open ");
    quote(&a->lua, path);
    wb_str_add(&a->lua, "\n");
    return commit(r, a);
}

bool wb_record_close(struct wb_record *r, const char *name)
{
    struct act *a = begin(r);

    if (a == NULL)
        return false;
    add_model(&a->lua, name);
    wb_str_add(&a->lua, " = nil\n");
    return commit(r, a);
}

static void add_options(struct wb_str *out, const char *base, const char *match, bool sample)
{
    const char *comma = "";

    if (base == NULL && match == NULL && !sample)
        return;
    wb_str_add(out, ", {");
    if (base != NULL) {
        wb_str_add(out, "base = ");
        add_model(out, base);
        comma = ", ";
    }
    if (match != NULL) {
        wb_str_printf(out, "%smatch = ", comma);
        quote(out, match);
        comma = ", ";
    }
    if (sample)
        wb_str_printf(out, "%ssample = true", comma);
    wb_str_add(out, "}");
}

/* print(label, wb.json(CALL)) */
static void begin_print(struct wb_str *out, const char *what, const char *a, const char *b)
{
    struct wb_str label = { 0 };

    wb_str_printf(&label, "%s %s%s%s", what, a, b == NULL ? "" : " ", b == NULL ? "" : b);
    wb_str_add(out, "print(");
    quote(out, label.failed ? what : label.text);
    wb_str_printf(out, ", wb.json(wb.%s(", what);
    add_model(out, a);
    wb_str_free(&label);
}

bool wb_record_compare(struct wb_record *r, const char *a, const char *b, const char *base,
                       const char *match, bool sample)
{
    struct act *act = begin(r);

    if (act == NULL)
        return false;
    begin_print(&act->lua, "compare", a, b);
    wb_str_add(&act->lua, ", ");
    add_model(&act->lua, b);
    add_options(&act->lua, base, match, sample);
    wb_str_add(&act->lua, ")))\n");
    return commit(r, act);
}

bool wb_record_stats(struct wb_record *r, const char *name, const char *match, bool sample)
{
    struct act *act = begin(r);

    if (act == NULL)
        return false;
    begin_print(&act->lua, "stats", name, NULL);
    add_options(&act->lua, NULL, match, sample);
    wb_str_add(&act->lua, ")))\n");
    return commit(r, act);
}

/* The settings: what knobs had that were turned. A secret is not written down. */
static void add_settings(struct wb_str *out, const struct wb_knob *knob, size_t knobs)
{
    wb_str_add(out, "set = {");
    for (size_t i = 0; i < knobs; i++) {
        if (knob[i].secret)
            continue;
        wb_str_add(out, "[");
        quote(out, knob[i].name);
        wb_str_add(out, "] = ");
        if (knob[i].kind == WB_KNOB_NUMBER)
            wb_lua_number(out, knob[i].number);
        else if (knob[i].kind == WB_KNOB_BOOL)
            wb_str_add(out, knob[i].number != 0 ? "true" : "false");
        else
            quote(out, knob[i].text == NULL ? "" : knob[i].text);
        wb_str_add(out, ", ");
    }
    wb_str_add(out, "}\n");
}

bool wb_record_pipeline(struct wb_record *r, const char *text, size_t n, const struct wb_knob *knob,
                        size_t knobs)
{
    struct act *a = begin(r);

    if (a == NULL)
        return false;
    a->pipeline = true;
    add_settings(&a->lua, knob, knobs);
    wb_str_add(&a->lua, "result = (function()\n");
    wb_str_add_n(&a->lua, text, n);
    wb_str_add(&a->lua, n > 0 && text[n - 1] == '\n' ? "end)()\n" : "\nend)()\n");
    return commit(r, a);
}

bool wb_record_comment(struct wb_record *r, const char *text)
{
    struct act *a = begin(r);

    if (a == NULL)
        return false;
    wb_str_add(&a->lua, "-- ");
    for (; *text != '\0'; text++)
        wb_str_add_n(&a->lua, (unsigned char)*text < ' ' ? " " : text, 1);
    wb_str_add(&a->lua, "\n");
    return commit(r, a);
}

/* A pipeline's knobs: declared as they are, with the recorded values in place of their defaults. */
static const char knobs_head[] = "local set, result = {}, nil\n"
                                 "local wb = setmetatable({\n"
                                 "  knob = function(name, default, options)\n"
                                 "    local value = set[name]\n"
                                 "    if value == nil then value = default end\n"
                                 "    return wb.knob(name, value, options)\n"
                                 "  end,\n"
                                 "}, {__index = wb})\n";

bool wb_record_script(const struct wb_record *r, struct wb_str *out, struct wb_err *err)
{
    const char *opened = NULL;
    bool pipeline = false;

    for (size_t i = 0; i < r->acts; i++) {
        pipeline = pipeline || r->act[i].pipeline;
        if (opened == NULL)
            opened = r->act[i].opened;
    }
    wb_str_add(out, "-- recorded by weightbench: weightbench run THIS -o OUT does it again\n"
                    "local models = {}\n");
    if (!pipeline && opened != NULL)
        wb_str_add(out, "local first\n");
    if (pipeline)
        wb_str_add(out, knobs_head);
    for (size_t i = 0; i < r->acts; i++) {
        const struct act *a = &r->act[i];

        wb_str_add(out, a->lua.text);
        if (!pipeline && a->opened != NULL) {
            wb_str_add(out, "first = first or ");
            add_model(out, a->opened);
            wb_str_add(out, "\n");
        }
    }
    wb_str_add(out, pipeline ? "return result\n" : opened != NULL ? "return first\n" : "");
    return !out->failed || wb_fail(err, WB_ENOMEM, "no memory for the record");
}
