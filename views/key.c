/* views/key.c - the names of keys, both ways. */
#include "views/key.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "views/canvas.h"

static const struct {
    uint32_t code;
    const char *name;
} named[] = {
    { WB_KEY_TAB, "Tab" },
    { WB_KEY_ENTER, "Enter" },
    { WB_KEY_ESC, "Esc" },
    { WB_KEY_SPACE, "Space" },
    { WB_KEY_BACKSPACE, "Backspace" },
    { WB_KEY_UP, "Up" },
    { WB_KEY_DOWN, "Down" },
    { WB_KEY_LEFT, "Left" },
    { WB_KEY_RIGHT, "Right" },
    { WB_KEY_HOME, "Home" },
    { WB_KEY_END, "End" },
    { WB_KEY_PAGE_UP, "PgUp" },
    { WB_KEY_PAGE_DOWN, "PgDn" },
    { WB_KEY_INSERT, "Ins" },
    { WB_KEY_DELETE, "Del" },
};
#define NAMED (sizeof named / sizeof named[0])

static const struct {
    unsigned mod;
    char letter;
} prefix[] = { { WB_MOD_CTRL, 'C' }, { WB_MOD_ALT, 'M' }, { WB_MOD_SHIFT, 'S' } };
#define PREFIXES (sizeof prefix / sizeof prefix[0])

/* Not what the locale can print: names in a config file mean the same everywhere. */
bool wb_key_is_text(struct wb_key key)
{
    return (key.mods & ~(unsigned)WB_MOD_SHIFT) == 0 && key.code >= WB_KEY_SPACE &&
           key.code <= 0x10ffff && (key.code < 0x7f || key.code >= 0xa0);
}

/* The only character of text; 0: none, more than one, or not UTF-8. */
static uint32_t decode(const char *text)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

    if (strlen(text) != n || (p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : c;
}

const char *wb_key_name(struct wb_key key, char *out, size_t size)
{
    char mods[2 * PREFIXES + 1] = "", letter[5];
    size_t n = 0;

    for (size_t i = 0; i < PREFIXES; i++)
        if (key.mods & prefix[i].mod) {
            mods[n++] = prefix[i].letter;
            mods[n++] = '-';
        }
    mods[n] = '\0';
    for (size_t i = 0; i < NAMED; i++)
        if (named[i].code == key.code) {
            snprintf(out, size, "%s%s", mods, named[i].name);
            return out;
        }
    if (key.code >= WB_KEY_F1 && key.code <= WB_KEY_F12) {
        snprintf(out, size, "%sF%u", mods, key.code - WB_KEY_F1 + 1);
        return out;
    }
    wb_char_encode(key.code <= 0x10ffff && key.code >= WB_KEY_SPACE ? key.code : '?', letter);
    snprintf(out, size, "%s%s", mods, letter);
    return out;
}

/* What a terminal sends for Ctrl with a letter, and with three of them: keys of their own. */
static void normalise_ctrl(struct wb_key *key)
{
    if (key->code >= 'A' && key->code <= 'Z')
        key->code += 'a' - 'A';
    if (key->code == 'i' || key->code == 'm' || key->code == '[') {
        key->code = key->code == 'i' ? WB_KEY_TAB : key->code == 'm' ? WB_KEY_ENTER : WB_KEY_ESC;
        key->mods &= ~(unsigned)WB_MOD_CTRL;
    }
}

static uint32_t find_named(const char *name)
{
    static const char *const f[] = { "F1", "F2", "F3", "F4",  "F5",  "F6",
                                     "F7", "F8", "F9", "F10", "F11", "F12" };

    for (size_t i = 0; i < NAMED; i++)
        if (strcasecmp(named[i].name, name) == 0)
            return named[i].code;
    for (size_t i = 0; i < sizeof f / sizeof f[0]; i++)
        if (strcasecmp(f[i], name) == 0)
            return WB_KEY_F1 + (uint32_t)i;
    return WB_KEY_NONE;
}

bool wb_key_parse(const char *name, struct wb_key *key, struct wb_err *err)
{
    const char *rest = name;
    unsigned mods = 0;

    while (rest[0] != '\0' && rest[1] == '-' && rest[2] != '\0') {
        unsigned mod = 0;

        for (size_t i = 0; i < PREFIXES; i++)
            if (prefix[i].letter == rest[0])
                mod = prefix[i].mod;
        if (mod == 0 || (mods & mod) != 0)
            break; /* what is left has more than one character, and is no name */
        mods |= mod;
        rest += 2;
    }
    *key = (struct wb_key){ .code = find_named(rest), .mods = mods };
    if (key->code != WB_KEY_NONE && (key->code != WB_KEY_SPACE || !(mods & WB_MOD_SHIFT)))
        return true;
    key->code = decode(rest);
    if (!wb_key_is_text((struct wb_key){ .code = key->code }))
        return wb_fail(err, WB_EARG, "'%s' is no key; write j, C-d, M-x, S-Tab, PgDn, F5, Space",
                       name);
    if (mods & WB_MOD_SHIFT)
        return wb_fail(err, WB_EARG,
                       "'%s' is no key: S- goes with Tab, arrows and the like; for a letter write "
                       "the capital",
                       name);
    if (mods & WB_MOD_CTRL)
        normalise_ctrl(key);
    return true;
}
