/* views/editor_seek.c - search, replace all, go to a line: the commands with a prompt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/editor_impl.h"
#include "views/key_among.h"

static void set_needle(struct wb_editor *ed, const char *text)
{
    wb_str_free(&ed->needle);
    wb_str_add(&ed->needle, text);
    ed->matches = text[0] != '\0';
}

/* To the next match from a position; the cursor stays when there is none. */
static void find(struct wb_editor *ed, struct wb_pos from, bool backwards)
{
    struct wb_range found;

    if (ed->needle.len == 0)
        return;
    if (wb_document_find(ed->d, ed->needle.text, ed->needle.len, from, backwards, &found))
        wb_document_set_cursor(ed->d, found.from);
    else
        snprintf(ed->note, sizeof ed->note, "no match for '%.100s'", ed->needle.text);
}

static void find_again(struct wb_editor *ed, bool backwards)
{
    struct wb_pos cursor = wb_document_cursor(ed->d);

    ed->matches = ed->needle.len > 0;
    if (!ed->matches)
        snprintf(ed->note, sizeof ed->note, "nothing was searched for yet");
    find(ed, backwards ? cursor : wb_document_next(ed->d, cursor), backwards);
}

static void open_prompt(struct wb_editor *ed, enum wb_editor_mode mode, const char *prompt,
                        const char *text)
{
    ed->mode = mode;
    wb_line_start(ed->prompt, prompt, text);
}

/* A line as people count, from 1. */
static bool parse_line(const char *text, size_t *line)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *line = n - 1;
    return end != text && *end == '\0' && n > 0;
}

static void go_to_line(struct wb_editor *ed)
{
    size_t line;

    ed->mode = WB_EDITOR_PLAIN;
    if (parse_line(wb_line_text(ed->prompt), &line))
        wb_editor_go(ed, (struct wb_pos){ line, 0 });
    else
        snprintf(ed->note, sizeof ed->note, "'%.100s' is no line", wb_line_text(ed->prompt));
}

/* Everything from the first match to the last becomes one replacement, one step of undo. */
static size_t replace_matches(struct wb_editor *ed, struct wb_range within, const char *by)
{
    struct wb_str text = { 0 };
    struct wb_range found, all = { { 0, 0 }, { 0, 0 } };
    size_t count = 0;

    for (size_t line = within.from.line; line <= within.to.line; line++) {
        size_t from = line == within.from.line ? within.from.byte : 0;

        while (
            wb_document_find_in_line(ed->d, line, from, ed->needle.text, ed->needle.len, &found) &&
            wb_pos_compare(found.to, within.to) <= 0) {
            if (count++ == 0)
                all.from = found.from;
            else
                wb_document_range_text(ed->d, (struct wb_range){ all.to, found.from }, &text);
            wb_str_add(&text, by);
            all.to = found.to;
            from = found.to.byte;
        }
    }
    if (text.failed)
        snprintf(ed->note, sizeof ed->note, "no memory to replace");
    else if (count > 0 && !wb_editor_replace(ed, all, text.text, text.len, WB_EDIT_STEP))
        text.failed = true;
    count = text.failed ? 0 : count;
    wb_str_free(&text);
    return count;
}

static void replace_all(struct wb_editor *ed)
{
    struct wb_range within;
    struct wb_pos cursor = wb_document_cursor(ed->d);
    size_t count;

    if (!wb_editor_selection(ed, &within))
        within = (struct wb_range){ { 0, 0 }, wb_document_end(ed->d) };
    ed->mode = WB_EDITOR_PLAIN;
    count = replace_matches(ed, within, wb_line_text(ed->prompt));
    if (count > 0)
        wb_document_set_cursor(ed->d, cursor);
    if (ed->note[0] == '\0')
        snprintf(ed->note, sizeof ed->note, "%zu replaced", count);
    ed->matches = false;
}

bool wb_editor_seek(struct wb_editor *ed, enum wb_editor_command command)
{
    switch (command) {
    case WB_EDITOR_COMMAND_SEARCH:
        wb_editor_unselect(ed);
        ed->search_from = wb_document_cursor(ed->d);
        open_prompt(ed, WB_EDITOR_SEARCHING, "search: ", "");
        return true;
    case WB_EDITOR_COMMAND_SEARCH_NEXT:
    case WB_EDITOR_COMMAND_SEARCH_PREVIOUS:
        find_again(ed, command == WB_EDITOR_COMMAND_SEARCH_PREVIOUS);
        return true;
    case WB_EDITOR_COMMAND_REPLACE:
        open_prompt(ed, WB_EDITOR_REPLACING,
                    "replace all: ", ed->needle.len > 0 ? ed->needle.text : "");
        return true;
    case WB_EDITOR_COMMAND_GO:
        open_prompt(ed, WB_EDITOR_GOING, "go to line: ", "");
        return true;
    case WB_EDITOR_COMMAND_ERROR:
        if (ed->error != NULL)
            wb_editor_go(ed, (struct wb_pos){ ed->error_line, 0 });
        else
            snprintf(ed->note, sizeof ed->note, "there is no error");
        return true;
    default:
        return false;
    }
}

/* The keys of a search beside those of the line. */
static bool search_key(struct wb_editor *ed, struct wb_key key)
{
    bool next = wb_key_among("Enter Down C-f C-s F3 M-n", key);

    if (next || wb_key_among("S-Enter Up S-F3 M-p", key)) {
        if (wb_line_text(ed->prompt)[0] == '\0' && ed->needle.len > 0) /* the last one again */
            wb_line_start(ed->prompt, "search: ", ed->needle.text);
        find_again(ed, !next);
        return true;
    }
    if (wb_key_among("C-g", key)) {
        ed->mode = WB_EDITOR_PLAIN;
        ed->matches = false;
        wb_document_set_cursor(ed->d, ed->search_from);
        return true;
    }
    return false;
}

static void taken(struct wb_editor *ed)
{
    switch (ed->mode) {
    case WB_EDITOR_REPLACING:
        set_needle(ed, wb_line_text(ed->prompt));
        if (ed->matches)
            open_prompt(ed, WB_EDITOR_REPLACING_WITH, "with: ", "");
        else
            ed->mode = WB_EDITOR_PLAIN;
        break;
    case WB_EDITOR_REPLACING_WITH:
        replace_all(ed);
        break;
    case WB_EDITOR_GOING:
        go_to_line(ed);
        break;
    default:
        ed->mode = WB_EDITOR_PLAIN;
    }
}

bool wb_editor_prompt_event(struct wb_editor *ed, const struct wb_event *event)
{
    bool searching = ed->mode == WB_EDITOR_SEARCHING;

    if (event->kind == WB_EVENT_MOUSE) {
        ed->mode = WB_EDITOR_PLAIN;
        return false;
    }
    if (event->kind == WB_EVENT_KEY && searching && search_key(ed, event->key))
        return true;
    switch (wb_line_event(ed->prompt, event)) {
    case WB_LINE_CHANGED:
        if (!searching)
            return true;
        set_needle(ed, wb_line_text(ed->prompt));
        wb_document_set_cursor(ed->d, ed->search_from);
        find(ed, ed->search_from, false);
        return true;
    case WB_LINE_TAKEN:
        taken(ed);
        return true;
    case WB_LINE_LEFT:
        ed->mode = WB_EDITOR_PLAIN;
        return true;
    case WB_LINE_USED:
        return true;
    default: /* a key of the text's ends a search; other questions wait for their answer */
        if (!searching)
            return true;
        ed->mode = WB_EDITOR_PLAIN;
        return false;
    }
}
