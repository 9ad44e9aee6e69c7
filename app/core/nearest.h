/* app/core/nearest.h - which name was meant by one that does not exist. */
#ifndef WB_CORE_NEAREST_H
#define WB_CORE_NEAREST_H

#include <stddef.h>

/* The candidate nearest to word, NULL when none is near enough to be meant. */
struct wb_nearest {
    const char *word, *best;
    size_t distance;
};
void wb_nearest_try(struct wb_nearest *n, const char *candidate);
/* The same where the word is a glob: how many edits of it make it match the candidate. Only * and ? are known. */
void wb_nearest_try_glob(struct wb_nearest *n, const char *candidate);

#endif
