/* app/infer/tokenizer_map.c - hash tables of a vocabulary: words, and pairs that merge. Filled once,
 * never more than half full. */
#include <stdlib.h>
#include <string.h>

#include "app/core/hash.h"
#include "app/infer/tokenizer_impl.h"

static size_t slots_for(size_t count)
{
    size_t slots = 16;

    while (slots < 2 * count + 2)
        slots *= 2;
    return slots;
}

bool wb_words_reserve(struct wb_word_map *m, size_t count, struct wb_err *err)
{
    size_t slots = slots_for(count);

    m->slot = calloc(slots, sizeof *m->slot);
    m->mask = slots - 1;
    return m->slot != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu tokens", count);
}

static struct wb_word *word_slot(const struct wb_word_map *m, const char *text, size_t len)
{
    size_t i = (size_t)wb_hash_bytes(text, len).low & m->mask;

    while (m->slot[i].text != NULL &&
           (m->slot[i].len != len || memcmp(m->slot[i].text, text, len) != 0))
        i = (i + 1) & m->mask;
    return &m->slot[i];
}

void wb_words_put(struct wb_word_map *m, const char *text, size_t len, int32_t id)
{
    struct wb_word *w = word_slot(m, text, len);

    m->count += w->text == NULL;
    *w = (struct wb_word){ text, (uint32_t)len, id };
}

int32_t wb_words_find(const struct wb_word_map *m, const char *text, size_t len)
{
    const struct wb_word *w = m->slot == NULL ? NULL : word_slot(m, text, len);

    return w == NULL || w->text == NULL ? WB_TOKEN_NONE : w->id;
}

void wb_words_free(struct wb_word_map *m)
{
    free(m->slot);
    *m = (struct wb_word_map){ 0 };
}

bool wb_merges_reserve(struct wb_merge_map *m, size_t count, struct wb_err *err)
{
    size_t slots = slots_for(count);

    m->slot = calloc(slots, sizeof *m->slot);
    m->mask = slots - 1;
    return m->slot != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu merges", count);
}

static struct wb_merge *merge_slot(const struct wb_merge_map *m, int32_t left, int32_t right)
{
    uint64_t pair = ((uint64_t)left + 1) << 32 | ((uint64_t)right + 1);
    uint64_t mixed = (pair ^ pair >> 29) * 0x9E3779B97F4A7C15U; /* Fibonacci hashing */
    size_t i = (size_t)(mixed >> 24) & m->mask;

    while (m->slot[i].pair != 0 && m->slot[i].pair != pair)
        i = (i + 1) & m->mask;
    return &m->slot[i];
}

void wb_merges_put(struct wb_merge_map *m, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    *merge_slot(m, left, right) = (struct wb_merge){
        .pair = ((uint64_t)left + 1) << 32 | ((uint64_t)right + 1), .rank = rank, .id = id
    };
}

const struct wb_merge *wb_merges_find(const struct wb_merge_map *m, int32_t left, int32_t right)
{
    const struct wb_merge *found = m->slot == NULL ? NULL : merge_slot(m, left, right);

    return found == NULL || found->pair == 0 ? NULL : found;
}

void wb_merges_free(struct wb_merge_map *m)
{
    free(m->slot);
    *m = (struct wb_merge_map){ 0 };
}
