/* views/line.c - one line of input. */
#include "views/line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/document.h"
#include "views/key_among.h"

#define PROMPT_MAX 256

struct wb_line {
    char prompt[PROMPT_MAX];
    char text[WB_LINE_MAX + 1], cut[WB_LINE_MAX + 1];
    size_t n, at;
    struct wb_history *history;
    size_t past;                 /* of the history, its count: the line being typed */
    char begun[WB_LINE_MAX + 1]; /* that line, while an older one is shown */
    size_t begun_at;             /* what is before the cursor there filters */
    struct wb_line_completer completer;
    struct wb_complete popup;
    size_t word; /* where the word that is being completed begins */
};

const struct wb_key_doc wb_line_keys[] = {
#define WB_LINE_KEY(id, keys, doc) { keys, doc },
    WB_LINE_KEYS(WB_LINE_KEY)
#undef WB_LINE_KEY
        { NULL, NULL },
};

struct wb_line *wb_line_new(struct wb_history *history, const struct wb_line_completer *completer)
{
    struct wb_line *line = calloc(1, sizeof *line);

    if (line == NULL)
        return NULL;
    line->history = history;
    if (completer != NULL)
        line->completer = *completer;
    wb_line_start(line, "", "");
    return line;
}

void wb_line_free(struct wb_line *line)
{
    if (line == NULL)
        return;
    wb_complete_free(&line->popup);
    free(line);
}

static void set_text(struct wb_line *line, const char *text)
{
    line->n = strlen(text);
    if (line->n > WB_LINE_MAX)
        line->n = WB_LINE_MAX;
    memmove(line->text, text, line->n);
    line->text[line->n] = '\0';
    line->at = line->n;
}

void wb_line_start(struct wb_line *line, const char *prompt, const char *text)
{
    snprintf(line->prompt, sizeof line->prompt, "%s", prompt);
    set_text(line, text);
    line->past = line->history == NULL ? 0 : wb_history_count(line->history);
    wb_complete_clear(&line->popup);
}

const char *wb_line_text(const struct wb_line *line)
{
    return line->text;
}

size_t wb_line_cursor(const struct wb_line *line)
{
    return line->at;
}

/* The next character boundary; combining marks go with their letter. */
static size_t next(const struct wb_line *line, size_t at)
{
    uint32_t ch;
    int width = 0;

    if (at < line->n)
        at += wb_text_step(line->text + at, line->n - at, &ch, &width);
    while (at < line->n) {
        size_t len = wb_text_step(line->text + at, line->n - at, &ch, &width);

        if (width != 0)
            break;
        at += len;
    }
    return at;
}

static size_t previous(const struct wb_line *line, size_t at)
{
    size_t before = 0;

    for (size_t i = 0; i < at; i = next(line, i))
        before = i;
    return before;
}

static bool is_word(const struct wb_line *line, size_t at)
{
    unsigned char c = (unsigned char)line->text[at];

    return isalnum(c) || c == '_' || c >= 0x80;
}

static size_t word_next(const struct wb_line *line)
{
    size_t at = line->at;

    while (at < line->n && !is_word(line, at))
        at++;
    while (at < line->n && is_word(line, at))
        at++;
    return at;
}

static size_t word_previous(const struct wb_line *line)
{
    size_t at = line->at;

    while (at > 0 && !is_word(line, at - 1))
        at--;
    while (at > 0 && is_word(line, at - 1))
        at--;
    return at;
}

/* As shells do: back to a blank. */
static size_t blank_before(const struct wb_line *line)
{
    size_t at = line->at;

    while (at > 0 && line->text[at - 1] == ' ')
        at--;
    while (at > 0 && line->text[at - 1] != ' ')
        at--;
    return at;
}

/* Put text in place of bytes from .. to; the cursor goes behind it. False: no room. */
static bool replace(struct wb_line *line, size_t from, size_t to, const char *text, size_t n)
{
    if (line->n - (to - from) + n > WB_LINE_MAX)
        return false;
    memmove(line->text + from + n, line->text + to, line->n - to + 1);
    memcpy(line->text + from, text, n);
    line->n = line->n - (to - from) + n;
    line->at = from + n;
    return true;
}

static enum wb_line_result move(struct wb_line *line, size_t at)
{
    line->at = at;
    wb_complete_close(&line->popup);
    return WB_LINE_USED;
}

/* Erase; cut: C-y puts it back. */
static enum wb_line_result erase(struct wb_line *line, size_t from, size_t to, bool cut)
{
    if (from == to)
        return WB_LINE_USED;
    if (cut) {
        memcpy(line->cut, line->text + from, to - from);
        line->cut[to - from] = '\0';
    }
    replace(line, from, to, "", 0);
    return WB_LINE_CHANGED;
}

/* History */

static enum wb_line_result show_past(struct wb_line *line, size_t past)
{
    size_t count = wb_history_count(line->history);

    if (line->past == count && past != count) {
        memcpy(line->begun, line->text, line->n + 1);
        line->begun_at = line->at;
    }
    line->past = past;
    set_text(line, past == count ? line->begun : wb_history_at(line->history, past));
    return WB_LINE_CHANGED;
}

/* The nearest line in a direction that begins like the one begun, up to its cursor. */
static enum wb_line_result go_past(struct wb_line *line, int by)
{
    size_t count = line->history == NULL ? 0 : wb_history_count(line->history);
    const char *begun = line->past == count ? line->text : line->begun;
    size_t n = line->past == count ? line->at : line->begun_at;

    for (size_t i = line->past; by < 0 ? i > 0 : i < count;) {
        i = by < 0 ? i - 1 : i + 1;
        if (i == count || (strncmp(wb_history_at(line->history, i), begun, n) == 0 &&
                           strcmp(wb_history_at(line->history, i), line->text) != 0))
            return show_past(line, i);
    }
    return WB_LINE_USED;
}

/* Completion */

static void ask(struct wb_line *line)
{
    wb_complete_clear(&line->popup);
    line->word = line->at;
    line->completer.ask(line->completer.user, line->text, line->at, &line->word, &line->popup);
    if (line->word > line->at)
        line->word = line->at;
    wb_complete_filter(&line->popup, line->text + line->word, line->at - line->word, false);
}

static enum wb_line_result accept(struct wb_line *line)
{
    const struct wb_candidate *one = wb_complete_selected(&line->popup);

    if (one == NULL || !replace(line, line->word, line->at, one->text, strlen(one->text)))
        return WB_LINE_USED;
    wb_complete_close(&line->popup);
    if (line->history != NULL)
        line->past = wb_history_count(line->history);
    return WB_LINE_CHANGED;
}

static enum wb_line_result complete(struct wb_line *line)
{
    size_t n, common;

    if (line->completer.ask == NULL)
        return WB_LINE_USED;
    ask(line);
    n = line->at - line->word;
    common = wb_complete_common(&line->popup, line->text + line->word, n);
    if (line->popup.n_shown == 1)
        return accept(line);
    if (common <= n ||
        !replace(line, line->word, line->at, wb_complete_selected(&line->popup)->text, common))
        return WB_LINE_USED;
    wb_complete_filter(&line->popup, line->text + line->word, common, false);
    return WB_LINE_CHANGED;
}

/* While candidates are shown they follow what is typed. */
static enum wb_line_result changed(struct wb_line *line, enum wb_line_result result)
{
    if (result != WB_LINE_CHANGED)
        return result;
    if (line->history != NULL)
        line->past = wb_history_count(line->history);
    if (line->popup.open && line->at > 0)
        ask(line);
    else
        wb_complete_close(&line->popup);
    return result;
}

static enum wb_line_result run(struct wb_line *line, enum wb_line_command command)
{
    switch (command) {
    case WB_LINE_COMMAND_ENTER:
        wb_complete_close(&line->popup);
        return WB_LINE_TAKEN;
    case WB_LINE_COMMAND_LEAVE:
        return WB_LINE_LEFT;
    case WB_LINE_COMMAND_LEFT:
        return move(line, previous(line, line->at));
    case WB_LINE_COMMAND_RIGHT:
        return move(line, next(line, line->at));
    case WB_LINE_COMMAND_WORD_LEFT:
        return move(line, word_previous(line));
    case WB_LINE_COMMAND_WORD_RIGHT:
        return move(line, word_next(line));
    case WB_LINE_COMMAND_HOME:
        return move(line, 0);
    case WB_LINE_COMMAND_END:
        return move(line, line->n);
    case WB_LINE_COMMAND_ERASE:
        if (line->n == 0)
            return WB_LINE_LEFT;
        return changed(line, erase(line, previous(line, line->at), line->at, false));
    case WB_LINE_COMMAND_DELETE:
        return changed(line, erase(line, line->at, next(line, line->at), false));
    case WB_LINE_COMMAND_ERASE_WORD:
        return changed(line, erase(line, blank_before(line), line->at, true));
    case WB_LINE_COMMAND_ERASE_START:
        return changed(line, erase(line, 0, line->at, true));
    case WB_LINE_COMMAND_ERASE_END:
        return changed(line, erase(line, line->at, line->n, true));
    case WB_LINE_COMMAND_YANK:
        return replace(line, line->at, line->at, line->cut, strlen(line->cut))
                   ? changed(line, WB_LINE_CHANGED)
                   : WB_LINE_USED;
    case WB_LINE_COMMAND_OLDER:
        return go_past(line, -1);
    case WB_LINE_COMMAND_NEWER:
        return go_past(line, 1);
    case WB_LINE_COMMAND_COMPLETE:
        return complete(line);
    default:
        return WB_LINE_UNUSED;
    }
}

static enum wb_line_result type(struct wb_line *line, uint32_t ch)
{
    char bytes[5];
    size_t n = wb_char_encode(ch == '\n' || ch == '\r' || ch == '\t' ? ' ' : ch, bytes);

    if (wb_char_width(ch == '\n' || ch == '\r' || ch == '\t' ? ' ' : ch) < 0 ||
        !replace(line, line->at, line->at, bytes, n))
        return WB_LINE_USED;
    return changed(line, WB_LINE_CHANGED);
}

enum wb_line_result wb_line_event(struct wb_line *line, const struct wb_event *event)
{
    if (event->kind == WB_EVENT_PASTE)
        return type(line, event->key.code);
    if (event->kind != WB_EVENT_KEY)
        return WB_LINE_UNUSED;
    switch (wb_complete_key(&line->popup, event->key)) {
    case WB_COMPLETE_ACCEPTED:
        return accept(line);
    case WB_COMPLETE_UNUSED:
        break;
    default:
        return WB_LINE_USED;
    }
    for (int i = 0; wb_line_keys[i].keys != NULL; i++)
        if (wb_key_among(wb_line_keys[i].keys, event->key))
            return run(line, (enum wb_line_command)(i + 1));
    return wb_key_is_text(event->key) ? type(line, event->key.code) : WB_LINE_UNUSED;
}

/* Columns of the bytes from .. to. */
static int columns(const struct wb_line *line, size_t from, size_t to)
{
    int total = 0, width;
    uint32_t ch;

    while (from < to) {
        from += wb_text_step(line->text + from, line->n - from, &ch, &width);
        total += width;
    }
    return total;
}

void wb_line_draw(const struct wb_line *line, struct wb_canvas *cv, int row, bool focus)
{
    int prompt = wb_text_width(line->prompt), room = cv->cols - prompt - 1;
    int cursor = columns(line, 0, line->at), skip = cursor > room ? cursor - room : 0, col = 0;
    struct wb_canvas field;

    wb_canvas_fill(cv, row, 0, 1, -1, WB_STYLE_TEXT, ' ');
    wb_canvas_text(cv, row, 0, WB_STYLE_KEY, line->prompt);
    field = wb_canvas_sub(cv, row, prompt, 1, cv->cols);
    for (size_t i = 0; i < line->n && col - skip < field.cols;) {
        uint32_t ch;
        int width;

        i += wb_text_step(line->text + i, line->n - i, &ch, &width);
        if (width > 0)
            wb_canvas_put(&field, 0, col - skip, WB_STYLE_TEXT, ch == '\t' ? ' ' : ch);
        col += width;
    }
    if (focus)
        wb_canvas_cursor(&field, 0, cursor - skip);
    if (focus)
        wb_complete_draw(&line->popup, cv, row, prompt + columns(line, 0, line->word) - skip,
                         false);
}
