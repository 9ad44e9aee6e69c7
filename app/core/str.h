/* app/core/str.h - a growing byte string, human-readable numbers, and globs. */
#ifndef WB_CORE_STR_H
#define WB_CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"

/* Zero-initialised is empty. `text` is NUL-terminated once anything was added; owned,
 * wb_str_free. */
struct wb_str {
    char *text;
    size_t len, cap;
    bool failed; /* memory ran out: the text is cut */
};

void wb_str_add(struct wb_str *s, const char *text);
void wb_str_add_n(struct wb_str *s, const char *bytes, size_t n);
void wb_str_printf(struct wb_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void wb_str_free(struct wb_str *s);

/* "1.5 GB" and the like, decimal units (SI), into out. */
const char *wb_format_bytes(char *out, size_t size, double bytes);
/* "8.03 B", "361 M", "12 k": a count with its SI prefix. */
const char *wb_format_count(char *out, size_t size, double count);
/* "0.42 s", "3 m 05 s", "2 h 10 m". */
const char *wb_format_seconds(char *out, size_t size, double seconds);
/* "256MB", "5GB", "1GiB", "64k", "4096": SI and binary units, case does not matter. */
bool wb_parse_bytes(const char *text, uint64_t *bytes, struct wb_err *err);

/* Two whole numbers from 0 to `max` with one byte between them and nothing around: "100x30". */
bool wb_parse_pair(const char *text, char between, int max, int *a, int *b);

/* Shell-like glob over whole names: * any run (dots too), ? one byte, [abc] [a-z] [!x], \ quotes,
 * {a,b} alternatives (one level). Linear in the name but for the number of stars. */
bool wb_glob(const char *pattern, const char *name);

#endif
