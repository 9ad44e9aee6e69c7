/* tests/golden/forward_run.h - what the tests of the forward pass share: expected figures, and one
 * run of a net with everything it gives.
 *
 * Two arrays agree when no difference is beyond `tolerance` of the largest magnitude of the expected
 * one. What fails ends the test. */
#ifndef TESTS_GOLDEN_FORWARD_RUN_H
#define TESTS_GOLDEN_FORWARD_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "app/infer/forward.h"
#include "app/store/ckpt.h"

#define SEQUENCES 2

extern struct wb_arch_set *set; /* from forward_setup */
extern double tolerance;        /* of the test that runs; 1e-4 at the start */

struct figure {
    float *x; /* owned, free() */
    size_t n, rows;
};

/* An F32 tensor; x NULL when there is none of the name. */
struct figure figure_find(struct wb_ckpt *ck, const char *name);
/* The same of "MODEL." and a formatted name; model "": of the name alone. */
__attribute__((format(printf, 3, 4))) struct figure figure_of(struct wb_ckpt *ck, const char *model,
                                                              const char *fmt, ...);
void near_all(const char *model, const char *what, const float *got, const float *want, size_t n);
/* Compare with a figure that must be there; frees it. */
void near_figure(const char *model, const char *what, const float *got, size_t n,
                 struct figure want);

/* A net and everything that one run of it gives. */
struct run {
    const char *name;
    struct wb_net *net;
    int32_t token[64];
    size_t start[SEQUENCES + 1];
    struct wb_rows rows;
    float *state; /* [layers + 1, rows, hidden] */
    float *final, *logits;
    float *attention; /* of sequence 0: [layers, heads, n, n] */
};

/* Zeroed memory for n (and one more). */
void *room(size_t n, size_t size);
void run_open(struct run *r, const char *name, const char *path, const char *stack);
void run_close(struct run *r);
size_t rows_of(const struct run *r);
/* Run all rows with every tap that is compared, and the head where there is one. */
void run_all(struct run *r);
float *run_embed(struct run *r);
/* Class logits of images, from the class tokens. */
float *class_logits(struct run *r);

int forward_setup(void **state);
int forward_teardown(void **state);

#endif
