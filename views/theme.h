/* views/theme.h - how things look on this terminal: styles by meaning, colours by tier.
 *
 * Views name a meaning (WB_STYLE_ERROR) or a place on a ramp; what that becomes depends on the
 * tier of the terminal (tui.md section 5). State is never colour alone. */
#ifndef WB_VIEWS_THEME_H
#define WB_VIEWS_THEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

enum wb_tier { WB_TIER_MONO, WB_TIER_16, WB_TIER_256, WB_TIER_DIRECT };

/* A colour: one of the terminal's palette (0 .. 255), or with WB_COLOUR_RGB set 0xRRGGBB. */
#define WB_COLOUR_NONE ((int32_t)-1) /* the user's own foreground or background */
#define WB_COLOUR_RGB ((int32_t)0x1000000)

enum wb_attr { WB_ATTR_BOLD = 1, WB_ATTR_DIM = 2, WB_ATTR_REVERSE = 4, WB_ATTR_UNDERLINE = 8 };

/* What a piece of screen means: id, name in the config file, letter in dumps. */
/* clang-format off */
#define WB_STYLES(X)                                          \
    X(TEXT, "text", '.')                                      \
    X(DIM, "dim", 'd')                                        \
    X(TITLE, "title", 'T')            /* of the focused pane */ \
    X(TITLE_DIM, "title-dim", 't')    /* of the others */       \
    X(TAB, "tab", 'b')                                        \
    X(TAB_ACTIVE, "tab-active", 'B')                          \
    X(STATUS, "status", 's')                                  \
    X(KEY, "key", 'k')                /* a key in hints and help */ \
    X(HEADER, "header", 'h')          /* column titles */       \
    X(CURSOR, "cursor", 'C')          /* the line or cell under the cursor */ \
    X(CURSOR_DIM, "cursor-dim", 'c')  /* the same in a pane without focus */ \
    X(MARK, "mark", 'm')                                      \
    X(MATCH, "match", 'M')            /* of a search */         \
    X(SELECTION, "selection", 'S')                            \
    X(GOOD, "good", 'g')                                      \
    X(WARNING, "warning", 'w')                                \
    X(ERROR, "error", 'e')                                    \
    X(BORDER, "border", '|')                                  \
    X(BAR, "bar", '#')                /* the full part of bars and sliders */ \
    X(BAR_EMPTY, "bar-empty", '_')                            \
    X(CHANGED, "changed", '*')        /* moved against the setting before */ \
    X(UP, "up", '+')                  /* a number that rose */  \
    X(DOWN, "down", '-')                                      \
    X(KEYWORD, "keyword", 'K')        /* Lua, in the editor */  \
    X(STRING, "string", 'q')                                  \
    X(NUMBER, "number", 'n')                                  \
    X(COMMENT, "comment", '/')                                \
    X(FUNCTION, "function", 'f')

/* clang-format on */

enum wb_style {
#define WB_STYLE_ID(id, name, letter) WB_STYLE_##id,
    WB_STYLES(WB_STYLE_ID)
#undef WB_STYLE_ID
        WB_STYLE_COUNT
};

struct wb_look {
    int32_t fg, bg;
    unsigned attrs; /* of enum wb_attr */
};

/* A ramp from the lowest value to the highest, by colour where the terminal has enough of them. */
struct wb_ramp {
    int steps;
    bool by_glyph;      /* the glyphs tell the steps apart; colours, if any, only help */
    int32_t colour[65]; /* WB_COLOUR_NONE: none */
    uint32_t glyph[65]; /* by_glyph: what stands for the step; else a digit, for ASCII */
};

enum wb_colormap { WB_COLORMAP_VIRIDIS, WB_COLORMAP_GREY };

struct wb_theme {
    enum wb_tier tier;
    bool ascii;       /* no code point beyond 126 */
    bool half_blocks; /* two ramp colours in a cell; cleared where colour pairs are too few */
    enum wb_colormap colormap;
    struct wb_look look[WB_STYLE_COUNT];
    struct wb_ramp sequential, diverging;
};

/* The step of a ramp for a value: clamped to the range, so that no value can index outside; -1
 * for NaN, and for every value of an empty range (min >= max). */
int wb_ramp_step(const struct wb_ramp *ramp, float value, float min, float max);

/* The built-in theme of a tier. */
void wb_theme_init(struct wb_theme *theme, enum wb_tier tier, bool ascii);
/* Change the sequential ramp to another colormap. */
void wb_theme_set_colormap(struct wb_theme *theme, enum wb_colormap colormap);
/* Change one style from a config file: "bold red on blue", "#ff8700", "208 reverse", "default".
 * WB_EARG names the word that is not known. */
bool wb_theme_set(struct wb_theme *theme, const char *style, const char *text, struct wb_err *err);
/* One colour: a name, "208", "#ff8700", "default". WB_EARG. */
bool wb_colour_parse(const char *text, int32_t *colour, struct wb_err *err);
/* The nearest colour that a tier can show; WB_COLOUR_NONE in mono. */
int32_t wb_colour_reduce(int32_t colour, enum wb_tier tier);
/* 0xRRGGBB, the palette as xterm has it; light grey for WB_COLOUR_NONE. */
uint32_t wb_colour_rgb(int32_t colour);
/* Black or white, whichever is easier to read on a colour, of the same kind as that one. */
int32_t wb_colour_contrast(int32_t colour);
const char *wb_style_name(enum wb_style style);
char wb_style_letter(enum wb_style style);
/* "mono", "16", "256", "direct" */
const char *wb_tier_name(enum wb_tier tier);
bool wb_tier_parse(const char *text, enum wb_tier *tier);

#endif
