/* views/editor.c - the editor: its window, movements, and where each event goes. */
#include "views/editor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/editor_impl.h"
#include "views/key_among.h"

#define WHEEL_LINES 3
#define SIDE_COLS 8 /* scrolled to the side at a time, so that not each key scrolls */
#define GUTTER_DIGITS 3

const struct wb_key_doc wb_editor_keys[] = {
#define WB_EDITOR_KEY(id, keys, doc) { keys, doc },
    WB_EDITOR_KEYS(WB_EDITOR_KEY)
#undef WB_EDITOR_KEY
        { NULL, NULL },
};

/* The document tells of edits, its own undo and those of others too. */
static void changed(void *user, const struct wb_document_change *c)
{
    struct wb_editor *ed = user;

    wb_lua_states_change(ed->states, c);
    if (ed->error_line >= c->first + c->removed)
        ed->error_line += c->added - c->removed;
    else if (ed->error_line >= c->first + c->added)
        ed->error_line = c->first + c->added - 1;
}

struct wb_editor *wb_editor_new(struct wb_document *d, struct wb_err *err)
{
    struct wb_editor *ed = calloc(1, sizeof *ed);

    if (ed != NULL) {
        ed->states = calloc(1, sizeof *ed->states);
        ed->prompt = wb_line_new(NULL, NULL);
    }
    if (ed == NULL || ed->states == NULL || ed->prompt == NULL) {
        wb_editor_free(ed);
        wb_fail(err, WB_ENOMEM, "no memory for an editor");
        return NULL;
    }
    ed->d = d;
    ed->want_col = SIZE_MAX;
    wb_document_watch(d, changed, ed);
    return ed;
}

void wb_editor_set_prose(struct wb_editor *ed)
{
    ed->prose = true;
}

void wb_editor_free(struct wb_editor *ed)
{
    if (ed == NULL)
        return;
    if (ed->d != NULL) {
        wb_editor_end_paste(ed);
        wb_document_watch(ed->d, NULL, NULL);
    }
    if (ed->states != NULL)
        wb_lua_states_free(ed->states);
    free(ed->states);
    wb_line_free(ed->prompt);
    wb_complete_free(&ed->popup);
    wb_str_free(&ed->cut);
    wb_str_free(&ed->needle);
    free(ed->error);
    free(ed);
}

void wb_editor_set_completer(struct wb_editor *ed, const struct wb_editor_completer *completer)
{
    static const struct wb_editor_completer none;

    ed->completer = completer == NULL ? none : *completer;
    wb_complete_clear(&ed->popup);
}

int wb_editor_gutter(const struct wb_editor *ed)
{
    int digits = snprintf(NULL, 0, "%zu", wb_document_lines(ed->d));

    return ed->prose ? 2 : 2 + (digits < GUTTER_DIGITS ? GUTTER_DIGITS : digits);
}

int wb_editor_text_rows(const struct wb_editor *ed)
{
    int rows = ed->rows - (ed->mode != WB_EDITOR_PLAIN);

    return rows < 1 ? 1 : rows;
}

static size_t text_cols(const struct wb_editor *ed)
{
    int cols = ed->cols - wb_editor_gutter(ed);

    return cols < 1 ? 1 : (size_t)cols;
}

void wb_editor_settle(struct wb_editor *ed)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t rows = (size_t)wb_editor_text_rows(ed), cols = text_cols(ed);
    size_t col = wb_document_column(ed->d, cursor), side = cols > 2 * SIDE_COLS ? SIDE_COLS : 1;

    if (cursor.line < ed->top)
        ed->top = cursor.line;
    if (cursor.line >= ed->top + rows)
        ed->top = cursor.line - rows + 1;
    /* the first and the last column may hold the signs that a line goes on */
    if (ed->left > 0 && col < ed->left + 1)
        ed->left = col > side ? col - side : 0;
    if (cols > 1 && col >= ed->left + cols - 1)
        ed->left = col + 1 + side - cols;
    else if (cols == 1)
        ed->left = col;
}

void wb_editor_resize(struct wb_editor *ed, int rows, int cols)
{
    ed->rows = rows < 1 ? 1 : rows;
    ed->cols = cols < 1 ? 1 : cols;
    wb_editor_settle(ed);
}

bool wb_editor_selection(const struct wb_editor *ed, struct wb_range *range)
{
    *range = wb_range_of(wb_document_clamp(ed->d, ed->mark), wb_document_cursor(ed->d));
    return ed->selecting && wb_pos_compare(range->from, range->to) != 0;
}

void wb_editor_unselect(struct wb_editor *ed)
{
    ed->selecting = ed->held = false;
}

static void select_from(struct wb_editor *ed, struct wb_pos mark)
{
    ed->mark = mark;
    ed->selecting = true;
}

/* The first letter of a line; from there its start. */
static struct wb_pos home(const struct wb_editor *ed, struct wb_pos cursor)
{
    size_t len, letter = 0;
    const char *text = wb_document_line(ed->d, cursor.line, &len);

    while (letter < len && (text[letter] == ' ' || text[letter] == '\t'))
        letter++;
    return (struct wb_pos){ cursor.line, cursor.byte == letter ? 0 : letter };
}

static struct wb_pos vertical(struct wb_editor *ed, struct wb_pos cursor, size_t lines, bool down)
{
    size_t last = wb_document_lines(ed->d) - 1, line = cursor.line;

    if (ed->want_col == SIZE_MAX)
        ed->want_col = wb_document_column(ed->d, cursor);
    if (down)
        line = lines > last - line ? last : line + lines;
    else
        line = lines > line ? 0 : line - lines;
    return wb_document_at_column(ed->d, line, ed->want_col);
}

static struct wb_pos bracket(struct wb_editor *ed, struct wb_pos cursor)
{
    struct wb_pos open, close;

    if (!wb_lua_match(ed->states, ed->d, cursor, &open, &close)) {
        snprintf(ed->note, sizeof ed->note, "no bracket here, or none that belongs to it");
        return cursor;
    }
    return wb_pos_compare(cursor, open) == 0 ? close : open;
}

/* Where a movement leads; false: the command is none. */
static bool target(struct wb_editor *ed, enum wb_editor_command command, struct wb_pos *to)
{
    struct wb_document *d = ed->d;
    size_t page = (size_t)wb_editor_text_rows(ed);

    page = page > 1 ? page - 1 : 1;
    switch (command) {
    case WB_EDITOR_COMMAND_LEFT:
        *to = wb_document_previous(d, *to);
        return true;
    case WB_EDITOR_COMMAND_RIGHT:
        *to = wb_document_next(d, *to);
        return true;
    case WB_EDITOR_COMMAND_UP:
        *to = vertical(ed, *to, 1, false);
        return true;
    case WB_EDITOR_COMMAND_DOWN:
        *to = vertical(ed, *to, 1, true);
        return true;
    case WB_EDITOR_COMMAND_WORD_LEFT:
        *to = wb_document_word_previous(d, *to);
        return true;
    case WB_EDITOR_COMMAND_WORD_RIGHT:
        *to = wb_document_word_next(d, *to);
        return true;
    case WB_EDITOR_COMMAND_HOME:
        *to = home(ed, *to);
        return true;
    case WB_EDITOR_COMMAND_END:
        to->byte = SIZE_MAX;
        return true;
    case WB_EDITOR_COMMAND_PAGE_UP:
        *to = vertical(ed, *to, page, false);
        return true;
    case WB_EDITOR_COMMAND_PAGE_DOWN:
        *to = vertical(ed, *to, page, true);
        return true;
    case WB_EDITOR_COMMAND_FIRST:
        *to = (struct wb_pos){ 0, 0 };
        return true;
    case WB_EDITOR_COMMAND_LAST:
        *to = wb_document_end(d);
        return true;
    case WB_EDITOR_COMMAND_BRACKET:
        *to = bracket(ed, *to);
        return true;
    default:
        return false;
    }
}

static bool move(struct wb_editor *ed, enum wb_editor_command command, bool shift)
{
    struct wb_pos cursor = wb_document_cursor(ed->d), to = cursor;

    if (!target(ed, command, &to))
        return false;
    if (shift && !ed->selecting)
        select_from(ed, cursor);
    else if (!shift && !ed->held)
        ed->selecting = false;
    wb_document_set_cursor(ed->d, to);
    wb_complete_close(&ed->popup);
    if (command != WB_EDITOR_COMMAND_UP && command != WB_EDITOR_COMMAND_DOWN &&
        command != WB_EDITOR_COMMAND_PAGE_UP && command != WB_EDITOR_COMMAND_PAGE_DOWN)
        ed->want_col = SIZE_MAX;
    return true;
}

/* End what there is to end, one thing a key. */
static enum wb_editor_result clear(struct wb_editor *ed)
{
    if (ed->selecting) {
        wb_editor_unselect(ed);
        return WB_EDITOR_USED;
    }
    if (ed->matches) {
        ed->matches = false;
        return WB_EDITOR_USED;
    }
    return WB_EDITOR_LEAVE;
}

static enum wb_editor_result run(struct wb_editor *ed, enum wb_editor_command command, bool shift)
{
    if (move(ed, command, shift)) {
        ed->cutting = false;
        return WB_EDITOR_USED;
    }
    if (shift)
        return WB_EDITOR_UNUSED;
    ed->want_col = SIZE_MAX;
    if (wb_editor_change(ed, command))
        return WB_EDITOR_USED;
    ed->cutting = false;
    wb_complete_close(&ed->popup);
    if (wb_editor_seek(ed, command))
        return WB_EDITOR_USED;
    switch (command) {
    case WB_EDITOR_COMMAND_SELECT:
        if (ed->selecting)
            wb_editor_unselect(ed);
        else
            select_from(ed, wb_document_cursor(ed->d));
        ed->held = ed->selecting;
        return WB_EDITOR_USED;
    case WB_EDITOR_COMMAND_SELECT_ALL:
        select_from(ed, (struct wb_pos){ 0, 0 });
        wb_document_set_cursor(ed->d, wb_document_end(ed->d));
        return WB_EDITOR_USED;
    case WB_EDITOR_COMMAND_CLEAR:
        return clear(ed);
    default:
        return WB_EDITOR_UNUSED;
    }
}

static enum wb_editor_command find_command(struct wb_key key)
{
    for (int i = 0; wb_editor_keys[i].keys != NULL; i++)
        if (wb_key_among(wb_editor_keys[i].keys, key))
            return (enum wb_editor_command)(i + 1);
    return WB_EDITOR_COMMAND_NONE;
}

static enum wb_editor_result key_event(struct wb_editor *ed, struct wb_key key)
{
    enum wb_editor_command command = find_command(key);
    struct wb_key plain = { key.code, key.mods & ~(unsigned)WB_MOD_SHIFT };
    enum wb_editor_result result = WB_EDITOR_UNUSED;

    switch (wb_complete_key(&ed->popup, key)) {
    case WB_COMPLETE_ACCEPTED:
        wb_editor_complete_accept(ed);
        return WB_EDITOR_USED;
    case WB_COMPLETE_UNUSED:
        break;
    default:
        return WB_EDITOR_USED;
    }
    if (command != WB_EDITOR_COMMAND_NONE) {
        result = run(ed, command, false);
    } else if (wb_key_is_text(key)) {
        wb_editor_type(ed, key.code);
        result = WB_EDITOR_USED;
    } else if (key.mods & WB_MOD_SHIFT) {
        command = find_command(plain);
        if (command != WB_EDITOR_COMMAND_NONE)
            result = run(ed, command, true);
    }
    return result;
}

static struct wb_pos at_cell(const struct wb_editor *ed, int row, int col)
{
    int text = col - wb_editor_gutter(ed);
    size_t line = ed->top + (size_t)(row < 0 ? 0 : row), last = wb_document_lines(ed->d) - 1;

    return wb_document_at_column(ed->d, line > last ? last : line,
                                 ed->left + (size_t)(text < 0 ? 0 : text));
}

/* The text moves; the cursor comes along so that it stays in sight. */
static void scroll(struct wb_editor *ed, bool down)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t lines = wb_document_lines(ed->d), rows = (size_t)wb_editor_text_rows(ed);
    size_t last = lines > rows ? lines - rows : 0, line = cursor.line;

    if (down)
        ed->top = ed->top + WHEEL_LINES > last ? last : ed->top + WHEEL_LINES;
    else
        ed->top = ed->top > WHEEL_LINES ? ed->top - WHEEL_LINES : 0;
    line = line < ed->top ? ed->top : line >= ed->top + rows ? ed->top + rows - 1 : line;
    if (line != cursor.line)
        wb_document_set_cursor(
            ed->d,
            vertical(ed, cursor, line > cursor.line ? line - cursor.line : cursor.line - line,
                     line > cursor.line));
}

static enum wb_editor_result mouse_event(struct wb_editor *ed, const struct wb_mouse *mouse)
{
    struct wb_pos pos = at_cell(ed, mouse->row, mouse->col);

    wb_complete_close(&ed->popup);
    if (mouse->kind == WB_MOUSE_WHEEL_UP || mouse->kind == WB_MOUSE_WHEEL_DOWN) {
        scroll(ed, mouse->kind == WB_MOUSE_WHEEL_DOWN);
        return WB_EDITOR_USED;
    }
    wb_editor_unselect(ed);
    ed->want_col = SIZE_MAX;
    if (mouse->kind == WB_MOUSE_DOUBLE) {
        struct wb_pos end = wb_document_word_next(ed->d, pos);

        select_from(ed, wb_document_word_previous(ed->d, end));
        pos = end;
    }
    wb_document_set_cursor(ed->d, pos);
    return WB_EDITOR_USED;
}

enum wb_editor_result wb_editor_event(struct wb_editor *ed, const struct wb_event *event)
{
    enum wb_editor_result result = WB_EDITOR_UNUSED;

    ed->note[0] = '\0';
    if (event->kind != WB_EVENT_PASTE)
        wb_editor_end_paste(ed);
    if (ed->mode != WB_EDITOR_PLAIN && wb_editor_prompt_event(ed, event)) {
        result = WB_EDITOR_USED;
    } else if (event->kind == WB_EVENT_PASTE) {
        wb_editor_paste(ed, event->key.code);
        result = WB_EDITOR_USED;
    } else if (event->kind == WB_EVENT_KEY) {
        result = key_event(ed, event->key);
    } else if (event->kind == WB_EVENT_MOUSE) {
        result = mouse_event(ed, &event->mouse);
    }
    wb_editor_settle(ed);
    return result;
}

void wb_editor_set_error(struct wb_editor *ed, size_t line, const char *message)
{
    free(ed->error);
    ed->error = message == NULL ? NULL : strdup(message);
    ed->error_line = line < wb_document_lines(ed->d) ? line : wb_document_lines(ed->d) - 1;
}

void wb_editor_go(struct wb_editor *ed, struct wb_pos pos)
{
    size_t rows = (size_t)wb_editor_text_rows(ed);

    wb_editor_unselect(ed);
    wb_complete_close(&ed->popup);
    ed->want_col = SIZE_MAX;
    wb_document_set_cursor(ed->d, pos);
    pos = wb_document_cursor(ed->d);
    if (pos.line < ed->top || pos.line >= ed->top + rows) /* from afar: with lines around it */
        ed->top = pos.line > rows / 2 ? pos.line - rows / 2 : 0;
    wb_editor_settle(ed);
}

const char *wb_editor_take_copied(struct wb_editor *ed)
{
    bool copied = ed->copied;

    ed->copied = false;
    return copied && ed->cut.len > 0 ? ed->cut.text : NULL;
}

const char *wb_editor_note(const struct wb_editor *ed)
{
    return ed->note;
}
