/* app/core/arena.c - a list of blocks, each filled from the front; large requests get their own. */
#include "app/core/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16 << 10)
#define ALIGN 16u

struct wb_arena_block {
    struct wb_arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

void *wb_arena_alloc(struct wb_arena *arena, size_t bytes)
{
    struct wb_arena_block *block = arena->head;
    size_t need, size;

    if (bytes > SIZE_MAX / 2)
        return NULL;
    need = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (block == NULL || block->size - block->used < need) {
        size = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        block = calloc(1, sizeof *block + size);
        if (block == NULL)
            return NULL;
        block->size = size;
        if (arena->head != NULL && need > BLOCK_BYTES) { /* keep filling the block in front */
            block->next = arena->head->next;
            arena->head->next = block;
        } else {
            block->next = arena->head;
            arena->head = block;
        }
    }
    block->used += need;
    return block->data + block->used - need;
}

void *wb_arena_calloc(struct wb_arena *arena, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    return wb_arena_alloc(arena, bytes);
}

char *wb_arena_strndup(struct wb_arena *arena, const char *text, size_t n)
{
    char *copy = wb_arena_alloc(arena, n + 1);

    if (copy != NULL)
        memcpy(copy, text, n);
    return copy;
}

char *wb_arena_strdup(struct wb_arena *arena, const char *text)
{
    return wb_arena_strndup(arena, text, strlen(text));
}

char *wb_arena_printf(struct wb_arena *arena, const char *fmt, ...)
{
    va_list ap;
    int n;
    char *text;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;
    text = wb_arena_alloc(arena, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}

void wb_arena_free(struct wb_arena *arena)
{
    struct wb_arena_block *block = arena->head, *next;

    for (; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    arena->head = NULL;
}
