/* app/graph/fuse.c - pairs of instructions made one, where a kernel does both in one loop.
 *
 * Instructions are in single-assignment form here, so a producer whose result is used once can
 * move to its consumer. The fused kernels give the same bits, so nothing depends on what was
 * fused. */
#include <stdlib.h>

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
}

static void count_uses(struct fuser *f)
{
    for (size_t i = 0; i < f->p->instrs; i++) {
        struct wb_instr *in = &f->p->instr[i];
        unsigned use[3] = { wb_code_loads(in->code) ? NONE : in->a, in->b, in->c };

        for (int k = 0; k < 3; k++)
            if (use[k] != NONE)
                f->uses[use[k]]++;
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
        else if (in->code == WB_CODE_BINARY_VS && in->sub == WB_BINARY_max)
            fuse_max(&f, in);
        else if (in->code == WB_CODE_FMA_VS)
            fuse_fma(&f, in);
    }
    drop_dead(p);
    free(f.def);
    free(f.uses);
    return ok;
}
