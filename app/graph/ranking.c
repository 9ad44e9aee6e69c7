/* app/graph/ranking.c - sorting keys with their positions, and looking things up in the order.
 *
 * Differences of packed weights repeat, so equal keys are stored once, with the rank of the first
 * of them: a ranking takes little more than its positions. */
#include "app/graph/ranking.h"

#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define BINS ((size_t)1 << DIGIT_BITS)
#define SHORT_MAX ((size_t)1 << 16) /* positions of up to so many entries take two bytes */

/* Followed by key[distinct] (descending), first[distinct], and the positions. */
struct wb_ranking_body {
    uint64_t n, distinct;
    uint32_t key[];
};

static const uint32_t *first_of(const struct wb_ranking_body *b)
{
    return b->key + b->distinct;
}

static size_t body_bytes(size_t n, size_t distinct)
{
    return sizeof(struct wb_ranking_body) + distinct * 2 * sizeof(uint32_t) +
           n * (n <= SHORT_MAX ? sizeof(uint16_t) : sizeof(uint32_t));
}

/* A key turned over, so that the largest comes first, with its position behind. */
static uint64_t pack(uint32_t key, size_t position)
{
    return (uint64_t)~key << 32 | (uint32_t)position;
}

/* Which bits of an item the keys differ in. */
struct digits {
    int first, bits, n; /* the first one, bits of a digit, digits */
};

static struct digits digits_of(const uint32_t *key, size_t n)
{
    struct digits d = { .n = 0 };
    uint32_t differ = 0;
    int width;

    for (size_t i = 0; i < n; i++)
        differ |= key[i] ^ key[0];
    if (differ == 0)
        return d;
    d.first = __builtin_ctz(differ);
    width = 32 - __builtin_clz(differ) - d.first;
    d.n = (width + DIGIT_BITS - 1) / DIGIT_BITS;
    d.bits = (width + d.n - 1) / d.n;
    d.first += 32;
    return d;
}

/* Sort by one digit, stable. */
static void sort_digit(const uint64_t *item, uint64_t *out, size_t n, int shift, int bits)
{
    uint32_t at[BINS] = { 0 }, sum = 0;
    size_t mask = ((size_t)1 << bits) - 1;

    for (size_t i = 0; i < n; i++)
        at[item[i] >> shift & mask]++;
    for (size_t b = 0; b <= mask; b++) {
        uint32_t here = at[b];

        at[b] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++)
        out[at[item[i] >> shift & mask]++] = item[i];
}

/* From the last digit to the first; either array may hold the result, which is returned. Keys of
 * packed weights' differences end in zeros: two digits do for most. */
static uint64_t *sort_items(uint64_t *item, uint64_t *other, size_t n, struct digits d)
{
    for (int i = 0; i < d.n; i++) {
        uint64_t *swap = other;

        sort_digit(item, other, n, d.first + i * d.bits, d.bits);
        other = item;
        item = swap;
    }
    return item;
}

static struct wb_ranking_body *make_body(const uint64_t *item, size_t n, size_t *bytes)
{
    size_t distinct = 0;
    struct wb_ranking_body *b;
    uint32_t *first, *wide;
    uint16_t *narrow;

    for (size_t i = 0; i < n; i++)
        distinct += i == 0 || item[i] >> 32 != item[i - 1] >> 32;
    *bytes = body_bytes(n, distinct);
    b = malloc(*bytes);
    if (b == NULL)
        return NULL;
    b->n = n;
    b->distinct = distinct;
    first = b->key + distinct;
    wide = first + distinct;
    narrow = (uint16_t *)wide;
    distinct = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || item[i] >> 32 != item[i - 1] >> 32) {
            b->key[distinct] = ~(uint32_t)(item[i] >> 32);
            first[distinct++] = (uint32_t)i;
        }
        if (n <= SHORT_MAX)
            narrow[i] = (uint16_t)item[i];
        else
            wide[i] = (uint32_t)item[i];
    }
    return b;
}

bool wb_ranking_build(struct wb_ranking *r, const uint32_t *key, size_t n, struct wb_err *err)
{
    uint64_t *item = calloc(2 * n + 1, sizeof *item);
    struct wb_ranking_body *body = NULL;

    if (item != NULL) {
        for (size_t i = 0; i < n; i++)
            item[i] = pack(key[i], i);
        body = make_body(sort_items(item, item + n, n, digits_of(key, n)), n, &r->bytes);
    }
    free(item);
    r->owned = body;
    r->body = body;
    return body != NULL || wb_fail(err, WB_ENOMEM, "no memory to rank %zu entries", n);
}

void wb_ranking_free(struct wb_ranking *r)
{
    free(r->owned);
    wb_cache_return(&r->cached);
    *r = (struct wb_ranking){ .body = NULL };
}

bool wb_ranking_recall(struct wb_ranking *r, struct wb_cache *cache, struct wb_hash name, size_t n)
{
    if (cache == NULL || !wb_cache_borrow(cache, name, &r->cached))
        return false;
    r->body = r->cached.bytes;
    r->bytes = r->cached.n;
    if (r->body->n == n)
        return true;
    wb_ranking_free(r);
    return false;
}

void wb_ranking_keep(const struct wb_ranking *r, struct wb_cache *cache, struct wb_hash name)
{
    if (cache != NULL)
        wb_cache_put_bytes(cache, name, r->body, r->bytes);
}

size_t wb_ranking_count(const struct wb_ranking *r, uint32_t key)
{
    const struct wb_ranking_body *b = r->body;
    size_t low = 0, high = (size_t)b->distinct; /* keys before low are at least `key` */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (b->key[middle] >= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low == b->distinct ? (size_t)b->n : first_of(b)[low];
}

size_t wb_ranking_position(const struct wb_ranking *r, size_t i)
{
    const struct wb_ranking_body *b = r->body;
    const void *position = first_of(b) + b->distinct;

    return b->n <= SHORT_MAX ? ((const uint16_t *)position)[i] : ((const uint32_t *)position)[i];
}
