/* app/graph/instr.h - the inside of a program: instructions, slots, and compiling to them. */
#ifndef WB_GRAPH_INSTR_H
#define WB_GRAPH_INSTR_H

#include "app/graph/node_impl.h"
#include "app/graph/program.h"
#include "app/tensor/kernels.h"

enum wb_code_op {
    WB_CODE_LOAD,        /* dst = widened slot `a` */
    WB_CODE_LOAD_SMALL,  /* dst = doubles at data, rounded */
    WB_CODE_LOAD_BUFFER, /* dst = floats at data; NULL: NaN */
    WB_CODE_LOAD_VIEW,   /* dst = floats at data through node's view */
    WB_CODE_FILL,
    WB_CODE_UNIFORM,
    WB_CODE_NORMAL,
    WB_CODE_BERNOULLI,
    WB_CODE_UNARY,
    WB_CODE_BINARY,
    WB_CODE_BINARY_VS,
    WB_CODE_BINARY_SV,
    WB_CODE_WHERE,
    WB_CODE_LERP,
    WB_CODE_FMA_VS,
    WB_CODE_FMA_VV,
    WB_CODE_CLAMP,
    WB_CODE_NAN_TO,
    WB_CODE_CAST,
    WB_CODE_GUARD,
    WB_CODE_PER_ROW,
    WB_CODE_PER_COLUMN,
    WB_CODE_TOP,
    WB_CODE_TOP_ROWS,
    WB_CODE_DRAIN, /* feed drain number `drain` */
    /* what app/graph/fuse.c makes of pairs */
    WB_CODE_LOAD_SUB,           /* slot a - b */
    WB_CODE_LOAD_SUB_FMA,       /* (slot a - b) s + c */
    WB_CODE_SUB_LOAD,           /* b - slot a */
    WB_CODE_SUB_LOAD_FMA,       /* (b - slot a) s + c */
    WB_CODE_LOAD_SUB_KEEP,      /* d = slot a - b, where it is among the top, else d times 0 */
    WB_CODE_LOAD_SUB_DRAIN,     /* feed a drain with slot a - b */
    WB_CODE_LOAD_SUB_FMA_DRAIN, /* write (slot a - b) s + c */
    WB_CODE_SUB_LOAD_FMA_DRAIN, /* write (b - slot a) s + c */
    WB_CODE_LOAD_PAIR_DRAIN,    /* feed a drain with the slots a and `other` */
    WB_CODE_MUL_MAX,            /* max(a b, s) */
    WB_CODE_ADD_GT,             /* c + (a > s) */
    WB_CODE_TOP_KEEP,           /* a where it is among the top, else a times 0 */
    WB_CODE_SUM,                /* of the registers `many` */
    WB_CODE_STEP,               /* a op s ? t : u */
    WB_CODE_TALLY,              /* sum of max(many b, s), and in dst2 how many of those are > t */
    WB_CODE_MUL_DIV_MAX,        /* a b / max(c, s) */
    WB_CODE_FMA_DRAIN,          /* write a s + c */
    WB_CODE_NONE,               /* fused away */
};

struct wb_instr {
    uint8_t code, sub;
    unsigned dst, dst2, a, b, c; /* registers (or the slot of LOAD) */
    unsigned many[WB_MANY];      /* more of them */
    size_t manys;
    float s, t, u;
    uint32_t threshold; /* of TOP */
    uint64_t last_tie;
    const struct wb_node *node;
    const void *data;
    bool data_double;
    size_t drain, other;
};

/* A tensor (or view of one) that is read tile by tile. */
struct wb_slot {
    struct wb_node *node; /* SOURCE or VIEW of one */
    const struct wb_node *source;
    const struct wb_view *view; /* NULL: all of it */
    enum wb_dtype dtype;
    size_t element_bytes;
    size_t offset;               /* in the worker's raw area */
    const struct wb_node *guard; /* checked finite as it is read; NULL: not */
};

struct wb_program {
    struct wb_geometry geometry;
    enum wb_extent extent;
    bool spans;
    bool gapless;         /* entries are numbered by their position in the sample: gaps.c */
    bool unbounded;       /* a chunk is a whole run: nothing passes through registers */
    bool guards_deferred; /* what is written tells whether all sources are finite: guards.c */
    size_t units;
    struct wb_instr *instr;
    size_t instrs, instr_cap;
    struct wb_slot *slot;
    size_t slots;
    struct wb_drain *const *drain;
    size_t drains;
    unsigned registers;
    size_t raw_bytes, keys_max; /* raw area; keys of all drains */
    const struct wb_held_table *table;
    const struct wb_verified *verified; /* may be NULL */
};

/* Does `a` of this instruction name a slot? */
static inline bool wb_code_loads(uint8_t code)
{
    return code == WB_CODE_LOAD || (code >= WB_CODE_LOAD_SUB && code <= WB_CODE_LOAD_PAIR_DRAIN);
}

/* The registers an instruction reads, as places to change; how many. */
#define WB_OPERANDS_MAX (3 + WB_MANY)
static inline size_t wb_instr_operands(struct wb_instr *in, unsigned *operand[WB_OPERANDS_MAX])
{
    unsigned *one[3] = { wb_code_loads(in->code) ? NULL : &in->a, &in->b, &in->c };
    size_t n = 0;

    for (int i = 0; i < 3; i++)
        if (one[i] != NULL && *one[i] != UINT32_MAX)
            operand[n++] = one[i];
    for (size_t i = 0; i < in->manys; i++)
        operand[n++] = &in->many[i];
    return n;
}

/* Merge instructions over virtual registers into fused ones. */
bool wb_program_fuse(struct wb_program *p, unsigned registers);

/* Have the guards of sources look at what is written instead, where that says the same. */
void wb_program_defer_guards(struct wb_program *p, unsigned registers);

/* Over a sample, where nothing but the ties of a selection asks for flat indices: number entries
 * by position, so that chunks are long however short the rows are. */
void wb_program_close_gaps(struct wb_program *p);

/* Fill instr, slot, registers of a program whose geometry and drains are set. */
bool wb_program_compile(struct wb_program *p, struct wb_err *err);

#endif
