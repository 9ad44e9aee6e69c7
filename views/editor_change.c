/* views/editor_change.c - the keys of the editor that change text. */
#include <stdio.h>
#include <string.h>

#include "views/editor_impl.h"
#include "views/lua_lexer.h"

#define INDENT_MAX 400 /* columns */

bool wb_editor_replace(struct wb_editor *ed, struct wb_range range, const char *text, size_t n,
                       enum wb_edit kind)
{
    struct wb_err err;

    wb_editor_unselect(ed);
    if (wb_document_replace(ed->d, range, text, n, kind, NULL, &err))
        return true;
    snprintf(ed->note, sizeof ed->note, "%.190s", err.msg);
    return false;
}

static struct wb_range here(const struct wb_editor *ed)
{
    struct wb_pos at = wb_document_cursor(ed->d);

    return (struct wb_range){ at, at };
}

/* The selection, or an empty range at the cursor. */
static struct wb_range selected(const struct wb_editor *ed)
{
    struct wb_range range;

    return wb_editor_selection(ed, &range) ? range : here(ed);
}

static size_t indent_bytes(const struct wb_document *d, size_t line)
{
    size_t len, n = 0;
    const char *text = wb_document_line(d, line, &len);

    while (n < len && (text[n] == ' ' || text[n] == '\t'))
        n++;
    return n;
}

static size_t indent_cols(const struct wb_document *d, size_t line)
{
    return wb_document_column(d, (struct wb_pos){ line, indent_bytes(d, line) });
}

/* Indent a line by so many columns, in blanks. */
static bool set_indent(struct wb_editor *ed, size_t line, size_t cols)
{
    struct wb_range range = { { line, 0 }, { line, indent_bytes(ed->d, line) } };
    char blanks[INDENT_MAX];

    cols = cols < sizeof blanks ? cols : sizeof blanks;
    if (indent_cols(ed->d, line) == cols)
        return true;
    memset(blanks, ' ', cols);
    return wb_editor_replace(ed, range, blanks, cols, WB_EDIT_STEP);
}

/* A closing word that was just typed alone on its line goes to the column of its block; when it
 * becomes the start of a longer word, it goes back. */
static void move_closing(struct wb_editor *ed, uint32_t ch)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t from = indent_bytes(ed->d, cursor.line), len, now = indent_cols(ed->d, cursor.line),
           want;
    const char *text = wb_document_line(ed->d, cursor.line, &len);
    static const char *const word[] = { "end", "else", "elseif", "until", ")", "]", "}" };
    bool closing = false, was = false;

    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++) {
        size_t n = strlen(word[i]);

        closing = closing || (cursor.byte - from == n && memcmp(text + from, word[i], n) == 0);
        was = was || (cursor.byte - from == n + 1 && memcmp(text + from, word[i], n) == 0);
    }
    if (cursor.byte < from || cursor.byte < len || (!closing && !was))
        return;
    want = wb_lua_indentation(ed->states, ed->d, cursor.line);
    if ((closing && now == want + WB_LUA_INDENT) ||
        (!closing && ch < 128 && ch != ' ' && want == now + WB_LUA_INDENT))
        set_indent(ed, cursor.line, want);
}

void wb_editor_type(struct wb_editor *ed, uint32_t ch)
{
    char bytes[5];
    size_t n = wb_char_encode(ch, bytes);
    struct wb_range range = selected(ed);
    bool replaces = wb_pos_compare(range.from, range.to) != 0;

    ed->want_col = SIZE_MAX;
    ed->cutting = false;
    wb_document_group_begin(ed->d);
    if (wb_editor_replace(ed, range, bytes, n, replaces ? WB_EDIT_STEP : WB_EDIT_TYPE) &&
        !ed->prose)
        move_closing(ed, ch);
    wb_document_group_end(ed->d);
    wb_editor_complete_typed(ed);
}

void wb_editor_paste(struct wb_editor *ed, uint32_t ch)
{
    bool end = ch == '\r' || (ch == '\n' && !ed->pasted_cr);
    const char *eol = wb_document_eol(ed->d);
    char bytes[5];

    if (!ed->pasting) {
        wb_document_break(ed->d);
        wb_document_group_begin(ed->d);
        ed->pasting = true;
        ed->pasted_cr = false;
        ed->want_col = SIZE_MAX;
        wb_complete_close(&ed->popup);
    }
    if (end)
        wb_editor_replace(ed, selected(ed), eol, strlen(eol), WB_EDIT_STEP);
    else if (ch == '\t' || (ch != '\n' && wb_char_width(ch) >= 0))
        wb_editor_replace(ed, selected(ed), bytes, wb_char_encode(ch, bytes), WB_EDIT_TYPE);
    ed->pasted_cr = ch == '\r';
}

void wb_editor_end_paste(struct wb_editor *ed)
{
    if (!ed->pasting)
        return;
    wb_document_group_end(ed->d);
    wb_document_break(ed->d);
    ed->pasting = false;
}

bool wb_editor_insert(struct wb_editor *ed, const char *text, struct wb_err *err)
{
    const char *eol = wb_document_eol(ed->d);
    struct wb_str all = { 0 };
    bool ok;

    wb_editor_end_paste(ed);
    wb_str_add(&all, "");
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");

        wb_str_add_n(&all, text, n > 0 && text[n] == '\n' && text[n - 1] == '\r' ? n - 1 : n);
        if (text[n] == '\n')
            wb_str_add(&all, eol);
        text += n + (text[n] == '\n');
    }
    ok = !all.failed || wb_fail(err, WB_ENOMEM, "no memory to insert text");
    ok = ok && wb_document_replace(ed->d, selected(ed), all.text, all.len, WB_EDIT_STEP, NULL, err);
    wb_editor_unselect(ed);
    wb_str_free(&all);
    wb_editor_settle(ed);
    return ok;
}

/* Blanks around the place of a new line, but not in a long string or comment: those are content. */
static void widen_over_blanks(const struct wb_editor *ed, struct wb_range *range)
{
    size_t len;
    const char *text = wb_document_line(ed->d, range->from.line, &len);
    unsigned state = wb_lua_states_at(ed->states, ed->d, range->from.line);

    if (wb_lua_lex_line(text, range->from.byte, state) != WB_LUA_START)
        return;
    while (range->from.byte > 0 &&
           (text[range->from.byte - 1] == ' ' || text[range->from.byte - 1] == '\t'))
        range->from.byte--;
    text = wb_document_line(ed->d, range->to.line, &len);
    while (range->to.byte < len && (text[range->to.byte] == ' ' || text[range->to.byte] == '\t'))
        range->to.byte++;
}

/* What stands behind the cursor goes along and is indented where it belongs. */
static void newline(struct wb_editor *ed)
{
    struct wb_range range = selected(ed);
    const char *eol = wb_document_eol(ed->d);
    struct wb_pos cursor;

    if (ed->prose) {
        wb_editor_replace(ed, range, eol, strlen(eol), WB_EDIT_STEP);
        return;
    }
    widen_over_blanks(ed, &range);
    wb_document_group_begin(ed->d);
    if (wb_editor_replace(ed, range, eol, strlen(eol), WB_EDIT_STEP)) {
        cursor = wb_document_cursor(ed->d);
        set_indent(ed, cursor.line, wb_lua_indentation(ed->states, ed->d, cursor.line));
        if (cursor.byte == 0)
            cursor.byte = indent_bytes(ed->d, cursor.line);
        wb_document_set_cursor(ed->d, cursor);
    }
    wb_document_group_end(ed->d);
}

/* The lines of the selection, or the one of the cursor. A selection that ends at the start of a
 * line does not mean that line. */
static void lines_of(const struct wb_editor *ed, size_t *first, size_t *last)
{
    struct wb_range range = selected(ed);

    *first = range.from.line;
    *last =
        range.to.line > range.from.line && range.to.byte == 0 ? range.to.line - 1 : range.to.line;
}

static bool is_blank(const struct wb_document *d, size_t line)
{
    size_t len;

    wb_document_line(d, line, &len);
    return indent_bytes(d, line) == len;
}

/* Change lines as one step and keep them selected. */
static void each_line(struct wb_editor *ed, void (*change)(struct wb_editor *ed, size_t line))
{
    bool selecting = ed->selecting, held = ed->held;
    size_t first, last;

    lines_of(ed, &first, &last);
    wb_document_group_begin(ed->d);
    for (size_t i = first; i <= last; i++)
        change(ed, i);
    wb_document_group_end(ed->d);
    ed->selecting = selecting;
    ed->held = held;
}

static void indent_line(struct wb_editor *ed, size_t line)
{
    if (!is_blank(ed->d, line))
        set_indent(ed, line, indent_cols(ed->d, line) + WB_LUA_INDENT);
}

static void unindent_line(struct wb_editor *ed, size_t line)
{
    size_t now = indent_cols(ed->d, line);

    set_indent(ed, line, now > WB_LUA_INDENT ? now - WB_LUA_INDENT : 0);
}

static bool is_comment(const struct wb_document *d, size_t line)
{
    size_t len, at = indent_bytes(d, line);
    const char *text = wb_document_line(d, line, &len);

    return len - at >= 2 && memcmp(text + at, "--", 2) == 0;
}

static void comment_line(struct wb_editor *ed, size_t line)
{
    struct wb_pos at = { line, indent_bytes(ed->d, line) };

    if (!is_blank(ed->d, line))
        wb_editor_replace(ed, (struct wb_range){ at, at }, "-- ", 3, WB_EDIT_STEP);
}

static void uncomment_line(struct wb_editor *ed, size_t line)
{
    struct wb_range range = { { line, indent_bytes(ed->d, line) }, { line, 0 } };
    size_t len;
    const char *text = wb_document_line(ed->d, line, &len);

    range.to.byte = range.from.byte + 2;
    if (!is_comment(ed->d, line))
        return;
    range.to.byte += range.to.byte < len && text[range.to.byte] == ' ';
    wb_editor_replace(ed, range, "", 0, WB_EDIT_STEP);
}

/* Out when any line is code, else in again. */
static void comment(struct wb_editor *ed)
{
    size_t first, last;
    bool code = false;

    lines_of(ed, &first, &last);
    for (size_t i = first; i <= last; i++)
        code = code || (!is_blank(ed->d, i) && !is_comment(ed->d, i));
    each_line(ed, code ? comment_line : uncomment_line);
}

/* Complete behind a word; in the indentation go to where the line belongs, else to the next stop. */
static void tab(struct wb_editor *ed)
{
    struct wb_range range;
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t column = wb_document_column(ed->d, cursor), want = 0, len;
    const char *text = wb_document_line(ed->d, cursor.line, &len);
    char before = cursor.byte > 0 ? text[cursor.byte - 1] : ' ';

    if (wb_editor_selection(ed, &range)) {
        each_line(ed, indent_line);
        return;
    }
    if (ed->completer.ask != NULL && before != ' ' && before != '\t') {
        wb_editor_complete(ed, true);
        return;
    }
    if (cursor.byte <= indent_bytes(ed->d, cursor.line))
        want = wb_lua_indentation(ed->states, ed->d, cursor.line);
    if (want > column)
        want -= column;
    else
        want = WB_LUA_INDENT - column % WB_LUA_INDENT;
    wb_editor_replace(ed, here(ed), "        ", want < 8 ? want : 8, WB_EDIT_STEP);
}

/* Keep what is cut; one cut after another is one text. */
static void keep(struct wb_editor *ed, struct wb_range range, bool append)
{
    if (!append)
        wb_str_free(&ed->cut);
    wb_document_range_text(ed->d, range, &ed->cut);
    ed->copied = true;
}

static void erase(struct wb_editor *ed, struct wb_pos a, struct wb_pos b, bool cut)
{
    struct wb_range range = wb_range_of(a, b);

    if (wb_pos_compare(a, b) == 0)
        return;
    if (cut)
        keep(ed, range, false);
    wb_editor_replace(ed, range, "", 0, cut ? WB_EDIT_STEP : WB_EDIT_ERASE);
}

/* In the indentation a level, elsewhere a character. */
static void backspace(struct wb_editor *ed)
{
    struct wb_pos to = wb_document_cursor(ed->d), from = wb_document_previous(ed->d, to);
    size_t len, stop;
    const char *text = wb_document_line(ed->d, to.line, &len);

    if (to.byte > 1 && to.byte <= indent_bytes(ed->d, to.line) && text[to.byte - 1] == ' ') {
        stop = (to.byte - 1) / WB_LUA_INDENT * WB_LUA_INDENT;
        from = to;
        while (from.byte > stop && text[from.byte - 1] == ' ')
            from.byte--;
    }
    erase(ed, from, to, false);
}

static bool erase_selected(struct wb_editor *ed)
{
    struct wb_range range;

    if (!wb_editor_selection(ed, &range))
        return false;
    wb_editor_replace(ed, range, "", 0, WB_EDIT_STEP);
    return true;
}

static void cut(struct wb_editor *ed)
{
    struct wb_range range;
    bool append = ed->cutting;
    size_t len;

    if (wb_editor_selection(ed, &range)) {
        append = false;
    } else {
        range = here(ed);
        wb_document_line(ed->d, range.from.line, &len);
        range.to = range.from.byte < len ? (struct wb_pos){ range.from.line, len }
                                         : wb_document_next(ed->d, range.from);
    }
    if (wb_pos_compare(range.from, range.to) == 0)
        return;
    keep(ed, range, append);
    ed->cutting = wb_editor_replace(ed, range, "", 0, WB_EDIT_STEP);
}

static void copy(struct wb_editor *ed)
{
    struct wb_range range;

    if (!wb_editor_selection(ed, &range)) {
        range.from = (struct wb_pos){ wb_document_cursor(ed->d).line, 0 };
        range.to = wb_document_clamp(ed->d, (struct wb_pos){ range.from.line, SIZE_MAX });
        range.to = wb_document_next(ed->d, range.to);
    }
    keep(ed, range, false);
    wb_editor_unselect(ed);
}

static void again(struct wb_editor *ed, bool (*step)(struct wb_document *d), const char *note)
{
    wb_editor_unselect(ed);
    wb_complete_close(&ed->popup);
    if (!step(ed->d))
        snprintf(ed->note, sizeof ed->note, "%s", note);
}

bool wb_editor_change(struct wb_editor *ed, enum wb_editor_command command)
{
    struct wb_document *d = ed->d;
    struct wb_pos at = wb_document_cursor(d);
    bool typed = false;

    ed->cutting = ed->cutting && command == WB_EDITOR_COMMAND_CUT;
    switch (command) {
    case WB_EDITOR_COMMAND_NEWLINE:
        newline(ed);
        break;
    case WB_EDITOR_COMMAND_TAB:
        wb_complete_close(&ed->popup);
        tab(ed);
        return true; /* the popup may be open now */
    case WB_EDITOR_COMMAND_COMPLETE:
        wb_editor_complete(ed, true);
        return true;
    case WB_EDITOR_COMMAND_UNINDENT:
        each_line(ed, unindent_line);
        break;
    case WB_EDITOR_COMMAND_ERASE:
        typed = true;
        if (!erase_selected(ed))
            backspace(ed);
        break;
    case WB_EDITOR_COMMAND_DELETE:
        if (!erase_selected(ed))
            erase(ed, at, wb_document_next(d, at), false);
        break;
    case WB_EDITOR_COMMAND_ERASE_WORD:
        if (!erase_selected(ed))
            erase(ed, wb_document_word_previous(d, at), at, true);
        break;
    case WB_EDITOR_COMMAND_ERASE_WORD_NEXT:
        if (!erase_selected(ed))
            erase(ed, at, wb_document_word_next(d, at), true);
        break;
    case WB_EDITOR_COMMAND_ERASE_START:
        if (!erase_selected(ed))
            erase(ed, (struct wb_pos){ at.line, 0 }, at, true);
        break;
    case WB_EDITOR_COMMAND_CUT:
        cut(ed);
        break;
    case WB_EDITOR_COMMAND_COPY:
        copy(ed);
        break;
    case WB_EDITOR_COMMAND_YANK:
        wb_editor_replace(ed, selected(ed), ed->cut.len > 0 ? ed->cut.text : "", ed->cut.len,
                          WB_EDIT_STEP);
        break;
    case WB_EDITOR_COMMAND_UNDO:
        again(ed, wb_document_undo, "nothing to undo");
        break;
    case WB_EDITOR_COMMAND_REDO:
        again(ed, wb_document_redo, "nothing to redo");
        break;
    case WB_EDITOR_COMMAND_COMMENT:
        comment(ed);
        break;
    default:
        return false;
    }
    if (typed && ed->popup.open)
        wb_editor_complete_typed(ed);
    else
        wb_complete_close(&ed->popup);
    return true;
}
