/* app/graph/gaps.c - samples of short rows worked off in long chunks.
 *
 * A sample is rows with gaps between them. Rows of a hundred entries would make chunks of a hundred,
 * and working them off would cost more than the arithmetic. What does not ask where an entry is in
 * the tensor can go over the gaps. Rows are whole rounds of the lanes of a sum, or it is not done: a
 * result must not depend on what else is asked of its pass. */
#include "app/graph/instr.h"
#include "app/tensor/kernels.h"

static bool asks_for_place(uint8_t code)
{
    switch ((enum wb_code_op)code) {
    case WB_CODE_LOAD_SMALL:
    case WB_CODE_LOAD_BUFFER:
    case WB_CODE_LOAD_VIEW:
    case WB_CODE_UNIFORM:
    case WB_CODE_NORMAL:
    case WB_CODE_BERNOULLI:
    case WB_CODE_PER_ROW:
    case WB_CODE_PER_COLUMN:
    case WB_CODE_TOP_ROWS:
        return true;
    default:
        return false;
    }
}

static bool may_close(const struct wb_program *p)
{
    if (p->extent != WB_EXTENT_SAMPLE || !p->geometry.partial || p->geometry.unit % WB_LANES != 0)
        return false;
    for (size_t i = 0; i < p->drains; i++)
        if (p->drain[i]->kind != WB_DRAIN_REDUCE && p->drain[i]->kind != WB_DRAIN_KEYS &&
            p->drain[i]->kind != WB_DRAIN_BINS)
            return false;
    for (size_t i = 0; i < p->instrs; i++)
        if (asks_for_place(p->instr[i].code))
            return false;
    return true;
}

/* The last tie's position, in place of its index; in front of the sample there is none. */
static void place_tie(const struct wb_geometry *g, struct wb_instr *in)
{
    uint64_t ties;

    if (in->last_tie == UINT64_MAX || in->threshold == UINT32_MAX)
        return;
    ties = wb_sample_before(g, in->last_tie + 1);
    in->last_tie = ties - 1;
    if (ties == 0) /* then last_tie is UINT64_MAX */
        in->threshold++;
}

void wb_program_close_gaps(struct wb_program *p)
{
    p->gapless = may_close(p);
    for (size_t i = 0; p->gapless && i < p->instrs; i++)
        if (p->instr[i].code == WB_CODE_TOP || p->instr[i].code == WB_CODE_TOP_KEEP ||
            p->instr[i].code == WB_CODE_LOAD_SUB_KEEP)
            place_tie(&p->geometry, &p->instr[i]);
}
