/* app/infer/windows.h - a text cut into windows, as design.md section 4 says.
 *
 * The text is tokenized whole and cut into windows of `window` tokens without overlap; each gets
 * the BOS token in front when the model has one. Every token of a window is scored; without BOS all
 * but the first. */
#ifndef WB_INFER_WINDOWS_H
#define WB_INFER_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/infer/forward.h"
#include "app/infer/tokenizer.h"

#define WB_WINDOW_MAX 2047
#define WB_TEXT_MAX_BYTES ((size_t)256 << 20)

struct wb_windows {
    int32_t *token; /* packed, BOS included */
    size_t *start;  /* windows + 1 */
    size_t windows;
    size_t window;        /* tokens of each, without BOS */
    int32_t bos;          /* WB_TOKEN_NONE: none */
    uint64_t text_tokens; /* of the whole text */
    uint64_t scored;      /* tokens that are predicted in these windows */
};

/* window 0: the context less one, at most WB_WINDOW_MAX. limit 0: all. WB_EFORMAT: text is no
 * UTF-8; WB_EARG: empty, or a window beyond the learned positions. Free with wb_windows_free. */
bool wb_windows_cut(const struct wb_tokenizer *t, const struct wb_spec *spec, const char *text,
                    size_t bytes, size_t window, size_t limit, struct wb_windows *out,
                    struct wb_err *err);
/* The same of a file. */
bool wb_windows_read(const struct wb_tokenizer *t, const struct wb_spec *spec, const char *path,
                     size_t window, size_t limit, struct wb_windows *out, struct wb_err *err);
void wb_windows_free(struct wb_windows *w);
struct wb_rows wb_windows_rows(const struct wb_windows *w); /* borrowed */

#endif
