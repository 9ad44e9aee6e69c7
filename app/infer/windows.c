/* app/infer/windows.c - cutting a text into windows. */
#include "app/infer/windows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/core/io.h"

/* Tokens of a window: what was asked for, or as many as the model was made for. 0 with err. */
static size_t window_of(const struct wb_spec *spec, size_t window, bool bos, struct wb_err *err)
{
    size_t context = (size_t)spec->context;

    window = window > WB_TEXT_MAX_BYTES ? WB_TEXT_MAX_BYTES : window;
    if (window == 0) {
        window = context > 0 ? context - 1 : WB_WINDOW_MAX;
        window = window > WB_WINDOW_MAX ? WB_WINDOW_MAX : window;
        return window > 0 ? window : 1;
    }
    if (spec->learned_positions && context > 0 && window + bos > context) {
        wb_fail(err, WB_EARG, "windows of %zu tokens%s are beyond the model's %zu positions",
                window, bos ? " and one for the beginning" : "", context);
        return 0;
    }
    return window;
}

static bool in_vocabulary(const struct wb_tokenizer *t, const struct wb_spec *spec, int32_t id,
                          struct wb_err *err)
{
    const char *piece;

    if (id >= 0 && id < spec->vocab)
        return true;
    piece = wb_tokenizer_piece(t, id);
    return wb_fail(err, WB_ESHAPE,
                   "the tokenizer does not fit the model: token %" PRId32
                   " ('%.40s') of a vocabulary of %d",
                   id, piece != NULL ? piece : "", spec->vocab);
}

static bool lay_out(const struct wb_tokens *text, size_t limit, struct wb_windows *w,
                    struct wb_err *err)
{
    size_t bos = w->bos != WB_TOKEN_NONE, taken, at = 0;

    w->windows = (text->count + w->window - 1) / w->window;
    w->windows = limit > 0 && limit < w->windows ? limit : w->windows;
    taken = w->windows * w->window < text->count ? w->windows * w->window : text->count;
    w->token = malloc((taken + w->windows * bos + 1) * sizeof *w->token);
    w->start = malloc((w->windows + 1) * sizeof *w->start);
    if (w->token == NULL || w->start == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", taken);
    for (size_t i = 0; i < taken; i++) {
        if (i % w->window == 0)
            w->start[i / w->window] = at;
        if (i % w->window == 0 && bos > 0)
            w->token[at++] = w->bos;
        w->token[at++] = text->id[i];
    }
    w->start[w->windows] = at;
    w->scored = at - w->windows;
    return true;
}

bool wb_windows_cut(const struct wb_tokenizer *t, const struct wb_spec *spec, const char *text,
                    size_t bytes, size_t window, size_t limit, struct wb_windows *out,
                    struct wb_err *err)
{
    struct wb_tokens tokens = { 0 };
    bool ok;

    *out = (struct wb_windows){ .bos = wb_tokenizer_bos(t) };
    if (bytes == 0)
        return wb_fail(err, WB_EARG, "the text is empty");
    out->window = window_of(spec, window, out->bos != WB_TOKEN_NONE, err);
    if (out->window == 0)
        return false;
    ok = wb_tokenizer_encode(t, text, bytes, false, &tokens, err);
    if (ok && tokens.count == 0)
        ok = wb_fail(err, WB_EARG, "the text has no tokens");
    if (ok && out->bos != WB_TOKEN_NONE)
        ok = in_vocabulary(t, spec, out->bos, err);
    for (size_t i = 0; ok && i < tokens.count; i++)
        ok = in_vocabulary(t, spec, tokens.id[i], err);
    out->text_tokens = tokens.count;
    ok = ok && lay_out(&tokens, limit, out, err);
    wb_tokens_free(&tokens);
    if (!ok)
        wb_windows_free(out);
    return ok;
}

bool wb_windows_read(const struct wb_tokenizer *t, const struct wb_spec *spec, const char *path,
                     size_t window, size_t limit, struct wb_windows *out, struct wb_err *err)
{
    size_t bytes;
    char *text = wb_read_file(path, WB_TEXT_MAX_BYTES, &bytes, err);
    bool ok;

    *out = (struct wb_windows){ .bos = WB_TOKEN_NONE };
    if (text == NULL)
        return false;
    ok = wb_windows_cut(t, spec, text, bytes, window, limit, out, err);
    free(text);
    return ok || wb_wrap(err, "%s", path);
}

void wb_windows_free(struct wb_windows *w)
{
    free(w->token);
    free(w->start);
    *w = (struct wb_windows){ .bos = WB_TOKEN_NONE };
}

struct wb_rows wb_windows_rows(const struct wb_windows *w)
{
    return (struct wb_rows){ .token = w->token, .start = w->start, .sequences = w->windows };
}
