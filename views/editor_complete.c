/* views/editor_complete.c - completion in the editor. */
#include <string.h>

#include "views/editor_impl.h"

/* Places where candidates are offered without a key. */
static bool offers_itself(enum wb_lua_where where)
{
    return where != WB_LUA_AT_NOTHING && where != WB_LUA_AT_NAME;
}

static bool ask(struct wb_editor *ed, bool asked, bool choose)
{
    struct wb_lua_place place;
    struct wb_str word = { 0 };

    wb_complete_clear(&ed->popup);
    wb_lua_place_find(ed->states, ed->d, wb_document_cursor(ed->d), &place);
    if (ed->completer.ask == NULL || place.where == WB_LUA_AT_NOTHING ||
        (!asked && !offers_itself(place.where)))
        return false;
    ed->word = place.word.from;
    ed->completer.ask(ed->completer.user, ed->d, &place, asked, &ed->popup);
    wb_str_add(&word, "");
    wb_document_range_text(ed->d, place.word, &word);
    if (!word.failed)
        wb_complete_filter(&ed->popup, word.text, word.len, choose);
    wb_str_free(&word);
    return ed->popup.open;
}

void wb_editor_complete_accept(struct wb_editor *ed)
{
    const struct wb_candidate *one = wb_complete_selected(&ed->popup);
    struct wb_range word = { ed->word, wb_document_cursor(ed->d) };

    wb_complete_close(&ed->popup);
    if (one != NULL)
        wb_editor_replace(ed, word, one->text, strlen(one->text), WB_EDIT_STEP);
}

void wb_editor_complete(struct wb_editor *ed, bool asked)
{
    if (ask(ed, asked, asked) && asked && ed->popup.n_shown == 1)
        wb_editor_complete_accept(ed);
}

void wb_editor_complete_typed(struct wb_editor *ed)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);
    bool open = ed->popup.open, chosen = ed->popup.chosen;
    size_t len;
    const char *text = wb_document_line(ed->d, cursor.line, &len);
    char last = cursor.byte > 0 ? text[cursor.byte - 1] : ' ';

    if (open && wb_pos_compare(ed->word, cursor) <= 0)
        ask(ed, true, chosen);
    else if (last != '\0' && strchr(" \t,;={}()[]+-*/<>~#%", last) == NULL)
        ask(ed, false, false);
    else
        wb_complete_close(&ed->popup);
    if (open && ed->popup.open && wb_pos_compare(ed->word, cursor) == 0 && last != '.' &&
        last != ':' && last != '/' && last != '"' && last != '\'')
        wb_complete_close(&ed->popup); /* the word is gone */
}
