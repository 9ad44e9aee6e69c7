/* app/graph/keys.c - selecting from keys in memory: by the leading bits first, then among the
 * few that share them. */
#include "app/graph/keys.h"

#include <stdlib.h>

#define DIGIT_BITS 11
#define BINS ((size_t)1 << DIGIT_BITS)
#define FEW 64 /* keys that are sorted at once */

static int compare_keys_down(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

/* Keep the keys whose digit (the bits from `shift` on) holds the nth largest, in place; *nth
 * becomes the rank among them. */
static size_t narrow(uint32_t *key, size_t n, unsigned shift, size_t *nth)
{
    size_t count[BINS] = { 0 }, above = 0, kept = 0, bin = BINS - 1;

    for (size_t i = 0; i < n; i++)
        count[key[i] >> shift & (BINS - 1)]++;
    while (above + count[bin] <= *nth)
        above += count[bin--];
    *nth -= above;
    if (count[bin] == n)
        return n;
    for (size_t i = 0; i < n; i++) { /* no branch: whether a key stays cannot be foreseen */
        uint32_t v = key[i];

        key[kept] = v;
        kept += (v >> shift & (BINS - 1)) == bin;
    }
    return kept;
}

struct wb_nth wb_keys_nth(uint32_t *key, size_t n, size_t nth)
{
    static const unsigned shift[] = { 21, 10, 0 };
    struct wb_nth out = { .above = nth };
    size_t first;

    for (int digit = 0; digit < 3 && n > FEW; digit++)
        n = narrow(key, n, shift[digit], &nth);
    out.above -= nth; /* so many were larger by a leading digit */
    if (n > FEW) {    /* all equal after the last digit */
        out.key = key[0];
        out.equal = n;
        return out;
    }
    qsort(key, n, sizeof *key, compare_keys_down);
    out.key = key[nth];
    for (first = nth; first > 0 && key[first - 1] == out.key; first--)
        continue;
    out.above += first;
    while (first + out.equal < n && key[first + out.equal] == out.key)
        out.equal++;
    return out;
}
