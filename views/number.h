/* views/number.h - numbers for the screen: 4 significant digits, NaN and infinity by name.
 *
 * Texts are meant to be right aligned. Bytes, counts and seconds are those of app/core/str.h:
 * wb_format_bytes, wb_format_count, wb_format_seconds. */
#ifndef WB_VIEWS_NUMBER_H
#define WB_VIEWS_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Columns of the longest text of wb_number: "-1.234e-05". */
#define WB_NUMBER_WIDTH 10

/* "0.6213", "12.50", "1391", "123456", "-1.200e-05", "NaN", "inf": zeros are kept, so that columns
 * line up; whole numbers below a million stand in full. Into out. */
const char *wb_number(char *out, size_t size, double value);
/* How far a value moved: "+.08", "-1.2", "+3.4e-05"; "=" when it did not, "" when either is NaN.
 * Two significant digits. */
const char *wb_number_change(char *out, size_t size, double before, double now);
/* A share of 1 as "41.2%"; "0.02%" below one percent; "100%". */
const char *wb_number_percent(char *out, size_t size, double share);
/* All digits, in groups of three: "2,630,911". */
const char *wb_number_grouped(char *out, size_t size, uint64_t value);

#endif
