/* app/tensor/kernel_tables.h - the tables; those of another architecture have no name. */
#ifndef WB_TENSOR_KERNEL_TABLES_H
#define WB_TENSOR_KERNEL_TABLES_H

#include "app/tensor/kernels.h"

extern const struct wb_kernels wb_kernels_scalar, wb_kernels_avx2, wb_kernels_avx512,
    wb_kernels_neon;

#endif
