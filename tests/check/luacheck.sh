#!/bin/sh
# Every Lua file that ships passes luacheck; the rules are in .luacheckrc.
exec luacheck --no-color -q lua plugins tests
