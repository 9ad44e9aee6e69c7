/* lua/bind/literal.h - values as Lua text. */
#ifndef WB_LUA_LITERAL_H
#define WB_LUA_LITERAL_H

#include <stddef.h>

#include "app/core/str.h"

/* A string as a Lua literal, whatever bytes it has. */
void wb_lua_quote(struct wb_str *out, const char *text, size_t n);
/* A number with as few digits as give it back exactly; what is not finite as an expression. */
void wb_lua_number(struct wb_str *out, double x);

#endif
