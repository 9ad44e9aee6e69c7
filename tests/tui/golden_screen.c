/* tests/tui/golden_screen.c - comparing whole screens. */
#include "tests/tui/golden_screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"
#include "app/core/str.h"

/* What depends on the clock, on the machine or on how many threads there are. */
static const struct {
    const char *pattern, *instead;
} masks[] = {
    { " *exact in [0-9.]+ .?s", " exact in ~" },
    { "started [0-9:]+ .*", "started ~" },
    { " (is written: .*) in [0-9.]+ .?s", " is written in ~" },
    { "   (--|[0-9.]+ .?B)/s .*", "   rate ~" },
    { "memory about .*", "memory about ~" },
    { "peak .*", "peak ~" },
    { "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]", "hh:mm:ss" },
    { "/tmp/wb-view-[A-Za-z0-9]+", "/tmp/wb-view-XXXXXX" },
    { "[0-9.]+ .?B  weightbench\\.json", "~ weightbench.json" }, /* holds times */
    { " +$", "" },
};

#define MASKS (sizeof masks / sizeof masks[0])
#define LINE_MAX_BYTES 4000

static void mask_line(char *line, const regex_t *re)
{
    char out[LINE_MAX_BYTES];
    regmatch_t at;

    for (size_t i = 0; i < MASKS; i++)
        if (regexec(&re[i], line, 1, &at, 0) == 0) {
            snprintf(out, sizeof out, "%.*s%s%s", (int)at.rm_so, line, masks[i].instead,
                     line + at.rm_eo);
            memcpy(line, out, sizeof out);
        }
}

char *golden_screen_mask(const char *dump)
{
    struct wb_str out = { 0 };
    regex_t re[MASKS];

    for (size_t i = 0; i < MASKS; i++)
        assert_int_equal(regcomp(&re[i], masks[i].pattern, REG_EXTENDED), 0);
    for (const char *line = dump; *line != '\0'; line += strcspn(line, "\n") + 1) {
        char copy[LINE_MAX_BYTES];

        snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
        mask_line(copy, re);
        wb_str_printf(&out, "%s\n", copy);
    }
    for (size_t i = 0; i < MASKS; i++)
        regfree(&re[i]);
    assert_false(out.failed);
    return out.text;
}

bool golden_screen_is(const char *dump, const char *name, int rows, int cols)
{
    char path[200], *text = golden_screen_mask(dump), *expected;
    const char *golden = getenv("WB_GOLDEN");
    struct wb_err err;
    bool same = true;

    snprintf(path, sizeof path, "tests/data/screens/ui-%s-%dx%d.txt", name, cols, rows);
    if (golden != NULL && golden[0] == '1') {
        if (!wb_write_file(path, text, strlen(text), &err))
            fail_msg("%s", err.msg);
    } else {
        expected = wb_read_file(path, 1 << 20, NULL, &err);
        if (expected == NULL)
            fail_msg("%s; write it with WB_GOLDEN=1 and read it", err.msg);
        same = strcmp(text, expected) == 0;
        free(expected);
    }
    free(text);
    return same;
}
