/* app/graph/fuse.c - several instructions made one, where a kernel does them in one loop.
 *
 * Instructions are in single-assignment form here, so a producer whose result is used once can
 * move to its consumer. The fused kernels give the same bits, so nothing depends on what was
 * fused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/instr.h"
#include "app/tensor/kernels.h"

#define NONE UINT32_MAX

struct fuser {
    struct wb_program *p;
    struct wb_instr **def; /* of each register */
    unsigned *uses;
};

/* The instruction that makes a register for this one use, when it has the code; NULL otherwise. */
static struct wb_instr *sole(const struct fuser *f, unsigned reg, enum wb_code_op code, int sub)
{
    struct wb_instr *in = reg == NONE || f->uses[reg] != 1 ? NULL : f->def[reg];

    return in != NULL && in->code == code && (sub < 0 || in->sub == sub) ? in : NULL;
}

/* A guard right on a load becomes a check of the packed elements. */
static void fuse_guard(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *load = f->def[in->a];
    struct wb_slot *slot;

    if (load == NULL || load->code != WB_CODE_LOAD)
        return;
    slot = &f->p->slot[load->a];
    if (slot->guard != NULL || wb_kernels()->finite[slot->dtype] == NULL)
        return;
    slot->guard = in->node;
    f->uses[in->a]--;
    in->code = WB_CODE_NONE;
}

/* A load that is one side of a difference. */
static void fuse_sub(struct fuser *f, struct wb_instr *in)
{
    for (int side = 0; side < 2 && in->a != in->b; side++) {
        struct wb_instr *load = sole(f, side == 0 ? in->a : in->b, WB_CODE_LOAD, -1);

        if (load == NULL || wb_kernels()->widen_sub[load->sub] == NULL)
            continue;
        in->code = side == 0 ? WB_CODE_LOAD_SUB : WB_CODE_SUB_LOAD;
        in->sub = load->sub;
        in->b = side == 0 ? in->b : in->a;
        in->a = load->a;
        load->code = WB_CODE_NONE;
        return;
    }
}

static void fuse_fma(struct fuser *f, struct wb_instr *in)
{
    for (int side = 0; side < 2 && in->a != in->c; side++) {
        struct wb_instr *sub = sole(f, in->a, side == 0 ? WB_CODE_LOAD_SUB : WB_CODE_SUB_LOAD, -1);

        if (sub == NULL)
            continue;
        in->code = side == 0 ? WB_CODE_LOAD_SUB_FMA : WB_CODE_SUB_LOAD_FMA;
        in->sub = sub->sub;
        in->a = sub->a;
        in->b = sub->b;
        sub->code = WB_CODE_NONE;
        return;
    }
}

/* What is kept of a difference that nobody else needs. */
static void fuse_keep(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *sub = in->sub ? NULL : sole(f, in->a, WB_CODE_LOAD_SUB, -1);

    if (sub == NULL || wb_kernels()->widen_sub_topkeep[sub->sub] == NULL)
        return;
    in->code = WB_CODE_LOAD_SUB_KEEP;
    in->sub = sub->sub;
    in->a = sub->a;
    in->b = sub->b;
    sub->code = WB_CODE_NONE;
}

static void fuse_mul(struct fuser *f, struct wb_instr *in)
{
    for (int side = 0; side < 2; side++) {
        unsigned x = side == 0 ? in->a : in->b, m = side == 0 ? in->b : in->a;
        struct wb_instr *top = sole(f, m, WB_CODE_TOP, -1);

        if (top == NULL || top->a != x)
            continue;
        f->uses[x]--;
        *in = (struct wb_instr){ .code = WB_CODE_TOP_KEEP,
                                 .sub = top->sub,
                                 .dst = in->dst,
                                 .dst2 = NONE,
                                 .a = x,
                                 .b = NONE,
                                 .c = NONE,
                                 .threshold = top->threshold,
                                 .last_tie = top->last_tie };
        top->code = WB_CODE_NONE;
        fuse_keep(f, in);
        return;
    }
}

static void fuse_max(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *mul = sole(f, in->a, WB_CODE_BINARY, WB_BINARY_mul);

    if (mul == NULL)
        return;
    in->code = WB_CODE_MUL_MAX;
    in->a = mul->a;
    in->b = mul->b;
    mul->code = WB_CODE_NONE;
}

/* A sum of what may be a sum itself: longer, from the left. */
static void fuse_sum(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *sum = sole(f, in->a, WB_CODE_SUM, -1);
    struct wb_instr *add = sole(f, in->a, WB_CODE_BINARY, WB_BINARY_add);

    if (in->a == in->b)
        return;
    if (sum != NULL && sum->manys < WB_MANY) {
        memcpy(in->many, sum->many, sizeof in->many);
        in->manys = sum->manys;
        sum->code = WB_CODE_NONE;
        sum->manys = 0;
    } else if (add != NULL) {
        in->many[0] = add->a;
        in->many[1] = add->b;
        in->manys = 2;
        add->code = WB_CODE_NONE;
    } else {
        return;
    }
    in->many[in->manys++] = in->b;
    in->code = WB_CODE_SUM;
    in->a = in->b = NONE;
}

static void fuse_add(struct fuser *f, struct wb_instr *in)
{
    for (int side = 0; side < 2 && in->a != in->b; side++) {
        struct wb_instr *gt = sole(f, side == 0 ? in->b : in->a, WB_CODE_BINARY_VS, WB_BINARY_gt);

        if (gt == NULL)
            continue;
        in->code = WB_CODE_ADD_GT;
        in->c = side == 0 ? in->a : in->b;
        in->a = gt->a;
        in->b = NONE;
        in->s = gt->s;
        gt->code = WB_CODE_NONE;
        return;
    }
    fuse_sum(f, in);
}

/* A comparison times s plus a constant: one of two numbers. */
static bool fuse_step(struct fuser *f, struct wb_instr *in)
{
    const struct wb_kernels *k = wb_kernels();
    struct wb_instr *compare = sole(f, in->a, WB_CODE_BINARY_VS, -1), *fill = f->def[in->c];
    float mask[2] = { 1, 0 }, plus[2];

    if (compare == NULL || k->step[compare->sub] == NULL || fill == NULL ||
        fill->code != WB_CODE_FILL)
        return false;
    plus[0] = plus[1] = fill->s;
    k->fma_vs(2, mask, in->s, plus, plus);
    if (--f->uses[in->c] == 0)
        fill->code = WB_CODE_NONE;
    in->code = WB_CODE_STEP;
    in->sub = compare->sub;
    in->a = compare->a;
    in->c = NONE;
    in->s = compare->s;
    in->t = plus[0];
    in->u = plus[1];
    compare->code = WB_CODE_NONE;
    return true;
}

static void fuse_div(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *mul = sole(f, in->a, WB_CODE_BINARY, WB_BINARY_mul);
    struct wb_instr *max = sole(f, in->b, WB_CODE_BINARY_VS, WB_BINARY_max);

    if (mul == NULL || max == NULL)
        return;
    in->code = WB_CODE_MUL_DIV_MAX;
    in->a = mul->a;
    in->b = mul->b;
    in->c = max->a;
    in->s = max->s;
    mul->code = max->code = WB_CODE_NONE;
}

/* The values x of a chain (x > s) + (x > s) + ... that ends with `in`, in order; 0: no chain. */
static size_t chain_of_gt(const struct fuser *f, const struct wb_instr *in, unsigned x[WB_MANY],
                          struct wb_instr *link[WB_MANY])
{
    size_t n = 0;

    while (in != NULL && in->code == WB_CODE_ADD_GT && n + 1 < WB_MANY) {
        struct wb_instr *next = f->uses[in->c] == 1 ? f->def[in->c] : NULL;

        x[n] = in->a;
        link[n++] = next;
        if (next == NULL || next->s != in->s)
            return 0;
        in = next;
    }
    if (in == NULL || in->code != WB_CODE_BINARY_VS || in->sub != WB_BINARY_gt)
        return 0;
    x[n++] = in->a;
    for (size_t i = 0; i < n / 2; i++) {
        unsigned swap = x[i];

        x[i] = x[n - 1 - i];
        x[n - 1 - i] = swap;
    }
    return n;
}

/* The last of n products max(x b, s), all with the same b and s and used twice; NULL otherwise. */
static struct wb_instr *last_product(const struct fuser *f, const unsigned *x, size_t n)
{
    struct wb_instr *first = f->def[x[0]], *last = first;

    for (size_t i = 0; i < n; i++) {
        struct wb_instr *m = f->def[x[i]];

        if (m == NULL || m->code != WB_CODE_MUL_MAX || f->uses[x[i]] != 2 || m->b != first->b ||
            m->s != first->s)
            return NULL;
        last = m > last ? m : last;
    }
    return isnan(first->s) || (first->s == 0 && signbit(first->s)) ? NULL : last;
}

static struct wb_instr *sum_over(const struct fuser *f, const unsigned *x, size_t n)
{
    for (size_t i = 0; i < f->p->instrs; i++) {
        struct wb_instr *in = &f->p->instr[i];

        if (n == 2 && in->code == WB_CODE_BINARY && in->sub == WB_BINARY_add && in->a == x[0] &&
            in->b == x[1])
            return in;
        if (in->code == WB_CODE_SUM && in->manys == n && memcmp(in->many, x, n * sizeof *x) == 0)
            return in;
    }
    return NULL;
}

/* Products that are added up, and counted where they are above a number, in one loop. */
static void fuse_tally(struct fuser *f, struct wb_instr *in)
{
    unsigned x[WB_MANY];
    struct wb_instr *link[WB_MANY] = { NULL }, *sum, *last;
    size_t n = chain_of_gt(f, in, x, link);

    if (n == 0 || (last = last_product(f, x, n)) == NULL || (sum = sum_over(f, x, n)) == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        struct wb_instr *m = f->def[x[i]];

        last->many[i] = m->a;
        if (m != last)
            m->code = WB_CODE_NONE;
        if (i + 1 < n)
            link[i]->code = WB_CODE_NONE;
    }
    last->code = WB_CODE_TALLY;
    last->manys = n;
    last->a = NONE;
    last->t = in->s;
    last->dst = sum->dst;
    last->dst2 = in->dst;
    f->def[last->dst] = f->def[last->dst2] = last;
    sum->code = in->code = WB_CODE_NONE;
}

/* Keys of a difference that nobody else needs. */
static void fuse_bracket(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *sub = sole(f, in->a, WB_CODE_LOAD_SUB, -1);

    if (sub == NULL || wb_kernels()->widen_sub_bracket[sub->sub] == NULL)
        return;
    in->code = WB_CODE_LOAD_SUB_DRAIN;
    in->sub = sub->sub;
    in->a = sub->a;
    in->b = sub->b;
    sub->code = WB_CODE_NONE;
}

static void fuse_pair(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *x = sole(f, in->a, WB_CODE_LOAD, -1);
    struct wb_instr *y = x == NULL ? NULL : sole(f, in->b, WB_CODE_LOAD, x->sub);

    if (y == NULL || x == y || wb_kernels()->pair_stats_packed[x->sub] == NULL)
        return;
    in->code = WB_CODE_LOAD_PAIR_DRAIN;
    in->sub = x->sub;
    in->a = x->a;
    in->b = NONE;
    in->other = y->a;
    x->code = y->code = WB_CODE_NONE;
}

/* The last step from packed elements to packed elements of the same dtype. */
static bool fuse_write_loaded(struct fuser *f, struct wb_instr *in)
{
    int dtype = (int)f->p->drain[in->drain]->dtype;

    for (int side = 0; side < 2; side++) {
        struct wb_instr *fma =
            sole(f, in->a, side == 0 ? WB_CODE_LOAD_SUB_FMA : WB_CODE_SUB_LOAD_FMA, dtype);

        if (fma == NULL || wb_kernels()->widen_sub_fma_narrow[dtype] == NULL)
            continue;
        in->code = side == 0 ? WB_CODE_LOAD_SUB_FMA_DRAIN : WB_CODE_SUB_LOAD_FMA_DRAIN;
        in->sub = fma->sub;
        in->a = fma->a;
        in->b = fma->b;
        in->c = fma->c;
        in->s = fma->s;
        fma->code = WB_CODE_NONE;
        return true;
    }
    return false;
}

static void fuse_write(struct fuser *f, struct wb_instr *in)
{
    struct wb_instr *fma = sole(f, in->a, WB_CODE_FMA_VS, -1);

    if (fuse_write_loaded(f, in))
        return;
    if (fma == NULL || wb_kernels()->fma_narrow[f->p->drain[in->drain]->dtype] == NULL)
        return;
    in->code = WB_CODE_FMA_DRAIN;
    in->a = fma->a;
    in->c = fma->c;
    in->s = fma->s;
    fma->code = WB_CODE_NONE;
}

static void fuse_drain(struct fuser *f, struct wb_instr *in)
{
    const struct wb_drain *d = f->p->drain[in->drain];

    if (d->kind == WB_DRAIN_WRITE)
        fuse_write(f, in);
    else if (d->kind == WB_DRAIN_BRACKET && !d->by_value)
        fuse_bracket(f, in);
    else if (d->kind == WB_DRAIN_REDUCE && d->op == WB_REDUCE_PAIR_STATS)
        fuse_pair(f, in);
}

static void count_uses(struct fuser *f)
{
    for (size_t i = 0; i < f->p->instrs; i++) {
        struct wb_instr *in = &f->p->instr[i];
        unsigned *operand[WB_OPERANDS_MAX];
        size_t n = wb_instr_operands(in, operand);

        for (size_t k = 0; k < n; k++)
            f->uses[*operand[k]]++;
        if (in->dst != NONE)
            f->def[in->dst] = in;
    }
}

static void drop_dead(struct wb_program *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->instrs; i++)
        if (p->instr[i].code != WB_CODE_NONE)
            p->instr[kept++] = p->instr[i];
    p->instrs = kept;
}

bool wb_program_fuse(struct wb_program *p, unsigned registers)
{
    struct fuser f = { .p = p,
                       .def = calloc(registers + 1, sizeof *f.def),
                       .uses = calloc(registers + 1, sizeof *f.uses) };
    bool ok = f.def != NULL && f.uses != NULL;

    if (ok)
        count_uses(&f);
    for (size_t i = 0; ok && i < p->instrs; i++)
        if (p->instr[i].code == WB_CODE_GUARD)
            fuse_guard(&f, &p->instr[i]);
    for (size_t i = 0; ok && i < p->instrs; i++) {
        struct wb_instr *in = &p->instr[i];

        if (in->code == WB_CODE_BINARY && in->sub == WB_BINARY_sub)
            fuse_sub(&f, in);
        else if (in->code == WB_CODE_BINARY && in->sub == WB_BINARY_mul)
            fuse_mul(&f, in);
        else if (in->code == WB_CODE_BINARY && in->sub == WB_BINARY_add)
            fuse_add(&f, in);
        else if (in->code == WB_CODE_BINARY && in->sub == WB_BINARY_div)
            fuse_div(&f, in);
        else if (in->code == WB_CODE_BINARY_VS && in->sub == WB_BINARY_max)
            fuse_max(&f, in);
        else if (in->code == WB_CODE_FMA_VS && !fuse_step(&f, in))
            fuse_fma(&f, in);
        else if (in->code == WB_CODE_DRAIN)
            fuse_drain(&f, in);
    }
    for (size_t i = p->instrs; ok && i-- > 0;)
        if (p->instr[i].code == WB_CODE_ADD_GT)
            fuse_tally(&f, &p->instr[i]);
    drop_dead(p);
    free(f.def);
    free(f.uses);
    return ok;
}
