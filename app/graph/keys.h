/* app/graph/keys.h - order statistics of a list of keys in memory. */
#ifndef WB_GRAPH_KEYS_H
#define WB_GRAPH_KEYS_H

#include <stddef.h>
#include <stdint.h>

struct wb_nth {
    uint32_t key;
    size_t above, equal; /* keys larger than it, and as large */
};

/* The nth largest (from 0, nth < n); the list is used up. Linear in n. */
struct wb_nth wb_keys_nth(uint32_t *key, size_t n, size_t nth);

#endif
