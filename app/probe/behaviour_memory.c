/* app/probe/behaviour_memory.c - what costs to find out, by a key that says what it is.
 *
 * Nets, tokenizers, sets in tokens, scores, states, comparisons. Everything lies in one list; what
 * was not used for the longest time goes first when there is more than the run allows. */
#include <stdlib.h>
#include <string.h>

#include "app/probe/behaviour_impl.h"

struct wb_behaviour_memory {
    pthread_mutex_t lock;
    struct wb_kept *list;
    uint64_t clock, max_bytes;
    struct wb_behaviour_memory_counts counts;
};

struct wb_behaviour_memory *wb_behaviour_memory_new(void)
{
    struct wb_behaviour_memory *m = calloc(1, sizeof *m);

    if (m == NULL)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->max_bytes = WB_BUDGET_DEFAULT_BYTES / 2;
    return m;
}

static void free_kept(struct wb_kept *k)
{
    k->free_value(k->value);
    free(k);
}

void wb_behaviour_memory_free(struct wb_behaviour_memory *m)
{
    if (m == NULL)
        return;
    for (struct wb_kept *k = m->list, *next; k != NULL; k = next) {
        next = k->next;
        free_kept(k);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

struct wb_behaviour_memory_counts wb_behaviour_memory_counts(struct wb_behaviour_memory *m)
{
    struct wb_behaviour_memory_counts counts;

    pthread_mutex_lock(&m->lock);
    counts = m->counts;
    pthread_mutex_unlock(&m->lock);
    return counts;
}

struct wb_hash wb_memory_key(const char *what, struct wb_hash a, struct wb_hash b)
{
    struct {
        char what[16];
        struct wb_hash a, b;
    } whole = { .a = a, .b = b };

    strncpy(whole.what, what, sizeof whole.what - 1);
    return wb_hash_bytes(&whole, sizeof whole);
}

void wb_memory_set_max(struct wb_behaviour_memory *m, uint64_t max_bytes)
{
    pthread_mutex_lock(&m->lock);
    m->max_bytes = max_bytes;
    pthread_mutex_unlock(&m->lock);
}

void wb_memory_count_rows(struct wb_behaviour_memory *m, uint64_t rows)
{
    pthread_mutex_lock(&m->lock);
    m->counts.rows += rows;
    pthread_mutex_unlock(&m->lock);
}

/* With the lock held, as all that follows. */
static struct wb_kept *find(struct wb_behaviour_memory *m, struct wb_hash key)
{
    for (struct wb_kept *k = m->list; k != NULL; k = k->next)
        if (wb_hash_equal(k->key, key) && !(k->exclusive && k->users > 0))
            return k;
    return NULL;
}

static void use(struct wb_behaviour_memory *m, struct wb_kept *k)
{
    k->users++;
    k->used = ++m->clock;
}

static struct wb_kept *unlink_kept(struct wb_behaviour_memory *m, struct wb_kept *k)
{
    struct wb_kept **at = &m->list;

    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    m->counts.entries--;
    m->counts.bytes -= k->bytes;
    return k;
}

static struct wb_kept *oldest(struct wb_behaviour_memory *m)
{
    struct wb_kept *old = NULL;

    for (struct wb_kept *k = m->list; k != NULL; k = k->next)
        if (k->users == 0 && (old == NULL || k->used < old->used))
            old = k;
    return old;
}

static void trim(struct wb_behaviour_memory *m)
{
    struct wb_kept *old;

    while (m->counts.bytes > m->max_bytes && (old = oldest(m)) != NULL)
        free_kept(unlink_kept(m, old));
}

struct wb_kept *wb_memory_take(struct wb_behaviour_memory *m, struct wb_hash key)
{
    struct wb_kept *k;

    pthread_mutex_lock(&m->lock);
    k = find(m, key);
    if (k != NULL) {
        use(m, k);
        m->counts.hits++;
    } else {
        m->counts.misses++;
    }
    pthread_mutex_unlock(&m->lock);
    return k;
}

struct wb_kept *wb_memory_put(struct wb_behaviour_memory *m, struct wb_hash key, void *value,
                              void (*free_value)(void *value), size_t bytes, bool exclusive)
{
    struct wb_kept *k = calloc(1, sizeof *k), *theirs;

    if (k == NULL) {
        free_value(value);
        return NULL;
    }
    *k = (struct wb_kept){ .key = key,
                           .value = value,
                           .free_value = free_value,
                           .bytes = bytes + sizeof *k,
                           .exclusive = exclusive };
    pthread_mutex_lock(&m->lock);
    theirs = exclusive ? NULL : find(m, key);
    if (theirs == NULL) {
        k->next = m->list;
        m->list = k;
        m->counts.entries++;
        m->counts.bytes += k->bytes;
    }
    use(m, theirs != NULL ? theirs : k);
    trim(m);
    pthread_mutex_unlock(&m->lock);
    if (theirs == NULL)
        return k;
    free_kept(k);
    return theirs;
}

void wb_memory_give(struct wb_behaviour_memory *m, struct wb_kept *kept, bool drop)
{
    if (kept == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    kept->users--;
    if (drop && kept->users == 0)
        free_kept(unlink_kept(m, kept));
    trim(m);
    pthread_mutex_unlock(&m->lock);
}
