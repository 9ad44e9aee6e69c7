/* lua/bind/literal.c */
#include "lua/bind/literal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void wb_lua_quote(struct wb_str *out, const char *text, size_t n)
{
    wb_str_add(out, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool digit = i + 1 < n && text[i + 1] >= '0' && text[i + 1] <= '9';

        if (c == '"' || c == '\\')
            wb_str_printf(out, "\\%c", c);
        else if (c == '\n')
            wb_str_add(out, "\\n");
        else if (c < ' ' || c == 0x7F)
            wb_str_printf(out, digit ? "\\%03u" : "\\%u", c);
        else
            wb_str_add_n(out, text + i, 1);
    }
    wb_str_add(out, "\"");
}

void wb_lua_number(struct wb_str *out, double x)
{
    char text[40];
    int digits = 1;

    if (!isfinite(x)) {
        wb_str_add(out, isnan(x) ? "(0/0)" : x > 0 ? "math.huge" : "-math.huge");
        return;
    }
    do
        snprintf(text, sizeof text, "%.*g", digits, x);
    while (strtod(text, NULL) != x && ++digits <= 17);
    wb_str_add(out, text);
}
