/* views/input.h - the bytes that a terminal sends, as keys, mouse presses and pasted text.
 *
 * A decoder without a terminal: bytes go in, in whatever pieces they arrive, events come out. It
 * knows what xterm and its kin send; sequences that a terminal has of its own are added to it.
 * Characters are read as LC_CTYPE says. Whatever the bytes, decoding goes on. */
#ifndef WB_VIEWS_INPUT_H
#define WB_VIEWS_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "views/key.h"

#define WB_INPUT_BYTES 1024
#define WB_INPUT_SEQUENCES 64
#define WB_INPUT_SEQUENCE_MAX 15
#define WB_INPUT_DOUBLE_MS 400 /* two presses on a cell within it are a double one */

/* Zero-initialised is ready. */
struct wb_input {
    unsigned char byte[WB_INPUT_BYTES]; /* [at, end) is not decoded yet */
    size_t at, end;
    struct wb_input_sequence {
        char text[WB_INPUT_SEQUENCE_MAX + 1];
        struct wb_key key;
    } sequence[WB_INPUT_SEQUENCES];
    size_t sequences;
    bool pasting, after_return; /* the last pasted byte was a carriage return */
    bool pressed;               /* press_... tell of the last press */
    int press_row, press_col;
    int64_t press_ms;
};

/* Let a sequence stand for a key, before whatever it means otherwise. One that is too long, or
 * begins with a printable character, is left out. */
void wb_input_define(struct wb_input *in, const char *sequence, struct wb_key key);

/* How many bytes wb_input_push takes now; never 0 after wb_input_next gave false. */
size_t wb_input_room(const struct wb_input *in);
void wb_input_push(struct wb_input *in, const void *bytes, size_t n);

/* The next event; false when there is none. An Esc may be a key or the start of a sequence, and a
 * sequence may come in pieces: such a rest stays (wb_input_waits) until more bytes come. late: it
 * was waited for long enough, take it for what it is. now_ms: any steady clock. */
bool wb_input_next(struct wb_input *in, bool late, int64_t now_ms, struct wb_event *event);
bool wb_input_waits(const struct wb_input *in);

#endif
