/* app/graph/sampled.c - one ranking for each tensor of a selection, and the answer out of all. */
#include "app/graph/sampled.h"

#include <math.h>
#include <stdlib.h>

#include "app/graph/node_impl.h"
#include "app/graph/ranking.h"
#include "app/graph/select.h"
#include "app/tensor/kernels.h"

struct tensor {
    struct wb_geometry geometry;
    struct wb_hash name; /* of its ranking in the cache */
    struct wb_ranking ranking;
    struct wb_drain drain;
    uint32_t *key; /* of every entry of the sample, while there is no ranking */
};

struct wb_sampled {
    uint64_t k;
    bool by_value;
    struct wb_cache *cache; /* may be NULL */
    size_t n;
    struct tensor tensor[];
};

static struct wb_hash ranking_name(const struct wb_node *node, bool by_value)
{
    struct {
        struct wb_hash node;
        uint64_t what;
    } key = { node->hash, by_value ? 4 : 3 }; /* 1 and 2: values of nodes (jobs.c) */

    return wb_hash_bytes(&key, sizeof key);
}

/* The ranking from the cache, or a drain for what it is made of. */
static bool start(struct wb_sampled *s, struct tensor *t, struct wb_node *node, struct wb_err *err)
{
    size_t n = (size_t)t->geometry.visited;

    t->name = ranking_name(node, s->by_value);
    if (s->k == 0 || wb_ranking_recall(&t->ranking, s->cache, t->name, n))
        return true;
    t->key = malloc((n + 1) * sizeof *t->key);
    t->drain = (struct wb_drain){
        .kind = WB_DRAIN_KEYS, .by_value = s->by_value, .in = { node }, .key = t->key
    };
    return t->key != NULL || wb_fail(err, WB_ENOMEM, "no memory for %zu keys", n);
}

struct wb_sampled *wb_sampled_new(const struct wb_held_table *table, const struct wb_node *node,
                                  struct wb_cache *cache, struct wb_err *err)
{
    size_t n = node->n_in - 1;
    struct wb_sampled *s = calloc(1, sizeof *s + n * sizeof *s->tensor);
    double k = wb_held_find(table, node->in[n])->f64[0];
    uint64_t visited = 0, total = 0;

    if (s == NULL) {
        wb_fail(err, WB_ENOMEM, "no memory for a selection");
        return NULL;
    }
    s->by_value = node->by_value;
    s->cache = cache;
    for (; s->n < n; s->n++) {
        s->tensor[s->n].geometry = wb_geometry_of(&node->in[s->n]->shape, WB_EXTENT_SAMPLE);
        total += node->in[s->n]->count;
        visited += s->tensor[s->n].geometry.visited;
    }
    s->k = !(k >= 1) ? 0 : k >= (double)total ? total : (uint64_t)k;
    if (s->k > 0) {
        s->k = (uint64_t)((double)s->k * (double)visited / (double)total + 0.5);
        s->k = s->k < 1 ? 1 : s->k > visited ? visited : s->k;
    }
    for (size_t i = 0; i < n; i++)
        if (!start(s, &s->tensor[i], node->in[i], err)) {
            wb_sampled_free(s);
            return NULL;
        }
    return s;
}

void wb_sampled_free(struct wb_sampled *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++) {
        wb_ranking_free(&s->tensor[i].ranking);
        free(s->tensor[i].key);
    }
    free(s);
}

struct wb_drain *wb_sampled_drain(struct wb_sampled *s, size_t i)
{
    return s->tensor[i].key == NULL ? NULL : &s->tensor[i].drain;
}

bool wb_sampled_known(const struct wb_sampled *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->tensor[i].key != NULL)
            return false;
    return true;
}

static bool rank(struct wb_sampled *s, struct wb_err *err)
{
    for (size_t i = 0; i < s->n; i++) {
        struct tensor *t = &s->tensor[i];

        if (t->key == NULL)
            continue;
        if (!wb_ranking_build(&t->ranking, t->key, (size_t)t->geometry.visited, err))
            return false;
        wb_ranking_keep(&t->ranking, s->cache, t->name);
        free(t->key);
        t->key = NULL;
    }
    return true;
}

/* Entries of all tensors with a key of at least this. */
static uint64_t count_from(const struct wb_sampled *s, uint32_t key)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += wb_ranking_count(&s->tensor[i].ranking, key);
    return n;
}

/* The key of the k-th largest: the largest that k entries reach. */
static uint32_t kth(const struct wb_sampled *s)
{
    uint32_t key = 0;

    for (uint32_t bit = (uint32_t)1 << 31; bit > 0; bit >>= 1)
        if (count_from(s, key | bit) >= s->k)
            key |= bit;
    return key;
}

/* Where the tie number `ties` (from 1) of those with this key is: the lower tensor comes first, in
 * it the lower index. */
static void find_tie(const struct wb_sampled *s, uint32_t key, uint64_t ties, double value[3])
{
    for (size_t i = 0; i < s->n; i++) {
        const struct tensor *t = &s->tensor[i];
        size_t above = key == UINT32_MAX ? 0 : wb_ranking_count(&t->ranking, key + 1);
        uint64_t here = wb_ranking_count(&t->ranking, key) - above;

        if (ties > here) {
            ties -= here;
            continue;
        }
        value[1] = (double)i;
        value[2] = (double)wb_sample_entry(
            &t->geometry, wb_ranking_position(&t->ranking, above + (size_t)ties - 1));
        return;
    }
}

bool wb_sampled_finish(struct wb_sampled *s, double value[3], struct wb_err *err)
{
    uint64_t above, equal;
    uint32_t key;

    if (s->k == 0) {
        value[0] = INFINITY;
        value[1] = value[2] = -1;
        return true;
    }
    if (!rank(s, err))
        return false;
    key = kth(s);
    above = key == UINT32_MAX ? 0 : count_from(s, key + 1);
    equal = count_from(s, key) - above;
    value[0] = (double)(s->by_value ? wb_key_signed_value(key) : wb_key_abs_value(key));
    value[1] = (double)(s->n - 1);
    value[2] = WB_SELECT_ALL_TIES;
    if (s->k - above < equal)
        find_tie(s, key, s->k - above, value);
    return true;
}
