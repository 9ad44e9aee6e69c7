/* app/graph/output.c - writing tiles and hashing them in order. */
#include "app/graph/output.h"

#include <stdlib.h>

bool wb_buffer_reserve(struct wb_buffer *b, size_t n, struct wb_err *err)
{
    if (b->size >= n)
        return true;
    free(b->bytes);
    b->size = (n + 4095) & ~(size_t)4095;
    b->bytes = aligned_alloc(4096, b->size);
    if (b->bytes != NULL)
        return true;
    b->size = 0;
    return wb_fail(err, WB_ENOMEM, "no memory for a block of %zu bytes", n);
}

bool wb_output_init(struct wb_output *o, size_t target, size_t tiles, size_t parked_max,
                    struct wb_err *err)
{
    *o = (struct wb_output){ .target = target, .tiles = tiles, .parked_max = parked_max };
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->moved, NULL);
    o->hasher = wb_hasher_new();
    o->parked = calloc(parked_max + 1, sizeof *o->parked);
    if (o->hasher == NULL || o->parked == NULL)
        return wb_fail(err, WB_ENOMEM, "no memory for an output");
    return true;
}

void wb_output_free(struct wb_output *o)
{
    if (o->parked == NULL && o->hasher == NULL)
        return;
    for (size_t i = 0; o->parked != NULL && i <= o->parked_max; i++)
        free(o->parked[i].buffer.bytes);
    free(o->parked);
    if (o->hasher != NULL)
        wb_hasher_free(o->hasher);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->moved);
    *o = (struct wb_output){ .target = 0 };
}

void wb_output_abandon(struct wb_output *o)
{
    if (o->hasher == NULL)
        return;
    pthread_mutex_lock(&o->lock);
    atomic_store(&o->failed, true);
    pthread_cond_broadcast(&o->moved);
    pthread_mutex_unlock(&o->lock);
}

/* Hash every parked tile whose turn has come. The lock is held. */
static void drain_parked(struct wb_output *o)
{
    for (size_t i = 0; i < o->parked_count;) {
        struct wb_parked *p = &o->parked[i], last;

        if (p->tile != o->next) {
            i++;
            continue;
        }
        wb_hasher_add(o->hasher, p->buffer.bytes, p->buffer.used);
        o->next++;
        last = o->parked[o->parked_count - 1]; /* keep the memory for the next one to park */
        o->parked[o->parked_count - 1] = *p;
        o->parked[i] = last;
        o->parked_count--;
        i = 0;
    }
}

/* Swap the bytes into the parking lot, waiting while it is full. The lock is held. */
static void park(struct wb_output *o, size_t tile, struct wb_buffer *buffer)
{
    struct wb_buffer spare;

    while (o->parked_count == o->parked_max && tile != o->next && !atomic_load(&o->failed))
        pthread_cond_wait(&o->moved, &o->lock);
    if (tile == o->next || atomic_load(&o->failed))
        return;
    spare = o->parked[o->parked_count].buffer;
    o->parked[o->parked_count++] = (struct wb_parked){ tile, *buffer };
    *buffer = spare;
}

bool wb_output_put(struct wb_output *o, const struct wb_sink *sink, size_t tile,
                   uint64_t first_byte, struct wb_buffer *buffer, struct wb_err *err)
{
    bool complete;

    if (!sink->put(sink->ctx, o->target, first_byte, buffer->bytes, buffer->used, err))
        return false;
    pthread_mutex_lock(&o->lock);
    if (tile != o->next)
        park(o, tile, buffer);
    if (tile == o->next) {
        wb_hasher_add(o->hasher, buffer->bytes, buffer->used);
        o->next++;
        drain_parked(o);
        pthread_cond_broadcast(&o->moved);
    }
    complete = o->next == o->tiles && !atomic_load(&o->failed);
    if (complete)
        o->tiles = SIZE_MAX; /* once */
    pthread_mutex_unlock(&o->lock);
    return !complete || sink->done(sink->ctx, o->target, wb_hasher_get(o->hasher), err);
}

bool wb_output_empty(struct wb_output *o, const struct wb_sink *sink, struct wb_err *err)
{
    return sink->done(sink->ctx, o->target, wb_hasher_get(o->hasher), err);
}
