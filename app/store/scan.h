/* app/store/scan.h - a strict scanner of JSON text in memory: no tree, exact 64-bit numbers.
 *
 * Functions take what they name from the front of the text and fail with the byte they stand on.
 * Nothing is read behind `end`, and memory is asked for only where a string has escapes. */
#ifndef WB_STORE_SCAN_H
#define WB_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/arena.h"
#include "app/core/err.h"

#define WB_SCAN_DEPTH_MAX 64

struct wb_slice {
    const char *text; /* borrowed: from the text, or from the arena; not NUL-terminated */
    size_t n;
};

struct wb_scan {
    const char *text, *p, *end;
    struct wb_arena *arena;
    struct wb_err *err;
};

/* Fails with "header byte N: " and the message. */
bool wb_scan_fail(struct wb_scan *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The whole text is well-formed UTF-8: no overlong forms, no surrogates. */
bool wb_scan_check_utf8(struct wb_scan *s);
/* The next byte that is not white space, '\0' at the end. */
char wb_scan_peek(struct wb_scan *s);
bool wb_scan_expect(struct wb_scan *s, char c);
bool wb_scan_string(struct wb_scan *s, struct wb_slice *out);
/* A whole number in [0, 2^64): no sign, fraction, exponent or leading zero. */
bool wb_scan_whole(struct wb_scan *s, uint64_t *value);
bool wb_scan_word(struct wb_scan *s, const char *word);
/* Any value, checked and dropped; `depth` is how deep it stands. */
bool wb_scan_skip(struct wb_scan *s, int depth);
/* Step through an object or an array: to the next value (and its key), or *done at the end. `first`
 * starts as true. */
bool wb_scan_member(struct wb_scan *s, bool *first, struct wb_slice *key, bool *done);
bool wb_scan_element(struct wb_scan *s, bool *first, bool *done);

bool wb_slice_is(struct wb_slice s, const char *text);

#endif
