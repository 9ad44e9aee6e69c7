/* views/theme.c - the built-in looks and ramps of each tier, and changes to them. */
#include "views/theme.h"

#include <math.h>
#include <string.h>
#include <strings.h>

enum { B = WB_ATTR_BOLD, D = WB_ATTR_DIM, R = WB_ATTR_REVERSE, U = WB_ATTR_UNDERLINE };

/* The looks of a style: attributes alone, with the 8 basic colours, with the palette of 256. */
struct looks {
    unsigned mono;
    struct wb_look basic, rich;
};

#define NONE WB_COLOUR_NONE
static const struct looks builtin[WB_STYLE_COUNT] = {
    [WB_STYLE_TEXT] = { 0, { NONE, NONE, 0 }, { NONE, NONE, 0 } },
    [WB_STYLE_DIM] = { D, { NONE, NONE, D }, { 245, NONE, 0 } },
    [WB_STYLE_TITLE] = { B, { NONE, NONE, B }, { NONE, NONE, B } },
    [WB_STYLE_TITLE_DIM] = { D, { NONE, NONE, D }, { 245, NONE, 0 } },
    [WB_STYLE_TAB] = { 0, { NONE, NONE, 0 }, { NONE, NONE, 0 } },
    [WB_STYLE_TAB_ACTIVE] = { B | R, { NONE, NONE, B | R }, { 231, 24, B } },
    [WB_STYLE_STATUS] = { R, { NONE, NONE, R }, { 252, 236, 0 } },
    [WB_STYLE_KEY] = { B, { 6, NONE, B }, { 37, NONE, B } },
    [WB_STYLE_HEADER] = { U, { NONE, NONE, U }, { 245, NONE, U } },
    [WB_STYLE_CURSOR] = { R, { NONE, NONE, R }, { 231, 25, 0 } },
    [WB_STYLE_CURSOR_DIM] = { U, { NONE, NONE, U }, { 252, 238, 0 } },
    [WB_STYLE_MARK] = { B, { 3, NONE, B }, { 178, NONE, B } },
    [WB_STYLE_MATCH] = { B | U, { 0, 3, 0 }, { 16, 220, 0 } },
    [WB_STYLE_SELECTION] = { R, { NONE, NONE, R }, { 231, 60, 0 } },
    [WB_STYLE_GOOD] = { 0, { 2, NONE, 0 }, { 34, NONE, 0 } },
    [WB_STYLE_WARNING] = { B, { 3, NONE, 0 }, { 172, NONE, 0 } },
    [WB_STYLE_ERROR] = { B, { 1, NONE, B }, { 160, NONE, B } },
    [WB_STYLE_BORDER] = { D, { NONE, NONE, D }, { 240, NONE, 0 } },
    [WB_STYLE_BAR] = { 0, { 6, NONE, 0 }, { 37, NONE, 0 } },
    [WB_STYLE_BAR_EMPTY] = { D, { NONE, NONE, D }, { 240, NONE, 0 } },
    [WB_STYLE_CHANGED] = { B, { 5, NONE, B }, { 170, NONE, B } },
    [WB_STYLE_UP] = { 0, { 2, NONE, 0 }, { 34, NONE, 0 } },
    [WB_STYLE_DOWN] = { 0, { 1, NONE, 0 }, { 167, NONE, 0 } },
    [WB_STYLE_KEYWORD] = { B, { 5, NONE, 0 }, { 133, NONE, 0 } },
    [WB_STYLE_STRING] = { 0, { 2, NONE, 0 }, { 71, NONE, 0 } },
    [WB_STYLE_NUMBER] = { 0, { 6, NONE, 0 }, { 73, NONE, 0 } },
    [WB_STYLE_COMMENT] = { D, { NONE, NONE, D }, { 243, NONE, 0 } },
    [WB_STYLE_FUNCTION] = { 0, { 3, NONE, 0 }, { 136, NONE, 0 } },
};
#undef NONE

static void set_look(struct wb_theme *theme, enum wb_style style)
{
    const struct looks *b = &builtin[style];

    switch (theme->tier) {
    case WB_TIER_MONO:
        theme->look[style] = (struct wb_look){ WB_COLOUR_NONE, WB_COLOUR_NONE, b->mono };
        break;
    case WB_TIER_16:
        theme->look[style] = b->basic;
        break;
    case WB_TIER_256:
    case WB_TIER_DIRECT:
        theme->look[style] =
            (struct wb_look){ wb_colour_reduce(b->rich.fg, theme->tier),
                              wb_colour_reduce(b->rich.bg, theme->tier), b->rich.attrs };
        break;
    }
}

/* ---- ramps ---- */

/* A ramp through anchors of 0xRRGGBB, straight between them. */
static void ramp_rgb(struct wb_ramp *ramp, int steps, const uint32_t *anchor, int anchors)
{
    ramp->steps = steps;
    for (int i = 0; i < steps; i++) {
        double at = (double)i * (anchors - 1) / (steps - 1);
        int k = at >= anchors - 1 ? anchors - 2 : (int)at;
        uint32_t rgb = 0;

        for (int shift = 16; shift >= 0; shift -= 8) {
            double low = anchor[k] >> shift & 255, high = anchor[k + 1] >> shift & 255;

            rgb |= (uint32_t)lround(low + (at - k) * (high - low)) << shift;
        }
        ramp->colour[i] = WB_COLOUR_RGB | (int32_t)rgb;
    }
}

static void ramp_palette(struct wb_ramp *ramp, int steps, const uint8_t *palette)
{
    ramp->steps = steps;
    for (int i = 0; i < steps; i++)
        ramp->colour[i] = palette[i];
}

/* Glyphs tell the steps apart; `low` and `high` colour the lower and the upper half. */
static void ramp_glyphs(struct wb_ramp *ramp, int steps, const uint32_t *glyph, int32_t low,
                        int32_t high)
{
    ramp->steps = steps;
    ramp->by_glyph = true;
    for (int i = 0; i < steps; i++) {
        ramp->glyph[i] = glyph[i];
        ramp->colour[i] = 2 * i + 1 == steps && low != high ? WB_COLOUR_NONE
                          : 2 * i + 1 < steps               ? low
                                                            : high;
    }
}

/* For a ramp of colours on a screen without block glyphs. */
static void add_digits(struct wb_ramp *ramp)
{
    for (int i = 0; i < ramp->steps; i++)
        ramp->glyph[i] =
            ramp->steps <= 10 ? (uint32_t)('0' + i) : (uint32_t)('0' + i * 9 / (ramp->steps - 1));
}

static const uint32_t digits[] = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' };
static const uint32_t shades[] = { ' ', 0x2591, 0x2592, 0x2593, 0x2588 };

static void init_sequential(struct wb_theme *theme)
{
    /* matplotlib's viridis (public domain) at every ninth; straight lines between are close. */
    static const uint32_t viridis[] = { 0x440154, 0x482878, 0x3E4989, 0x31688E, 0x26828E,
                                        0x1F9E89, 0x35B779, 0x6ECE58, 0xB5DE2B, 0xFDE725 };
    static const uint32_t grey[] = { 0x080808, 0xEEEEEE };
    static const uint8_t viridis_256[] = { 17, 53, 24, 30, 36, 78, 155, 227 };
    struct wb_ramp *ramp = &theme->sequential;
    bool as_grey = theme->colormap == WB_COLORMAP_GREY;

    *ramp = (struct wb_ramp){ 0 };
    if (theme->tier == WB_TIER_MONO || (theme->tier == WB_TIER_16 && theme->ascii)) {
        ramp_glyphs(ramp, 10, digits, WB_COLOUR_NONE, WB_COLOUR_NONE);
    } else if (theme->tier == WB_TIER_16) {
        int32_t hue = as_grey ? WB_COLOUR_NONE : 6;

        ramp_glyphs(ramp, 5, shades, hue, hue);
    } else if (theme->tier == WB_TIER_DIRECT) {
        ramp_rgb(ramp, 64, as_grey ? grey : viridis, as_grey ? 2 : 10);
    } else if (as_grey) {
        uint8_t grey_256[24];

        for (int i = 0; i < 24; i++)
            grey_256[i] = (uint8_t)(232 + i);
        ramp_palette(ramp, 24, grey_256);
    } else {
        ramp_palette(ramp, 8, viridis_256);
    }
    if (!ramp->by_glyph)
        add_digits(ramp);
}

static void init_diverging(struct wb_theme *theme)
{
    /* ColorBrewer's RdBu, nine classes, from blue to red. */
    static const uint32_t blue_red[] = { 0x2166AC, 0x4393C3, 0x92C5DE, 0xD1E5F0, 0xF7F7F7,
                                         0xFDDBC7, 0xF4A582, 0xD6604D, 0xB2182B };
    static const uint8_t blue_red_256[] = { 25, 67, 74, 117, 189, 231, 223, 216, 209, 167, 124 };
    static const uint32_t signs[] = { '-', '=', '.', '+', '#' };
    static const uint32_t both[] = { 0x2588, 0x2593, 0x2592, 0x2591, ' ',
                                     0x2591, 0x2592, 0x2593, 0x2588 };
    struct wb_ramp *ramp = &theme->diverging;

    *ramp = (struct wb_ramp){ 0 };
    if (theme->tier == WB_TIER_MONO)
        ramp_glyphs(ramp, 5, signs, WB_COLOUR_NONE, WB_COLOUR_NONE);
    else if (theme->tier == WB_TIER_16 && theme->ascii)
        ramp_glyphs(ramp, 5, signs, 4, 1);
    else if (theme->tier == WB_TIER_16)
        ramp_glyphs(ramp, 9, both, 4, 1);
    else if (theme->tier == WB_TIER_DIRECT)
        ramp_rgb(ramp, 65, blue_red, 9);
    else
        ramp_palette(ramp, 11, blue_red_256);
    if (!ramp->by_glyph)
        add_digits(ramp);
}

int wb_ramp_step(const struct wb_ramp *ramp, float value, float min, float max)
{
    double t = ((double)value - min) / ((double)max - min); /* double: no overflow */

    if (isnan(t) || !(min < max))
        return -1;
    return (int)(fmin(fmax(t, 0), 1) * (ramp->steps - 1) + 0.5);
}

/* ---- themes ---- */

void wb_theme_init(struct wb_theme *theme, enum wb_tier tier, bool ascii)
{
    *theme = (struct wb_theme){ .tier = tier,
                                .ascii = ascii,
                                .half_blocks = tier >= WB_TIER_256 && !ascii };
    for (int s = 0; s < WB_STYLE_COUNT; s++)
        set_look(theme, (enum wb_style)s);
    init_sequential(theme);
    init_diverging(theme);
}

void wb_theme_set_colormap(struct wb_theme *theme, enum wb_colormap colormap)
{
    theme->colormap = colormap;
    init_sequential(theme);
}

static bool find_style(const char *name, enum wb_style *style, struct wb_err *err)
{
    for (int s = 0; s < WB_STYLE_COUNT; s++)
        if (strcmp(wb_style_name((enum wb_style)s), name) == 0) {
            *style = (enum wb_style)s;
            return true;
        }
    return wb_fail(err, WB_EARG, "'%s' is no style; Tab behind `:set style.` lists them", name);
}

/* One word of a look. `ground` is where the next colour goes; "on" turns it to the background. */
static bool parse_word(const char *word, struct wb_look *look, int32_t **ground, struct wb_err *err)
{
    static const struct {
        const char *name;
        unsigned attr;
    } attr[] = { { "bold", B }, { "dim", D }, { "reverse", R }, { "underline", U } };

    for (size_t i = 0; i < sizeof attr / sizeof attr[0]; i++)
        if (strcasecmp(word, attr[i].name) == 0) {
            look->attrs |= attr[i].attr;
            return true;
        }
    if (strcasecmp(word, "on") == 0) {
        *ground = &look->bg;
        return true;
    }
    return wb_colour_parse(word, *ground, err);
}

bool wb_theme_set(struct wb_theme *theme, const char *style, const char *text, struct wb_err *err)
{
    struct wb_look look = { WB_COLOUR_NONE, WB_COLOUR_NONE, 0 };
    int32_t *ground = &look.fg;
    enum wb_style which;
    char word[32];

    if (!find_style(style, &which, err))
        return false;
    for (const char *p = text + strspn(text, " "); *p != '\0'; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");

        if (n >= sizeof word)
            return wb_fail(err, WB_EARG, "%s: a word of %zu bytes is no colour", style, n);
        memcpy(word, p, n);
        word[n] = '\0';
        if (!parse_word(word, &look, &ground, err))
            return wb_wrap(err, "%s", style);
        p += n;
    }
    look.fg = wb_colour_reduce(look.fg, theme->tier);
    look.bg = wb_colour_reduce(look.bg, theme->tier);
    theme->look[which] = look;
    return true;
}

const char *wb_style_name(enum wb_style style)
{
    static const char *const name[] = {
#define NAME(id, text, letter) text,
        WB_STYLES(NAME)
#undef NAME
    };

    return name[style];
}

char wb_style_letter(enum wb_style style)
{
    static const char letter[] = {
#define LETTER(id, text, one) one,
        WB_STYLES(LETTER)
#undef LETTER
    };

    return letter[style];
}

static const char *const tier_name[] = { "mono", "16", "256", "direct" };

const char *wb_tier_name(enum wb_tier tier)
{
    return tier_name[tier];
}

bool wb_tier_parse(const char *text, enum wb_tier *tier)
{
    for (int t = WB_TIER_MONO; t <= WB_TIER_DIRECT; t++)
        if (strcmp(text, tier_name[t]) == 0) {
            *tier = (enum wb_tier)t;
            return true;
        }
    return false;
}
