/* app/core/arena.h - memory that is freed all at once: names, shapes, header text, compiled
 * plans. */
#ifndef WB_CORE_ARENA_H
#define WB_CORE_ARENA_H

#include <stddef.h>

struct wb_arena_block;

/* Zero-initialised is empty and ready. */
struct wb_arena {
    struct wb_arena_block *head;
};

/* Zeroed memory aligned for any type, borrowed until wb_arena_free; NULL when memory is out. */
void *wb_arena_alloc(struct wb_arena *arena, size_t bytes);
/* n * size with the product checked. */
void *wb_arena_calloc(struct wb_arena *arena, size_t n, size_t size);
char *wb_arena_strdup(struct wb_arena *arena, const char *text);
char *wb_arena_strndup(struct wb_arena *arena, const char *text, size_t n);
char *wb_arena_printf(struct wb_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Free everything; the arena is empty and ready again. */
void wb_arena_free(struct wb_arena *arena);

#endif
