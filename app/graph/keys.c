/* app/graph/keys.c - selecting from keys in memory. */
#include "app/graph/keys.h"

#include <stdlib.h>

static int compare_keys_down(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x < y) - (x > y);
}

/* Quickselect in three parts around a median of three; sorts what is left when it does not shrink. */
uint32_t wb_keys_nth(uint32_t *key, size_t n, size_t nth)
{
    size_t low = 0, high = n, rounds = 0;

    while (high - low > 32 && rounds++ < 64) {
        uint32_t a = key[low], b = key[low + (high - low) / 2], c = key[high - 1];
        uint32_t pivot = a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
        size_t above = low, at = low, end = high;

        while (at < end) {
            uint32_t v = key[at];

            if (v > pivot) {
                key[at++] = key[above];
                key[above++] = v;
            } else if (v < pivot) {
                key[at] = key[--end];
                key[end] = v;
            } else {
                at++;
            }
        }
        if (nth < above)
            high = above;
        else if (nth < end)
            return pivot;
        else
            low = end;
    }
    qsort(key + low, high - low, sizeof *key, compare_keys_down);
    return key[nth];
}
