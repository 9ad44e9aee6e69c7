/* views/colour.c - colours: their names, the xterm palette, and the nearest one that a tier has. */
#include "views/theme.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint32_t base_rgb[16] = {
    0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
    0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
};

uint32_t wb_colour_rgb(int32_t colour)
{
    static const uint32_t level[6] = { 0, 95, 135, 175, 215, 255 };
    uint32_t i;

    if (colour < 0)
        return 0xD0D0D0;
    if (colour >= WB_COLOUR_RGB)
        return (uint32_t)colour & 0xFFFFFF;
    i = (uint32_t)colour & 0xFF;
    if (i < 16)
        return base_rgb[i];
    if (i >= 232)
        return (8 + 10 * (i - 232)) * 0x010101;
    i -= 16;
    return level[i / 36] << 16 | level[i / 6 % 6] << 8 | level[i % 6];
}

/* Squared distance; the eye is least sensitive to blue, most to green. */
static long distance(uint32_t a, uint32_t b)
{
    long red = (long)(a >> 16 & 255) - (long)(b >> 16 & 255);
    long green = (long)(a >> 8 & 255) - (long)(b >> 8 & 255);
    long blue = (long)(a & 255) - (long)(b & 255);

    return 3 * red * red + 4 * green * green + 2 * blue * blue;
}

static int32_t nearest(uint32_t rgb, int32_t first, int32_t end)
{
    int32_t best = first;

    for (int32_t c = first + 1; c < end; c++)
        if (distance(wb_colour_rgb(c), rgb) < distance(wb_colour_rgb(best), rgb))
            best = c;
    return best;
}

int32_t wb_colour_reduce(int32_t colour, enum wb_tier tier)
{
    if (colour < 0 || tier == WB_TIER_MONO)
        return WB_COLOUR_NONE;
    if (tier == WB_TIER_DIRECT)
        return WB_COLOUR_RGB | (int32_t)wb_colour_rgb(colour);
    if (tier == WB_TIER_256) /* the first 16 are the user's to choose: not to be reckoned with */
        return colour < WB_COLOUR_RGB ? colour : nearest(wb_colour_rgb(colour), 16, 256);
    return colour < 16 ? colour : nearest(wb_colour_rgb(colour), 0, 16);
}

int32_t wb_colour_contrast(int32_t colour)
{
    uint32_t rgb = wb_colour_rgb(colour);
    /* Rec. 601 luma, in thousandths; eyes tip to black above the middle. */
    uint32_t luma = 299 * (rgb >> 16 & 255) + 587 * (rgb >> 8 & 255) + 114 * (rgb & 255);
    bool black = luma > 128000;

    if (colour >= WB_COLOUR_RGB)
        return WB_COLOUR_RGB | (black ? 0x000000 : 0xFFFFFF);
    if (colour < 16)
        return black ? 0 : 7;
    return black ? 16 : 231;
}

static bool parse_number(const char *text, const char *digits, int base, long max, long *value)
{
    if (text[0] == '\0' || text[strspn(text, digits)] != '\0' || strlen(text) > 6)
        return false;
    *value = strtol(text, NULL, base);
    return *value <= max;
}

bool wb_colour_parse(const char *text, int32_t *colour, struct wb_err *err)
{
    static const char *const name[] = { "black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white" };
    bool bright = strncasecmp(text, "bright-", 7) == 0;
    long value;

    if (strcasecmp(text, "default") == 0) {
        *colour = WB_COLOUR_NONE;
        return true;
    }
    for (int i = 0; i < 8; i++)
        if (strcasecmp(text + (bright ? 7 : 0), name[i]) == 0) {
            *colour = i + (bright ? 8 : 0);
            return true;
        }
    if (text[0] == '#' && strlen(text) == 7 &&
        parse_number(text + 1, "0123456789abcdefABCDEF", 16, 0xFFFFFF, &value)) {
        *colour = WB_COLOUR_RGB | (int32_t)value;
        return true;
    }
    if (parse_number(text, "0123456789", 10, 255, &value)) {
        *colour = (int32_t)value;
        return true;
    }
    return wb_fail(err, WB_EARG,
                   "'%s' is no colour; write black, red, green, yellow, blue, magenta, cyan, white "
                   "(also bright-red), 0 .. 255, #rrggbb or default",
                   text);
}
