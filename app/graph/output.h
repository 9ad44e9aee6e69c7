/* app/graph/output.h - one tensor on its way to the sink: tiles written as they come, hashed in
 * order.
 *
 * Workers finish tiles out of order. Each writes its own at once; the hash needs them in order,
 * so a tile that is early parks its bytes until its turn. A worker that is far ahead waits. */
#ifndef WB_GRAPH_OUTPUT_H
#define WB_GRAPH_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app/core/err.h"
#include "app/core/hash.h"
#include "app/graph/eval.h"

/* Bytes that move between workers and outputs. */
struct wb_buffer {
    uint8_t *bytes;
    size_t size, used;
};

struct wb_parked {
    size_t tile;
    struct wb_buffer buffer;
};

struct wb_output {
    size_t target; /* number of the target, for the sink */
    pthread_mutex_t lock;
    pthread_cond_t moved;
    size_t tiles, next;       /* next tile to hash */
    struct wb_parked *parked; /* those that came early */
    size_t parked_count, parked_max;
    struct wb_hasher *hasher;
    _Atomic bool failed; /* someone gave up: nobody waits any more */
};

bool wb_output_init(struct wb_output *o, size_t target, size_t tiles, size_t parked_max,
                    struct wb_err *err);
void wb_output_free(struct wb_output *o);
/* Hand in tile number `tile`, which starts at first_byte. buffer may come back with other
 * memory. `done` of the sink is called behind the last tile. */
bool wb_output_put(struct wb_output *o, const struct wb_sink *sink, size_t tile,
                   uint64_t first_byte, struct wb_buffer *buffer, struct wb_err *err);
/* A tensor without entries: nothing comes, it is done. */
bool wb_output_empty(struct wb_output *o, const struct wb_sink *sink, struct wb_err *err);
/* Wake whoever waits, after a failure elsewhere. */
void wb_output_abandon(struct wb_output *o);

/* Room for n bytes, old content lost. */
bool wb_buffer_reserve(struct wb_buffer *b, size_t n, struct wb_err *err);

#endif
