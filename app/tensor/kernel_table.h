/* app/tensor/kernel_table.h - fills the table KERNEL_TABLE, called KERNEL_NAME; included last. */
#include "app/tensor/kernel_fused.h"

const struct wb_kernels KERNEL_TABLE = {
    .name = KERNEL_NAME,
    .widen = {
        [WB_DTYPE_F8_E5M2] = widen_e5m2, [WB_DTYPE_F8_E4M3] = widen_e4m3,
        [WB_DTYPE_F16] = widen_f16, [WB_DTYPE_BF16] = widen_bf16,
        [WB_DTYPE_F32] = widen_f32, [WB_DTYPE_F64] = widen_f64,
    },
    .narrow = {
        [WB_DTYPE_F8_E5M2] = narrow_e5m2, [WB_DTYPE_F8_E4M3] = narrow_e4m3,
        [WB_DTYPE_F16] = narrow_f16, [WB_DTYPE_BF16] = narrow_bf16,
        [WB_DTYPE_F32] = narrow_f32, [WB_DTYPE_F64] = narrow_f64,
    },
#define X(name) [WB_UNARY_##name] = unary_##name,
    .unary = { WB_UNARY_OPS(X) },
#undef X
#define X(name) [WB_BINARY_##name] = binary_##name,
    .binary = { WB_BINARY_OPS(X) },
#undef X
#define X(name) [WB_BINARY_##name] = vs_##name,
    .binary_vs = { WB_BINARY_OPS(X) },
#undef X
#define X(name) [WB_BINARY_##name] = sv_##name,
    .binary_sv = { WB_BINARY_OPS(X) },
#undef X
    .fill = fill, .fma_vv = fma_vv, .fma_vs = fma_vs, .where = where, .lerp = lerp, .clamp = clamp,
    .nan_to = nan_to, .uniform = uniform, .bernoulli = bernoulli, .normal = normal,
    .sum = sum, .sum_abs = sum_abs, .sum_squares = sum_squares, .dot = dot,
    .min = min, .max = max, .absmax = absmax, .count_nonzero = count_nonzero,
    .column_sum = column_sum, .column_sum_squares = column_sum_squares,
    .column_sum_abs = column_sum_abs, .column_dot = column_dot,
    .stats = stats, .pair_stats = pair_stats,
    .bracket_abs = bracket_abs, .bracket_signed = bracket_signed,
    .topmask_abs = topmask_abs, .topmask_signed = topmask_signed,
    .first_nonfinite = first_nonfinite,
    .finite = {
        [WB_DTYPE_F16] = finite_f16, [WB_DTYPE_BF16] = finite_bf16, [WB_DTYPE_F32] = finite_f32,
    },
    .widen_sub = { [WB_DTYPE_BF16] = widen_sub_bf16 },
    .widen_sub_fma = { [WB_DTYPE_BF16] = widen_sub_fma_bf16 },
    .sub_widen = { [WB_DTYPE_BF16] = sub_widen_bf16 },
    .sub_widen_fma = { [WB_DTYPE_BF16] = sub_widen_fma_bf16 },
    .widen_sub_topkeep = { [WB_DTYPE_BF16] = widen_sub_topkeep_bf16 },
    .widen_sub_bracket = { [WB_DTYPE_BF16] = widen_sub_bracket_bf16 },
    .pair_stats_packed = { [WB_DTYPE_BF16] = pair_stats_bf16 },
    .sum_of = sum_of, .tally = tally, .mul_div_max = mul_div_max,
#define X(name) [WB_BINARY_##name] = step_##name,
    .step = { X(gt) X(lt) X(ge) X(le) X(eq) X(ne) },
#undef X
    .fma_narrow = { [WB_DTYPE_BF16] = fma_narrow_bf16 },
    .widen_sub_fma_narrow = { [WB_DTYPE_BF16] = widen_sub_fma_narrow_bf16 },
    .sub_widen_fma_narrow = { [WB_DTYPE_BF16] = sub_widen_fma_narrow_bf16 },
    .mul_max = mul_max, .add_gt = add_gt, .topkeep_abs = topkeep_abs, .topkeep_signed = topkeep_signed,
};
