/* app/probe/behaviour_impl.h - the inside of a behaviour, for the files that make it. */
#ifndef WB_PROBE_BEHAVIOUR_IMPL_H
#define WB_PROBE_BEHAVIOUR_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/core/arena.h"
#include "app/core/hash.h"
#include "app/infer/score.h"
#include "app/probe/behaviour.h"

/* --- what is kept from one behaviour to the next --------------------------------------------- */

struct wb_kept {
    struct wb_hash key;
    void *value;
    void (*free_value)(void *value);
    size_t bytes;
    bool exclusive; /* one user at a time */
    unsigned users;
    uint64_t used; /* when, by the memory's clock */
    struct wb_kept *next;
};

struct wb_hash wb_memory_key(const char *what, struct wb_hash a, struct wb_hash b);
void wb_memory_set_max(struct wb_behaviour_memory *m, uint64_t max_bytes);
void wb_memory_count_rows(struct wb_behaviour_memory *m, uint64_t rows);
/* NULL when it is not there, or in use by somebody else. Give it back. */
struct wb_kept *wb_memory_take(struct wb_behaviour_memory *m, struct wb_hash key);
/* value is moved, on failure too; taken already. NULL without memory. When somebody put the same in
 * the meantime it is theirs that is given. */
struct wb_kept *wb_memory_put(struct wb_behaviour_memory *m, struct wb_hash key, void *value,
                              void (*free_value)(void *value), size_t bytes, bool exclusive);
/* What is in nobody's use may be dropped, the least recently used first, when there is too much;
 * drop: at once. NULL is fine. */
void wb_memory_give(struct wb_behaviour_memory *m, struct wb_kept *kept, bool drop);

/* A set as one model is asked it: tokens by its tokenizer. */
struct wb_behaviour_input {
    enum wb_behaviour_kind kind;
    struct wb_hash hash;
    struct wb_windows windows;
    struct wb_task_set tasks;
    struct wb_task_rows task_rows;
    struct wb_image_set images;
    size_t sequences, rows, choices;
};

/* What is known of a model on such an input. */
struct wb_behaviour_known {
    double value, error;
    bool nonfinite;
    int32_t *choice; /* first choices: of predicted tokens, tokens of answers, images */
};

/* Two models on one input. */
struct wb_behaviour_pair {
    double kl, agreement;
};

/* --- the object --------------------------------------------------------------------------------- */

struct wb_behaviour {
    _Atomic uint32_t refs;
    struct wb_arena arena;
    struct wb_model **model; /* base, parents, result */
    const char **name;
    struct wb_behaviour_set *set;
    size_t models, sets;
    bool has_base;
    pthread_mutex_t lock;
    /* shared: */
    struct wb_behaviour_cell *cell;
    uint64_t version;
    double done;
    bool finished;
    char *sample, *problem;
};

/* --- a run ------------------------------------------------------------------------------------- */

struct wb_behaviour_work { /* of one model on one set */
    struct wb_kept *input, *known, *states, *pair;
    bool failed;
};

struct wb_behaviour_model {
    struct wb_arena arena;
    struct wb_spec spec;
    struct wb_hash hash;
    struct wb_kept *tokenizer, *net;
    struct wb_behaviour_work *set;
    bool failed;
};

struct wb_behaviour_run {
    struct wb_behaviour *b;
    const struct wb_behaviour_how *how;
    struct wb_behaviour_memory *memory;
    struct wb_behaviour_model *model;
    uint64_t budget_bytes;
    double done, total; /* rows, all rounds */
    struct wb_err *err;
};

static inline const struct wb_behaviour_input *wb_behaviour_input(const struct wb_behaviour_run *r,
                                                                  size_t m, size_t s)
{
    const struct wb_kept *kept = r->model[m].set[s].input;

    return kept == NULL ? NULL : kept->value;
}

/* Reading models and sets, without a weight. What cannot be had becomes a problem. */
bool wb_behaviour_prepare(struct wb_behaviour_run *r);
struct wb_tokenizer *wb_behaviour_tokenizer(const struct wb_behaviour_run *r, size_t m);
/* Borrowed; NULL with err. */
struct wb_net *wb_behaviour_net(struct wb_behaviour_run *r, size_t m);
void wb_behaviour_release(struct wb_behaviour_run *r);

/* A row compared costs about this share of a row scored. */
#define WB_BEHAVIOUR_COMPARE_COST 0.3

/* Figures of a part, and of all of a set. */
bool wb_behaviour_known_already(struct wb_behaviour_run *r, size_t m, size_t s);
bool wb_behaviour_score_some(struct wb_behaviour_run *r, size_t m, size_t s);
bool wb_behaviour_score_all(struct wb_behaviour_run *r, size_t m, size_t s);
double wb_behaviour_some_rows(const struct wb_behaviour_input *in);
/* The base and the parents against the result. */
bool wb_behaviour_compare(struct wb_behaviour_run *r, size_t s);

/* Showing. */
void wb_behaviour_show_cell(struct wb_behaviour_run *r, size_t m, size_t s,
                            const struct wb_behaviour_cell *cell);
void wb_behaviour_show_pair(struct wb_behaviour_run *r, size_t m, size_t s,
                            const struct wb_behaviour_pair *pair);
void wb_behaviour_show_sample(struct wb_behaviour_run *r, const char *more);
/* The first one counts; s SIZE_MAX: of the whole model. Gives true, or false for a cancellation and
 * when memory is out. */
bool wb_behaviour_problem(struct wb_behaviour_run *r, size_t m, size_t s);
void wb_behaviour_advance(struct wb_behaviour_run *r, double rows);
bool wb_behaviour_cancelled(const struct wb_behaviour_run *r);

#endif
