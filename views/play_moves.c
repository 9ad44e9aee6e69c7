/* views/play_moves.c - moving among the tokens of a column. */
#include <stdlib.h>
#include <string.h>

#include "views/view_play.h"

struct play_column *wb_play_column(struct play *p)
{
    return p->focus == PLAY_COLUMN && p->column < p->columns ? &p->shown[p->column] : NULL;
}

size_t wb_play_tokens(const struct play_column *c)
{
    size_t n;

    if (c == NULL || c->run == NULL)
        return 0;
    pthread_mutex_lock(&c->run->lock);
    n = c->run->tokens;
    pthread_mutex_unlock(&c->run->lock);
    return n;
}

void wb_play_go_token(struct play_column *c, size_t token)
{
    size_t n = wb_play_tokens(c);

    if (n == 0)
        return;
    c->cursor = token < n ? token : n - 1;
    c->follows = c->cursor + 1 == n;
}

/* Lines up or down, about the same column. */
void wb_play_go_lines(struct wb_view *v, struct play_column *c, int by)
{
    struct play_layout l = wb_play_lay_out(v->state, v->rows, v->cols);
    int cols = wb_play_text_cols(&l), lines, line = wb_play_line_of(c, c->cursor, cols, &lines);
    int col = 0, target = line + by;
    size_t token;

    while (col < cols && wb_play_token_at(c, line, col, cols) != c->cursor)
        col++;
    target = target < 0 ? 0 : target >= lines ? lines - 1 : target;
    token = wb_play_token_at(c, target, col < cols ? col : 0, cols);
    if (token != SIZE_MAX)
        wb_play_go_token(c, token);
}

static bool differs_at(const struct play *p, const struct play_column *c, size_t token)
{
    bool differs;

    pthread_mutex_lock(&c->run->lock);
    differs = wb_play_differs(p, &c->run->token[token]);
    pthread_mutex_unlock(&c->run->lock);
    return differs;
}

void wb_play_go_difference(struct wb_view *v, bool back)
{
    struct play *p = v->state;
    struct play_column *c = wb_play_column(p);
    size_t n = wb_play_tokens(c);

    for (size_t i = 1; i <= n; i++) {
        size_t at = (c->cursor + (back ? n - i : i)) % n;

        if (differs_at(p, c, at)) {
            wb_play_go_token(c, at);
            return;
        }
    }
    wb_desk_say(v->desk, WB_MESSAGE_NOTE, "%s",
                n == 0                    ? "there is no text in a column under the cursor: Tab"
                : p->opinion_task != NULL ? "the others are still being asked"
                : p->opinion_err.code != WB_OK ? p->opinion_err.msg
                                               : "the models would say the same");
}

bool wb_play_act_on_column(struct wb_view *v, enum wb_action action, int count)
{
    struct play *p = v->state;
    struct play_column *c = wb_play_column(p);
    struct play_layout l = wb_play_lay_out(p, v->rows, v->cols);
    int page = wb_play_text_lines(p, &l);
    size_t n = (size_t)count;

    if (page < 1)
        page = 1;
    switch (action) {
    case WB_ACTION_LEFT:
        wb_play_go_token(c, c->cursor > n ? c->cursor - n : 0);
        return true;
    case WB_ACTION_RIGHT:
        wb_play_go_token(c, c->cursor + n);
        return true;
    case WB_ACTION_UP:
    case WB_ACTION_DOWN:
        wb_play_go_lines(v, c, action == WB_ACTION_UP ? -count : count);
        return true;
    case WB_ACTION_PAGE_UP:
    case WB_ACTION_PAGE_DOWN:
        wb_play_go_lines(v, c, (action == WB_ACTION_PAGE_UP ? -1 : 1) * page);
        return true;
    case WB_ACTION_HALF_UP:
    case WB_ACTION_HALF_DOWN:
        wb_play_go_lines(v, c, (action == WB_ACTION_HALF_UP ? -1 : 1) * (page / 2 + 1));
        return true;
    case WB_ACTION_FIRST:
        wb_play_go_token(c, 0);
        return true;
    case WB_ACTION_LAST:
        wb_play_go_token(c, SIZE_MAX);
        return true;
    default:
        return false;
    }
}

/* The token in which the next match begins. */
bool wb_play_search(struct wb_view *v, const char *text, int direction)
{
    struct play *p = v->state;
    struct play_column *c = p->columns > 0 ? &p->shown[p->column] : NULL;
    size_t n = wb_play_tokens(c), found = SIZE_MAX;
    struct wb_str all = { 0 };
    size_t *start = calloc(n + 1, sizeof *start);

    for (size_t i = 0; start != NULL && i < n; i++) {
        start[i] = all.len;
        pthread_mutex_lock(&c->run->lock);
        wb_str_add(&all, c->run->token[i].text);
        pthread_mutex_unlock(&c->run->lock);
    }
    for (size_t i = direction == 0 ? 0 : 1; start != NULL && !all.failed && i <= n && n > 0; i++) {
        size_t at = (c->cursor + (direction < 0 ? n - i % n : i)) % n;
        size_t end = at + 1 < n ? start[at + 1] : all.len;
        const char *match = all.text == NULL ? NULL : strcasestr(all.text + start[at], text);

        if (match != NULL && (size_t)(match - all.text) < end) {
            found = at;
            break;
        }
    }
    free(start);
    wb_str_free(&all);
    if (found == SIZE_MAX)
        return false;
    p->focus = PLAY_COLUMN;
    wb_play_go_token(c, found);
    return true;
}
