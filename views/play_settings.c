/* views/play_settings.c - how the playground draws tokens: rows like those of a pipeline's knobs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/chart.h"
#include "views/view_play.h"

enum { NAME_COLS = 11, VALUE_COLS = 7, SLIDER_COLS_MAX = 24 };

/* Numbers: range, step, what is usual. */
static const struct {
    double min, max, step, usual;
    const char *doc;
} rule[PLAY_SETTINGS] = {
    [PLAY_GREEDY] = { 0, 1, 1, 1, "always the most likely token: the same text every time" },
    [PLAY_TEMPERATURE] = { 0.05, 2, 0.05, 0.8,
                           "below 1 sharper, above 1 flatter; when not greedy" },
    [PLAY_TOP_P] = { 0.05, 1, 0.05, 1, "of the most likely tokens that have this share together" },
    [PLAY_TOKENS] = { 1, 1024, 8, 48, "how many tokens at most" },
    [PLAY_SEED] = { 0, 1e15, 1, 1, "of the draws: the same seed, the same text" },
};

const char *const wb_play_setting_name[PLAY_SETTINGS] = { "greedy", "temperature", "top_p",
                                                          "tokens", "seed" };

const char *wb_play_setting_doc(enum play_setting which)
{
    return rule[which].doc;
}

static double value_of(const struct play_settings *s, enum play_setting which)
{
    switch (which) {
    case PLAY_GREEDY:
        return s->greedy;
    case PLAY_TEMPERATURE:
        return s->temperature;
    case PLAY_TOP_P:
        return s->top_p;
    case PLAY_TOKENS:
        return s->tokens;
    default:
        return (double)s->seed;
    }
}

static void put_value(struct play_settings *s, enum play_setting which, double value)
{
    value = fmin(fmax(value, rule[which].min), rule[which].max);
    switch (which) {
    case PLAY_GREEDY:
        s->greedy = value > 0.5;
        break;
    case PLAY_TEMPERATURE:
        s->temperature = value;
        break;
    case PLAY_TOP_P:
        s->top_p = value;
        break;
    case PLAY_TOKENS:
        s->tokens = (int)value;
        break;
    default:
        s->seed = (uint64_t)value;
        break;
    }
}

const char *wb_play_setting_text(const struct play_settings *s, enum play_setting which, char *out,
                                 size_t size)
{
    if (which == PLAY_GREEDY)
        snprintf(out, size, "%s", s->greedy ? "on" : "off");
    else
        snprintf(out, size, "%.10g", value_of(s, which));
    return out;
}

bool wb_play_set(struct play_settings *s, enum play_setting which, const char *value,
                 struct wb_err *err)
{
    char *end;
    double x = strtod(value, &end);

    if (which == PLAY_GREEDY) {
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
            return wb_fail(err, WB_EARG, "greedy is on or off, not '%s'", value);
        s->greedy = value[1] == 'n';
        return true;
    }
    if (end == value || *end != '\0' || !(x >= rule[which].min && x <= rule[which].max))
        return wb_fail(err, WB_EARG, "%s is a number from %g to %g, not '%s'",
                       wb_play_setting_name[which], rule[which].min, rule[which].max, value);
    if (which >= PLAY_TOKENS && x != floor(x))
        return wb_fail(err, WB_EARG, "%s is a whole number, not '%s'", wb_play_setting_name[which],
                       value);
    put_value(s, which, x);
    return true;
}

/* Steps lie on a grid that begins at 0. */
void wb_play_step_setting(struct play *p, int steps)
{
    enum play_setting which = (enum play_setting)p->setting;
    double step = rule[which].step, at = round(value_of(&p->settings, which) / step) + steps;

    if (which == PLAY_GREEDY)
        at = steps % 2 != 0 ? !p->settings.greedy : p->settings.greedy;
    put_value(&p->settings, which, round(at * step * 1e6) / 1e6);
}

/* Drawing */

static int slider_cols(int cols)
{
    int n = cols - 2 - NAME_COLS - 1 - VALUE_COLS - 1;

    return n > SLIDER_COLS_MAX ? SLIDER_COLS_MAX : n < 8 ? 0 : n;
}

static double share_of(const struct play_settings *s, enum play_setting which)
{
    return (value_of(s, which) - rule[which].min) / (rule[which].max - rule[which].min);
}

static void draw_row(const struct play *p, struct wb_canvas *cv, int row)
{
    enum play_setting which = (enum play_setting)row;
    bool idle = p->settings.greedy &&
                (which == PLAY_TEMPERATURE || which == PLAY_TOP_P || which == PLAY_SEED);
    bool turned = value_of(&p->settings, which) != rule[which].usual;
    int slider = slider_cols(cv->cols), col = 2 + NAME_COLS + 1;
    char text[40];

    wb_canvas_fit(cv, row, 2, NAME_COLS, WB_ALIGN_LEFT, idle ? WB_STYLE_DIM : WB_STYLE_TEXT,
                  wb_play_setting_name[which]);
    if (slider > 0 && which == PLAY_GREEDY)
        wb_canvas_text(cv, row, col, WB_STYLE_BAR,
                       p->settings.greedy ? "[ off |#ON#]" : "[#OFF#| on ]");
    else if (slider > 0 && which != PLAY_SEED)
        wb_slider_draw(cv, row, col, slider, idle ? WB_STYLE_DIM : WB_STYLE_BAR,
                       share_of(&p->settings, which));
    else if (slider > 0)
        wb_canvas_fit(cv, row, col, slider, WB_ALIGN_LEFT, WB_STYLE_DIM, "any number");
    wb_canvas_fit(
        cv, row, col + slider + 1, VALUE_COLS, WB_ALIGN_RIGHT,
        idle     ? WB_STYLE_DIM
        : turned ? WB_STYLE_CHANGED
                 : WB_STYLE_TEXT,
        which == PLAY_GREEDY ? "" : wb_play_setting_text(&p->settings, which, text, sizeof text));
}

void wb_play_draw_settings(const struct play *p, struct wb_canvas *cv)
{
    bool focused = p->focus == PLAY_SETTING_ROWS;

    for (int row = 0; row < PLAY_SETTINGS && row < cv->rows; row++) {
        draw_row(p, cv, row);
        if (row != p->setting)
            continue;
        wb_canvas_put(cv, row, 0, focused ? WB_STYLE_CURSOR : WB_STYLE_CURSOR_DIM, '>');
        if (focused)
            wb_canvas_add_attrs(cv, row, 2, NAME_COLS, WB_ATTR_BOLD);
    }
}

void wb_play_click_setting(struct play *p, int row, int col, int cols)
{
    int slider = slider_cols(cols), at = col - 2 - NAME_COLS - 1;
    enum play_setting which = (enum play_setting)row;
    double step;

    if (row < 0 || row >= PLAY_SETTINGS)
        return;
    p->setting = row;
    if (at < 0 || at >= slider || which == PLAY_SEED)
        return;
    if (which == PLAY_GREEDY) {
        p->settings.greedy = !p->settings.greedy;
        return;
    }
    step = rule[which].step;
    put_value(
        &p->settings, which,
        round((rule[which].min + wb_slider_at(slider, at) * (rule[which].max - rule[which].min)) /
              step) *
            step);
}
