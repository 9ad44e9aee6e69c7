/* app/graph/guards.c - when what is written tells whether what was read is finite.
 *
 * A sum, a product or a multiply-add of anything that is not finite is not finite either. Where a
 * program is made of those alone, one look at what it writes stands for one at each of its sources;
 * only when that finds something (a sum may overflow too) the sources are looked at. */
#include <stdlib.h>

#include "app/graph/instr.h"

static bool passes_on(const struct wb_instr *in)
{
    switch ((enum wb_code_op)in->code) {
    case WB_CODE_LOAD:
    case WB_CODE_LOAD_SUB:
    case WB_CODE_LOAD_SUB_FMA:
    case WB_CODE_SUB_LOAD:
    case WB_CODE_SUB_LOAD_FMA:
    case WB_CODE_LOAD_SUB_FMA_DRAIN:
    case WB_CODE_SUB_LOAD_FMA_DRAIN:
    case WB_CODE_FMA_DRAIN:
    case WB_CODE_FMA_VS:
    case WB_CODE_SUM:
    case WB_CODE_DRAIN:
        return true;
    case WB_CODE_BINARY:
    case WB_CODE_BINARY_VS:
    case WB_CODE_BINARY_SV:
        return in->sub == WB_BINARY_add || in->sub == WB_BINARY_sub || in->sub == WB_BINARY_mul;
    default:
        return false;
    }
}

/* Is every value used, and every guarded slot loaded? */
static bool all_arrive(const struct wb_program *p, bool *used, bool *loaded)
{
    bool all = true;

    for (size_t i = 0; i < p->instrs; i++) {
        unsigned *operand[WB_OPERANDS_MAX];
        size_t n = wb_instr_operands(&p->instr[i], operand);

        for (size_t k = 0; k < n; k++)
            used[*operand[k]] = true;
        if (wb_code_loads(p->instr[i].code))
            loaded[p->instr[i].a] = true;
    }
    for (size_t i = 0; i < p->instrs; i++)
        all = all && (p->instr[i].dst == UINT32_MAX || used[p->instr[i].dst]);
    for (size_t i = 0; i < p->slots; i++)
        all = all && (p->slot[i].guard == NULL || loaded[i]);
    return all;
}

void wb_program_defer_guards(struct wb_program *p, unsigned registers)
{
    const struct wb_drain *d = p->drains == 1 ? p->drain[0] : NULL;
    bool *used, *loaded;

    if (d == NULL || d->kind != WB_DRAIN_WRITE || wb_kernels()->finite[d->dtype] == NULL)
        return;
    for (size_t i = 0; i < p->instrs; i++)
        if (!passes_on(&p->instr[i]))
            return;
    used = calloc(registers + 1, sizeof *used);
    loaded = calloc(p->slots + 1, sizeof *loaded);
    p->guards_deferred = used != NULL && loaded != NULL && all_arrive(p, used, loaded);
    free(used);
    free(loaded);
}
