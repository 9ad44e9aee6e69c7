/* app/core/nearest.c - edits between words. */
#include "app/core/nearest.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 64
#define GLOB_MAX 256

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;

    return m < c ? m : c;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    size_t row[3][WORD_MAX + 1], *two = row[0], *one = row[1], *now = row[2];

    if (n > WORD_MAX || m > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= m; j++)
        one[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = two;

        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = min3(one[j] + 1, now[j - 1] + 1, one[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < now[j])
                now[j] = two[j - 2] + 1;
        }
        two = one;
        one = now;
        now = spare;
    }
    return one[m];
}

void wb_nearest_try(struct wb_nearest *n, const char *candidate)
{
    size_t len = strlen(n->word), d = distance(n->word, candidate);
    size_t far = len < 3 ? 1 : len < 6 ? 2 : 3;

    if (len >= 3 && strncmp(n->word, candidate, len) == 0)
        d = 1; /* the beginning of it */
    if (d <= far && d < strlen(candidate) && (n->best == NULL || d < n->distance)) {
        n->best = candidate;
        n->distance = d;
    }
}

/* Insert, delete or replace literal characters of the glob; a star takes any run for nothing. */
static size_t glob_distance(const char *glob, const char *name)
{
    size_t n = strlen(glob), m = strlen(name);
    size_t row[2][GLOB_MAX + 1], *before = row[0], *now = row[1];

    if (n > GLOB_MAX || m > GLOB_MAX)
        return GLOB_MAX;
    for (size_t j = 0; j <= m; j++)
        before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *spare = before;
        bool star = glob[i - 1] == '*';

        now[0] = before[0] + !star;
        for (size_t j = 1; j <= m; j++) {
            bool same = glob[i - 1] == '?' || glob[i - 1] == name[j - 1];

            now[j] = star ? min3(before[j], now[j - 1], GLOB_MAX)
                          : min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + !same);
        }
        before = now;
        now = spare;
    }
    return before[m];
}

void wb_nearest_try_glob(struct wb_nearest *n, const char *candidate)
{
    size_t len = strlen(n->word), d = glob_distance(n->word, candidate);
    size_t far = len < 6 ? 1 : len < 12 ? 2 : 4;

    if (d <= far && (n->best == NULL || d < n->distance)) {
        n->best = candidate;
        n->distance = d;
    }
}
