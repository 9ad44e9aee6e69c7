/* app/graph/compile.c - from streams to instructions.
 *
 * Values are found by hash, so equal subexpressions are computed once however they were built. A
 * value is a scalar known now, or a virtual register; registers are assigned in a second walk,
 * when last uses are known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/graph/instr.h"
#include "app/tensor/kernels.h"

#define NONE UINT32_MAX

struct value {
    struct wb_hash hash;
    bool used, scalar;
    float number;
    uint32_t reg; /* virtual; NONE until a scalar is spread into one */
};

struct compiler {
    struct wb_program *p;
    struct value *value; /* open addressing */
    size_t size, count;
    uint32_t registers;
    struct wb_err *err;
};

static bool out_of_memory(struct compiler *c)
{
    return wb_fail(c->err, WB_ENOMEM, "no memory for a program");
}

static struct value *find(const struct compiler *c, struct wb_hash hash)
{
    size_t i = (size_t)hash.low & (c->size - 1);

    while (c->value[i].used && !wb_hash_equal(c->value[i].hash, hash))
        i = (i + 1) & (c->size - 1);
    return &c->value[i];
}

static bool grow(struct compiler *c)
{
    struct compiler bigger = *c;

    bigger.size = c->size == 0 ? 64 : c->size * 2;
    bigger.value = calloc(bigger.size, sizeof *bigger.value);
    if (bigger.value == NULL)
        return out_of_memory(c);
    for (size_t i = 0; i < c->size; i++)
        if (c->value[i].used)
            *find(&bigger, c->value[i].hash) = c->value[i];
    free(c->value);
    *c = bigger;
    return true;
}

static struct wb_instr *add_instr(struct compiler *c, enum wb_code_op code, int sub)
{
    struct wb_program *p = c->p;

    if (p->instrs == p->instr_cap) {
        size_t cap = p->instr_cap == 0 ? 32 : p->instr_cap * 2;
        struct wb_instr *more = realloc(p->instr, cap * sizeof *more);

        if (more == NULL) {
            out_of_memory(c);
            return NULL;
        }
        p->instr = more;
        p->instr_cap = cap;
    }
    p->instr[p->instrs] = (struct wb_instr){ .code = (uint8_t)code,
                                             .sub = (uint8_t)sub,
                                             .dst = NONE,
                                             .dst2 = NONE,
                                             .a = NONE,
                                             .b = NONE,
                                             .c = NONE };
    return &p->instr[p->instrs++];
}

/* Remember a node's value. Invalidates pointers into the table. */
static bool define(struct compiler *c, struct wb_hash hash, bool scalar, float number, uint32_t reg)
{
    struct value *v;

    if (2 * (c->count + 1) > c->size && !grow(c))
        return false;
    v = find(c, hash);
    if (!v->used)
        c->count++;
    *v = (struct value){
        .hash = hash, .used = true, .scalar = scalar, .number = number, .reg = reg
    };
    return true;
}

/* The instruction just added defines the node. */
static bool define_result(struct compiler *c, const struct wb_node *n, struct wb_instr *instr)
{
    if (instr == NULL)
        return false;
    instr->dst = c->registers;
    return define(c, n->hash, false, 0, c->registers++);
}

static bool emit(struct compiler *c, struct wb_node *n);

/* A register with the value of n, which has been emitted. */
static bool in_register(struct compiler *c, const struct wb_node *n, uint32_t *reg)
{
    struct value *v = find(c, n->hash);
    struct wb_instr *fill;

    if (v->scalar && v->reg == NONE) {
        fill = add_instr(c, WB_CODE_FILL, 0);
        if (fill == NULL)
            return false;
        fill->s = v->number;
        fill->dst = v->reg = c->registers++;
    }
    *reg = v->reg;
    return true;
}

/* The slot of a source or of a view of one; added when it is new. */
static bool slot_of(struct compiler *c, struct wb_node *n, size_t *index)
{
    struct wb_program *p = c->p;
    const struct wb_node *source = n->op == WB_OP_VIEW ? n->in[0] : n;
    struct wb_slot *more;

    for (*index = 0; *index < p->slots; ++*index)
        if (wb_hash_equal(p->slot[*index].node->hash, n->hash))
            return true;
    more = realloc(p->slot, (p->slots + 1) * sizeof *more);
    if (more == NULL)
        return out_of_memory(c);
    p->slot = more;
    p->slot[p->slots++] = (struct wb_slot){
        .node = n,
        .source = source,
        .dtype = n->dtype,
        .view = n->op == WB_OP_VIEW && !n->u.view.whole ? &n->u.view : NULL,
        .element_bytes = p->extent == WB_EXTENT_BYTES ? 1 : wb_dtype_bits(n->dtype) / 8,
    };
    return true;
}

static bool emit_load(struct compiler *c, struct wb_node *n)
{
    struct wb_instr *load;
    size_t slot;

    if (!slot_of(c, n, &slot))
        return false;
    load = add_instr(c, WB_CODE_LOAD, (int)n->dtype);
    if (load != NULL)
        load->a = (unsigned)slot;
    return define_result(c, n, load);
}

/* What is held: a scalar, or a load. */
static bool emit_held(struct compiler *c, struct wb_node *n)
{
    const struct wb_held *held = wb_held_find(c->p->table, n);
    struct wb_instr *load;

    if (n->domain == WB_SMALL && n->shape.ndim == 0)
        return define(c, n->hash, true, (float)held->f64[0], NONE);
    load = add_instr(c, n->domain == WB_SMALL ? WB_CODE_LOAD_SMALL : WB_CODE_LOAD_BUFFER, 0);
    if (load != NULL)
        load->data = n->domain == WB_SMALL ? (const void *)held->f64 : held->f32;
    return define_result(c, n, load);
}

static bool emit_view_of_buffer(struct compiler *c, struct wb_node *n)
{
    const struct wb_held *held = wb_held_find(c->p->table, n->in[0]);
    struct wb_instr *load =
        add_instr(c, n->u.view.whole ? WB_CODE_LOAD_BUFFER : WB_CODE_LOAD_VIEW, 0);

    if (load != NULL) {
        load->data = held->f32;
        load->node = n;
    }
    return define_result(c, n, load);
}

static bool emit_random(struct compiler *c, struct wb_node *n)
{
    enum wb_code_op code = n->op == WB_OP_UNIFORM  ? WB_CODE_UNIFORM
                           : n->op == WB_OP_NORMAL ? WB_CODE_NORMAL
                                                   : WB_CODE_BERNOULLI;
    struct wb_instr *instr = add_instr(c, code, 0);

    if (instr != NULL)
        instr->node = n;
    return define_result(c, n, instr);
}

/* All operands are scalars: fold with the kernels themselves, so that bits agree. */
static bool fold(struct compiler *c, const struct wb_node *n, const float *x)
{
    const struct wb_kernels *k = wb_kernels();
    float out = x[0];
    uint8_t raw[8];

    switch ((enum wb_op)n->op) {
    case WB_OP_UNARY:
        k->unary[n->sub](1, &x[0], &out);
        break;
    case WB_OP_BINARY:
        k->binary[n->sub](1, &x[0], &x[1], &out);
        break;
    case WB_OP_WHERE:
        k->where(1, &x[0], &x[1], &x[2], &out);
        break;
    case WB_OP_LERP:
        k->lerp(1, &x[0], &x[1], x[2], &out);
        break;
    case WB_OP_FMA:
        k->fma_vs(1, &x[0], x[1], &x[2], &out);
        break;
    case WB_OP_CLAMP:
        k->clamp(1, x, (float)n->u.range.low, (float)n->u.range.high, &out);
        break;
    case WB_OP_NAN_TO:
        k->nan_to(1, x, (float)n->u.number, &out);
        break;
    case WB_OP_CAST:
        k->narrow[n->sub](1, x, raw);
        k->widen[n->sub](1, raw, &out);
        break;
    default:
        break;
    }
    return define(c, n->hash, true, out, NONE);
}

static bool emit_binary(struct compiler *c, struct wb_node *n)
{
    struct value x = *find(c, n->in[0]->hash), y = *find(c, n->in[1]->hash);
    bool times_one = n->sub == WB_BINARY_mul || n->sub == WB_BINARY_div;
    struct wb_instr *instr;

    if (y.scalar && ((times_one && y.number == 1) || (n->sub == WB_BINARY_sub && y.number == 0)))
        return define(c, n->hash, false, 0, x.reg);
    if (x.scalar && n->sub == WB_BINARY_mul && x.number == 1)
        return define(c, n->hash, false, 0, y.reg);
    instr = add_instr(c,
                      x.scalar   ? WB_CODE_BINARY_SV
                      : y.scalar ? WB_CODE_BINARY_VS
                                 : WB_CODE_BINARY,
                      n->sub);
    if (instr == NULL)
        return false;
    instr->a = x.scalar ? y.reg : x.reg;
    instr->b = x.scalar || y.scalar ? NONE : y.reg;
    instr->s = x.scalar ? x.number : y.number;
    return define_result(c, n, instr);
}

/* where, lerp, fma: vectors in registers, the factor of the last two a scalar. */
static bool emit_ternary(struct compiler *c, struct wb_node *n)
{
    enum wb_code_op code = n->op == WB_OP_WHERE  ? WB_CODE_WHERE
                           : n->op == WB_OP_LERP ? WB_CODE_LERP
                                                 : WB_CODE_FMA_VS;
    int factor = n->op == WB_OP_WHERE ? -1 : n->op == WB_OP_LERP ? 2 : 1;
    uint32_t reg[3] = { NONE, NONE, NONE };
    struct wb_instr *instr;

    if (factor >= 0 && !find(c, n->in[factor]->hash)->scalar) { /* a 0-d stream: 1 entry */
        if (code == WB_CODE_LERP)
            return wb_fail(c->err, WB_ESHAPE, "lerp takes a number as its weight");
        code = WB_CODE_FMA_VV;
        factor = -1;
    }
    for (int i = 0; i < 3; i++)
        if (i != factor && !in_register(c, n->in[i], &reg[i]))
            return false;
    instr = add_instr(c, code, 0);
    if (instr == NULL)
        return false;
    instr->a = reg[0];
    instr->b = reg[1];
    instr->c = reg[2];
    if (factor >= 0)
        instr->s = find(c, n->in[factor]->hash)->number;
    return define_result(c, n, instr);
}

static bool is_verified(const struct wb_program *p, const struct wb_node *guard)
{
    for (size_t i = 0; p->verified != NULL && i < p->verified->count; i++)
        if (wb_hash_equal(p->verified->guard[i], guard->hash))
            return true;
    return false;
}

static bool emit_unary(struct compiler *c, struct wb_node *n)
{
    static const uint8_t code[] = {
        [WB_OP_UNARY] = WB_CODE_UNARY,   [WB_OP_CLAMP] = WB_CODE_CLAMP,
        [WB_OP_NAN_TO] = WB_CODE_NAN_TO, [WB_OP_CAST] = WB_CODE_CAST,
        [WB_OP_GUARD] = WB_CODE_GUARD,
    };
    struct value x = *find(c, n->in[0]->hash);
    struct wb_instr *instr;

    if (n->op == WB_OP_AS || (n->op == WB_OP_GUARD && is_verified(c->p, n)))
        return define(c, n->hash, false, 0, x.reg);
    instr = add_instr(c, (enum wb_code_op)code[n->op], n->sub);
    if (instr == NULL)
        return false;
    instr->a = x.reg;
    instr->node = n;
    if (n->op == WB_OP_CLAMP) {
        instr->s = (float)n->u.range.low;
        instr->t = (float)n->u.range.high;
    } else if (n->op == WB_OP_NAN_TO) {
        instr->s = (float)n->u.number;
    } else if (n->op == WB_OP_GUARD) { /* a check: the value is that of the operand */
        return define(c, n->hash, false, 0, x.reg);
    }
    return define_result(c, n, instr);
}

static bool emit_elementwise(struct compiler *c, struct wb_node *n)
{
    float x[3] = { 0 };
    bool scalars = true;

    for (size_t i = 0; i < n->n_in; i++) {
        if (!emit(c, n->in[i]))
            return false;
        scalars = scalars && find(c, n->in[i]->hash)->scalar;
        x[i] = find(c, n->in[i]->hash)->number;
    }
    if (scalars)
        return fold(c, n, x);
    if (n->op == WB_OP_BINARY)
        return emit_binary(c, n);
    return n->n_in == 3 ? emit_ternary(c, n) : emit_unary(c, n);
}

static bool emit_spread(struct compiler *c, struct wb_node *n)
{
    const struct wb_held *held = wb_held_find(c->p->table, n->in[0]);
    struct wb_instr *instr =
        add_instr(c, n->op == WB_OP_PER_ROW ? WB_CODE_PER_ROW : WB_CODE_PER_COLUMN, 0);

    if (instr != NULL) {
        instr->data_double = held->f64 != NULL;
        instr->data = held->f64 != NULL ? (const void *)held->f64 : held->f32;
    }
    return define_result(c, n, instr);
}

static bool emit_top(struct compiler *c, struct wb_node *n)
{
    const struct wb_held *select = wb_held_find(c->p->table, n->in[1]);
    struct wb_instr *instr;
    uint32_t reg;

    if (!emit(c, n->in[0]) || !in_register(c, n->in[0], &reg))
        return false;
    instr = add_instr(c, n->op == WB_OP_TOP ? WB_CODE_TOP : WB_CODE_TOP_ROWS, n->by_value);
    if (instr == NULL)
        return false;
    instr->a = reg;
    instr->data = select->f64;
    if (n->op == WB_OP_TOP) {
        const double *f = select->f64;
        float value = (float)f[0];
        bool before = (double)n->u.index < f[1], at = (double)n->u.index == f[1];

        instr->threshold = n->by_value ? wb_key_signed(value) : wb_key_abs(value);
        if (isinf(f[0]) && f[0] > 0 && f[1] < 0) /* nothing is selected */
            instr->threshold = UINT32_MAX;
        else if (before) /* every tie */
            instr->last_tie = UINT64_MAX;
        else if (at)
            instr->last_tie = (uint64_t)f[2];
        else /* no tie: only what lies above */
            instr->threshold++;
        if (!before && !at && !(isinf(f[0]) && f[1] < 0))
            instr->last_tie = UINT64_MAX; /* >= threshold + 1 */
    }
    return define_result(c, n, instr);
}

static bool emit(struct compiler *c, struct wb_node *n)
{
    if (c->size > 0 && find(c, n->hash)->used)
        return true;
    if (n->op == WB_OP_FILL)
        return define(c, n->hash, true, (float)n->u.number, NONE);
    if (n->domain != WB_STREAM)
        return emit_held(c, n);
    switch ((enum wb_op)n->op) {
    case WB_OP_SOURCE:
        return emit_load(c, n);
    case WB_OP_VIEW:
        return n->in[0]->op == WB_OP_SOURCE ? emit_load(c, n) : emit_view_of_buffer(c, n);
    case WB_OP_UNIFORM:
    case WB_OP_NORMAL:
    case WB_OP_BERNOULLI:
        return emit_random(c, n);
    case WB_OP_PER_ROW:
    case WB_OP_PER_COLUMN:
        return emit_spread(c, n);
    case WB_OP_TOP:
    case WB_OP_TOP_ROWS:
        return emit_top(c, n);
    default:
        return emit_elementwise(c, n);
    }
}

/* One operand after the other, so that few registers are in use at once. */
static bool emit_gram(struct compiler *c, size_t i)
{
    const struct wb_node *n = c->p->drain[i]->held->node;

    for (size_t k = 0; k < n->n_in; k++) {
        struct wb_instr *instr;
        uint32_t reg;

        if (!emit(c, n->in[k]) || !in_register(c, n->in[k], &reg))
            return false;
        instr = add_instr(c, WB_CODE_DRAIN, 0);
        if (instr == NULL)
            return false;
        instr->a = reg;
        instr->drain = i;
    }
    return true;
}

static bool emit_drain(struct compiler *c, size_t i)
{
    struct wb_drain *drain = c->p->drain[i];
    uint32_t reg[2] = { NONE, NONE };
    struct wb_instr *instr;

    if (drain->kind == WB_DRAIN_COPY)
        return slot_of(c, drain->in[0], &drain->slot);
    if (drain->kind == WB_DRAIN_GRAM)
        return emit_gram(c, i);
    for (int k = 0; k < 2 && drain->in[k] != NULL; k++)
        if (!emit(c, drain->in[k]) || !in_register(c, drain->in[k], &reg[k]))
            return false;
    instr = add_instr(c, WB_CODE_DRAIN, 0);
    if (instr == NULL)
        return false;
    instr->a = reg[0];
    instr->b = reg[1];
    instr->drain = i;
    return true;
}

struct places {
    struct wb_program *p;
    uint32_t *last, *place, *spare; /* instruction of the last use; register; free registers */
    size_t spares;
};

static void define_place(struct places *r, unsigned *reg)
{
    unsigned v = *reg;

    if (v == NONE)
        return;
    r->place[v] = r->spares > 0 ? r->spare[--r->spares] : r->p->registers++;
    *reg = r->place[v];
}

/* Each virtual register gets a place when it is defined, and gives it back after its last use. */
static void assign_instr(struct places *r, struct wb_instr *in, size_t at)
{
    unsigned *operand[WB_OPERANDS_MAX], defined[2] = { in->dst, in->dst2 };
    size_t n = wb_instr_operands(in, operand);

    for (size_t k = 0; k < n; k++) {
        unsigned v = *operand[k];

        *operand[k] = r->place[v];
        if (r->last[v] == at) {
            r->spare[r->spares++] = r->place[v];
            r->last[v] = NONE;
        }
    }
    define_place(r, &in->dst);
    define_place(r, &in->dst2);
    for (int k = 0; k < 2; k++) /* a value that nobody uses dies at once */
        if (defined[k] != NONE && r->last[defined[k]] == at)
            r->spare[r->spares++] = r->place[defined[k]];
    if (in->code == WB_CODE_DRAIN) {
        r->p->drain[in->drain]->reg[0] = in->a;
        r->p->drain[in->drain]->reg[1] = in->b;
    }
}

static void find_last_uses(const struct places *r)
{
    for (size_t i = 0; i < r->p->instrs; i++) {
        struct wb_instr *in = &r->p->instr[i];
        unsigned *operand[WB_OPERANDS_MAX];
        size_t n = wb_instr_operands(in, operand);

        if (in->dst != NONE)
            r->last[in->dst] = (uint32_t)i;
        if (in->dst2 != NONE)
            r->last[in->dst2] = (uint32_t)i;
        for (size_t k = 0; k < n; k++)
            r->last[*operand[k]] = (uint32_t)i;
    }
}

static bool assign(struct compiler *c)
{
    size_t bytes = ((size_t)c->registers + 1) * sizeof(uint32_t);
    struct places r = {
        .p = c->p, .last = malloc(bytes), .place = malloc(bytes), .spare = malloc(bytes)
    };
    bool ok = r.last != NULL && r.place != NULL && r.spare != NULL;

    if (ok)
        find_last_uses(&r);
    for (size_t i = 0; ok && i < c->p->instrs; i++)
        assign_instr(&r, &c->p->instr[i], i);
    free(r.last);
    free(r.place);
    free(r.spare);
    return ok || out_of_memory(c);
}

bool wb_program_compile(struct wb_program *p, struct wb_err *err)
{
    struct compiler c = { .p = p, .err = err };
    bool ok = grow(&c);

    for (size_t i = 0; ok && i < p->drains; i++)
        ok = emit_drain(&c, i);
    ok = ok && (wb_program_fuse(p, c.registers) || out_of_memory(&c));
    if (ok)
        wb_program_defer_guards(p, c.registers);
    ok = ok && assign(&c);
    free(c.value);
    return ok;
}
